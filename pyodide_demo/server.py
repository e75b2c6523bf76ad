"""Serves the page on loopback, to this machine alone."""

from __future__ import annotations

import contextlib
import webbrowser
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pyodide_demo.contents import Content
from pyodide_demo.policy import headers_of
from pyodide_demo.runs import DemoError

LOOPBACK = "127.0.0.1"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".py": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".zip": "application/zip",
}


class SiteServer(ThreadingHTTPServer):
    """Answers with the files of a site, and with nothing else of this machine."""

    daemon_threads = True

    def __init__(self, files: Mapping[str, Content], port: int) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.files = files

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def end_headers(self) -> None:
        for name, value in headers_of(self._address).items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named so by its base
        """Keep quiet: a line for every file helps nobody."""

    @property
    def _address(self) -> str:
        path = unquote(urlsplit(self.path).path).removeprefix("/")
        return f"{path}index.html" if path == "" or path.endswith("/") else path

    def _answer(self, *, with_body: bool) -> None:
        address = self._address
        assert isinstance(self.server, SiteServer)
        content = self.server.files.get(address)
        if content is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body = content.read_bytes() if isinstance(content, Path) else content
        self.send_response(HTTPStatus.OK)
        kind = _TYPES.get(PurePosixPath(address).suffix.lower(), "application/octet-stream")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        try:
            self.end_headers()
            if with_body:
                self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True  # the browser went on to something else


def serve(files: Mapping[str, Content], port: int, *, open_browser: bool) -> None:
    """Serve the page until the user stops it. Raises DemoError where the port is not free."""
    try:
        server = SiteServer(files, port)
    except OSError as error:
        raise DemoError(
            f"Port {port} of {LOOPBACK} cannot be used: {error.strerror or error}.\n"
            "Choose another with --port, or any free one with --port 0."
        ) from error
    with server, contextlib.suppress(KeyboardInterrupt):
        print(f"The page is at {server.address}\nStop it with Ctrl+C.", flush=True)
        if open_browser:
            webbrowser.open(server.address)
        server.serve_forever()
