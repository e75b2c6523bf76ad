"""The tests in Pyodide in headless browsers, on a page's main thread and in a worker.

No driver is needed: the browser is started on the page's address, and the page reports by itself.
"""

from __future__ import annotations

import json
import queue
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from emtests.runtimes.base import Job, Outcome
from emtests.runtimes.events import judge
from emtests.runtimes.find_chromium import find_chromium
from emtests.runtimes.find_firefox import find_firefox
from emtests.runtimes.page_server import PageReports, page_server
from emtests.runtimes.processes import Command, Ended, start, stop
from emtests.runtimes.pyodide_releases import NEWEST, fetch_modules
from emtests.runtimes.selection import IN_A_BROWSER, NOT_SLOW

MINUTES = 20
MINUTES_OF_SILENCE = 5


@dataclass(frozen=True)
class Browser:
    """A browser that can be started without a window."""

    name: str
    find: Callable[[Job], Path]
    command: Callable[[Path, Path, str], Command]
    """What starts the executable, with a profile of its own, on an address."""
    measured: bool
    """Whether its rows leave coverage data."""


@dataclass(frozen=True)
class PyodideInBrowser:
    """pytest in the newest Pyodide in a page that may have SharedArrayBuffers."""

    browser: Browser
    worker: bool

    @property
    def name(self) -> str:
        return f"{self.browser.name}-worker" if self.worker else self.browser.name

    def run(self, job: Job) -> Outcome:
        executable = self.browser.find(job)
        pyodide, site = NEWEST.fetch(job)
        folders = {"pyodide": pyodide, "modules": fetch_modules(job)}
        reports = PageReports(job)
        arguments = [*NOT_SLOW, *(IN_A_BROWSER if job.focused else ())]
        configuration = NEWEST.configuration(job, arguments, measure=self.browser.measured)
        with page_server(reports, folders, site, configuration) as server:
            address = f"{server.address}{'?worker' if self.worker else ''}"
            return judge(job.folder, self._browse(executable, address, reports))

    def _browse(self, executable: Path, address: str, reports: PageReports) -> Ended:
        with ExitStack() as stack:
            # The browser goes on writing to its profile while it is being ended.
            profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            words = stack.enter_context((reports.job.folder / "browser.txt").open("wb"))
            command = self.browser.command(executable, Path(profile), address)
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


_CHROMIUM_FLAGS = (
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


def _start_chromium(executable: Path, profile: Path, address: str) -> Command:
    return [executable, *_CHROMIUM_FLAGS, f"--user-data-dir={profile}", address]


_FIREFOX_PREFERENCES = {
    # Python works for minutes on the page's own thread.
    "dom.max_script_run_time": 0,
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.getAddons.cache.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
}
"""Nothing but the page: no first start, and no request to anybody."""


def _start_firefox(executable: Path, profile: Path, address: str) -> Command:
    lines = (
        f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
        for name, value in _FIREFOX_PREFERENCES.items()
    )
    (profile / "user.js").write_text("".join(lines), encoding="utf-8")
    return [executable, "-headless", "-no-remote", "-profile", profile, address]


CHROMIUM = Browser("chromium", find_chromium, _start_chromium, measured=True)
FIREFOX = Browser("firefox", find_firefox, _start_firefox, measured=False)
