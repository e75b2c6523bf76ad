"""The web server of a run in a browser: it gives the page all it needs, and takes its reports."""

from __future__ import annotations

import io
import json
import queue
import re
import sys
import threading
import time
import zipfile
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from emtests.reporting import EVENTS_FILE
from emtests.runtimes.base import Job
from emtests.runtimes.processes import Ended
from pyodide_demo.environment import CHECKOUT

FATAL = 98
_PAGE_FILES = {
    "/": "page.html",
    **{f"/{name}": name for name in ("run_in_page.mjs", "modules.mjs", "peer.mjs")},
}
_PROJECT = ("emheap", "emtests", "pyodide_demo", "README.md", "pyproject.toml")


class PageServer(ThreadingHTTPServer):
    """Serves one run from 127.0.0.1; `ended` holds how the page says that the run went."""

    daemon_threads = True

    def __init__(
        self,
        job: Job,
        folders: Mapping[str, Path],
        site: Path,
        configuration: Mapping[str, object],
    ) -> None:
        self.job = job
        self.folders = folders
        self.ended: queue.Queue[Ended] = queue.Queue()
        self.last_heard = time.monotonic()
        self.bodies = {
            "/configuration.json": json.dumps(configuration).encode(),
            "/project.zip": archive(CHECKOUT, [CHECKOUT / name for name in _PROJECT]),
            "/site.zip": archive(site, [site]),
        }
        for address, name in _PAGE_FILES.items():
            self.bodies[address] = (CHECKOUT / "emtests" / "pyodide" / name).read_bytes()
        super().__init__(("127.0.0.1", 0), _Handler)

    def __enter__(self) -> PageServer:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A browser that is ended leaves connections open; that is no error of the run.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def receive(self, kind: str, body: bytes) -> HTTPStatus:
        """Take one report of the page."""
        self.last_heard = time.monotonic()
        text = body.decode("utf-8", "replace")
        if kind == "output":
            self.job.log.write(text)
        elif kind == "events":
            with (self.job.folder / EVENTS_FILE).open("a", encoding="utf-8") as file:
                file.write(text)
        elif kind == "exit":
            self.ended.put(Ended(int(text)))
        elif kind == "fatal":
            self.ended.put(Ended(FATAL, f"fatal error in the page: {text}"))
        elif name := re.fullmatch(r"file/([\w.-]+)", kind):
            (self.job.folder / name[1]).write_bytes(body)
        else:
            return HTTPStatus.NOT_FOUND
        return HTTPStatus.NO_CONTENT


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, request: Any, address: Any, server: PageServer) -> None:
        # The system's own table of types may know neither, and a browser insists on both.
        self.page_server = server
        self.extensions_map = {
            ".js": "text/javascript",
            ".mjs": "text/javascript",
            ".wasm": "application/wasm",
            "": "text/html",
        }
        super().__init__(request, address, server)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Say nothing: the page's own output is what matters."""

    def end_headers(self) -> None:
        # Only a page isolated by the first two may have a SharedArrayBuffer.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def do_GET(self) -> None:
        address = self.path.partition("?")[0]
        folder = "/" + address.split("/")[1]
        body = self.page_server.bodies.get(address)
        if body is not None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", self.guess_type(address))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        elif folder in self.page_server.folders:
            self.directory = str(self.page_server.folders[folder])
            self.path = address.removeprefix(folder)
            super().do_GET()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.page_server.receive(self.path.removeprefix("/"), body))
        self.send_header("Content-Length", "0")
        self.end_headers()


def archive(root: Path, parts: Iterable[Path]) -> bytes:
    """A zip of files under `root`, without caches."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as file:
        for part in parts:
            for path in [part] if part.is_file() else sorted(part.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    file.write(path, path.relative_to(root))
    return memory.getvalue()
