"""Our side, in the interpreter that is measured: each row's fastest batch, as a line of JSON."""

from __future__ import annotations

import gc
import json
from time import perf_counter
from typing import Any

import emheap
from emtests.bench.measuring import calibrated
from emtests.bench.original.rows import OriginalRow, rows_matching

__all__ = ["run"]


def run(pattern: str, seconds: float) -> None:
    """Measure and print."""
    for row in rows_matching(pattern):
        fastest, result = _measure(row, seconds)
        print(json.dumps({"work": row.work, "ns": fastest, "result": result}), flush=True)


def _measure(row: OriginalRow, seconds: float) -> tuple[float, Any]:
    with emheap.open() as heap:
        statement = row.ours(heap)
        batch = statement.batch()
        result = shown(batch(1)[1])
        count = calibrated(batch, row.most)
        gc.collect()
        fastest, deadline, rounds = float("inf"), perf_counter() + seconds, 0
        while rounds < 3 or perf_counter() < deadline:
            fastest, rounds = min(fastest, batch(count)[0] / count), rounds + 1
    return fastest, result


def shown(result: Any) -> Any:
    """What JSON can hold of a result: of a view the number of elements, and the first ones."""
    if isinstance(result, memoryview):
        return [len(result), *result[:4]]
    return result
