"""Brings Firefox for the tests of the demonstration's page, where that is possible."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from emtests.runtimes import debian
from emtests.runtimes.base import Job
from pyodide_demo.environment import EnvironmentProblem

__all__ = ["bring_firefox", "installed_firefox"]

_NAMES = ("firefox-esr", "firefox")


def installed_firefox() -> Path | None:
    """The executable of Firefox, if this machine has it; EMHEAP_FIREFOX names another one."""
    chosen = os.environ.get("EMHEAP_FIREFOX")
    if chosen:
        return Path(chosen)
    return next((Path(path) for path in map(shutil.which, _NAMES) if path), None)


def bring_firefox(job: Job) -> None:
    """Install Firefox if this machine has none and lets us; without it some tests are skipped."""
    if installed_firefox() or not debian.can_install():
        return
    try:
        debian.install(["firefox-esr"], job)
    except EnvironmentProblem as problem:
        job.say(f"{problem}\nThe tests in Firefox are skipped.")
