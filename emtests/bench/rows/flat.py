"""What grows with the number of live blocks: nothing should."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import emheap
from emheap import int32, utf8
from emtests.bench.measuring import Contest, Statement, measure
from emtests.bench.rows.base import NATIVE, Row

__all__ = ["FLAT_ROWS"]

_MANY, _FEW = 1_000_000, 10


class _Crowd:
    """A heap with so many live numbers."""

    def __init__(self, live: int) -> None:
        self.heap = emheap.open(debug=False)
        self._live = live
        self._refs = [self.heap.alloc_int32(index) for index in range(live)]
        self._array = self.heap.alloc_array(int32, range(8))

    def statement(self, code: str) -> Statement:
        """Code that leaves the heap as it was."""
        heap = self.heap
        names = {
            "heap": heap,
            "alloc": heap.alloc,
            "alloc_int32": heap.alloc_int32,
            "alloc_array": heap.alloc_array,
            "free": heap.free,
            "adopt": heap.adopt,
            "view": heap.view_int32_array,
            "wrap": heap.wrap_int32,
            "array": self._array,
            "address": self._array.address,
            "int32": int32,
            "utf8": utf8,
        }
        return Statement(code, names)

    def check(self) -> None:
        """Raise AssertionError unless the heap is as it was."""
        assert self.heap.total_allocated_byte_size == 4 * self._live + 32
        assert self._array[:] == list(range(8))
        assert self._refs[-1].value == self._live - 1


@contextmanager
def _contest(code: str) -> Iterator[Contest]:
    many, few = _Crowd(_MANY), _Crowd(_FEW)

    def check(_: Any, __: Any) -> None:
        many.check()
        few.check()

    yield Contest(many.statement(code), few.statement(code), check)
    many.heap.free_all()
    few.heap.free_all()


_WORK = {
    "alloc_int32() + free": "alloc_int32().free()",
    "alloc_array(int32, 8) + free": "alloc_array(int32, 8).free()",
    "alloc(utf8, text) + free": "alloc(utf8, 'hello, world').free()",
    "alloc_int32() + free by address": "ref = alloc_int32(); free(ref.address)",
    "array.view": "result = array.view[7]",
    "view_int32_array(address, 8)": "result = view(address, 8)[7]",
    "free of an array with a view": (
        "ref = alloc_array(int32, 8); seen = ref.view; seen = None; ref.free()"
    ),
    "wrap_int32(address)": "result = wrap(address).value",
    "resize": "ref = alloc_array(int32, 8); ref.resize(16); ref.free()",
    "detach + adopt + free": "adopt(int32, alloc_int32().detach()).free()",
    "arena with an int32": "with heap.arena() as scratch: scratch.alloc_int32()",
}

FLAT_ROWS = [
    Row(
        f"{work}, {_MANY:,} live blocks",
        f"the same with {_FEW} live",
        {NATIVE: 1.1},
        partial(measure, partial(_contest, code)),
        quick=False,
    )
    for work, code in _WORK.items()
]
