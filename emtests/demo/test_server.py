"""The page's files over HTTP."""

from __future__ import annotations

import http.client
import io
import json
import threading
import zipfile
from collections.abc import Iterator

import pytest

from pyodide_demo.filters import FILTERS
from pyodide_demo.server import LOOPBACK, SiteServer
from pyodide_demo.site import MODULE_FILES, Parts, site_files

pytestmark = pytest.mark.once

ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteServer]:
    folder = tmp_path_factory.mktemp("site")
    for name in ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"):
        (folder / name).write_text(name)
    (folder / "pyodide-lock.json").write_text("{}")
    (folder / "emheap-1.0-py3-none-any.whl").write_bytes(b"wheel")
    (folder / "my picture.PNG").write_bytes(b"picture")
    (folder / "secret").write_text("secret")
    modules, site = folder / "modules", folder / "packages"
    for name in ("modules/" + each for each in MODULE_FILES):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(name)
    site.mkdir()
    (site / "pytest.py").write_text("pytest")
    documentation = folder / "documentation"
    documentation.mkdir()
    (documentation / "index.html").write_text("documentation")
    wheel = folder / "emheap-1.0-py3-none-any.whl"
    parts = Parts(folder, wheel, modules, site, documentation)
    files = site_files(parts, folder / "my picture.PNG", ["sepia", "blur"])
    with SiteServer(files, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def request(
    server: SiteServer, address: str, method: str = "GET"
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(LOOPBACK, server.server_port, timeout=10)
    try:
        connection.request(method, address)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("address", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/main.js", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("/site.json?v=1", "application/json"),
        ("/modules/@echogarden/pffft-wasm/dist/simd/pffft.js", "text/javascript; charset=utf-8"),
        ("/modules/@echogarden/pffft-wasm/dist/simd/pffft.wasm", "application/wasm"),
        ("/tests/modules.mjs", "text/javascript; charset=utf-8"),
        ("/tests/project.zip", "application/zip"),
        ("/pyodide/pyodide.mjs", "text/javascript; charset=utf-8"),
        ("/pyodide/pyodide.asm.wasm", "application/wasm"),
        ("/wheel/emheap-1.0-py3-none-any.whl", "application/octet-stream"),
        ("/python/pyodide_demo/program.py", "text/plain; charset=utf-8"),
        ("/picture.PNG", "image/png"),
    ],
)
def test_every_file_has_its_type_and_isolates_the_page(
    server: SiteServer, address: str, content_type: str
) -> None:
    status, headers, body = request(server, address)
    assert (status, headers["Content-Type"]) == (200, content_type)
    assert {name: headers[name] for name in ISOLATION} == ISOLATION
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert body
    assert headers["Content-Length"] == str(len(body))


def test_only_the_tests_may_evaluate_text(server: SiteServer) -> None:
    for address in ("/", "/worker.js", "/main.js"):
        assert "'unsafe-eval'" not in request(server, address)[1]["Content-Security-Policy"]
    assert "'unsafe-eval'" in request(server, "/tests/worker.js")[1]["Content-Security-Policy"]


def test_the_tests_are_packed_without_caches(server: SiteServer) -> None:
    with zipfile.ZipFile(io.BytesIO(request(server, "/tests/project.zip")[2])) as project:
        names = project.namelist()
    assert {"pyproject.toml", "emheap/__init__.py", "emtests/conftest.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]
    with zipfile.ZipFile(io.BytesIO(request(server, "/tests/site.zip")[2])) as site:
        assert site.namelist() == ["pytest.py"]


def test_every_part_is_there(server: SiteServer) -> None:
    parts = json.loads(request(server, "/site.json")[2])["parts"]
    with zipfile.ZipFile(io.BytesIO(request(server, "/tests/project.zip")[2])) as project:
        names = project.namelist()
    assert [part["title"] for part in parts[:2]] == ["first steps", "allocators"]
    for part in parts:
        assert any(name.startswith(part["path"]) for name in names)


def test_head_gives_the_size_alone(server: SiteServer) -> None:
    status, headers, body = request(server, "/pyodide/pyodide.asm.wasm", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "16", b"")


@pytest.mark.parametrize(
    "address",
    [
        "/secret",
        "/../secret",
        "/pyodide/../secret",
        "/pyodide/%2e%2e/secret",
        "//etc/passwd",
        "/%00",
    ],
)
def test_nothing_else_of_the_machine_is_served(server: SiteServer, address: str) -> None:
    status, headers, body = request(server, address)
    assert status == 404
    assert b"secret" not in body.replace(address.encode(), b"")
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"


def test_it_listens_on_loopback_alone(server: SiteServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.server_port}/"


def test_the_page_is_told_what_to_fetch(server: SiteServer) -> None:
    site = json.loads(request(server, "/site.json")[2])
    assert [each["name"] for each in site["filters"]] == list(FILTERS)
    assert site["chosen"] == ["sepia", "blur"]
    assert site["picture"] == {"address": "picture.PNG", "name": "my picture.PNG"}
    assert site["bytesToFetch"] == len("pyodide.asm.wasm") + len("python_stdlib.zip") + len("{}")
    for address in [site["wheel"], *(f"python/{name}" for name in site["program"])]:
        assert request(server, f"/{address}")[0] == 200
