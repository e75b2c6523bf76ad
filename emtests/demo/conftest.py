from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from emtests.conftest import skip_for_gap

if TYPE_CHECKING:
    from emtests.demo.prepared import Prepared

# The programs are tested in Pyodide too; the rest needs processes and sockets.
_NATIVE = ["test_command.py", "test_page*.py", "test_picture_files.py", "test_runs.py"]
_NATIVE += ["test_progress.py", "test_server.py", "test_site.py"]
collect_ignore_glob = _NATIVE if sys.platform == "emscripten" else ["test_fft.py"]

MINUTES = 5


def pytest_itemcollected(item: pytest.Item) -> None:
    if "browsers" in getattr(item, "fixturenames", ()):
        item.add_marker(pytest.mark.slow)


Drive = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def prepared() -> Prepared:
    """The private environment of the command, made if that is possible here."""
    from emtests.demo.prepared import Prepared
    from pyodide_demo import runs
    from pyodide_demo.environment import EnvironmentProblem

    try:
        return Prepared(runs.prepare(print))
    except EnvironmentProblem as problem:
        skip_for_gap("the command's private environment", str(problem))


@pytest.fixture(scope="session")
def served(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
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
def browsers() -> Path:
    """The Python of the environment that drives browsers, made if that is possible here."""
    from emtests.demo.prepared import python_with_browsers
    from pyodide_demo.environment import EnvironmentProblem

    try:
        return python_with_browsers()
    except EnvironmentProblem as problem:
        skip_for_gap("the page", str(problem))


@pytest.fixture(scope="session")
def drive(served: str, browsers: Path) -> Drive:
    """Drives a panel of the page in Chromium; gives what was seen."""
    from emtests.runtimes.find_chromium import installed_chromium

    chromium = installed_chromium()
    if chromium is None:
        skip_for_gap("the page", "there is no Chromium; EMHEAP_CHROMIUM can name one")

    def run(panel: str, folder: Path, address: str = served) -> dict[str, Any]:
        words = ["-m", "emtests.demo.browser", panel, str(chromium), address, str(folder)]
        seen = run_driver([browsers, *words])
        assert "failure" not in seen, (seen["failure"], seen["complaints"])
        assert seen["complaints"] == []
        assert_asked_nobody_else(seen["requests"], address)
        return seen

    return run


def firefox_or_skip() -> Path:
    """The Firefox of this machine."""
    from emtests.runtimes.find_firefox import installed_firefox

    firefox = installed_firefox()
    if firefox is None:
        skip_for_gap(
            "the page in Firefox",
            "there is no Firefox; `apt-get install firefox-esr` brings one, or EMHEAP_FIREFOX "
            "names one",
        )
    return firefox


@pytest.fixture(scope="session")
def walk_in_firefox(served: str, browsers: Path) -> dict[str, Any]:
    """What is seen in Firefox."""
    seen = run_driver([browsers, "-m", "emtests.demo.browser.firefox", firefox_or_skip(), served])
    assert_asked_nobody_else(seen["requests"], served)
    return seen


def assert_asked_nobody_else(requests: Sequence[str], address: str) -> None:
    """The page makes no external request."""
    asked = {urlsplit(each).netloc for each in requests if not each.startswith("blob:")}
    assert asked <= {urlsplit(address).netloc}, "the page asked somebody else"


def run_driver(command: Sequence[str | Path]) -> dict[str, Any]:
    from pyodide_demo.environment import CHECKOUT

    done = subprocess.run(
        [*map(str, command)],
        cwd=CHECKOUT,
        capture_output=True,
        encoding="utf-8",
        timeout=MINUTES * 60,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen
