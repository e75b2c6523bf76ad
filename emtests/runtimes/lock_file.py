"""The tests marked `packaging`: the wheel in a lock file of Pyodide, made by pyodide-build."""

from __future__ import annotations

from dataclasses import dataclass

from emtests.runtimes.base import Job, Outcome
from emtests.runtimes.events import judge
from emtests.runtimes.interpreters import FOR_PYODIDE_BUILD, find_interpreter
from emtests.runtimes.native import native_arguments, settings
from emtests.runtimes.processes import Command, run
from pyodide_demo.environment import (
    EnvironmentProblem,
    checkout_with_extras,
    find_node,
    virtual_environment,
)

MINUTES = 10


@dataclass(frozen=True)
class Packaging:
    """pytest in an environment with pyodide-build."""

    name: str = "packaging"

    def run(self, job: Job) -> Outcome:
        find_node()
        bases = [base for base in map(find_interpreter, FOR_PYODIDE_BUILD) if base is not None]
        if not bases:
            raise EnvironmentProblem(
                "pyodide-build's lock-file command needs CPython 3.12 or newer"
            )
        extras = checkout_with_extras("test", "package")
        python = virtual_environment("packaging", [extras], python=bases[0], say=job.say)
        command: Command = [python, "-m", "pytest", "-m", "packaging", *native_arguments(job)]
        return judge(job.folder, run(command, job.log, minutes=MINUTES, environment=settings(job)))
