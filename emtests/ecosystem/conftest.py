from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emtests.conftest import skip_for_gap
from emtests.runtimes.find_chromium import installed_chromium
from pyodide_demo.environment import PYODIDE_VERSION, build_wheel, npm_install

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SECONDS = 120
UNISOLATED = "unisolated"
"""In the address of a page that is not cross-origin isolated."""
PROGRAMS = Path(__file__).resolve().parents[2] / "pyodide_demo" / "docs" / "programs"
"""The files that the documentation shows."""

ISOLATION = re.findall(
    r"(?m)^    ([\w-]+): ([\w-]+)$", (PROGRAMS.parent / "pyscript.md").read_text(encoding="utf-8")
)
"""The headers that the documentation wants for a worker of PyScript, which waits for the page."""

collect_ignore_glob = ["test_places.py"] if sys.platform == "emscripten" else []


@pytest.fixture(scope="session")
def wheel() -> Path:
    return build_wheel(say=print)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that is served."""
    if any(find_spec(name) is None for name in ("marimo", "jupyterlite_core", "playwright")):
        skip_for_gap(
            "JupyterLite and marimo",
            "they are not installed here; `python -m emtests --only ecosystem` brings them",
        )
    return tmp_path_factory.mktemp("ecosystem")


@pytest.fixture(scope="session")
def pyodide(root: Path) -> Path:
    """Pyodide with the packages that a kernel of JupyterLite, PyScript and micropip need."""
    from emtests.ecosystem.distribution import IPYTHON, Distribution

    distribution = Distribution("pyodide", PYODIDE_VERSION)
    distribution.add_of_lock(IPYTHON)
    place = root / "pyodide"
    place.symlink_to(distribution.write())
    return place


@pytest.fixture(scope="session")
def pyscript(root: Path, pyodide: Path, wheel: Path) -> Path:
    """A folder with PyScript's files, the programs, and the wheel."""
    from emtests.ecosystem.versions import PYSCRIPT

    folder = root / "pyscript"
    folder.mkdir()
    core = npm_install("pyscript", [f"@pyscript/core@{PYSCRIPT}"], say=print)
    (folder / "core").symlink_to(core / "@pyscript" / "core" / "dist")
    for name in ("pyscript_main.html", "pyscript_worker.html", "pyscript_program.py"):
        shutil.copy(PROGRAMS / name, folder)
    # The documentation's own configuration, but with Pyodide from here.
    configuration = (PROGRAMS / "pyscript.toml").read_text(encoding="utf-8")
    interpreter = 'interpreter = "../pyodide/pyodide.mjs"\n'
    (folder / "pyscript.toml").write_text(configuration + interpreter, encoding="utf-8")
    shutil.copy(wheel, folder)
    return folder


@pytest.fixture(scope="session")
def plain(root: Path, pyodide: Path, wheel: Path) -> Path:
    """A folder with pages that load Pyodide by themselves, the wheel, and a lock file."""
    folder = root / "plain"
    folder.mkdir()
    for name in ("micropip.html", "lock_file.html"):
        shutil.copy(PROGRAMS / name, folder)
    shutil.copy(wheel, folder)
    command = [Path(sys.executable).with_name("pyodide"), "lockfile", "add-wheels"]
    command += ["--input", pyodide / "pyodide-lock.json", "--output", folder / "my-lock.json"]
    subprocess.run([*map(str, command), str(folder / wheel.name)], check=True, cwd=folder)
    return folder


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012 (its base declares it so)
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        if UNISOLATED not in self.path:
            for name, value in ISOLATION:
                self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
        pass


@pytest.fixture(scope="session")
def address(root: Path) -> Iterator[str]:
    handler = partial(_Handler, directory=str(root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    chromium = installed_chromium()
    assert chromium is not None, "`python -m emtests --only ecosystem` brings one"
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage"]
        opened = playwright.chromium.launch(executable_path=str(chromium), args=flags)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page that fails the test where it asks another host."""
    page = browser.new_page()
    page.set_default_timeout(SECONDS * 1000)
    asked: list[str] = []
    page.context.on("request", lambda request: asked.append(request.url))
    yield page
    page.close()
    ours = (address, "blob:", "data:")
    assert [each for each in asked if not each.startswith(ours)] == []
