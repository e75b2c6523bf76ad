"""A run in a browser: the files the page is given, and the reports that it posts."""

from __future__ import annotations

import json
import queue
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from emtests.reporting import EVENTS_FILE
from emtests.runtimes.base import Job
from emtests.runtimes.processes import Ended
from pyodide_demo.archives import archive
from pyodide_demo.contents import Content
from pyodide_demo.environment import CHECKOUT
from pyodide_demo.policy import ISOLATION
from pyodide_demo.server import FileServer

__all__ = ["PageReports", "page_server"]

FATAL = 98
_PAGE_FILES = {
    "index.html": "page.html",
    **{name: name for name in ("run_in_page.mjs", "modules.mjs", "peer.mjs")},
}
_PROJECT = ("emheap", "emtests", "pyodide_demo", "README.md", "pyproject.toml")


class PageReports:
    """Takes what the page of one run posts; `ended` receives how the run went."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.ended: queue.Queue[Ended] = queue.Queue()
        self.last_heard = time.monotonic()

    def take(self, kind: str, body: bytes) -> HTTPStatus:
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


def page_server(
    reports: PageReports,
    folders: Mapping[str, Path],
    site: Path,
    configuration: Mapping[str, object],
) -> FileServer:
    """A server for one run; `folders` are served whole, under their names."""
    files: dict[str, Content] = {
        "configuration.json": json.dumps(configuration).encode(),
        "project.zip": archive(CHECKOUT, [CHECKOUT / name for name in _PROJECT]),
        "site.zip": archive(site, [site]),
    }
    for address, name in _PAGE_FILES.items():
        files[address] = CHECKOUT / "emtests" / "pyodide" / name
    for name, folder in folders.items():
        paths = (path for path in folder.rglob("*") if path.is_file())
        files |= {f"{name}/{path.relative_to(folder).as_posix()}": path for path in paths}
    return FileServer(
        files,
        take=reports.take,
        headers=lambda _: {**ISOLATION, "Cache-Control": "no-store"},
        # Python works for minutes on the page's own thread, which posts nothing meanwhile.
        seconds_of_silence=600,
    )
