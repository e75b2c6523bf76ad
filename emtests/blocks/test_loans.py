"""What is lent by address belongs to the blocks that it reaches into, wherever pages of it end."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

import emheap
from emheap import BufferInUseError, HeapManager, int32, uint8
from emheap._util.platform import HAS_GIL
from emheap._util.released import is_released
from emheap.blocks import ended_views
from emtests.conftest import skip_for_gap
from emtests.structures.kinds import Vec

PAGE = 4096
STARTS = (PAGE - 2, PAGE - 1, PAGE, PAGE + 1)
SIZES = (1, 2, 3, PAGE, PAGE + 1)


@pytest.fixture
def room() -> Iterator[tuple[HeapManager, int]]:
    heap = emheap.wrap_buffer(bytearray(1 << 16))
    with heap.alloc_array(uint8, 3 << 14, align=PAGE) as bytes_of_many_pages:
        yield heap, bytes_of_many_pages.address


def frees(heap: HeapManager, view: memoryview[int], address: int, size: int) -> bool:
    """Whether freeing a block of these bytes ends a view; it stays in use where it does not."""
    block = heap.adopt(uint8, address, size, free=lambda address: None)
    with memoryview(view):
        try:
            block.free()
        except BufferInUseError:
            pass
        else:
            return False
    block.free()
    with pytest.raises(ValueError, match="released"):
        len(view)
    return True


@pytest.mark.parametrize("others", [0, 100])
def test_a_view_is_of_every_block_that_it_reaches_into(
    room: tuple[HeapManager, int], others: int
) -> None:
    heap, base = room
    kept = [heap.view(uint8, base + (9 << 12) + number, 1) for number in range(others)]
    for start, size, at, length in product(STARTS, SIZES, STARTS, SIZES):
        view = heap.view(uint8, base + start, size)
        crossing = start < at + length and at < start + size
        assert frees(heap, view, base + at, length) is crossing
        view.release()
    for each in kept:
        each.release()


def test_a_view_of_many_pages(room: tuple[HeapManager, int]) -> None:
    heap, base = room
    for pages in (7, 8, 9):
        end = PAGE + pages * PAGE
        for at in (PAGE - 1, PAGE, end - PAGE - 1, end - PAGE, end - 1, end):
            view = heap.view(uint8, base + PAGE, pages * PAGE)
            assert frees(heap, view, base + at, 1) is (PAGE <= at < end)
            view.release()


def test_a_view_ends_while_no_thread_is_in_the_middle_of_an_access(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All threads stop for it between two steps; later ones find the view released."""
    if HAS_GIL:
        skip_for_gap("the interpreter's lock", "only one thread is in the middle of something")
    heap = emheap.wrap_buffer(bytearray(256))
    block = heap.alloc_array(uint8, 10)
    view = heap.view(uint8, block.address, 10)
    released: list[bool] = []
    monkeypatch.setattr(ended_views, "_current_frames", lambda: released.append(is_released(view)))
    block.free()
    assert released == [True]


def test_wrapped_numbers_are_remembered_while_they_are_in_use(heap: HeapManager) -> None:
    numbers = heap.alloc_array(int32, range(300))
    kept = [heap.wrap_int32(numbers.address + 4 * index) for index in range(300)]
    for _ in range(3):
        for index in range(300):
            assert heap.wrap_int32(numbers.address + 4 * index).value == index
    assert len(heap._table.loans) == len(kept)
    del kept[100:]
    assert len(heap._table.loans) == len(kept)
    numbers.free()
    while kept:
        with pytest.raises(emheap.UseAfterFreeError):
            _ = kept.pop().value
    assert not len(heap._table.loans)


def test_what_was_lent_and_is_over_does_not_keep_a_heap_from_its_end() -> None:
    heap = emheap.open()
    others = (ctypes.c_int32 * 8)()
    numbers = heap.alloc_array(int32, 8)
    view = heap.view_int32_array(numbers.address, 8)
    kept = [heap.view_int32_array(ctypes.addressof(others), 8) for _ in range(5)]
    with memoryview(view), pytest.raises(BufferInUseError, match="view of int32"):
        numbers.free()
    numbers.free()  # which ends the view, and leaves it among what was lent
    heap.close()
    for each in (view, *kept):
        with pytest.raises(ValueError, match="released"):
            len(each)


def test_few_frees_look_for_views_that_are_over() -> None:
    heap = emheap.open(debug=False)
    numbers = heap.alloc_array(int32, 8)
    refs = [heap.alloc_int32() for _ in range(10)]
    for _ in range(200):
        heap.view_int32_array(numbers.address, 8)
    refs.pop().free()
    assert not heap._table.loans.entries
    heap.free_all()


@pytest.mark.parametrize("kind", [int32, Vec])
def test_wrapped_references_that_are_over_are_forgotten(kind: Any) -> None:
    heap = emheap.open(debug=False)
    with heap.alloc_array(int32, 8) as numbers:
        for wrap in (heap.wrap, lambda kind, address: heap.wrap_array(kind, address, 2)):
            for _ in range(1000):
                wrap(kind, numbers.address)
            assert len(heap._table.loans.entries) < 300


def test_wrapped_numbers_end_with_the_heap() -> None:
    buffer = bytearray(b"\1" * 4096)
    heap = emheap.wrap_buffer(buffer)
    number = heap.wrap_int32(64)
    assert number.value == 0x01010101
    heap.close()
    with pytest.raises(emheap.UseAfterFreeError):
        _ = number.value
    buffer.extend(b"more")  # which nothing looks at any more
