"""The tests marked `ecosystem`: the wheel in PyScript, JupyterLite and marimo, in Chromium."""

from __future__ import annotations

from dataclasses import dataclass

from emtests.ecosystem.versions import REQUIREMENTS
from emtests.runtimes.base import Job, Outcome
from emtests.runtimes.events import judge
from emtests.runtimes.find_chromium import find_chromium
from emtests.runtimes.interpreters import FOR_PYODIDE_BUILD, find_interpreter
from emtests.runtimes.native import native_arguments, settings
from emtests.runtimes.processes import Command, run
from pyodide_demo.environment import (
    EnvironmentProblem,
    checkout_with_extras,
    find_node,
    virtual_environment,
)

MINUTES = 20


@dataclass(frozen=True)
class Ecosystem:
    """pytest in an environment with the tools that make such pages."""

    name: str = "ecosystem"

    def run(self, job: Job) -> Outcome:
        find_node()
        chromium = find_chromium(job)
        bases = [base for base in map(find_interpreter, FOR_PYODIDE_BUILD) if base is not None]
        if not bases:
            raise EnvironmentProblem(
                "pyodide-build's lock-file command needs CPython 3.12 or newer"
            )
        extras = checkout_with_extras("test", "package")
        python = virtual_environment(
            "ecosystem", [extras, *REQUIREMENTS], python=bases[0], say=job.say
        )
        place = [] if job.pytest_arguments else ["emtests/ecosystem"]
        command: Command = [python, "-m", "pytest", "-m", "ecosystem", *place]
        command = [*command, *native_arguments(job)]
        environment = {**settings(job), "EMHEAP_CHROMIUM": str(chromium)}
        return judge(job.folder, run(command, job.log, minutes=MINUTES, environment=environment))
