"""Finds Chromium or Chrome, or brings it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from emtests.runtimes import debian
from emtests.runtimes.base import Job
from emtests.runtimes.processes import Command, run
from pyodide_demo.environment import EnvironmentProblem, find_node, npm_install, private_folder

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_one_at_a_time = threading.Lock()


def find_chromium(job: Job) -> Path:
    """The executable of Chromium, installed if that is possible. Raises EnvironmentProblem.

    EMHEAP_CHROMIUM names another one.
    """
    with _one_at_a_time:
        return installed_chromium() or _from_debian(job) or _from_playwright(job)


def bring_chromium(job: Job) -> None:
    """Find or bring Chromium for tests that are skipped without it."""
    try:
        find_chromium(job)
    except EnvironmentProblem as problem:
        job.say(f"{problem}\nThe tests in Chromium are skipped.")


def installed_chromium() -> Path | None:
    """The executable of Chromium or Chrome, if this machine has one that runs.

    EMHEAP_CHROMIUM names another one. Raises EnvironmentProblem if that does not run.
    """
    chosen = os.environ.get("EMHEAP_CHROMIUM")
    if not chosen:
        return next((path for path in _places() if not _why_it_does_not_run(path)), None)
    problem = _why_it_does_not_run(Path(chosen))
    if problem:
        raise EnvironmentProblem(f"EMHEAP_CHROMIUM: {problem}")
    return Path(chosen)


def _places() -> Iterator[Path]:
    yield from (Path(path) for path in map(shutil.which, _NAMES) if path)
    if sys.platform == "darwin":
        for name in ("Google Chrome", "Chromium"):
            yield Path(f"/Applications/{name}.app/Contents/MacOS/{name}")
    if sys.platform == "win32":
        for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA"):
            folder = os.environ.get(variable)
            if folder:
                yield Path(folder) / "Google" / "Chrome" / "Application" / "chrome.exe"


def _from_debian(job: Job) -> Path | None:
    if not debian.can_install(job):
        return None
    try:
        debian.install(["chromium"], job)
    except EnvironmentProblem as problem:
        job.say(f"{problem}\nTrying Playwright's Chromium instead.")
    return installed_chromium()


def _from_playwright(job: Job) -> Path:
    modules = npm_install("playwright", ["playwright-core@1"], say=job.say)
    core = modules / "playwright-core"
    browsers = {"PLAYWRIGHT_BROWSERS_PATH": str(private_folder() / "browsers")}
    job.say("Fetching Chromium with Playwright ...")
    fetch: Command = [find_node(), core / "cli.js", "install", "chromium"]
    ended = run(fetch, job.log, minutes=15, environment=browsers)
    if not ended.well:
        raise EnvironmentProblem(
            "no Chromium: not installed, and Playwright could not fetch one (its words are above). "
            "Install Chromium or Chrome (root on Debian: --install does), or name its executable "
            "in EMHEAP_CHROMIUM."
        )
    question = f"console.log(require({str(core)!r}).chromium.executablePath())"
    answer = subprocess.run(
        [find_node(), "-e", question],
        env={**os.environ, **browsers},
        capture_output=True,
        text=True,
        check=True,
    )
    browser = Path(answer.stdout.strip())
    problem = _why_it_does_not_run(browser)
    if problem:
        raise EnvironmentProblem(
            f"{problem}. `npx playwright install-deps chromium`, as root, brings what it needs."
        )
    return browser


def _why_it_does_not_run(browser: Path) -> str:
    """What is wrong with a browser, or "".

    Ubuntu's package is a script that asks for a snap, and Playwright's browser finds its libraries
    only where somebody installed them: a file is not enough.
    """
    if not browser.is_file():
        return f"there is no file {browser}"
    if sys.platform == "win32":  # where asking for the version opens a window
        return ""
    try:
        done = subprocess.run([browser, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{browser} does not run: {error}"
    return f"{browser} does not run: {done.stderr.strip()[-300:]}" if done.returncode else ""
