"""The tests marked `valgrind`, under valgrind's memory checker.

Python code has no stack frames that valgrind could name, and a wild write done through ctypes or a
memoryview shows frames of CPython only. So the rule is the strict one: no invalid read, write or
free anywhere in the process. With PYTHONMALLOC=malloc every block comes from the malloc that
valgrind watches, and CPython itself makes none. Uses of uninitialised values are not counted: an
optimised CPython shows thousands of false ones before it has imported anything.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from emtests.runtimes import debian
from emtests.runtimes.base import Job, Outcome
from emtests.runtimes.events import judge
from emtests.runtimes.interpreters import RUNNING
from emtests.runtimes.native import native_arguments, python_with_tests, settings
from emtests.runtimes.processes import Command, Ended, run
from pyodide_demo.environment import CHECKOUT, EnvironmentProblem

MINUTES = 20
_ERRORS_FOUND = 86
_SUPPRESSIONS = Path(__file__).with_name("valgrind.supp")
_PROGRAM_WITH_AN_ERROR = """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
address = libc.malloc(64)
libc.free(ctypes.c_void_p(address))
memory = memoryview((ctypes.c_ubyte * (address + 64)).from_address(0)).cast("B")
memory[address + 8] = 1
"""


@dataclass(frozen=True)
class Valgrind:
    """The running CPython under valgrind."""

    name: str = "valgrind"

    def run(self, job: Job) -> Outcome:
        checker: list[str | Path] = [find_valgrind(job), f"--error-exitcode={_ERRORS_FOUND}"]
        checker += ["--leak-check=no", "--undef-value-errors=no", "--num-callers=25"]
        checker += [f"--suppressions={_SUPPRESSIONS}"]
        python = python_with_tests(RUNNING, job)
        environment = {**settings(job), "PYTHONMALLOC": "malloc"}

        job.say("Does valgrind see a write to a freed block?")
        trial = [*checker, f"--log-file={job.folder / 'trial.txt'}", python, "-c"]
        ended = run(
            [*trial, _PROGRAM_WITH_AN_ERROR], job.log, minutes=MINUTES, environment=environment
        )
        if ended.exit_code != _ERRORS_FOUND:
            return Outcome(problem=f"valgrind missed a planted error (exit code {ended.exit_code})")

        findings = job.folder / "findings.txt"
        command = [*checker, f"--log-file={findings}", python, "-m", "pytest", "-m", "valgrind"]
        # pytest's rewriting of assertions costs minutes here.
        arguments: Command = ["--assert=plain", *native_arguments(job), *_files(job)]
        ended = run([*command, *arguments], job.log, minutes=MINUTES, environment=environment)
        return _with_findings(judge(job.folder, ended), ended, findings, job)


def find_valgrind(job: Job) -> str:
    """The valgrind executable, installed if that is possible. Raises EnvironmentProblem."""
    if shutil.which("valgrind") is None and debian.can_install(job):
        # Without the symbols of libc valgrind cannot watch malloc.
        debian.install(["valgrind", "libc6-dbg"], job)
    found = shutil.which("valgrind")
    if found is None:
        raise EnvironmentProblem(
            "valgrind is not installed (Debian: `apt-get install valgrind`, or --install as root)"
        )
    return found


def _files(job: Job) -> list[Path]:
    """The files with marked tests, unless others were asked for: reading all of them is slow."""
    if job.pytest_arguments:
        return []
    files = sorted((CHECKOUT / "emtests").rglob("test_*.py"))
    marked = [file for file in files if "mark.valgrind" in file.read_text(encoding="utf-8")]
    if not marked:
        raise EnvironmentProblem("no test is marked valgrind")
    return marked


def _with_findings(outcome: Outcome, ended: Ended, findings: Path, job: Job) -> Outcome:
    if ended.exit_code == _ERRORS_FOUND:
        text = findings.read_text(encoding="utf-8", errors="replace")
        job.say(text)
        summary = [line for line in text.splitlines() if "ERROR SUMMARY" in line]
        outcome.problem = "memory errors: " + " ".join(summary)
    return outcome
