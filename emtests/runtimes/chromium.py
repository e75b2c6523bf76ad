"""The tests in Pyodide in headless Chromium, on a page's main thread and in a worker.

No driver is needed: the browser is started on the page's address, and the page reports by itself.
"""

from __future__ import annotations

import queue
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from emtests.runtimes.base import Job, Outcome
from emtests.runtimes.events import judge
from emtests.runtimes.find_chromium import find_chromium
from emtests.runtimes.page_server import PageReports, page_server
from emtests.runtimes.processes import Command, Ended, start, stop
from emtests.runtimes.pyodide_releases import NEWEST, fetch_modules

MINUTES = 20
MINUTES_OF_SILENCE = 5
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Containers often have a /dev/shm too small for a browser.
    "--disable-dev-shm-usage",
)


@dataclass(frozen=True)
class PyodideInChromium:
    """pytest in the newest Pyodide in a page that may have SharedArrayBuffers."""

    worker: bool

    @property
    def name(self) -> str:
        return "chromium-worker" if self.worker else "chromium"

    def run(self, job: Job) -> Outcome:
        browser = find_chromium(job)
        pyodide, site = NEWEST.fetch(job)
        folders = {"pyodide": pyodide, "modules": fetch_modules(job)}
        reports = PageReports(job)
        with page_server(reports, folders, site, NEWEST.configuration(job)) as server:
            address = f"{server.address}{'?worker' if self.worker else ''}"
            return judge(job.folder, _browse(browser, address, reports))


def _browse(browser: Path, address: str, reports: PageReports) -> Ended:
    with ExitStack() as stack:
        # The browser goes on writing to its profile while it is being ended.
        profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        words = stack.enter_context((reports.job.folder / "browser.txt").open("wb"))
        command: Command = [browser, *_FLAGS, f"--user-data-dir={profile}", address]
        process = start(command, output=words)
        stack.callback(stop, process)
        return _wait_for_the_page(process, reports)


def _wait_for_the_page(process: subprocess.Popen[bytes], reports: PageReports) -> Ended:
    deadline = time.monotonic() + MINUTES * 60
    while time.monotonic() < deadline:
        with suppress(queue.Empty):
            return reports.ended.get(timeout=1)
        code = process.poll()
        if code is not None:
            return Ended(code, f"the browser ended by itself with exit code {code}")
        # The process of one page can die while the browser's own lives on.
        if time.monotonic() > reports.last_heard + MINUTES_OF_SILENCE * 60:
            return Ended(
                -1, f"stopped: nothing came from the page for {MINUTES_OF_SILENCE} minutes"
            )
    return Ended(-1, f"stopped: the page did not end within {MINUTES} minutes")
