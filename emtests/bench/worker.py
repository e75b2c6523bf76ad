"""What runs in the interpreter that is measured: the rows, each printed as a line of JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from emtests.bench.results import Result
from emtests.bench.rows import PYODIDE, ROWS, Row


def rows_of(runtime: str, pattern: str) -> Iterator[Row]:
    """The rows of a runtime whose work or peer matches a regular expression."""
    for row in ROWS:
        if runtime in row.limits and re.search(pattern, f"{row.work} {row.peer}", re.IGNORECASE):
            yield row


def run(runtime: str, pattern: str, seconds: float, *, quick_only: bool = False) -> None:
    """Measure and print."""
    rows = [row for row in rows_of(runtime, pattern) if row.quick or not quick_only]
    if runtime == PYODIDE:
        # Engines compile WebAssembly in haste at first, and well what has run for a while: the
        # interpreter's own loop takes seconds.
        for row in rows:
            if row.quick:
                row.measure(0.0)
    for row in rows:
        result = Result(row.work, row.peer, row.limits[runtime], row.measure(seconds))
        print(json.dumps(result.as_json()), flush=True)
