"""A web server for one set of files, on loopback, for this machine alone.

The demonstration's page is served by it, and so are the tests that run in a browser.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from pyodide_demo.contents import Content
from pyodide_demo.policy import headers_of
from pyodide_demo.runs import DemoError

__all__ = ["LOOPBACK", "FileServer", "check_port", "serve"]

LOOPBACK = "127.0.0.1"
SECONDS_OF_SILENCE = 20
"""A connection on which nothing comes for that long is closed, and its thread ends."""

_SILENCES_OF_A_REQUEST = 6
"""So many times as long may a request take to come, however often a byte of it does."""

MOST_BYTES_TAKEN = 2**28
_LEAST_BYTES_TO_COMPRESS = 1024

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".inv": "application/octet-stream",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".py": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".zip": "application/zip",
}
_COMPRESSED_ALREADY = {".jpeg", ".jpg", ".png", ".whl", ".woff2"}

Headers = Callable[[str], Mapping[str, str]]
"""Gives the headers of every answer to an address, errors included."""

Take = Callable[[str, bytes], HTTPStatus]
"""Is given the address and the body of a POST; returns how it is answered."""


class FileServer(ThreadingHTTPServer):
    """Answers with the files it is given, by address, and with nothing else of this machine.

    `headers` gives the headers of each answer. `take` receives what is posted; without it nothing
    can be posted. Used as a context manager, the server
    runs in a thread until the end of the block::

        with FileServer({"index.html": b"<p>Hello"}) as server:
            urlopen(server.address)
    """

    daemon_threads = True
    # A browser opens several connections at once, and a busy machine accepts them late.
    request_queue_size = 64

    def __init__(
        self,
        files: Mapping[str, Content],
        port: int = 0,
        *,
        headers: Headers = headers_of,
        take: Take | None = None,
        seconds_of_silence: float = SECONDS_OF_SILENCE,
    ) -> None:
        self.files = files
        self.headers = headers
        self.take = take
        self.seconds_of_silence = seconds_of_silence
        self._answers: dict[str, _Answer] = {}
        self._lock = threading.Lock()
        super().__init__((LOOPBACK, port), _Handler)

    def __enter__(self) -> FileServer:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what went wrong in a handler, but not that a browser left."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def answer(self, address: str) -> _Answer | None:
        """The file at an address as it is now; None where there is none (any more)."""
        content = self.files.get(address)
        if content is None:
            return None
        # The lock keeps two connections from compressing the same ten megabytes.
        with self._lock:
            try:
                version = _version(content)
                kept = self._answers.get(address)
                if kept is None or kept.version != version:
                    body = content.read_bytes() if isinstance(content, Path) else content
                    kept = self._answers[address] = _make_answer(address, version, body)
            except OSError:  # a file that was removed meanwhile
                return None
        return kept


class _Answer(NamedTuple):
    """What is sent for a file."""

    version: tuple[int, ...]
    body: bytes
    compressed: bytes | None
    tag: str
    kind: str


def _version(content: Content) -> tuple[int, ...]:
    if isinstance(content, bytes):
        return ()
    found = content.stat()
    return found.st_mtime_ns, found.st_size


def _make_answer(address: str, version: tuple[int, ...], body: bytes) -> _Answer:
    suffix = PurePosixPath(address).suffix.lower()
    compressed = None
    if suffix not in _COMPRESSED_ALREADY and len(body) >= _LEAST_BYTES_TO_COMPRESS:
        packed = gzip.compress(body, 9, mtime=0)
        if len(packed) < 0.95 * len(body):
            compressed = packed
    tag = hashlib.sha256(body).hexdigest()[:24]
    return _Answer(version, body, compressed, tag, _TYPES.get(suffix, "application/octet-stream"))


def _takes_gzip(fields: list[str]) -> bool:
    """Whether a browser takes gzip, as fields like ``gzip;q=0.5, br`` say."""
    for each in ",".join(fields).split(","):
        name, _, quality = (part.strip().lower() for part in each.partition(";"))
        if name == "gzip":
            return quality.replace(" ", "").rstrip("0") not in ("q=", "q=0.")
    return False


class _Requests(io.RawIOBase):
    """What comes over a connection. Raises TimeoutError after too long a silence, and where one
    request takes too long, whose sender may send a byte now and then."""

    def __init__(self, connection: socket.socket, seconds_of_silence: float) -> None:
        self._connection = connection
        self._silence = seconds_of_silence
        self._end: float | None = None

    def begin(self) -> None:
        """Wait for another request: it has its time from its first byte on."""
        self._end = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._silence if self._end is None else self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("a request takes too long")
        self._connection.settimeout(min(left, self._silence))
        count = self._connection.recv_into(buffer)
        self._connection.settimeout(self._silence)  # for what is sent
        if self._end is None:
            self._end = time.monotonic() + _SILENCES_OF_A_REQUEST * self._silence
        return count


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Of a request line that cannot be read no version is known; without one, no header is sent.
    default_request_version = "HTTP/1.0"

    def setup(self) -> None:
        super().setup()
        self._requests = _Requests(self.connection, self._site.seconds_of_silence)
        self.rfile = io.BufferedReader(self._requests)

    def handle_one_request(self) -> None:
        self._requests.begin()
        self.path = ""  # the one before is not this one's, should its line not be readable
        super().handle_one_request()

    def do_GET(self) -> None:
        self._send_file(with_body=True)

    def do_HEAD(self) -> None:
        self._send_file(with_body=False)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if self._site.take is None:
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)
        elif not length.isascii() or not length.isdigit():
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
        elif len(length) > 20 or int(length) > MOST_BYTES_TAKEN:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            body = self.rfile.read(int(length))
            if len(body) < int(length):
                self.close_connection = True
                return
            self.send_response(self._site.take(self._address() or "", body))
            self.send_header("Content-Length", "0")
            self.end_headers()

    def end_headers(self) -> None:
        for name, value in self._site.headers(self._address() or "").items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named so by its base
        """Keep quiet: a line for every file helps nobody."""

    @property
    def _site(self) -> FileServer:
        assert isinstance(self.server, FileServer)
        return self.server

    def _address(self) -> str | None:
        """The address of a file; None where what was asked for is not a path."""
        try:
            path = urlsplit(self.path).path
        except ValueError:  # as for the host of http://[/
            return None
        path = unquote(path).removeprefix("/")
        return f"{path}index.html" if path == "" or path.endswith("/") else path

    def _send_file(self, *, with_body: bool) -> None:
        lengths = self.headers.get_all("Content-Length", [])
        if lengths not in ([], ["0"]) or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # the unread body must not be taken for the next request
        address = self._address()
        if address is None:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        answer = self._site.answer(address)
        if answer is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with contextlib.suppress(ConnectionError):  # the browser went on to something else
            self._send(answer, with_body=with_body)

    def _send(self, answer: _Answer, *, with_body: bool) -> None:
        compressed = None
        if _takes_gzip(self.headers.get_all("Accept-Encoding", [])):
            compressed = answer.compressed
        tag = f'"{answer.tag}{"-gzip" if compressed else ""}"'
        asked = self.headers.get("If-None-Match", "")
        known = asked.strip() == "*" or tag in (each.strip() for each in asked.split(","))
        self.send_response(HTTPStatus.NOT_MODIFIED if known else HTTPStatus.OK)
        self.send_header("ETag", tag)
        self.send_header("Vary", "Accept-Encoding")
        if known:
            self.end_headers()
            return
        body = answer.body if compressed is None else compressed
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(body)))
        if compressed is not None:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def check_port(port: int) -> None:
    """Raise DemoError where a port is not free, before the page is built."""
    with _explaining(port):
        socket.create_server((LOOPBACK, port)).close()


def serve(files: Mapping[str, Content], port: int, *, open_browser: bool) -> None:
    """Serve the page until the user stops it. Raises DemoError where the port is not free."""
    with _explaining(port):
        server = FileServer(files, port)
    with server, contextlib.suppress(KeyboardInterrupt):
        print(f"The page is at {server.address}\nStop it with Ctrl+C.", flush=True)
        if open_browser:
            webbrowser.open(server.address)
        threading.Event().wait()


@contextlib.contextmanager
def _explaining(port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DemoError(
            f"Port {port} of {LOOPBACK} cannot be used: {error.strerror or error}.\n"
            "Choose another with --port, or any free one with --port 0."
        ) from error
