"""A server between the browser and the site, which can be ended as a network can."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

__all__ = ["Relay"]

_OF_THE_CONNECTION = {"connection", "date", "keep-alive", "server", "transfer-encoding"}


class Relay:
    """Passes requests for files on to the site at an address, until it is closed."""

    def __init__(self, target: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the name that the standard library wants
                wanted = {name: self.headers[name] for name in ("Accept-Encoding",)}
                try:
                    answer: Any = urlopen(
                        Request(f"{target.rstrip('/')}{self.path}", headers=wanted)
                    )
                except HTTPError as error:
                    answer = error
                with answer:
                    content = answer.read()
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        if name.lower() not in _OF_THE_CONNECTION:
                            self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """Where the site is found by this."""
        return f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        """Answer nothing any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
