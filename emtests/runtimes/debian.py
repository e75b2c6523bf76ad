"""Installs programs on Debian and its relatives, where this process may."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Sequence
from ctypes.util import find_library

from emtests.runtimes.base import Job
from emtests.runtimes.processes import run
from pyodide_demo.environment import EnvironmentProblem

_one_at_a_time = threading.Lock()
_WAIT_FOR_LOCK = "DPkg::Lock::Timeout=300"


def can_install(job: Job) -> bool:
    """Whether `install` is allowed and may work: by root, on a machine with apt-get."""
    if not job.may_install or sys.platform != "linux" or os.geteuid() != 0:
        return False
    return shutil.which("apt-get") is not None


def bring_libatomic(job: Job) -> None:
    """Install what atomics need; without it their tests are skipped."""
    if find_library("atomic") is None and can_install(job):
        try:
            install(["libatomic1"], job)
        except EnvironmentProblem as problem:
            job.say(f"{problem}\nThe tests of atomics are skipped.")


def install(packages: Sequence[str], job: Job) -> None:
    """Install Debian packages. Raises EnvironmentProblem."""
    with _one_at_a_time:
        job.say(f"Installing {' and '.join(packages)} with apt-get ...")
        quietly = {"DEBIAN_FRONTEND": "noninteractive"}
        options = ["-qq", "-o", _WAIT_FOR_LOCK, "-o", "Dpkg::Use-Pty=0"]
        for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
            ended = run(["apt-get", *options, *words], job.log, minutes=15, environment=quietly)
            if not ended.well:
                raise EnvironmentProblem(
                    f"`apt-get {' '.join(words)}` failed with exit code {ended.exit_code}; "
                    "its words are above"
                )
