"""Cold starts: what a process that has done nothing before waits for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter_ns

from emtests.bench.measuring import Figures
from emtests.bench.results import Result
from emtests.bench.rows import NATIVE, PYODIDE
from emtests.bench.runtimes import Runtime, lines_of

_TIMED = """\
from time import perf_counter_ns
{}
start = perf_counter_ns()
{}
print(perf_counter_ns() - start)
"""
_FIRST = "import emheap; emheap.open().alloc_int32(7).free()"


@dataclass(frozen=True)
class _Row:
    work: str
    peer: str
    ours: str
    theirs: str
    limits: dict[str, float | None]
    """By kind of runtime; it is measured in those that are named."""
    whole: bool = False
    """Time the process from without, from its start to its end."""
    before: str = ""
    """Run before the clock is started."""
    peer_from_sources: bool = False
    """Give the peer a wheel of emheap's without compiled files."""

    def round(self, runtime: Runtime) -> tuple[float, float]:
        """The fastest of a few processes of each, in nanoseconds."""
        pairs = [
            (
                self._nanoseconds(runtime, self.ours),
                self._nanoseconds(runtime, self.theirs, sources=self.peer_from_sources),
            )
            for _ in range(runtime.cold_tries)
        ]
        ours, theirs = zip(*pairs, strict=True)
        return min(ours), min(theirs)

    def _nanoseconds(self, runtime: Runtime, statements: str, *, sources: bool = False) -> float:
        program = statements if self.whole else _TIMED.format(self.before, statements)
        command = runtime.command_from_sources if sources else runtime.cold_command
        start = perf_counter_ns()
        lines = list(lines_of(runtime, command(program)))
        return perf_counter_ns() - start if self.whole else float(lines[-1])


# The first is what a user waits for; Pyodide takes so long to start that it would tell nothing
# there. The third tells what the others would hide, if modules were loaded when they are first
# used; the last what the compiled files of a wheel save.
_ROWS = (
    _Row(
        "a cold process that imports emheap",
        "one that imports ctypes",
        "import emheap",
        "import ctypes",
        {NATIVE: 3.0},
        whole=True,
    ),
    _Row(
        "import emheap, less the process around it",
        "import ctypes, likewise",
        "import emheap",
        "import ctypes",
        {NATIVE: 5.0, PYODIDE: 3.0},
    ),
    _Row(
        "the same, and a first int32",
        "the same, and a c_int32",
        _FIRST,
        "import ctypes; ctypes.c_int32(7)",
        {NATIVE: None, PYODIDE: None},
    ),
    _Row(
        "emheap's own part of the import and a first int32, from a compiled wheel",
        "the same from a wheel of sources",
        _FIRST,
        _FIRST,
        {PYODIDE: 0.3},
        # What emheap imports of the standard library, which comes compiled in any case.
        before="import array, ctypes, sysconfig, typing",
        peer_from_sources=True,
    ),
)


def has_cold_row(pattern: str) -> bool:
    """Whether one of these rows matches."""
    return any(_matches(row, pattern) for row in _ROWS)


def _matches(row: _Row, pattern: str) -> bool:
    return re.search(pattern, f"{row.work} {row.peer}", re.IGNORECASE) is not None


def measure_cold_starts(runtime: Runtime, pattern: str) -> Iterator[Result]:
    """The rows that match, measured in as many processes as the runtime is given."""
    for row in _ROWS:
        if runtime.kind not in row.limits or not _matches(row, pattern):
            continue
        row.round(runtime)  # compiles
        figures = Figures([row.round(runtime) for _ in range(runtime.cold_rounds)])
        limit = row.limits[runtime.kind]
        yield Result(row.work, row.peer, limit, figures).allowed(runtime.allowance)
