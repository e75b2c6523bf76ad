"""Finds Firefox, or installs it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from emtests.runtimes import debian
from emtests.runtimes.base import Job
from pyodide_demo.environment import EnvironmentProblem

__all__ = ["bring_firefox", "find_firefox", "installed_firefox"]

_NAMES = ("firefox-esr", "firefox")


def find_firefox(job: Job) -> Path:
    """The executable of Firefox, installed if that is allowed. Raises EnvironmentProblem.

    EMHEAP_FIREFOX names another one.
    """
    found = installed_firefox()
    if found is None and debian.can_install(job):
        debian.install(["firefox-esr"], job)
        found = installed_firefox()
    if found is None:
        raise EnvironmentProblem(
            "Firefox is not installed (Debian: `apt-get install firefox-esr`, or --install as "
            "root); EMHEAP_FIREFOX can name its executable"
        )
    return found


def bring_firefox(job: Job) -> None:
    """Install Firefox for tests that are skipped without it."""
    try:
        find_firefox(job)
    except EnvironmentProblem as problem:
        job.say(f"{problem}\nThe tests in Firefox are skipped.")


def installed_firefox() -> Path | None:
    """The executable of Firefox, if this machine has it; EMHEAP_FIREFOX names another one."""
    chosen = os.environ.get("EMHEAP_FIREFOX")
    if chosen:
        return Path(chosen)
    return next(_places(), None)


def _places() -> Iterator[Path]:
    yield from (Path(path) for path in map(shutil.which, _NAMES) if path)
    if sys.platform == "darwin":
        application = Path("/Applications/Firefox.app/Contents/MacOS/firefox")
        if application.is_file():
            yield application
