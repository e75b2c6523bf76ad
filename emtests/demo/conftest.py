from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from emtests.conftest import skip_for_gap

if TYPE_CHECKING:
    from emtests.demo.homes import Homes

# The filters and the program are tested in Pyodide too; the rest needs processes and sockets.
_NATIVE = ["test_command.py", "test_page.py", "test_picture_files.py", "test_runs.py"]
_NATIVE += ["test_progress.py", "test_server.py"]
collect_ignore = _NATIVE if sys.platform == "emscripten" else []


@pytest.fixture(scope="session")
def homes() -> Homes:
    """The private environment of the command, made if that is possible here."""
    from emtests.demo.homes import Homes
    from pyodide_demo import runs
    from pyodide_demo.environment import EnvironmentProblem

    try:
        return Homes(runs.prepare(print))
    except EnvironmentProblem as problem:
        skip_for_gap("the command's private environment", str(problem))
        raise AssertionError from problem
