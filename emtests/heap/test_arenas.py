"""Arenas: what is allocated from one dies with it, last first."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import emheap
from emheap import HeapManager, int8, int32, uint8, utf8, utf16
from emtests.conftest import OpenHeap
from emtests.contexts import notes_of
from emtests.heaps import HeapKind


def test_everything_allocated_from_it_dies_with_it(heap: HeapManager) -> None:
    before, array = heap.alloc(int32, 1), heap.alloc_array(int8, [7])
    with heap.arena() as scratch:
        refs: list[Any] = [
            scratch.alloc(int32, 5),
            scratch.alloc(int32, 5, align=64),
            scratch.alloc_int32(5),
            scratch.alloc_array(int8, 3),
            scratch.alloc_int8_array(b"abc"),
            scratch.alloc(utf8, "text"),
            scratch.alloc_null_terminated_utf16_string(7),
            scratch.alloc_uint256(1),
        ]
        outside, text = heap.alloc(int32, 2), heap.alloc(utf8, "outside")
        sizes = [4, 4, 4, 3, 3, 5, 16, 32]
        assert [ref.allocated_byte_size for ref in refs] == sizes
        assert heap.total_allocated_byte_size == sum(sizes) + 17
        for ref in refs:
            assert ref.is_not_freed
    for ref in refs:
        assert ref.is_freed
        with pytest.raises(emheap.UseAfterFreeError, match="use after free"):
            bytes(ref)
    assert heap.total_allocated_byte_size == 17
    assert (before.value, array[0], outside.value, text.value) == (1, 7, 2, "outside")
    for kept in (before, array, outside, text):
        heap.free(kept)


def test_it_allocates_as_its_heap_does(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        assert scratch.alloc(int32).value == 0
        assert scratch.alloc_array(int32, [1, 2]).tolist() == [1, 2]
        assert scratch.alloc(utf16, "h\u00e9").value == "h\u00e9"
        assert scratch.alloc_array(uint8, 9, align=256).address % 256 == 0
        zeros = scratch.alloc_array(uint8, 300)
        assert bytes(zeros) == bytes(300)
        refused = emheap.ValueOutOfRangeError
        for call, error, words in (
            (lambda: scratch.alloc(int8, 128), refused, "^128 does not fit int8"),
            (lambda: scratch.alloc_array(int8, [1, 300]), refused, "^element 1: 300 does not fit"),
            (lambda: scratch.alloc_array(int8, -1), refused, "must not be negative"),
            (lambda: scratch.alloc(utf8, "\0"), emheap.EmbeddedNullError, "cannot hold the null"),
            (lambda: scratch.alloc(int8, align=3), refused, "power of two"),
        ):
            with pytest.raises(error, match=words):
                call()
        assert heap.total_allocated_byte_size == 4 + 8 + 6 + 9 + 300
        with pytest.raises(AttributeError, match="no attribute 'read_int32'"):
            _ = scratch.read_int32  # type: ignore[attr-defined]
        assert "alloc_float64_array" in dir(scratch)
        assert "read_int32" not in dir(scratch)


def test_a_block_may_be_freed_earlier(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        first, second, third = (scratch.alloc(int32, n) for n in range(3))
        second.free()
        heap.free(third.address)
        again = heap.alloc(int32, 9)  # perhaps where one of those was
    assert first.is_freed
    assert (again.is_not_freed, again.value) == (True, 9)
    again.free()


def test_an_error_of_the_body_comes_through(heap: HeapManager) -> None:
    scratch = heap.arena()
    ref = scratch.alloc(int32, 5)
    with pytest.raises(LookupError, match="of the body"), scratch:
        raise LookupError("of the body")
    assert ref.is_freed
    assert heap.total_allocated_byte_size == 0


def test_arenas_nest(heap: HeapManager) -> None:
    with heap.arena() as outer:
        first = outer.alloc(int32, 1)
        with outer.arena() as inner, heap.arena() as beside:
            second, third = inner.alloc(int32, 2), beside.alloc(int32, 3)
            fourth = outer.alloc(int32, 4)
        assert (second.is_freed, third.is_freed) == (True, True)
        assert (first.value, fourth.value) == (1, 4)
    assert first.is_freed
    assert fourth.is_freed


def test_a_closed_arena_says_where_it_was_opened_and_closed(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        pass
    words = (
        r"^the arena opened at .*test_arenas.py:\d+ in test_a_closed_arena.* was closed at "
        r".*test_arenas.py:\d+ in test_a_closed_arena.*; allocate within its with block$"
    )
    for call in (
        lambda: scratch.alloc(int32),
        scratch.alloc_int32,
        lambda: scratch.alloc_array(int32, 4),
        lambda: scratch.alloc(utf8, "x"),
        scratch.arena,
        scratch.__enter__,
    ):
        with pytest.raises(emheap.UseAfterFreeError, match=words):
            call()
    assert heap.total_allocated_byte_size == 0


@pytest.mark.needs("zero copy")
def test_a_block_in_use_stays_and_is_named(heap: HeapManager) -> None:
    scratch = heap.arena()
    first, second, third = (scratch.alloc_array(int32, [n]) for n in range(3))
    piece = second.view[:]
    words = r"at the end of the arena opened at .*the int32 array of 4 bytes at "
    with pytest.raises(emheap.BufferInUseError, match=words + f"0x{second.address:x}"), scratch:
        pass
    assert [first.is_freed, second.is_freed, third.is_freed] == [True, False, True]
    assert second[0] == piece[0] == 1
    with pytest.raises(emheap.BufferInUseError):
        second.free()
    del piece
    second.free()


@pytest.mark.needs("zero copy")
def test_a_block_in_use_does_not_hide_the_error_of_the_body(heap: HeapManager) -> None:
    scratch = heap.arena()
    ref = scratch.alloc_array(int32, 3)
    piece = ref.view[1:]
    with pytest.raises(LookupError, match="of the body") as caught, scratch:
        raise LookupError("of the body")
    assert ref.is_not_freed
    words = "and then, at the end of the arena opened at "
    (note,) = notes_of(caught.value, [words])
    assert note.startswith(words)
    del piece
    ref.free()


def test_it_frees_what_the_program_holds_no_reference_to(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        for number in range(10):
            scratch.alloc(int32, number)
            scratch.alloc_array(int8, number)
        assert heap.total_allocated_byte_size == 40 + sum(range(10))
    assert heap.total_allocated_byte_size == 0


def test_it_frees_the_last_first() -> None:
    freed: list[int] = []
    allocator = emheap.FreeListAllocator(16, 4096)

    def free(address: int) -> None:
        freed.append(address)
        allocator.free(address)

    buffer = bytearray(4096)
    heap = emheap.create_wasm_heap_manager(lambda: buffer, allocator.allocate, free)
    with heap.arena() as scratch:
        refs: list[Any] = [scratch.alloc(int32), scratch.alloc_array(int8, 9), scratch.alloc(int8)]
        refs += [scratch.alloc(utf8, "abc"), scratch.alloc_array(int32, 100)]
    assert all(ref.is_freed for ref in refs)
    assert freed == sorted(freed, reverse=True)
    assert allocator.available_byte_size == allocator.largest_gap == 4080


def test_it_works_without_a_table_of_blocks(open_heap: OpenHeap) -> None:
    heap = open_heap(track_allocations=False)
    with heap.arena() as scratch:
        first, second = scratch.alloc(int32, 1), scratch.alloc_array(int32, 2)
        second.free()
    assert first.is_freed
    assert second.is_freed


def test_its_repr_tells_what_it_holds(kind: HeapKind, heap: HeapManager) -> None:
    with heap.arena() as scratch:
        assert repr(scratch).startswith("<Arena ")
        scratch.alloc(int32)
        assert "1 block" in repr(scratch)
        assert repr(scratch).endswith("open>")
    assert repr(scratch).endswith("closed>")


def test_an_arena_cannot_be_copied(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        number = scratch.alloc(int32, 7)
        words = r"^an arena cannot be pickled or copied: open another one by heap\.arena\(\)$"
        for copied in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=words):
                copied(scratch)
        assert number.value == 7
