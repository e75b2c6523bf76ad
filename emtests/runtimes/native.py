"""The tests in native CPython: each version found, and the running one with checks switched on."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emtests.runtimes import debian
from emtests.runtimes.base import Job, Outcome
from emtests.runtimes.events import judge
from emtests.runtimes.extras import oldest
from emtests.runtimes.find_chromium import bring_chromium
from emtests.runtimes.find_firefox import bring_firefox
from emtests.runtimes.interpreters import RUNNING, SUPPORTED, find_interpreter
from emtests.runtimes.processes import Command, run
from emtests.runtimes.selection import NOT_AGAIN, NOT_SLOW, ON_MEMORY, SLOW
from pyodide_demo.environment import (
    EnvironmentProblem,
    checkout_with_extras,
    private_folder,
    virtual_environment,
)

COVERAGE_FILE = "coverage-data"
# Newer ones have no wheel for builds without the interpreter's lock.
_HYPOTHESIS_WITHOUT_RUST = "hypothesis==6.115.0"
MINUTES = 45
_SECONDS_WITHOUT_NEWS = 300


@dataclass(frozen=True)
class Native:
    """pytest under one CPython; the running one is measured by coverage, which doubles its time.

    The oldest one has the oldest wasmtime that the extra admits, every other one the newest.
    """

    version: str
    given: Path | None = None
    """The executable, where it is not left to us to find it."""

    @property
    def name(self) -> str:
        return f"cpython{self.version}"

    @property
    def found(self) -> bool:
        return bool(self.given or find_interpreter(self.version))

    def run(self, job: Job) -> Outcome:
        python = python_with_tests(self.version, job, self.given)
        if self.version == RUNNING:
            measured = ["-m", "coverage", "run", f"--data-file={job.folder / COVERAGE_FILE}"]
            return run_pytest([python, *measured], NOT_SLOW, job)
        return run_pytest([python], NOT_AGAIN, job, self._settings())

    def _settings(self) -> Mapping[str, str]:
        # Extension modules that do not know of it would switch the lock on again.
        return {"PYTHON_GIL": "0"} if self.version.endswith("t") else {}


@dataclass(frozen=True)
class Slow:
    """The tests marked `slow` under the running CPython: browsers, compilers, long searches."""

    name: str = "slow"

    def run(self, job: Job) -> Outcome:
        python = python_with_tests(RUNNING, job)
        # These are for the tests of the demonstration's page, which are skipped without them.
        for bring in (bring_chromium, bring_firefox):
            bring(job)
        return run_pytest([python], SLOW, job)


@dataclass(frozen=True)
class Development:
    """pytest under the running CPython with its development mode and debug allocators.

    glibc fills freed memory with a pattern for MALLOC_PERTURB_, so that reading it shows.
    """

    name: str = "dev"

    def run(self, job: Job) -> Outcome:
        python = python_with_tests(RUNNING, job)
        checks = {"PYTHONMALLOC": "debug", "MALLOC_PERTURB_": "165"}
        selected = [*NOT_AGAIN, *(ON_MEMORY if job.focused else ())]
        return run_pytest([python, "-X", "dev"], selected, job, checks)


def run_pytest(
    python: Command, selected: Sequence[str], job: Job, variables: Mapping[str, str] | None = None
) -> Outcome:
    """Run pytest with what starts Python, and judge how it ended."""
    command: Command = [*python, "-m", "pytest", *selected, *native_arguments(job)]
    environment = {**settings(job), **(variables or {})}
    return judge(job.folder, run(command, job.log, minutes=MINUTES, environment=environment))


def missing(version: str) -> str:
    """Where a CPython was looked for, and how to get one."""
    words = (
        f"no CPython {version} with venv was found: not the running one, not on PATH, not in pyenv"
    )
    if sys.platform == "win32":
        words += ", not by the py launcher"
    words += "; --python gives the path of another one"
    if version.endswith("t"):
        words += (
            ", which ./configure --disable-gil --prefix=PREFIX && make && make install builds in "
            "the source of a release, as apt-get source --download-only brings it in "
            f"python{version.rstrip('t')}_*.orig.tar.xz"
        )
    return words


def python_with_tests(version: str, job: Job, given: Path | None = None) -> Path:
    """The Python of a virtual environment with everything the tests need."""
    debian.bring_libatomic(job)
    base = given or find_interpreter(version)
    if base is None:
        raise EnvironmentProblem(missing(version))
    requirements, name = [checkout_with_extras("test")], f"cpython{version}"
    if version == SUPPORTED[0]:
        requirements.append(oldest("wasmtime"))
        name = f"{name}-oldest"
    if version.endswith("t"):
        requirements.append(_HYPOTHESIS_WITHOUT_RUST)
    return virtual_environment(name, requirements, python=base, say=job.say)


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
