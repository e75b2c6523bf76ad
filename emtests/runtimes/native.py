"""The tests in native CPython: each version found, and the running one with checks switched on."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emtests.runtimes.base import Job, Outcome
from emtests.runtimes.events import judge
from emtests.runtimes.find_firefox import bring_firefox
from emtests.runtimes.interpreters import RUNNING, find_interpreter
from emtests.runtimes.processes import Command, run
from pyodide_demo.environment import (
    EnvironmentProblem,
    checkout_with_extras,
    private_folder,
    virtual_environment,
)

COVERAGE_FILE = "coverage-data"
MINUTES = 45
NOT_AGAIN = ["-m", "not packaging and not ecosystem and not slow and not once"]
"""Leaves out the tests that one CPython is enough for: the running one."""
_SECONDS_WITHOUT_NEWS = 300


@dataclass(frozen=True)
class Native:
    """pytest under one CPython; the running one is measured by coverage, which doubles its time."""

    version: str

    @property
    def name(self) -> str:
        return f"cpython{self.version}"

    def run(self, job: Job) -> Outcome:
        python = python_with_tests(self.version, job)
        command: Command = [python, "-m", "pytest", *NOT_AGAIN, *native_arguments(job)]
        if self.version == RUNNING:
            bring_firefox(job)
            measured = ["-m", "coverage", "run", f"--data-file={job.folder / COVERAGE_FILE}"]
            command = [python, *measured, "-m", "pytest", *native_arguments(job)]
        return judge(job.folder, run(command, job.log, minutes=MINUTES, environment=settings(job)))


@dataclass(frozen=True)
class Development:
    """pytest under the running CPython with its development mode and debug allocators.

    glibc fills freed memory with a pattern for MALLOC_PERTURB_, so that reading it shows.
    """

    name: str = "dev"

    def run(self, job: Job) -> Outcome:
        python = python_with_tests(RUNNING, job)
        checks = {"PYTHONMALLOC": "debug", "MALLOC_PERTURB_": "165"}
        command: Command = [python, "-X", "dev", "-m", "pytest", *NOT_AGAIN, *native_arguments(job)]
        environment = {**settings(job), **checks}
        return judge(job.folder, run(command, job.log, minutes=MINUTES, environment=environment))


def python_with_tests(version: str, job: Job) -> Path:
    """The Python of a virtual environment with everything the tests need."""
    base = find_interpreter(version)
    if base is None:
        raise EnvironmentProblem(
            f"no CPython {version} with venv was found: not the running one, not on PATH, "
            "not in pyenv" + (", not by the py launcher" if sys.platform == "win32" else "")
        )
    return virtual_environment(
        f"cpython{version}", [checkout_with_extras("test")], python=base, say=job.say
    )


def native_arguments(job: Job) -> Sequence[str]:
    """The arguments of pytest in a native run."""
    # Runs go on side by side, and a cache in the checkout would be written by all of them.
    ours = ["-p", "emtests.reporting", "-p", "no:cacheprovider"]
    # A test that hangs prints where, long before the time limit of the whole run.
    return [*ours, "-o", f"faulthandler_timeout={_SECONDS_WITHOUT_NEWS}", *job.pytest_arguments]


def settings(job: Job) -> Mapping[str, str]:
    """The environment variables of a native run."""
    examples = private_folder() / "hypothesis" / job.name
    return {
        "EMHEAP_RUN_FOLDER": str(job.folder),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(examples),
        "PYTHONUNBUFFERED": "1",
    }
