from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from emtests.conftest import skip_for_gap

if TYPE_CHECKING:
    from emtests.demo.homes import Homes

# The programs are tested in Pyodide too; the rest needs processes and sockets.
_NATIVE = ["test_command.py", "test_page*.py", "test_picture_files.py", "test_runs.py"]
_NATIVE += ["test_progress.py", "test_server.py", "test_site.py"]
collect_ignore_glob = _NATIVE if sys.platform == "emscripten" else ["test_fft.py"]

MINUTES = 5

Drive = Callable[..., dict[str, Any]]


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


@pytest.fixture(scope="session")
def served(homes: Homes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page, served by the command itself, with a small picture."""
    from emtests.demo.pictures import SERVED, served_pixels, write_png
    from pyodide_demo.environment import CHECKOUT

    picture = tmp_path_factory.mktemp("served") / "served.png"
    write_png(picture, *SERVED, served_pixels())
    command = [sys.executable, "-u", "-m", "pyodide_demo", str(picture), "--serve", "--port=0"]
    command += ["--no-open", "--filter", "sepia"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            assert words[:4] == ["The", "page", "is", "at"]
            yield words[4]
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def drive(served: str) -> Drive:
    """Drives a panel of the page in Chromium; gives what was seen."""
    from emtests.demo.homes import installed_chromium, python_with_browsers
    from pyodide_demo.environment import CHECKOUT, EnvironmentProblem

    chromium = installed_chromium()
    if chromium is None:
        skip_for_gap("the page", "there is no Chromium; EMHEAP_CHROMIUM can name one")
    try:
        python = python_with_browsers()
    except EnvironmentProblem as problem:
        skip_for_gap("the page", str(problem))

    def run(panel: str, folder: Path, address: str = served) -> dict[str, Any]:
        command = [python, "-m", "emtests.demo.browser", panel, chromium, address, folder]
        done = subprocess.run(
            [*map(str, command)],
            cwd=CHECKOUT,
            capture_output=True,
            encoding="utf-8",
            timeout=MINUTES * 60,
        )
        assert done.returncode == 0, done.stderr
        seen: dict[str, Any] = json.loads(done.stdout)
        assert "failure" not in seen, (seen["failure"], seen["complaints"])
        assert seen["complaints"] == []
        asked = {urlsplit(each).netloc for each in seen["requests"] if not each.startswith("blob:")}
        assert asked == {urlsplit(address).netloc}, "the page asked somebody else"
        return seen

    return run
