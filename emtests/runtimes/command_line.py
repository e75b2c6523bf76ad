"""The command line of `python -m emtests`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping, Sequence

from emtests.runtimes.base import Outcome, Runtime
from emtests.runtimes.checks import LINT, TYPES
from emtests.runtimes.chromium import PyodideInChromium
from emtests.runtimes.coverage_report import Coverage
from emtests.runtimes.ecosystem import Ecosystem
from emtests.runtimes.interpreters import RUNNING, SUPPORTED, find_interpreter
from emtests.runtimes.lock_file import Packaging
from emtests.runtimes.native import Development, Native
from emtests.runtimes.node import PyodideInNode
from emtests.runtimes.pyodide_releases import NEWEST, RELEASES
from emtests.runtimes.schedule import run_all, run_folder
from emtests.runtimes.table import table
from emtests.runtimes.valgrind import Valgrind

COVERAGE = "coverage"
MEASURED = (f"cpython{RUNNING}", f"pyodide{NEWEST.series}-node", "chromium", "chromium-worker")
"""The rows that leave coverage data."""
# Newer ones are tested where they happen to be, but nobody needs to have them.
_EXPECTED = ("3.10", "3.11", "3.12", "3.13")


def all_runtimes() -> dict[str, Runtime]:
    """Every row but coverage, which comes after them, by name."""
    versions = [v for v in SUPPORTED if v in _EXPECTED or v == RUNNING or find_interpreter(v)]
    runtimes: list[Runtime] = [
        # First, for they bring the browser that the tests of the demonstration's page use as well.
        PyodideInChromium(worker=False),
        PyodideInChromium(worker=True),
        *map(Native, versions),
        Development(),
        Valgrind(),
        *map(PyodideInNode, RELEASES),
        Packaging(),
        Ecosystem(),
        TYPES,
        LINT,
    ]
    return {runtime.name: runtime for runtime in runtimes}


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; return the exit code."""
    runtimes = all_runtimes()
    options, pytest_arguments = _parse(arguments, [*runtimes, COVERAGE])
    # pytest cannot know the width of the terminal through a pipe, nor whether it has colours.
    os.environ.setdefault("COLUMNS", str(shutil.get_terminal_size().columns))
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        os.environ.setdefault("PY_COLORS", "1")
    names = options.only or [*runtimes, COVERAGE]
    if pytest_arguments and not options.only:
        # Who asks for certain tests does not want to wait for what reads all of the code.
        names = [name for name in names if name not in (TYPES.name, LINT.name)]
    chosen = [runtime for name, runtime in runtimes.items() if name in names]
    outcomes = run_all(chosen, pytest_arguments, at_a_time=options.jobs)
    if COVERAGE in names:
        complete = not pytest_arguments and all_measured(outcomes)
        coverage = Coverage([run_folder(name) for name in outcomes], complete)
        outcomes |= run_all([coverage], (), at_a_time=1)
    print("\n" + table(outcomes), flush=True)
    return exit_code(outcomes, options.require)


def all_measured(outcomes: Mapping[str, Outcome]) -> bool:
    """Whether every row that coverage measures has run to its end."""
    measured = [outcomes.get(name) for name in MEASURED]
    return all(found and not found.missing and not found.problem for found in measured)


def exit_code(outcomes: Mapping[str, Outcome], required: Sequence[str]) -> int:
    """0 if all is well; prints why not where the table does not show it."""
    missing = [name for name in required if name not in outcomes or outcomes[name].missing]
    if missing:
        print(f"Required, but not run: {', '.join(missing)}")
    if not any(outcome.passed or outcome.failed for outcome in outcomes.values()):
        print("No test ran.")
        return 1
    return int(bool(missing) or any(outcome.bad for outcome in outcomes.values()))


def _parse(
    arguments: Sequence[str], names: Sequence[str]
) -> tuple[argparse.Namespace, Sequence[str]]:
    def some_names(text: str) -> list[str]:
        chosen = [name for name in text.split(",") if name]
        unknown = [name for name in chosen if name not in names]
        if unknown:
            raise argparse.ArgumentTypeError(
                f"no such runtime: {', '.join(unknown)}. The runtimes are {', '.join(names)}."
            )
        return chosen

    parser = argparse.ArgumentParser(
        prog="python -m emtests",
        description="Run the tests of emheap in every runtime that this machine has or can be "
        "given. Everything brought for that goes to the folder .environment of the checkout.",
        epilog=f"Runtimes: {', '.join(names)}. Every other argument goes to pytest: -k, -x, paths.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--require",
        type=some_names,
        default=[],
        metavar="A,B",
        help="runtimes whose absence is a failure; others are left out where they cannot run",
    )
    parser.add_argument(
        "--only", type=some_names, default=[], metavar="A,B", help="run no other runtime"
    )
    parser.add_argument(
        "--jobs", type=int, default=2, metavar="N", help="how many at a time (default: 2)"
    )
    return parser.parse_known_args(arguments)
