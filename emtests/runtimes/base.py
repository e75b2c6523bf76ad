"""What a runtime is asked to do, and what it answers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from emtests.runtimes.console import Log

PASSED_ON = ("EMHEAP_", "HYPOTHESIS_", "CI", "COLUMNS", "PY_COLORS")


@dataclass(frozen=True)
class Job:
    """One run of one runtime."""

    name: str
    folder: Path
    """Empty at the start; events and coverage data are left in it."""
    log: Log
    pytest_arguments: Sequence[str] = ()
    focused: bool = False
    """Whether to leave out the tests that can only have the answer they have in another row."""
    may_install: bool = False
    """Whether programs may be installed for the whole machine."""

    def say(self, text: str) -> None:
        self.log.write(f"{text}\n")


@dataclass
class Outcome:
    """What came of it. `missing` and `problem` are words for people."""

    passed: int = 0
    failed: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """Tests and their reasons."""
    seconds: float = 0.0
    missing: str = ""
    """Why this machine could not run it at all."""
    problem: str = ""
    """What went wrong beside failed tests: a crash, a time limit, a tool's complaint."""
    note: str = ""
    """A figure worth a place in the table."""

    @property
    def bad(self) -> bool:
        return bool(self.failed or self.problem)


class Runtime(Protocol):
    """A row of the table."""

    @property
    def name(self) -> str: ...

    def run(self, job: Job) -> Outcome:
        """Prepare and run. Raises EnvironmentProblem where this machine cannot."""
        ...


def environment_passed_on() -> dict[str, str]:
    """The variables that reach Pyodide, where the rest of the machine's environment does not."""
    return {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
