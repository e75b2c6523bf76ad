"""The two reports of a run, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyodide_demo.program import Report

_SHOWN_DIGITS = 16


def problem_of(native: Report, pyodide: Report) -> str | None:
    """What is wrong with a pair of runs; None if they did the same and freed everything."""
    if native["checksum"] != pyodide["checksum"]:
        return (
            "The two runs differ: the same program made other pixels of the same picture.\n"
            f"  native   {native['checksum']}\n  Pyodide  {pyodide['checksum']}"
        )
    for name, report in (("native", native), ("Pyodide", pyodide)):
        if report["bytes_left"]:
            return f"The {name} run left {report['bytes_left']:,} bytes on the heap."
    return None


def table(native: Report, pyodide: Report) -> str:
    """The runs as columns."""
    rows = [["", native["runtime"], pyodide["runtime"]], *_rows(native, pyodide)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["   ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * (sum(widths) + 6), *lines[1:]])


def _rows(native: Report, pyodide: Report) -> Iterator[list[str]]:
    pair = (native, pyodide)
    yield ["checksum (SHA-256)", *(f"{each['checksum'][:_SHOWN_DIGITS]}…" for each in pair)]
    yield ["blocks allocated", *(f"{each['allocations']:,}" for each in pair)]
    yield ["most bytes on the heap", *(f"{each['peak_bytes']:,}" for each in pair)]
    yield ["bytes left at the end", *(f"{each['bytes_left']:,}" for each in pair)]
    for ours, theirs in zip(native["filters"], pyodide["filters"], strict=True):
        yield [ours["filter"], _milliseconds(ours["seconds"]), _milliseconds(theirs["seconds"])]
    totals = [sum(timing["seconds"] for timing in each["filters"]) for each in pair]
    yield ["all filters", *map(_milliseconds, totals)]


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms"
