"""Brings Firefox for the tests of the demonstration's page, where that is possible."""

from __future__ import annotations

import os
import shutil

from emtests.runtimes import debian
from emtests.runtimes.base import Job
from pyodide_demo.environment import EnvironmentProblem

__all__ = ["bring_firefox"]


def bring_firefox(job: Job) -> None:
    """Install Firefox if this machine has none and lets us; without it some tests are skipped."""
    known = (
        os.environ.get("EMHEAP_FIREFOX") or shutil.which("firefox") or shutil.which("firefox-esr")
    )
    if known or not debian.can_install():
        return
    try:
        debian.install(["firefox-esr"], job)
    except EnvironmentProblem as problem:
        job.say(f"{problem}\nThe tests in Firefox are skipped.")
