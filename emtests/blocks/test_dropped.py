"""A reference that is dropped unfreed: a warning by default, and collected where that is wished."""

from __future__ import annotations

import ctypes
import gc
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import emheap
from emheap import (
    BufferInUseError,
    HeapManager,
    Pointer,
    float64,
    int32,
    pointer53,
    uint8,
    uint128,
    utf8,
    utf16,
)
from emtests.conftest import OpenHeap, skip_for_gap
from emtests.structures.kinds import Vec

MAKERS: dict[str, Callable[[HeapManager], Any]] = {
    "alloc": lambda heap: heap.alloc(int32, 5),
    "flat alloc": lambda heap: heap.alloc_int32(5),
    "encoding": lambda heap: heap.alloc_pointer53(5),
    "wide": lambda heap: heap.alloc(uint128, 5),
    "array": lambda heap: heap.alloc_array(float64, [1, 2]),
    "encoding array": lambda heap: heap.alloc_array(pointer53, [1, 2]),
    "string": lambda heap: heap.alloc(utf8, "abc"),
    "aligned": lambda heap: heap.alloc_array(uint8, 5, align=64),
    "empty": lambda heap: heap.alloc_array(uint8, 0),
    "text": lambda heap: heap.alloc_text(utf8, "abc"),
    "strings": lambda heap: heap.alloc_strings(utf8, ["a", "b"]),
    "structure": lambda heap: heap.alloc(Vec, x=1, y=2),
    "structures": lambda heap: heap.alloc_array(Vec, 2),
    "pointer": lambda heap: heap.alloc(Pointer[Vec]),
    "pointers": lambda heap: heap.alloc_array(Pointer[Vec], 2),
}


@contextmanager
def caught() -> Iterator[list[str]]:
    """The texts of the ResourceWarnings of the body."""
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always", ResourceWarning)
        yield messages
    messages += [str(each.message) for each in records if each.category is ResourceWarning]


# By default


@pytest.mark.parametrize("maker", MAKERS)
def test_a_dropped_reference_warns_and_leaves_the_block(heap: HeapManager, maker: str) -> None:
    ref = MAKERS[maker](heap)
    address, size = ref.address, ref.allocated_byte_size
    with caught() as messages:
        del ref
    (message,) = messages
    assert f" of {size} bytes at 0x{address:x} was dropped and not freed; it was al" in message
    assert "test_dropped.py:" in message
    assert message.endswith("in <lambda>")
    assert heap.total_allocated_byte_size == size
    heap.free(address)


def test_the_warning_names_the_line_that_allocated(heap: HeapManager) -> None:
    ref = heap.alloc(int32, 5)
    frame = sys._getframe()
    place = f"test_dropped.py:{frame.f_lineno - 2} in {frame.f_code.co_name}"
    with caught() as messages:
        del ref
    (message,) = messages
    assert message.endswith(place)
    heap.free_all()


def test_no_warning_for_what_was_freed(heap: HeapManager) -> None:
    with caught() as messages:
        for make in MAKERS.values():
            make(heap).free()
            with make(heap):
                pass
            heap.free(make(heap))
            ref = make(heap)
            heap.free(ref.address)
            del ref
            ref = make(heap)
            heap.free_all()
            del ref
            with heap.arena() as scratch:
                scratch.alloc_array(uint8, 3)
    assert messages == []


def test_no_warning_for_wrapped_and_further_references(heap: HeapManager) -> None:
    with caught() as messages, heap.alloc_array(int32, 4) as ref:
        heap.wrap(int32, ref.address)
        heap.wrap_array(int32, ref.address, 4)
        heap.wrap(utf8, ref.address, 3)
        assert len(heap.allocated_heap_refs) == 1
    assert messages == []


def test_no_warning_for_an_allocation_that_failed(heap: HeapManager) -> None:
    wild: Any = heap
    with caught() as messages:
        calls: tuple[Callable[[], Any], ...] = (
            lambda: wild.alloc(int32, 2**40),
            lambda: wild.alloc_int32("x"),
            lambda: wild.alloc_array(int32, [None]),
            lambda: wild.alloc(utf8, "\0"),
            lambda: wild.alloc_array(uint8, heap.memory.largest_block + 1),
        )
        for call in calls:
            with pytest.raises((TypeError, ValueError, OverflowError, MemoryError)):
                call()
        gc.collect()
    assert messages == []


def test_no_warning_without_a_table_of_blocks(open_heap: OpenHeap) -> None:
    heap = open_heap(track_allocations=False)
    with caught() as messages:
        for make in MAKERS.values():
            address = make(heap).address
            heap.free(address)
    assert messages == []


def test_a_warning_made_an_error_does_no_harm(heap: HeapManager) -> None:
    # Python prints errors of finalizers and goes on; the block stays where it is.
    ref = heap.alloc(int32, 5)
    address = ref.address
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del ref
    assert heap.read(int32, address) == 5
    heap.free(address)


# With enable_garbage_collection


@pytest.fixture
def collecting(open_heap: OpenHeap) -> HeapManager:
    return open_heap(enable_garbage_collection=True)


@pytest.mark.parametrize("maker", MAKERS)
def test_the_block_goes_with_its_last_reference(collecting: HeapManager, maker: str) -> None:
    with caught() as messages:
        ref = MAKERS[maker](collecting)
        wrapped = collecting.wrap_array(uint8, ref.address, 0)
        del ref
        assert collecting.total_allocated_byte_size == 0
        assert "0 blocks" in repr(collecting)
    assert wrapped.is_freed
    assert messages == []


def test_a_second_reference_is_a_holder(collecting: HeapManager) -> None:
    ref = collecting.alloc(int32, 5)
    (second,) = collecting.allocated_heap_refs
    assert second is ref
    del ref
    assert second.is_not_freed
    assert collecting.total_allocated_byte_size == 4
    del second
    assert collecting.total_allocated_byte_size == 0


HOLDERS: dict[str, Callable[[Any], Any]] = {
    "view": lambda ref: ref.view,
    "bytes view": lambda ref: ref.allocated_bytes_view,
    "slice": lambda ref: ref.view[1:3],
    "cast": lambda ref: ref.view.cast("B")[5:],
    "read-only": lambda ref: ref.view.toreadonly(),
    "memoryview": lambda ref: memoryview(ref.view),
    "ctypes array": lambda ref: (ctypes.c_char * 8).from_buffer(ref.view),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_view_is_a_holder(collecting: HeapManager, holder: str) -> None:
    if not collecting.memory.zero_copy and holder in ("memoryview", "ctypes array"):
        skip_for_gap("this heap", "nothing but its own views shares its bytes")
    ref: Any = collecting.alloc_array(int32, [1, 2, 3, 4])
    held = HOLDERS[holder](ref)
    content = bytes(held)
    del ref
    assert collecting.total_allocated_byte_size == 16
    others = [collecting.alloc_array(int32, [-1] * 4) for _ in range(20)]
    assert bytes(held) == content
    del held
    assert collecting.total_allocated_byte_size == 320
    others.clear()
    assert collecting.total_allocated_byte_size == 0


@pytest.mark.needs("zero copy")
def test_a_view_of_a_string_is_a_holder(collecting: HeapManager) -> None:
    ways: tuple[Callable[[Any], Any], ...] = (
        lambda ref: ref.encoded_elements_view,
        lambda ref: ref.encoded_bytes_view,
        lambda ref: ref.allocated_bytes_view,
    )
    for get_view in ways:
        view = get_view(collecting.alloc(utf16, "abc"))
        assert collecting.total_allocated_byte_size == 8
        assert bytes(view)[:2] == "a".encode("utf-16")[2:]
        del view
        assert collecting.total_allocated_byte_size == 0


@pytest.mark.needs("numpy")
def test_a_numpy_array_is_a_holder(collecting: HeapManager) -> None:
    import numpy

    for make in (
        numpy.asarray,
        lambda ref: ref.numpy(),
        lambda ref: numpy.asarray(ref.view),
        lambda ref: numpy.asarray(ref)[1:].reshape(1, -1),
    ):
        array = make(collecting.alloc_array(float64, [0.5, 1.5, 2.5]))
        assert collecting.total_allocated_byte_size == 24
        assert array.ravel()[-1] == 2.5
        array[...] = 7
        del array
        assert collecting.total_allocated_byte_size == 0


def test_cycles_are_collected(collecting: HeapManager) -> None:
    ring: list[Any] = [collecting.alloc_array(int32, 4)]
    ring.append(ring)
    del ring
    gc.collect()
    assert collecting.total_allocated_byte_size == 0


def test_freeing_by_hand_comes_first(collecting: HeapManager) -> None:
    with caught() as messages:
        for make in MAKERS.values():
            ref = make(collecting)
            ref.free()
            with pytest.raises(emheap.DoubleFreeError):
                ref.free()
            del ref
            with make(collecting) as ref:
                pass
            del ref
            ref = make(collecting)
            collecting.free(ref.address)
            assert ref.is_freed
            del ref
        with collecting.arena() as scratch:
            scratch.alloc(int32, 5)
            assert collecting.total_allocated_byte_size == 4
        assert collecting.total_allocated_byte_size == 0
    assert messages == []


@pytest.mark.needs("zero copy")
def test_a_view_by_address_keeps_the_bytes_but_is_named(collecting: HeapManager) -> None:
    # heap.view() is given an address, not a reference: the block cannot go while it is there.
    ref = collecting.alloc_array(int32, [1, 2, 3])
    piece = collecting.view(int32, ref.address, 3)[1:]
    with caught() as messages:
        del ref
    left = collecting.total_allocated_byte_size
    assert piece.tolist() == [2, 3]
    assert left == 12
    assert all("not collected" in message for message in messages)
    del piece
    collecting.free_all()


def test_it_works_without_a_table_of_blocks(open_heap: OpenHeap) -> None:
    heap = open_heap(enable_garbage_collection=True, track_allocations=False)
    # Ten times as much as a heap in a buffer has room for.
    for number in range(160):
        ref = heap.alloc_array(uint8, 1 << 16)
        ref[0] = number
        del ref


def test_a_block_that_outlived_its_arena_goes_with_its_last_holder(open_heap: OpenHeap) -> None:
    """Nothing that the error of the arena's end left refers to the block."""
    heap = open_heap(enable_garbage_collection=True)
    if not heap.memory.zero_copy:
        skip_for_gap("this heap", "no slice of a view keeps its blocks")

    def leave_in_use() -> None:
        with heap.arena() as scratch:
            held.append(scratch.alloc_array(int32, [1, 2, 3]).view[1:])

    held: list[Any] = []
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(BufferInUseError, match="at the end of the arena") as raised:
            leave_in_use()
        assert heap.total_allocated_byte_size == 12
        del raised
        held.clear()
        assert heap.total_allocated_byte_size == 0
    finally:
        gc.enable()
