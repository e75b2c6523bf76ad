"""The command line of `python -m emtests.bench`."""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from emtests import bench
from emtests.bench.cold_start import has_cold_row, measure_cold_starts
from emtests.bench.original.comparing import compare_with_original
from emtests.bench.original.rows import rows_matching
from emtests.bench.results import Result, table
from emtests.bench.rows import NATIVE, PYODIDE
from emtests.bench.runtimes import (
    Runtime,
    measure_rows,
    open_native,
    open_pyodide,
)
from emtests.bench.worker import rows_of
from emtests.runtimes.interpreters import RUNNING, find_interpreter
from pyodide_demo.environment import EnvironmentProblem

_REFERENCE = "3.13"
"""The CPython whose figures count."""

_Measured = dict[str, dict[tuple[str, str], Result]]
"""By the runtime's title, then by the row's work and peer."""


def main(arguments: Sequence[str]) -> int:
    """Measure what was asked for; return 1 if there is nothing to measure, or a runtime that was
    named could not be measured."""
    options = _parse(arguments)
    kinds = _kinds(options)
    if not kinds:
        print(f"No row matches {options.rows!r}.", file=sys.stderr)
        return 1
    measured: _Measured = {}
    with tempfile.TemporaryDirectory(prefix="emheap-bench-") as scratch:
        openers = _openers(kinds, options.python, Path(scratch))
        complete = [_measure(*opener, options, measured) for opener in openers.items()]
    for title, results in measured.items():
        print(f"\n{title}\n{table(results.values())}")
    if options.json:
        _write_json(options.json, measured)
    return int(not (any(complete) and (all(complete) or not options.runtime)))


def _kinds(options: argparse.Namespace) -> list[str]:
    """The runtimes asked for in which there is something to measure."""
    return [kind for kind in options.runtime or [NATIVE, PYODIDE] if _has_rows(kind, options)]


def _has_rows(kind: str, options: argparse.Namespace) -> bool:
    if options.against_original:
        return bool(rows_matching(options.rows))
    return has_cold_row(options.rows) or any(rows_of(kind, options.rows))


def _results(runtime: Runtime, options: argparse.Namespace) -> Iterator[Result]:
    if options.against_original:
        return compare_with_original(runtime, options.rows, options.seconds)
    rows = measure_rows(runtime, options.rows, options.seconds)
    return chain(rows, measure_cold_starts(runtime, options.rows))


def _openers(
    kinds: Sequence[str], versions: Sequence[str], scratch: Path
) -> dict[str, Callable[[], Runtime]]:
    openers: dict[str, Callable[[], Runtime]] = {}
    if NATIVE in kinds:
        for version in versions:
            openers[f"CPython {version}"] = partial(open_native, version, scratch)
    if PYODIDE in kinds:
        openers["Pyodide"] = partial(open_pyodide, scratch)
    return openers


def _measure(
    name: str, opener: Callable[[], Runtime], options: argparse.Namespace, measured: _Measured
) -> bool:
    """Add the results of a runtime, those before a failure too; whether there was none."""
    start = time.monotonic()
    try:
        runtime = opener()
        results = measured.setdefault(runtime.title, {})
        for result in _results(runtime, options):
            row = result.work, result.peer
            results[row] = results[row].with_rounds_of(result) if row in results else result
            since = time.monotonic() - start
            print(f"[{since:3.0f} s] {runtime.title}: {result.work}", file=sys.stderr, flush=True)
    except EnvironmentProblem as problem:
        print(f"{name} was not measured to the end: {problem}", file=sys.stderr)
        return False
    return True


def _write_json(file: Path, measured: _Measured) -> None:
    values = {
        title: [result.as_json() for result in results.values()]
        for title, results in measured.items()
    }
    file.write_text(json.dumps(values, indent=1) + "\n")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    def kinds(text: str) -> list[str]:
        chosen = text.split(",")
        unknown = [kind for kind in chosen if kind not in (NATIVE, PYODIDE)]
        if unknown:
            raise argparse.ArgumentTypeError(f"no such runtime: {', '.join(unknown)}")
        return chosen

    def pattern(text: str) -> str:
        try:
            re.compile(text)
        except re.error as error:
            raise argparse.ArgumentTypeError(
                f"{text!r} is no regular expression: {error}"
            ) from None
        return text

    default = _REFERENCE if find_interpreter(_REFERENCE) else RUNNING
    parser = argparse.ArgumentParser(
        prog="python -m emtests.bench",
        description=(bench.__doc__ or "").split("\n\n")[1].replace("\n", " "),
        allow_abbrev=False,
    )
    parser.add_argument(
        "--runtime", type=kinds, metavar="A,B", help=f"{NATIVE}, {PYODIDE}, or both"
    )
    parser.add_argument(
        "--python",
        type=lambda text: text.split(","),
        default=[default],
        metavar="3.X",
        help=f"CPython versions, with commas between (default: {default})",
    )
    parser.add_argument(
        "--rows",
        type=pattern,
        default="",
        metavar="PATTERN",
        help="only rows whose work or peer matches this regular expression",
    )
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="how long to measure a row (default: 0.5)"
    )
    parser.add_argument(
        "--against-original",
        action="store_true",
        help="only what npm's wasm-heap-manager does too, in Node, in a process of its own: the "
        "fastest batches are compared",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    return parser.parse_args(arguments)
