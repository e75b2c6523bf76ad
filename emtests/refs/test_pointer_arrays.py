"""Arrays of pointers can free what they point to: all of it, or nothing."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

import emheap
from emheap import HeapManager, int32, pointer32, pointer53, pointer64, uint64, utf8

WIDE_POINTERS = (pointer53, pointer64)


def blocks(heap: HeapManager) -> list[Any]:
    return [heap.alloc(int32, 1), heap.alloc(utf8, "two"), heap.alloc_array(int32, 3)]


def check_nothing_freed(
    heap: HeapManager, array: Any, refs: list[Any], call: Any, **how: Any
) -> None:
    size = heap.total_allocated_byte_size
    with pytest.raises(how["error"], match=how["words"]):
        call()
    assert heap.total_allocated_byte_size == size
    assert all(ref.is_not_freed for ref in (array, *refs))


def test_the_elements_go_with_the_array(heap: HeapManager) -> None:
    for scalar in WIDE_POINTERS:
        refs = blocks(heap)
        array = heap.alloc_array(scalar, [ref.address for ref in refs])
        array.free(free_elements=True)
        assert array.is_freed
        assert all(ref.is_freed for ref in refs)
        with pytest.raises(emheap.DoubleFreeError):
            array.free(free_elements=True)
        assert heap.total_allocated_byte_size == 0


def test_the_elements_go_first() -> None:
    given: list[int] = []

    class Noting(emheap.FreeListAllocator):
        def free(self, address: int) -> None:
            given.append(address)
            super().free(address)

    heap = emheap.wrap_buffer(bytearray(1 << 16), allocator=Noting, debug=False)
    array = heap.alloc_array(pointer64, 1000)  # more bytes than the heap keeps for the next block
    refs = [heap.alloc_array(int32, 1000) for _ in range(3)]
    array[:3] = [ref.address for ref in refs]
    array.free(free_elements=True)
    assert given == [*(ref.address for ref in refs), array.address]


def test_pointers_of_four_bytes(heap: HeapManager) -> None:
    refs = blocks(heap)
    if max(ref.address for ref in refs) < 2**32:
        array = heap.alloc_array(pointer32, [ref.address for ref in refs])
        array.free(free_elements=True)
        assert heap.total_allocated_byte_size == 0
    else:
        with pytest.raises(OverflowError, match="does not fit pointer32"):
            heap.alloc_array(pointer32, [ref.address for ref in refs])
        heap.free_all()


def test_an_ordinary_free_leaves_the_elements(heap: HeapManager) -> None:
    for how in ({}, {"free_elements": False}):
        refs = blocks(heap)
        array = heap.alloc_array(pointer64, [ref.address for ref in refs])
        array.free(**how)
        assert all(ref.is_not_freed for ref in refs)
        heap.free_all()


def test_null_pointers_are_passed_over(heap: HeapManager) -> None:
    refs = blocks(heap)
    array = heap.alloc_array(pointer64, [0, refs[0].address, 0, refs[1].address, refs[2].address])
    array.free(free_elements=True)
    assert heap.total_allocated_byte_size == 0
    for empty in (heap.alloc_array(pointer64, 5), heap.alloc_array(pointer64, 0)):
        empty.free(free_elements=True)
        assert empty.is_freed


def test_a_bad_element_frees_nothing(heap: HeapManager) -> None:
    for scalar in WIDE_POINTERS:
        refs = blocks(heap)
        first, second, third = (ref.address for ref in refs)
        array = heap.alloc_array(scalar, 4)
        gone = heap.alloc_array(int32, 1000)
        gone.free()
        for bad, words in (
            (first, "element 3 points to 0x.*, as does element 0; nothing was freed"),
            (array.address, "element 3 points to .*, as does the array itself; nothing"),
            (third + 4, "element 3: .* is not the start of a block: .*; nothing was freed"),
            (2**40 + 8, "element 3: .* was not allocated by this heap .*; nothing"),
            (gone.address, "element 3: double free: .*; nothing was freed"),
        ):
            array[:] = [first, second, third, bad]
            check_nothing_freed(
                heap,
                array,
                refs,
                partial(array.free, free_elements=True),
                error=emheap.NotAllocatedError,
                words=words,
            )
        array[:] = [first, second, third, 0]
        array.free(free_elements=True)
        assert heap.total_allocated_byte_size == 0


@pytest.mark.needs("zero copy")
def test_an_element_in_use_frees_nothing(heap: HeapManager) -> None:
    refs = blocks(heap)
    array = heap.alloc_array(pointer64, [ref.address for ref in refs])
    for pinned in (refs[2], array):
        piece = pinned.allocated_bytes_view[1:]
        check_nothing_freed(
            heap,
            array,
            refs,
            lambda: array.free(free_elements=True),
            error=emheap.BufferInUseError,
            words="is not freed: still in use",
        )
        del piece
    array.free(free_elements=True)
    assert heap.total_allocated_byte_size == 0


def test_only_arrays_of_pointers_have_such_elements(heap: HeapManager) -> None:
    refs = blocks(heap)
    array = heap.alloc_array(uint64, [ref.address for ref in refs])
    check_nothing_freed(
        heap,
        array,
        refs,
        lambda: array.free(free_elements=True),
        error=TypeError,
        words="free_elements is for arrays of pointers; the elements here are uint64",
    )
    heap.free_all()


def test_a_wrapped_or_freed_array_frees_nothing(heap: HeapManager) -> None:
    refs = blocks(heap)
    array = heap.alloc_array(pointer64, [ref.address for ref in refs])
    wrapped = heap.wrap_array(pointer64, array.address, 3)
    check_nothing_freed(
        heap,
        array,
        refs,
        lambda: wrapped.free(free_elements=True),
        error=emheap.NotAllocatedError,
        words="is a wrapped reference",
    )
    array.free()
    with pytest.raises(emheap.HeapError, match=r"use after free|double free"):
        array.free(free_elements=True)
    assert all(ref.is_not_freed for ref in refs)
    heap.free_all()


def test_a_value_that_is_no_pointer53_frees_nothing(heap: HeapManager) -> None:
    refs = blocks(heap)
    array = heap.alloc_array(pointer53, [ref.address for ref in refs])
    heap.write(uint64, array.address + 16, 2**60)
    check_nothing_freed(
        heap,
        array,
        refs,
        lambda: array.free(free_elements=True),
        error=emheap.ValueOutOfRangeError,
        words="read them as pointer64",
    )
    heap.free_all()


def test_many_elements_cost_no_more_each(heap: HeapManager) -> None:
    # In the order that made the original search all that was left for each.
    refs = [heap.alloc(int32, number) for number in range(1000)]
    array = heap.alloc_array(pointer64, [ref.address for ref in reversed(refs)])
    array.free(free_elements=True)
    assert heap.total_allocated_byte_size == 0
    assert all(ref.is_freed for ref in refs)
