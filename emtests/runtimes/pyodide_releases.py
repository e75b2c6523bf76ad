"""The releases of Pyodide that the tests run in, and what they need inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emtests.runtimes.base import Job, environment_passed_on
from emtests.webassembly.strangers import PACKAGES
from pyodide_demo.environment import (
    PYODIDE_VERSION,
    npm_install,
    pyodide_distribution,
    pyodide_site,
)
from pyodide_demo.site_tests import MODULES, REQUIREMENTS

ALL_MODULES = (
    *MODULES,
    "opusscript@0.1.1",
    "@sqlite.org/sqlite-wasm@3.53.4-build2",
    *PACKAGES,
)
"""The modules from npm that the tests work on; the page has fewer. See modules.mjs."""

MORE_MODULES = ("libflacjs@5.6.0", "libheif-js@1.23.2", "esbuild-wasm@0.28.2")
"""Those that single tests load in Node, in a folder of their own, for they are large."""


def fetch_modules(job: Job) -> Path:
    """The folder that npm put them into. Raises EnvironmentProblem."""
    return npm_install("javascript-modules", ALL_MODULES, say=job.say)


def fetch_more_modules(job: Job) -> Path:
    """The folder that npm put `MORE_MODULES` into. Raises EnvironmentProblem."""
    return npm_install("more-modules", MORE_MODULES, say=job.say)


@dataclass(frozen=True)
class Release:
    """One version of Pyodide."""

    series: str
    version: str
    pytest_arguments: tuple[str, ...] = ()

    @property
    def measured(self) -> bool:
        # Before Python 3.14 coverage has to trace branches in Python code, which is far slower.
        return self is NEWEST

    def fetch(self, job: Job) -> tuple[Path, Path]:
        """The folders of Pyodide and of the packages for it. Raises EnvironmentProblem."""
        pyodide = pyodide_distribution(self.version, say=job.say)
        return pyodide, pyodide_site(self.version, REQUIREMENTS, say=job.say)

    def configuration(
        self, job: Job, selected: Sequence[str], *, measure: bool
    ) -> dict[str, object]:
        """What the JavaScript that runs pytest is given."""
        settings = {
            "EMHEAP_RUN_FOLDER": "/run-folder",
            "HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return {
            "environment": {**environment_passed_on(), **settings},
            "arguments": [*self.pytest_arguments, *selected, *job.pytest_arguments],
            "measure": measure,
        }


NEWEST = Release("314", PYODIDE_VERSION)
# 0.27 has no dup2 on its standard streams, which pytest's usual capturing needs.
RELEASES = (
    NEWEST,
    Release("315", "315.0.0-alpha.2"),
    Release("0.29", "0.29.4"),
    Release("0.28", "0.28.3"),
    Release("0.27", "0.27.7", ("--capture=sys",)),
)
