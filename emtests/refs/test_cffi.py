"""What cffi is given, in an environment that has it: the others have not, and skip the tests."""

from __future__ import annotations

import subprocess

import pytest

from emtests.conftest import skip_for_gap
from emtests.heaps import IN_PYODIDE
from pyodide_demo.environment import CHECKOUT, EnvironmentProblem, virtual_environment

pytestmark = pytest.mark.once


def test_what_is_said_of_cffi_is_tried_where_it_is_installed() -> None:
    if IN_PYODIDE:
        skip_for_gap("Pyodide", "it starts no processes")
    try:
        python = virtual_environment("cffi", ["cffi", "hypothesis", "pytest"])
    except EnvironmentProblem as problem:
        skip_for_gap("cffi", str(problem).splitlines()[0])
    chosen = "cffi or (stands_alone and c_functions)"
    files = ["emtests/refs/test_foreign_functions.py", "emtests/docs/test_pages.py"]
    ended = subprocess.run(
        [python, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *files, "-k", chosen],
        cwd=CHECKOUT,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "passed" in ended.stdout
    assert "cffi" not in ended.stdout.partition("short test summary")[2]
