"""What a debug heap costs: the same work on one and on a heap that is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import emheap
from emheap import HeapManager, uint8
from emtests.bench.measuring import Contest, Statement
from emtests.bench.rows.base import Row, timed


@contextmanager
def _both(code: str) -> Iterator[Contest]:
    heaps = [emheap.open(debug=debug) for debug in (True, False)]

    def check(_: Any, __: Any) -> None:
        for heap in heaps:
            assert heap.total_allocated_byte_size == 4 + 1000
        heaps[0].verify()

    yield Contest(
        Statement(code, _names(heaps[0])),
        Statement(code, _names(heaps[1])),
        check,
    )
    for heap in heaps:
        heap.free_all()


def _names(heap: HeapManager) -> dict[str, Any]:
    ref, array = heap.alloc_int32(5), heap.alloc_array(uint8, 1000)
    return {
        "heap": heap,
        "ref": ref,
        "array": array,
        "address": ref.address,
        "read": heap.read_int32,
        "alloc": heap.alloc_int32,
        "uint8": uint8,
    }


def _row(work: str, code: str, limit: float) -> Row:
    prepare = partial(_both, code)
    return timed(f"{work}, debug heap", "a heap that is none", prepare, native=limit, pyodide=limit)


DEBUG_ROWS: list[Row] = [
    _row("read int32 at an address", "read(address)", 15),
    _row("get ref.value", "ref.value", 1.1),
    _row("an array's view", "array.view", 1.2),
    _row("alloc + free int32", "alloc().free()", 60),
    _row("alloc + free 32 bytes", "heap.alloc_array(uint8, 32).free()", 60),
]
