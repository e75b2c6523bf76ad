"""Cold starts: what a process that has done nothing before waits for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from emtests.bench.measuring import Figures
from emtests.bench.results import Result
from emtests.bench.rows import NATIVE
from emtests.bench.runtimes import Runtime, lines_of

_PROGRAM = """\
from time import perf_counter_ns
start = perf_counter_ns()
{}
imported = perf_counter_ns()
{}
print(imported - start, perf_counter_ns() - start)
"""
_OURS = _PROGRAM.format("import emheap", "emheap.open().alloc_int32(7).free()")
_THEIRS = _PROGRAM.format("import ctypes", "ctypes.c_int32(7)")
# The second tells what the first would hide, if modules were loaded when they are first used.
_ROWS = (
    ("import emheap, cold process", "import ctypes", 3.0),
    ("import emheap, and a first int32", "import ctypes, and a c_int32", None),
)

_Times = tuple[float, float]


def has_cold_row(pattern: str) -> bool:
    """Whether one of these rows matches."""
    return bool(_chosen(pattern))


def _chosen(pattern: str) -> list[int]:
    return [
        index
        for index, (work, peer, _) in enumerate(_ROWS)
        if re.search(pattern, f"{work} {peer}", re.IGNORECASE)
    ]


def measure_cold_starts(runtime: Runtime, pattern: str) -> Iterator[Result]:
    """The rows that match, measured in as many processes as the runtime is given."""
    chosen = _chosen(pattern)
    if not chosen:
        return
    if runtime.kind == NATIVE:
        for program in (_OURS, _THEIRS):
            _nanoseconds(runtime, program)  # compiles
    rounds = [_round(runtime) for _ in range(runtime.cold_rounds)]
    for index in chosen:
        work, peer, limit = _ROWS[index]
        figures = Figures([(ours[index], theirs[index]) for ours, theirs in rounds])
        yield Result(work, peer, limit, figures).allowed(runtime.allowance)


def _round(runtime: Runtime) -> tuple[_Times, _Times]:
    pairs = [
        (_nanoseconds(runtime, _OURS), _nanoseconds(runtime, _THEIRS))
        for _ in range(runtime.cold_tries)
    ]
    ours, theirs = zip(*pairs, strict=True)
    return min(ours), min(theirs)


def _nanoseconds(runtime: Runtime, program: str) -> _Times:
    *_, last = lines_of(runtime, runtime.cold_command(program))
    imported, used = map(float, last.split())
    return imported, used
