"""The tests in Pyodide under Node."""

from __future__ import annotations

import json
from dataclasses import dataclass

from emtests.calls.programs.files import MOUNT, programs_folder
from emtests.runtimes.base import Job, Outcome
from emtests.runtimes.events import judge
from emtests.runtimes.processes import run
from emtests.runtimes.pyodide_releases import Release, fetch_modules, fetch_more_modules
from emtests.runtimes.selection import NOT_SLOW
from pyodide_demo.environment import CHECKOUT, find_node

MINUTES = 20


@dataclass(frozen=True)
class PyodideInNode:
    """pytest in one release of Pyodide, with the checkout mounted."""

    release: Release

    @property
    def name(self) -> str:
        return f"pyodide{self.release.series}-node"

    def run(self, job: Job) -> Outcome:
        node = find_node()
        pyodide, site = self.release.fetch(job)
        mounts = {"/project": CHECKOUT, "/site": site, "/run-folder": job.folder}
        mounts[MOUNT] = programs_folder(job.say)
        inside = self.release.configuration(job, NOT_SLOW, measure=self.release.measured)
        configuration = job.folder / "configuration.json"
        configuration.write_text(
            json.dumps(
                {
                    "pyodide": str(pyodide),
                    "modules": str(fetch_modules(job)),
                    "moreModules": str(fetch_more_modules(job)),
                    "mounts": {name: str(folder) for name, folder in mounts.items()},
                    **inside,
                }
            )
        )
        script = CHECKOUT / "emtests" / "pyodide" / "run_in_node.mjs"
        return judge(job.folder, run([node, script, configuration], job.log, minutes=MINUTES))
