"""The rows of the table that read the code instead of running it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emtests.runtimes.base import Job, Outcome
from emtests.runtimes.processes import Command, run
from pyodide_demo.environment import checkout_with_extras, private_folder, virtual_environment

MINUTES = 15


@dataclass(frozen=True)
class Checks:
    """Programs that must end with exit code 0; each counts as one test."""

    name: str
    commands: Sequence[Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, job: Job) -> Outcome:
        python = python_with_checks(job)
        outcome = Outcome()
        for command in self.commands:
            job.say("$ " + " ".join(command))
            # pyright would look for the packages of whichever `python` comes first.
            path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
            environment = {**self.environment, "PATH": path}
            words: Command = [python, "-m", *command]
            ended = run(words, job.log, minutes=MINUTES, environment=environment)
            if ended.well:
                outcome.passed += 1
            else:
                outcome.failed += 1
                outcome.problem = ended.problem
        return outcome


def python_with_checks(job: Job) -> Path:
    """The Python of a virtual environment with the checkers and all that the code imports."""
    extras = checkout_with_extras("test", "demo", "check")
    return virtual_environment("check", [extras], say=job.say)


TYPES = Checks(
    "types",
    [
        ["mypy"],
        ["pyright"],
        # A program's own Python may be a newer one than the oldest.
        ["mypy", "--python-version=3.14", "emtests/typing_checks"],
        ["pyright", "--pythonversion=3.14", "emtests/typing_checks"],
    ],
    # The `pyright` of PyPI fetches the one of npm; this keeps it where everything else is.
    {"PYRIGHT_PYTHON_CACHE_DIR": str(private_folder() / "pyright")},
)
LINT = Checks("lint", [["ruff", "check"], ["ruff", "format", "--check"]])
