"""The built documentation in headless Chromium: axe, narrow windows, search."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from emtests.conftest import skip_for_gap
from emtests.demo.prepared import python_with_browsers
from emtests.runtimes.find_chromium import installed_chromium
from pyodide_demo.environment import (
    CHECKOUT,
    EnvironmentProblem,
    build_documentation,
    npm_install,
)

pytestmark = [pytest.mark.once, pytest.mark.slow]
MINUTES = 10


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
        pass


@pytest.fixture(scope="module")
def needed() -> tuple[Path, Path, Path]:
    """The pages, a Python that drives browsers, and axe-core."""
    try:
        axe = npm_install("axe", ["axe-core@4"]) / "axe-core" / "axe.min.js"
        return build_documentation(say=print), python_with_browsers(), axe
    except EnvironmentProblem as problem:
        if "does not build" in str(problem):
            raise
        skip_for_gap("the documentation in a browser", str(problem))


@pytest.fixture(scope="module")
def served(needed: tuple[Path, Path, Path]) -> Iterator[str]:
    handler = partial(_Quiet, directory=str(needed[0]))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def seen(needed: tuple[Path, Path, Path], served: str) -> dict[str, Any]:
    root, python, axe = needed
    chromium = installed_chromium()
    if chromium is None:
        skip_for_gap(
            "the documentation in a browser", "there is no Chromium; EMHEAP_CHROMIUM can name one"
        )
    pages = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*.html"))]
    command = [python, "-m", "emtests.docs.browse", chromium, served, axe, *pages]
    done = subprocess.run(
        [*map(str, command)],
        cwd=CHECKOUT,
        capture_output=True,
        encoding="utf-8",
        timeout=MINUTES * 60,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_axe_finds_no_violation(seen: dict[str, Any]) -> None:
    assert seen["violations"] == {}


def test_no_page_is_wider_than_a_phone(seen: dict[str, Any]) -> None:
    assert seen["wide"] == {}


def test_a_search_finds_pages_and_names(seen: dict[str, Any]) -> None:
    assert any("Arena" in title or "arena" in title for title in seen["found"])


def test_nothing_is_complained_of(seen: dict[str, Any]) -> None:
    assert seen["complaints"] == []
