"""Blocks: made, freed, found by address, and what they cost while they live."""

from __future__ import annotations

import ctypes
import gc
import random
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import repeat
from typing import Any

import emheap
from emheap import int32, utf8
from emheap._util.platform import c_runtime
from emtests.bench.measuring import Contest, Figures, Statement, measure
from emtests.bench.rows.base import NATIVE, PYODIDE, Row, timed

_MANY, _FEW = 100_000, 10
_AT_A_TIME = 500
_HELD = 100


def calloc_and_free() -> tuple[Any, Any]:
    """C's functions, as ctypes calls them."""
    library = c_runtime()
    calloc, free = library.calloc, library.free
    calloc.argtypes, calloc.restype = (ctypes.c_size_t, ctypes.c_size_t), ctypes.c_void_p
    free.argtypes, free.restype = (ctypes.c_void_p,), None
    return calloc, free


@contextmanager
def _alloc_and_free(ours: str, peer: str) -> Iterator[Contest]:
    heap = emheap.open()
    calloc, free = calloc_and_free()

    def check(_: Any, __: Any) -> None:
        assert heap.total_allocated_byte_size == 0
        dirty = heap.alloc_int32(-1)
        address = dirty.address
        dirty.free()
        ref = heap.alloc_int32()
        assert ref.address == address, "the block was not used again, so it proves nothing"
        assert ctypes.c_int32.from_address(address).value == 0
        assert heap.allocated_heap_refs == [ref]
        ref.free()
        assert ref.is_freed
        its = calloc(1, 4)
        assert ctypes.c_int32.from_address(its).value == 0
        free(its)

    held = {"repeat": repeat, "held": _HELD}
    yield Contest(
        Statement(ours, {"alloc": heap.alloc_int32, **held}),
        Statement(peer, {"calloc": calloc, "free": free, **held}),
        check,
    )


_ONE = partial(
    _alloc_and_free, "ref = alloc(); ref.free()", "address = calloc(1, 4); free(address)"
)
_SEVERAL = partial(
    _alloc_and_free,
    "refs = [alloc() for _ in repeat(None, held)]\nfor ref in refs: ref.free()",
    "addresses = [calloc(1, 4) for _ in repeat(None, held)]\n"
    "for address in addresses: free(address)",
)


class _Crowd:
    """A heap with a number of live blocks, and more for a while."""

    def __init__(self, live: int) -> None:
        self.heap = emheap.open()
        self._live = live
        self._refs = [self.heap.alloc_int32(index) for index in range(live)]
        self._going: list[Any] = []

    def addresses(self, count: int) -> list[int]:
        """Those of `count` blocks to free, so that as many stay as there were at first."""
        self.check()
        self._refs += [self.heap.alloc_int32() for _ in range(count)]
        self._going = [self._take_any() for _ in range(count)]
        return [ref.address for ref in self._going]

    def _take_any(self) -> Any:
        refs = self._refs
        index = random.randrange(len(refs))
        refs[index], refs[-1] = refs[-1], refs[index]
        return refs.pop()

    def check(self) -> None:
        """Raise AssertionError unless what was to be freed is, and nothing else."""
        assert all(ref.is_freed for ref in self._going)
        assert len(self._refs) == self._live
        assert self.heap.total_allocated_byte_size == 4 * self._live

    def close(self) -> None:
        self.heap.free_all()


@contextmanager
def _free_in_a_crowd() -> Iterator[Contest]:
    many, few = _Crowd(_MANY), _Crowd(_FEW)

    def check(_: Any, __: Any) -> None:
        many.check()
        few.check()

    code = "free(item)"
    yield Contest(
        Statement(code, {"free": many.heap.free}, many.addresses),
        Statement(code, {"free": few.heap.free}, few.addresses),
        check,
        most=_AT_A_TIME,
    )
    many.close()
    few.close()


@contextmanager
def _adopt_in_a_crowd() -> Iterator[Contest]:
    many, few = _Crowd(_MANY), _Crowd(_FEW)
    calloc, _ = calloc_and_free()

    def names(heap: emheap.HeapManager) -> dict[str, Any]:
        return {"alloc": heap.alloc_int32, "adopt": heap.adopt, "int32": int32, "calloc": calloc}

    def check(_: Any, __: Any) -> None:
        many.check()
        few.check()

    code = "alloc().free()\nadopt(int32, calloc(1, 4)).free()"
    yield Contest(Statement(code, names(many.heap)), Statement(code, names(few.heap)), check)
    many.close()
    few.close()


def _bytes_a_ref(_: float) -> Figures:
    """Python's own memory for each live int32, from the snapshot before to the one after."""
    heap = emheap.open()
    heap.alloc_int32().free()
    refs: list[Any] = [None] * _MANY
    ours = traced(lambda: _fill(refs, heap.alloc_int32))
    assert heap.total_allocated_byte_size == 4 * _MANY
    heap.free_all()
    return Figures([(ours / _MANY, bytes_of_peer() / _MANY)], "bytes")


def _bytes_an_array(kind: Any, content: Any, _: float) -> Figures:
    """The same for each array of 8 numbers, or string of 31 characters."""
    heap = emheap.open(debug=False)
    verb: Any = heap.alloc_array if kind is int32 else heap.alloc
    alloc = partial(verb, kind, content)
    alloc().free()
    refs: list[Any] = [None] * _MANY
    ours = traced(lambda: _fill(refs, alloc))
    assert heap.total_allocated_byte_size == 32 * _MANY
    heap.free_all()
    return Figures([(ours / _MANY, bytes_of_peer(ctypes.c_int32 * 8) / _MANY)], "bytes")


def _bytes_a_view(_: float) -> Figures:
    """The same for each view at an address."""
    heap = emheap.open(debug=False)
    with heap.alloc_int32_array(8) as numbers:
        address, kind = numbers.address, ctypes.c_int32 * 8
        heap.view_int32_array(address, 8).release()
        views: list[Any] = [None] * _MANY
        ours = traced(lambda: _fill(views, partial(heap.view_int32_array, address, 8)))
        views[:] = [None] * _MANY
        theirs = traced(
            lambda: _fill(views, lambda: memoryview(kind.from_address(address)).cast("B").cast("i"))
        )
        views.clear()
    return Figures([(ours / _MANY, theirs / _MANY)], "bytes")


def bytes_of_peer(kind: Any = ctypes.c_int32) -> int:
    """What Python keeps for 100,000 numbers of ctypes, in a dictionary by their addresses."""
    calloc, free = calloc_and_free()
    table: dict[int, Any] = {}
    kept = traced(lambda: _enter(table, calloc, kind))
    assert len(table) == _MANY
    for address in table:
        free(address)
    return kept


def _fill(refs: list[Any], alloc: Callable[[], Any]) -> None:
    for index in range(_MANY):
        refs[index] = alloc()


def _enter(table: dict[int, Any], calloc: Callable[[int, int], int], kind: Any) -> None:
    for _ in range(_MANY):
        address = calloc(1, ctypes.sizeof(kind))
        table[address] = kind.from_address(address)


def traced(fill: Callable[[], None]) -> int:
    """The bytes that Python has more after a function than before it."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        fill()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return after - before


_PEER = "ctypes calloc + free"

BLOCK_ROWS: list[Row] = [
    timed("alloc + free int32, zeroed and tracked", _PEER, _ONE, native=1.0, pyodide=1.0),
    timed("100 allocs, then 100 frees of int32", _PEER, _SEVERAL, native=1.0, pyodide=1.0),
    Row(
        "free(address), any of 100,000 live blocks",
        "the same with 10 live",
        {NATIVE: 1.3, PYODIDE: 1.3},
        partial(measure, _free_in_a_crowd),
        quick=False,
    ),
    Row(
        "alloc, free, adopt and free again, 100,000 live blocks",
        "the same with 10 live",
        {NATIVE: 1.1, PYODIDE: 1.1},
        partial(measure, _adopt_in_a_crowd),
        quick=False,
    ),
    Row(
        "bytes of a live int32 ref, of 100,000",
        "c_int32.from_address in a dict by address",
        {NATIVE: 1.42, PYODIDE: 2.0},
        _bytes_a_ref,
        quick=False,
    ),
    Row(
        "bytes of a live array of 8 int32, of 100,000",
        "(c_int32 * 8).from_address in a dict by address",
        {NATIVE: 1.65, PYODIDE: 1.65},
        partial(_bytes_an_array, int32, 8),
        quick=False,
    ),
    Row(
        "bytes of a live string of 31 characters, of 100,000",
        "(c_int32 * 8).from_address in a dict by address",
        {NATIVE: 1.65, PYODIDE: 1.65},
        partial(_bytes_an_array, utf8, "x" * 31),
        quick=False,
    ),
    Row(
        "bytes of a view at an address, of 100,000",
        "memoryview(from_address()).cast().cast()",
        {NATIVE: 1.59, PYODIDE: 1.59},
        _bytes_a_view,
        quick=False,
    ),
]
