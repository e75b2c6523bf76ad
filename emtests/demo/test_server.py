"""The page's files over HTTP."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import re
import socket
import time
import zipfile
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from pyodide_demo.archives import archive_of
from pyodide_demo.breaking import MISTAKES
from pyodide_demo.building import RUNTIME
from pyodide_demo.docs_blocks import DOCS
from pyodide_demo.filters import FILTERS
from pyodide_demo.policy import ISOLATION
from pyodide_demo.server import LOOPBACK, FileServer
from pyodide_demo.site import MODULE_FILES, Parts, in_folder_of_its_digest, site_files

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "emheap-1.0-py3-none-any.whl").write_bytes(archive_of({"emheap/__init__.py": b""}))
    (folder / "emheap-1.0-cp314-none-any.whl").write_bytes(b"compiled")
    (folder / "my picture.PNG").write_bytes(b"picture")
    (folder / "secret").write_text("secret")
    recorded = {"mistakes": {name: {} for name in MISTAKES}, "scene": ["</script>"]}
    (folder / "recorded.json").write_text(json.dumps(recorded))
    fakes = {
        "runtime": [*RUNTIME, "python_stdlib.zip.gz", "pyodide-lock.json"],
        "page": [
            "main.js",
            "worker.js",
            "style.css",
            "icon.svg",
            "tests/worker.js",
            "service_worker.js",
        ],
        "modules": MODULE_FILES,
        "packages": ["pytest.py"],
        "documentation": ["index.html"],
    }
    for part, names in fakes.items():
        for name in names:
            place = folder / part / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(name)
    parts = Parts(
        runtime=folder / "runtime",
        page=folder / "page",
        recorded=folder / "recorded.json",
        wheel=folder / "emheap-1.0-py3-none-any.whl",
        compiled=folder / "emheap-1.0-cp314-none-any.whl",
        modules=folder / "modules",
        tests_site=folder / "packages",
        documentation=folder / "documentation",
    )
    files = site_files(parts, folder / "my picture.PNG", ["sepia", "blur"])
    with FileServer(files) as server:
        yield server


def request(
    server: FileServer, address: str, method: str = "GET", **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection(LOOPBACK, server.server_port, timeout=10)
    try:
        connection.request(method, address, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def placed(server: FileServer, address: str) -> str:
    """An address with the folders that are named after their contents, written in capitals."""
    for folder in {each.partition("/")[0] for each in server.files}:
        address = address.replace(f"/{folder.rpartition('-')[0].upper()}/", f"/{folder}/")
    return address


@pytest.mark.parametrize(
    ("address", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/PAGE/main.js", "text/javascript; charset=utf-8"),
        ("/PAGE/style.css", "text/css; charset=utf-8"),
        ("/PAGE/icon.svg", "image/svg+xml"),
        ("/site.json?v=1", "application/json"),
        ("/MODULES/@echogarden/pffft-wasm/dist/simd/pffft.js", "text/javascript; charset=utf-8"),
        ("/MODULES/@echogarden/pffft-wasm/dist/simd/pffft.wasm", "application/wasm"),
        ("/tests/modules.mjs", "text/javascript; charset=utf-8"),
        ("/tests/project.zip", "application/zip"),
        ("/PYODIDE/pyodide.mjs", "text/javascript; charset=utf-8"),
        ("/PYODIDE/pyodide.asm.wasm", "application/wasm"),
        ("/WHEEL/emheap-1.0-py3-none-any.whl", "application/octet-stream"),
        ("/python/pyodide_demo/filters.py", "text/plain; charset=utf-8"),
        ("/picture.PNG", "image/png"),
    ],
)
def test_every_file_has_its_type_and_isolates_the_page(
    server: FileServer, address: str, content_type: str
) -> None:
    status, headers, body = request(server, placed(server, address))
    assert (status, headers["Content-Type"]) == (200, content_type)
    assert {name: headers[name] for name in ISOLATION} == ISOLATION
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert body
    assert headers["Content-Length"] == str(len(body))


def test_only_the_tests_may_evaluate_text(server: FileServer) -> None:
    for address in ("/", "/PAGE/worker.js", "/PAGE/main.js"):
        headers = request(server, placed(server, address))[1]
        assert "'unsafe-eval'" not in headers["Content-Security-Policy"]
    assert "'unsafe-eval'" in request(server, "/tests/worker.js")[1]["Content-Security-Policy"]


def test_the_page_may_ask_the_hosts_that_are_documented_and_no_other(server: FileServer) -> None:
    text = " ".join((DOCS / "pyodide.md").read_text(encoding="utf-8").split())
    ((first, second),) = re.findall(r"ask another host, (\S+) and (\S+)\. Its policy allows", text)
    for address, hosts in (
        ("/", [f"https://{first}", f"https://{second}"]),
        ("/tests/worker.js", []),
        ("/docs/index.html", []),
    ):
        policy = request(server, address)[1]["Content-Security-Policy"]
        sources = [word for part in policy.split(";") for word in part.split()[1:]]
        others = [word for word in sources if not re.fullmatch(r"'[\w-]+'|blob:|data:", word)]
        assert others == hosts


def test_the_tests_are_packed_without_caches(server: FileServer) -> None:
    with zipfile.ZipFile(io.BytesIO(request(server, "/tests/project.zip")[2])) as project:
        names = project.namelist()
    assert {"pyproject.toml", "emheap/__init__.py", "emtests/conftest.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]
    with zipfile.ZipFile(io.BytesIO(request(server, "/tests/site.zip")[2])) as site:
        assert site.namelist() == ["pytest.py"]


def test_every_part_is_there(server: FileServer) -> None:
    parts = json.loads(request(server, "/site.json")[2])["parts"]
    with zipfile.ZipFile(io.BytesIO(request(server, "/tests/project.zip")[2])) as project:
        names = project.namelist()
    titles = [part["title"] for part in parts]
    assert titles[0] == "first steps"
    assert "allocators" in titles
    for part in parts:
        assert any(name.startswith(part["path"]) for name in names)


def test_head_gives_the_size_alone(server: FileServer) -> None:
    status, headers, body = request(server, placed(server, "/PYODIDE/pyodide.asm.wasm"), "HEAD")
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
def test_nothing_else_of_the_machine_is_served(server: FileServer, address: str) -> None:
    status, headers, body = request(server, address)
    assert status == 404
    assert b"secret" not in body.replace(address.encode(), b"")
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"


def test_it_listens_on_loopback_alone(server: FileServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert server.address == f"http://127.0.0.1:{server.server_port}/"


def test_the_page_is_told_what_to_fetch(server: FileServer) -> None:
    site = json.loads(request(server, "/site.json")[2])
    assert [each["name"] for each in site["filters"]] == list(FILTERS)
    assert site["chosen"] == ["sepia", "blur"]
    assert site["picture"] == {"address": "picture.PNG", "name": "my picture.PNG"}
    sizes = {each["address"]: each["byteSize"] for each in site["downloads"]}
    names = [address.partition("/")[2] for address in sizes]
    assert names == [
        "pyodide.asm.wasm",
        "python_stdlib.zip.gz",
        "pyodide-lock.json",
        "program.zip.gz",
    ]
    for address, size in sizes.items():
        assert len(request(server, f"/{address}")[2]) == size
    assert request(server, f"/{site['wheel']}")[0] == 200
    assert f"{site['pyodide']}pyodide.mjs" in server.files


def test_the_program_has_the_library_in_it(server: FileServer) -> None:
    address = json.loads(request(server, "/site.json")[2])["program"]
    packed = gzip.decompress(request(server, f"/{address}")[2])
    with zipfile.ZipFile(io.BytesIO(packed)) as program:
        names = set(program.namelist())
    assert {"emheap/__init__.py", "pyodide_demo/prompt.py", "pyodide_demo/filters.py"} <= names


def test_the_page_has_its_data_in_it_as_text(server: FileServer) -> None:
    page = request(server, "/")[2].decode()
    data = re.search(r'id="site">(.*?)</script>', page)
    assert data is not None
    assert json.loads(data[1]) == json.loads(request(server, "/site.json")[2])
    assert not re.search(r"\{(policy|assets|site|wheel)", page)


# What is kept by the browser


def test_what_never_changes_is_kept_for_ever(server: FileServer) -> None:
    for address in ("/PYODIDE/pyodide.asm.wasm", "/WHEEL/emheap-1.0-py3-none-any.whl"):
        headers = request(server, placed(server, address))[1]
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for address in ("/", "/site.json", "/tests/worker.js"):
        assert request(server, address)[1]["Cache-Control"] == "no-cache"


def test_a_name_changes_with_the_contents(tmp_path: Path) -> None:
    file = tmp_path / "file"
    folders = []
    for text in ("first", "second", "first"):
        file.write_text(text)
        folder, files = in_folder_of_its_digest("pyodide", {"file": file})
        assert files == {f"{folder}file": file}
        assert re.fullmatch(r"pyodide-[0-9a-f]{12}/", folder)
        folders.append(folder)
    assert folders[0] == folders[2] != folders[1]


def test_what_may_change_is_sent_only_where_it_did(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("first " * 1000)
    with FileServer({"page.html": tmp_path / "page.html"}) as server:
        tag = request(server, "/page.html")[1]["ETag"]
        status, headers, body = request(server, "/page.html", **{"If-None-Match": tag})
        assert (status, headers["ETag"], body) == (304, tag, b"")
        (tmp_path / "page.html").write_text("second")
        status, headers, body = request(server, "/page.html", **{"If-None-Match": tag})
        assert (status, body) == (200, b"second")
        assert headers["ETag"] != tag


def test_it_is_sent_compressed_to_those_who_can_read_that() -> None:
    text = b"words " * 1000
    with FileServer({"a.js": text, "a.png": text}) as server:
        _, headers, body = request(server, "/a.js", **{"Accept-Encoding": "gzip, deflate"})
        assert (headers["Content-Encoding"], gzip.decompress(body)) == ("gzip", text)
        assert len(body) == int(headers["Content-Length"]) < 100
        assert headers["Vary"] == "Accept-Encoding"
        _, plain, body = request(server, "/a.js")
        assert (plain["Content-Encoding"], body) == (None, text)
        assert plain["ETag"] != headers["ETag"]
        _, headers, body = request(server, "/a.png", **{"Accept-Encoding": "gzip"})
        assert (headers["Content-Encoding"], body) == (None, text)


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("br;q=1.0, GZip;q=0.8, *;q=0.1", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("gzip; q=0.001", True),
        ("notgzip, x-gzip2", False),
        ("identity", False),
        ("", False),
    ],
)
def test_only_who_takes_gzip_gets_it(accepted: str, packed: bool) -> None:
    text = b"text " * 1000
    with FileServer({"a.js": text}) as server:
        _, headers, body = request(server, "/a.js", **{"Accept-Encoding": accepted})
        assert (headers["Content-Encoding"] == "gzip") is packed
        assert (gzip.decompress(body) if packed else body) == text


def test_a_file_that_was_removed_meanwhile_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with FileServer({"file": tmp_path / "file"}) as server:
        assert request(server, "/file")[0] == 200
        (tmp_path / "file").unlink()
        assert request(server, "/file")[0] == 404


# Requests that no browser makes


def answer_to(server: FileServer, sent: bytes) -> bytes:
    with socket.create_connection((LOOPBACK, server.server_port), timeout=10) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"GET / HTTP/x\r\n\r\n", 400),
        (b"GET http://[/ HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431),
        (b"BREW / HTTP/1.1\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\na", 405),
    ],
)
def test_what_is_no_request_is_refused(
    server: FileServer, capsys: pytest.CaptureFixture[str], sent: bytes, status: int
) -> None:
    head = answer_to(server, sent).partition(b"\r\n\r\n")[0].decode("latin-1").splitlines()
    assert head[0].split()[1] == str(status)
    assert {f"{name}: {value}" for name, value in ISOLATION.items()} <= set(head)
    assert request(server, "/")[0] == 200
    assert capsys.readouterr() == ("", "")


def test_the_body_of_a_get_is_no_next_request(server: FileServer) -> None:
    hidden = b"GET /site.json HTTP/1.1\r\n\r\n"
    sent = b"GET / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(hidden), hidden)
    assert answer_to(server, sent).count(b"HTTP/1.1 200 OK") == 1
    twice = sent.replace(b"\r\n", b"\r\nContent-Length: 0\r\n", 1)
    assert answer_to(server, twice).count(b"HTTP/1.1 200 OK") == 1


def test_half_a_request_is_given_up() -> None:
    with FileServer({"index.html": b"page"}, seconds_of_silence=0.2) as server:
        halves = [socket.create_connection((LOOPBACK, server.server_port)) for _ in range(20)]
        for each in halves:
            each.sendall(b"GET / HT")
        for each in halves:
            each.settimeout(10)
            assert each.recv(1) == b""
            each.close()
        assert request(server, "/")[2] == b"page"


def is_over(connection: socket.socket) -> bool:
    """Whether a connection was closed by the server, which is sent a byte more."""
    try:
        connection.sendall(b"x")
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nContent-Length: 999\r\n\r\n"]
)
def test_a_request_that_comes_byte_by_byte_is_given_up(start: bytes) -> None:
    def take(address: str, body: bytes) -> HTTPStatus:
        return HTTPStatus.OK

    site = FileServer({"index.html": b"page"}, take=take, seconds_of_silence=0.2)
    with site as server, socket.create_connection((LOOPBACK, server.server_port)) as connection:
        connection.sendall(start)
        connection.settimeout(0.05)
        begun = time.monotonic()
        while not is_over(connection):
            assert time.monotonic() < begun + 5
        assert request(server, "/")[2] == b"page"


# What is posted


def test_what_is_posted_is_taken() -> None:
    taken: list[tuple[str, bytes]] = []

    def take(address: str, body: bytes) -> HTTPStatus:
        taken.append((address, body))
        return HTTPStatus.NO_CONTENT

    with FileServer({}, take=take) as server:
        head = b"POST /events HTTP/1.1\r\n"
        assert b" 204 " in answer_to(server, head + b"Content-Length: 4\r\n\r\nwell")
        assert b" 411 " in answer_to(server, head + b"\r\n")
        assert b" 411 " in answer_to(server, head + b"Content-Length: -1\r\n\r\n")
        assert b" 413 " in answer_to(server, head + b"Content-Length: 999999999999\r\n\r\n")
        assert answer_to(server, head + b"Content-Length: 9\r\n\r\ncut") == b""
    assert taken == [("events", b"well")]
