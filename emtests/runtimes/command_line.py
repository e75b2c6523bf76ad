"""The command line of `python -m emtests`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from emtests.runtimes.base import Outcome, Runtime
from emtests.runtimes.browsers import CHROMIUM, FIREFOX, PyodideInBrowser
from emtests.runtimes.checks import LINT, TYPES
from emtests.runtimes.coverage_report import Coverage
from emtests.runtimes.ecosystem import Ecosystem
from emtests.runtimes.interpreters import RUNNING, SUPPORTED, Interpreter, identify
from emtests.runtimes.lock_file import Packaging
from emtests.runtimes.native import Development, Native, Slow
from emtests.runtimes.node import PyodideInNode
from emtests.runtimes.pyodide_releases import NEWEST, RELEASES
from emtests.runtimes.schedule import run_all, run_folder
from emtests.runtimes.table import table
from emtests.runtimes.valgrind import Valgrind

COVERAGE = "coverage"
MEASURED = (f"cpython{RUNNING}", f"pyodide{NEWEST.series}-node", "chromium", "chromium-worker")
"""The rows that leave coverage data."""
# Newer ones, and those without the interpreter's lock, are tested where they happen to be, but
# nobody needs to have them.
_EXPECTED = ("3.10", "3.11", "3.12", "3.13")


def all_runtimes(given: Sequence[Interpreter] = ()) -> dict[str, Runtime]:
    """Every row but coverage, which comes after them, by name.

    The rows that take longest come first, so that no core waits at the end.
    """
    executables = {each.version: each.executable for each in given}
    versions = dict.fromkeys([RUNNING, *SUPPORTED, *executables])
    native = [Native(version, executables.get(version)) for version in versions]
    node = [PyodideInNode(release) for release in RELEASES]
    runtimes: list[Runtime] = [
        node[0],
        native[0],
        Slow(),
        *(
            PyodideInBrowser(each, worker)
            for each in (CHROMIUM, FIREFOX)
            for worker in (False, True)
        ),
        *native[1:],
        Development(),
        Valgrind(),
        *node[1:],
        Packaging(),
        Ecosystem(),
        TYPES,
        LINT,
    ]
    return {runtime.name: runtime for runtime in runtimes}


def usual(runtimes: Mapping[str, Runtime]) -> list[str]:
    """The names of the rows that run where none are named."""
    return [
        name
        for name, runtime in runtimes.items()
        if not isinstance(runtime, Native) or runtime.version in _EXPECTED or runtime.found
    ]


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; return the exit code."""
    parser = _make_parser()
    options, pytest_arguments = parser.parse_known_args(arguments)
    runtimes = all_runtimes(options.python)
    _check_names(parser, [*options.only, *options.require], [*runtimes, COVERAGE])
    # pytest cannot know the width of the terminal through a pipe, nor whether it has colours.
    os.environ.setdefault("COLUMNS", str(shutil.get_terminal_size().columns))
    if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        os.environ.setdefault("PY_COLORS", "1")
    names = options.only or [*usual(runtimes), COVERAGE]
    if pytest_arguments and not options.only:
        # Who asks for certain tests does not want to wait for what reads all of the code.
        names = [name for name in names if name not in (TYPES.name, LINT.name)]
    outcomes = run_all(
        [runtime for name, runtime in runtimes.items() if name in names],
        pytest_arguments,
        at_a_time=options.jobs,
        focused=options.focused and not pytest_arguments,
        may_install=options.install,
    )
    if COVERAGE in names:
        complete = not pytest_arguments and all_measured(outcomes)
        outcomes |= run_all([Coverage([run_folder(name) for name in outcomes], complete)])
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


def _check_names(
    parser: argparse.ArgumentParser, chosen: Sequence[str], names: Sequence[str]
) -> None:
    unknown = [name for name in chosen if name not in names]
    if unknown:
        parser.error(f"no such runtime: {', '.join(unknown)}. The runtimes are {', '.join(names)}.")


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _interpreter(path: str) -> Interpreter:
    # A path without a folder would be looked for on PATH.
    found = identify([str(Path(path).absolute())])
    if found is None:
        raise argparse.ArgumentTypeError(f"{path} is no CPython with venv that runs")
    return found


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emtests",
        description="Run the tests of emheap in every runtime that this machine has or can be "
        "given. What is fetched for that goes to the folder .environment of the checkout.",
        epilog=f"Runtimes: {', '.join([*all_runtimes(), COVERAGE])}. "
        "Every other argument goes to pytest: -k, -x, paths.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--require",
        type=_names,
        default=[],
        metavar="A,B",
        help="runtimes whose absence is a failure; others are left out where they cannot run",
    )
    parser.add_argument(
        "--only", type=_names, default=[], metavar="A,B", help="run no other runtime"
    )
    parser.add_argument(
        "--python",
        type=_interpreter,
        action="append",
        default=[],
        metavar="PATH",
        help="a CPython that is not found by itself, as one built without the interpreter's lock; "
        "may be given several times",
    )
    parser.add_argument(
        "--focused",
        action="store_true",
        help="in each runtime only the tests whose answer may be another one there",
    )
    parser.add_argument(
        "--install",
        action="store_true",
        help="install what is missing for the whole machine, with apt-get, as root on Debian and "
        "its relatives: chromium, firefox-esr, valgrind, libatomic1",
    )
    parser.add_argument(
        "--jobs", type=int, default=2, metavar="N", help="how many at a time (default: 2)"
    )
    return parser
