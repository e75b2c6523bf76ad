"""Pyodide's heap grown while it is used, and beyond the 2 GiB where its own bridge goes wrong."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

import emheap
from emheap import (
    ArrayRef,
    HeapManager,
    float64,
    int32,
    pointer53,
    uint8,
    uint64,
    uint128,
    utf8,
    utf16,
)
from emtests.conftest import skip_for_gap
from emtests.heaps import IN_PYODIDE
from emtests.refs.test_javascript_views import bytes_of

# A WebAssembly memory never shrinks, and where it is that large Pyodide's own buffers go wrong.
pytestmark = pytest.mark.last

GIB = 1 << 30


@pytest.fixture
def pyodide_heap() -> HeapManager:
    if not IN_PYODIDE:
        skip_for_gap("Pyodide's heap", "this is native Python")
    return emheap.open()


def test_growth_by_others_is_seen_at_once(pyodide_heap: HeapManager) -> None:
    from pyodide_js import _module

    heap = pyodide_heap
    with heap.alloc_array(int32, [1, 2, 3]) as ref:
        view, js_view = ref.view, ref.js_view
        size = heap.memory.size
        fillers = []
        while _module.HEAPU8.length == size:  # Python's own objects make the heap grow as well
            fillers.append(bytearray(1 << 26))
        last = heap.memory.size - 16
        with pytest.raises(emheap.OutOfBoundsError):
            heap.read(uint64, heap.memory.size - 7)
        heap.write(uint64, last, heap.read(uint64, last))
        assert heap.memory.size > size
        assert (view[0], ref[1], ref.js_view[2]) == (1, 2, 3)
        # A typed array of before is dead, as JavaScript has it; a new one is not.
        assert js_view.length == 0
        ref.js_view[0] = 9
        assert (view[0], ref[0]) == (9, 9)
        del fillers
    heap.free_all()


@pytest.fixture
def high(pyodide_heap: HeapManager) -> Iterator[HeapManager]:
    """A heap whose next blocks lie above 2 GiB."""
    fillers: list[ArrayRef[int]] = []
    try:
        while not fillers or fillers[-1].address + GIB // 2 < 2 * GIB + 4096:
            fillers.append(pyodide_heap.alloc_array(uint8, GIB // 2))
        yield pyodide_heap
    finally:
        for filler in fillers:
            filler.free()
        gc.collect()


def test_everything_works_above_two_gib(high: HeapManager) -> None:
    heap = high
    with heap.arena() as scratch:
        refs: list[Any] = []
        while not refs or refs[-1].address < 2 * GIB:
            refs.append(scratch.alloc_array(int32, range(300_000)))
        array = refs[-1]
        assert array[:5] == [0, 1, 2, 3, 4]
        assert array[299_999] == array.view[299_999] == 299_999
        array[7] = -7
        assert heap.read(int32, array.address + 28) == array.view[7] == -7
        array[10:20] = range(10)
        assert heap.view(int32, array.address + 40, 10).tolist() == list(range(10))
        assert bytes(array)[:4] == bytes(4)
        view = array.js_view
        assert (view.length, view[7], view[299_999]) == (300_000, -7, 299_999)
        view[8] = 88
        assert array[8] == 88
        assert bytes_of(view.subarray(0, 1000)) == bytes(array)[:4000]

        address = array.address + 1000
        heap.write(float64, address + 1, 0.5)
        assert heap.read(float64, address + 1) == 0.5
        heap.write(uint128, address, 2**127)
        assert heap.read(uint128, address) == 2**127
        number, wide = heap.wrap(pointer53, address + 32), heap.wrap(uint128, address + 48)
        number.value, wide.value = 2**53 - 1, 2**128 - 1
        assert (number.value, wide.value) == (2**53 - 1, 2**128 - 1)
        number.write_atomic(5)
        assert number.read_atomic() == 5

        for text, value in ((utf8, "h\u00e9llo " * 100), (utf16, "\U0001f600" * 100)):
            assert heap.write(text, address, value) > 0
            assert heap.read(text, address) == heap.wrap(text, address).value == value
        array.clear()
        assert not any(array[:100])
        with pytest.raises(emheap.NotAllocatedError):
            heap.free(array.address + 4)
    assert array.is_freed


def test_what_crosses_the_line_is_whole(high: HeapManager) -> None:
    heap = high
    line = 2 * GIB
    # The line lies inside one of the fillers, so these bytes are nobody else's.
    inside = [ref for ref in heap.allocated_heap_refs if ref.address < line - 64]
    filler = max(inside, key=lambda ref: ref.address)
    assert filler.address + filler.allocated_byte_size > line + 64
    for offset in range(-16, 1):
        heap.write(uint64, line + offset, 0x0123456789ABCDEF)
        assert heap.read(uint64, line + offset) == 0x0123456789ABCDEF
        assert heap.wrap(uint64, line + offset).value == 0x0123456789ABCDEF
        heap.write(utf8, line + offset, "across the line")
        assert heap.read(utf8, line + offset) == "across the line"
    whole = heap.wrap_array(int32, line - 32, 16)
    whole[:] = range(16)
    assert whole.view.tolist() == [*whole] == list(range(16))
    assert bytes_of(whole.js_view) == bytes(whole)


def test_a_block_of_more_than_a_view_can_hold_is_refused(pyodide_heap: HeapManager) -> None:
    live = pyodide_heap.total_allocated_byte_size
    for size in (2**31, 2**32 - 1, 2**32, 2**32 + 16, 2**53, 2**64):
        with pytest.raises(
            emheap.ValueOutOfRangeError, match="more than the 2147483647 bytes that a block can"
        ):
            pyodide_heap.alloc_array(uint8, size)
    assert pyodide_heap.total_allocated_byte_size == live
