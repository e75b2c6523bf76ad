"""The least that Python does to allocate and free blocks, and to write a text.

It keeps what emheap keeps (a table, the sites, a memoryview that ends with its block), and checks
nothing.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from contextlib import contextmanager
from struct import Struct
from sys import _getframe as current_frame
from typing import Any

import emheap
from emtests.bench.measuring import Contest, Figures, Statement
from emtests.bench.rows.base import NATIVE, Row, timed
from emtests.bench.rows.blocks import bytes_of_peer, calloc_and_free, traced

__all__ = ["BARE_BLOCK_ROWS"]

_MANY = 10_000
_LIVE = 100_000
_AT_A_TIME = 500


class _LeastRef:
    __slots__ = ("block", "heap")

    heap: _LeastHeap
    block: tuple[memoryview, int, Any, int]

    def free(self) -> None:
        frame, heap, block = current_frame(1), self.heap, self.block
        elements, address, _, _ = block
        if heap.blocks[address] is block:
            del heap.blocks[address]
        elements.release()
        heap.freed[address] = block, frame.f_code, frame.f_lasti
        heap.spare.append(address)


class _LeastHeap:
    """Numbers of four bytes in a bytearray, as a heap that nobody misuses could have them."""

    def __init__(self, count: int) -> None:
        self.window = memoryview(bytearray(16 * count)).cast("i")
        self.spare = list(range(0, 16 * count, 16))
        self.blocks: dict[int, Any] = {}
        self.freed: dict[int, Any] = {}

    def alloc(self, initial: int = 0) -> _LeastRef:
        """A reference to a new number."""
        frame = current_frame(1)
        ref = _LeastRef()
        address = self.spare.pop()
        elements = self.window[address >> 2 :]
        elements[0] = initial
        ref.heap = self
        ref.block = self.blocks[address] = elements, address, frame.f_code, frame.f_lasti
        return ref

    def free(self, address: int) -> None:
        """Free the number at an address."""
        elements, _, _, _ = self.blocks.pop(address)
        elements.release()
        self.spare.append(address)

    def free_all(self) -> None:
        """Free every number."""
        blocks, spare = self.blocks, self.spare
        for block in list(blocks.values()):
            elements, address, _, _ = block
            if blocks[address] is block:
                del blocks[address]
            elements.release()
            spare.append(address)


@contextmanager
def _alloc_and_free() -> Iterator[Contest]:
    heap = _LeastHeap(8)
    calloc, free = calloc_and_free()

    def check(_: Any, __: Any) -> None:
        assert not heap.blocks
        assert len(heap.spare) == 8

    yield Contest(
        Statement("ref = alloc(); ref.free()", {"alloc": heap.alloc}),
        Statement("address = calloc(1, 4); free(address)", {"calloc": calloc, "free": free}),
        check,
    )


@contextmanager
def _free_in_a_crowd() -> Iterator[Contest]:
    kept: list[Any] = []

    def crowd(live: int) -> tuple[_LeastHeap, Any]:
        heap = _LeastHeap(live + _AT_A_TIME)
        refs = [heap.alloc() for _ in range(live)]
        kept.append(refs)

        def addresses(count: int) -> list[int]:
            refs.extend([heap.alloc() for _ in range(count)])
            random.shuffle(refs)
            going = refs[-count:]
            del refs[-count:]
            return [ref.block[1] for ref in going]

        return heap, addresses

    (many, its), (few, others) = crowd(_LIVE), crowd(10)

    def check(_: Any, __: Any) -> None:
        assert (len(many.blocks), len(few.blocks)) == (_LIVE, 10)

    yield Contest(
        Statement("free(item)", {"free": many.free}, its),
        Statement("free(item)", {"free": few.free}, others),
        check,
        most=_AT_A_TIME,
    )


@contextmanager
def _free_all() -> Iterator[Contest]:
    heap = _LeastHeap(_MANY)
    calloc, free = calloc_and_free()
    kept: list[Any] = []

    def crowd(count: int) -> list[None]:
        kept[:] = [heap.alloc(number) for number in range(_MANY)]
        return [None] * count

    def blocks(count: int) -> list[list[int]]:
        return [[calloc(1, 4) for _ in range(_MANY)] for _ in range(count)]

    def check(_: Any, __: Any) -> None:
        assert not heap.blocks

    yield Contest(
        Statement("free_all()", {"free_all": heap.free_all}, crowd),
        Statement("for block in item: free(block)", {"free": free}, blocks),
        check,
        most=1,
    )


class _OneSlot:
    __slots__ = ("elements",)


def _bytes(_: float) -> Figures:
    """A dictionary from addresses to memoryviews, and an object with one slot for each."""
    window = memoryview(bytearray(4 * _LIVE)).cast("i")
    table: dict[int, memoryview] = {}
    refs: list[Any] = [None] * _LIVE

    def fill() -> None:
        for index in range(_LIVE):
            refs[index] = ref = _OneSlot()
            table[(1 << 40) + index] = ref.elements = window[index:]  # type: ignore[attr-defined]

    ours = traced(fill)
    gc.collect()
    return Figures([(ours / _LIVE, bytes_of_peer() / _LIVE)], "bytes")


def _least_writer(window: memoryview) -> Any:
    """A function that writes UTF-8 with its terminator."""
    packers = {count: Struct(f"{count + 1}s").pack_into for count in range(101)}

    def write(address: int, text: str, capacity: int) -> int:
        data = text.encode()
        count = len(data)
        packers[count](window, address, data)
        return count

    return write


@contextmanager
def _write_text() -> Iterator[Contest]:
    buffer = bytearray(1 << 16)
    heap = emheap.wrap_buffer(buffer, debug=False)
    text = "helloworld" * 10
    ref = heap.alloc(emheap.utf8, len(text))
    names = {"address": ref.address, "text": text, "room": len(text)}

    def check(ours: Any, theirs: Any) -> None:
        assert ours == theirs == len(ref.value) == 100

    code = "result = write(address, text, room)"
    yield Contest(
        Statement(code, {"write": _least_writer(memoryview(buffer)), **names}),
        Statement(code, {"write": heap.write_null_terminated_utf8_string, **names}),
        check,
    )


BARE_BLOCK_ROWS: list[Row] = [
    timed("bare: alloc + free int32", "ctypes calloc + free", _alloc_and_free, native=1.0),
    timed("bare: free_all of 10,000 int32", "one ctypes free each", _free_all, native=1.0),
    timed("bare: write UTF-8, 100 chars", "emheap", _write_text, native=1.0, pyodide=1.0),
    timed(
        "bare: free(address), any of 100,000 live blocks",
        "the same with 10 live",
        _free_in_a_crowd,
        native=1.3,
    ),
    Row(
        "bare: bytes of a live int32 ref, of 100,000",
        "c_int32.from_address in a dict by address",
        {NATIVE: 1.42},
        _bytes,
        quick=False,
    ),
]
