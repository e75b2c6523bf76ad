"""The built site: what is written, what is refused, and that any web server can serve it."""

from __future__ import annotations

import ast
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import pyodide_demo
from emtests.demo.conftest import Drive
from emtests.demo.pictures import SERVED, served_pixels, write_png
from emtests.demo.prepared import Prepared
from emtests.demo.test_command import assert_refused, command
from pyodide_demo.policy import FOR_EVER, ISOLATION, PAGE_POLICY, TESTS_POLICY

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def built(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built site, in a folder that is not the root of what is served."""
    folder = tmp_path_factory.mktemp("built")
    write_png(folder / "served.png", *SERVED, served_pixels())
    site = folder / "root" / "demos" / "emheap"
    done = command(folder / "served.png", "--filter=sepia", "--build", site)
    assert done.returncode == 0, done.stderr
    assert f"The site is in {site}" in done.stdout
    return site


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@pytest.fixture
def address(built: Path) -> Iterator[str]:
    handler = partial(_Quiet, directory=str(built.parent.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/demos/emheap/"
        server.shutdown()
        thread.join()


def test_it_works_on_a_plain_server_under_any_address(
    drive: Drive, address: str, tmp_path: Path
) -> None:
    seen: dict[str, Any] = drive("plain", tmp_path, address)
    # The host sends no header; the page's service worker adds what isolates it.
    assert seen["isolated"] is True
    assert seen["eval"] is False
    assert seen["tests"] == "All of them passed."
    # Where nothing isolates the page no program is interrupted, and Python can be restarted.
    assert seen["not isolated"] == [False, False, "42\n"]


def test_it_says_what_a_host_should_send(built: Path) -> None:
    lines = (built / "_headers").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "/*"
    assert {f"  {name}: {value}" for name, value in ISOLATION.items()} <= set(lines)
    page = (built / "index.html").read_text(encoding="utf-8")
    assert f'content="{PAGE_POLICY}"' in page
    assert "'unsafe-eval'" not in PAGE_POLICY
    (folder,) = (path.name for path in built.iterdir() if path.name.startswith("page-"))
    own = lines[lines.index(f"/{folder}/*") + 1 :][:2]
    assert own[0] == f"  Content-Security-Policy: {PAGE_POLICY}"
    assert lines[lines.index("/tests/*") + 1] == f"  Content-Security-Policy: {TESTS_POLICY}"


def test_what_never_changes_is_named_to_the_host(built: Path) -> None:
    lines = (built / "_headers").read_text(encoding="utf-8").splitlines()
    folders = [path.name for path in built.iterdir() if path.name.startswith("pyodide-")]
    assert len(folders) == 1
    section = lines[lines.index(f"/{folders[0]}/*") + 1 :][:2]
    assert f"  Cache-Control: {FOR_EVER}" in section


def test_it_holds_no_path_of_this_machine(built: Path) -> None:
    for name in ("index.html", "site.json", "_headers"):
        words = (built / name).read_text(encoding="utf-8")
        assert str(Path.home()) not in words
        assert str(built) not in words
        assert sys.prefix not in words


def test_an_earlier_build_is_written_over(built: Path, prepared: Prepared) -> None:
    (built / "index.html").write_text("old")
    assert command("--build", built).returncode == 0
    assert (built / "index.html").read_text(encoding="utf-8") != "old"


def test_another_folder_is_not(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    assert_refused(command("--build", tmp_path), "is not empty", "Name an empty folder")
    assert_refused(command("--build", tmp_path / "mine"), "mine is a file; name a folder")
    assert (tmp_path / "mine").read_text() == "mine"


def test_the_demonstration_does_not_import_the_tests() -> None:
    for path in Path(pyodide_demo.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not [name for name in names if name.partition(".")[0] == "emtests"], path
