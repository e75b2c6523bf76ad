"""Filters on a picture that lives on the heap.

The same program runs natively on the C heap, in Pyodide under Node, and in the page. It needs
emheap, the standard library, and the modules beside it with the picture and the filters.

    python -m pyodide_demo.program PIXELS WIDTH HEIGHT OUTPUT REPORT [FILTER ...]

reads PIXELS (a file of RGBA bytes), applies the filters in the order given, in place, and writes
OUTPUT (RGBA bytes again) and REPORT (JSON: checksum, use of the heap, seconds of every filter).
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TypedDict

import emheap
from pyodide_demo.filters import FILTERS
from pyodide_demo.picture import Picture


class Timing(TypedDict):
    """How long one filter took."""

    filter: str
    seconds: float


class Report(TypedDict):
    """What a run did to the heap, and the checksum to compare its result by."""

    runtime: str
    library: str
    caption: str
    checksum: str
    allocations: int
    peak_bytes: int
    bytes_left: int
    filters: list[Timing]


def apply(picture: Picture, names: Sequence[str]) -> list[Timing]:
    """Apply filters in place, in this order; return how long each took."""
    timings: list[Timing] = []
    for name in names:
        start = perf_counter()
        FILTERS[name](picture)
        timings.append({"filter": name, "seconds": perf_counter() - start})
    picture.describe(names)
    return timings


def checksum(picture: Picture) -> str:
    """The SHA-256 of the pixels, read where they lie."""
    return hashlib.sha256(picture.pixels.view).hexdigest()


def runtime() -> str:
    """The interpreter and the heap in use."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    if sys.platform == "emscripten":
        import pyodide

        return f"Pyodide {pyodide.__version__} ({python})"
    return f"{python} on {platform.system()}"


def run(pixels: bytes, width: int, height: int, names: Sequence[str]) -> tuple[bytes, Report]:
    """Apply filters to a picture on a heap of its own; return the pixels and the report."""
    heap = emheap.open()
    with Picture(heap, width, height) as picture:
        picture.original.view[:] = pixels
        picture.restore()
        timings = apply(picture, names)
        result = bytes(picture.pixels)
        report: Report = {
            "runtime": runtime(),
            "library": emheap.__file__,
            "caption": picture.caption.value,
            "checksum": checksum(picture),
            "allocations": picture.allocations,
            "peak_bytes": picture.peak_bytes,
            "bytes_left": 0,
            "filters": timings,
        }
    report["bytes_left"] = heap.total_allocated_byte_size
    return result, report


def main(arguments: Sequence[str]) -> None:
    """Run as a program; see the head of this file."""
    pixels, width, height, output, report_to, *names = arguments
    result, report = run(Path(pixels).read_bytes(), int(width), int(height), names)
    Path(output).write_bytes(result)
    Path(report_to).write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
