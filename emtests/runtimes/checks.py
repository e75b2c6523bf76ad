"""The rows of the table that read the code, Python's and the page's, instead of running it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emtests.runtimes.base import Job, Outcome
from emtests.runtimes.processes import Command, run
from pyodide_demo.building import PAGE, TOOLS
from pyodide_demo.environment import (
    CHECKOUT,
    checkout_with_extras,
    find_node,
    npm_install,
    private_folder,
    virtual_environment,
)

__all__ = ["LINT", "TYPES", "Checks", "python_with_checks"]

MINUTES = 15
# Exact, so that a new checker reddens no old commit.
_TYPESCRIPT = "typescript@5.9.3"
_LINTER = "@biomejs/biome@2.6.8"


@dataclass(frozen=True)
class Checks:
    """Programs that must end with exit code 0; each counts as one test."""

    name: str
    commands: Sequence[Sequence[str]]
    """Modules of Python, with their arguments."""
    page: Callable[[Job], Command]
    """Gives the command that reads the page's JavaScript. Raises EnvironmentProblem."""
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, job: Job) -> Outcome:
        python = python_with_checks(job)
        words: list[tuple[Command, Path]] = [
            ([python, "-m", *command], CHECKOUT) for command in self.commands
        ]
        words.append((self.page(job), PAGE))
        # pyright would look for the packages of whichever `python` comes first.
        path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
        outcome = Outcome()
        for command, folder in words:
            job.say("$ " + " ".join(map(str, command)))
            environment = {**self.environment, "PATH": path}
            ended = run(command, job.log, minutes=MINUTES, environment=environment, folder=folder)
            if ended.well:
                outcome.passed += 1
            else:
                outcome.failed += 1
                outcome.problem = ended.problem
        return outcome


def _types_of_the_page(job: Job) -> Command:
    """TypeScript, which reads types in comments; it finds CodeMirror's where npm put them."""
    modules = npm_install("page", TOOLS, say=job.say)
    checker = npm_install("typescript", [_TYPESCRIPT], say=job.say) / "typescript" / "bin" / "tsc"
    configuration = {
        "extends": str(PAGE / "tsconfig.json"),
        "compilerOptions": {
            "paths": {
                f"{scope}/*": [f"{modules}/{scope}/*"] for scope in ("@codemirror", "@lezer")
            },
            "types": [],
        },
        "include": [f"{PAGE}/**/*.js", f"{PAGE}/**/*.d.ts", f"{PAGE}/**/*.d.mts"],
    }
    file = job.folder / "tsconfig.json"
    file.write_text(json.dumps(configuration), encoding="utf-8")
    return [find_node(), checker, "--project", file]


def _lint_of_the_page(job: Job) -> Command:
    linter = npm_install("biome", [_LINTER], say=job.say) / "@biomejs" / "biome" / "bin" / "biome"
    return [find_node(), linter, "ci", "--error-on-warnings"]


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
    _types_of_the_page,
    # The `pyright` of PyPI fetches the one of npm; this keeps it where everything else is.
    {"PYRIGHT_PYTHON_CACHE_DIR": str(private_folder() / "pyright")},
)
LINT = Checks("lint", [["ruff", "check"], ["ruff", "format", "--check"]], _lint_of_the_page)
