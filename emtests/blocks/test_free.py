"""Freeing: only what this heap allocated, and only once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

import emheap
from emheap import (
    FreeListAllocator,
    HeapManager,
    PoolAllocator,
    int8,
    int32,
    uint8,
    uint256,
    utf8,
)
from emheap.allocators.base import most_spare
from emtests.contexts import notes_of
from emtests.heaps import HeapKind
from emtests.structures.kinds import Vec

NOT_OURS = (
    r"was not allocated by this heap \(.+\), or was freed long ago; free it where it was allocated"
)


def check_unchanged(heap: HeapManager, ref: Any) -> None:
    assert ref.is_not_freed
    assert heap.total_allocated_byte_size == ref.allocated_byte_size


def test_freeing_by_every_path(heap: HeapManager) -> None:
    for make in (
        lambda: heap.alloc(int32, 5),
        heap.alloc_int32,
        lambda: heap.alloc_array(int32, 5),
        lambda: heap.alloc(utf8, "abc"),
        lambda: heap.alloc_array(uint8, 0),
        lambda: heap.alloc_array(uint8, 100, align=64),
    ):
        for free in (
            lambda ref: ref.free(),
            heap.free,
            lambda ref: heap.free(ref.address),
            lambda ref: heap.free_all(),
        ):
            ref: Any = make()
            size = ref.allocated_byte_size
            assert heap.total_allocated_byte_size == size
            assert (ref.is_freed, ref.is_not_freed) == (False, True)
            assert free(ref) is None
            assert (ref.is_freed, ref.is_not_freed) == (True, False)
            assert heap.total_allocated_byte_size == 0


@pytest.mark.needs("zero copy")
def test_no_path_frees_what_a_part_of_a_view_uses(heap: HeapManager) -> None:
    for make in (
        lambda: heap.alloc(int32, 5),
        lambda: heap.alloc(uint256, 5),
        lambda: heap.alloc(utf8, "abc"),
        lambda: heap.alloc_array(int32, 5),
        lambda: heap.alloc_array(Vec, 2),
        lambda: heap.alloc_array(uint8, 100, align=64),
    ):
        for free in (
            lambda ref: ref.free(),
            lambda ref: ref.__exit__(None, None, None),
            heap.free,
            lambda ref: heap.free(ref.address),
            lambda ref: heap.free_all(),
        ):
            ref: Any = make()
            part = ref.allocated_bytes_view[1:]
            with pytest.raises(emheap.BufferInUseError, match="a slice or cast of a view"):
                free(ref)
            check_unchanged(heap, ref)
            assert bytes(part) == bytes(ref)[1:]
            part.release()
            assert free(ref) is None
            assert ref.is_freed
            assert heap.total_allocated_byte_size == 0


def test_a_second_free_is_refused(heap: HeapManager) -> None:
    for make in (
        heap.alloc_int32,
        lambda: heap.alloc_array(int32, 5),
        lambda: heap.alloc(utf8, "abc"),
    ):
        other = heap.alloc_array(int8, 500)
        ref: Any = make()
        ref.free()
        for free in (
            ref.free,
            lambda ref=ref: heap.free(ref),
            lambda ref=ref: heap.free(ref.address),
        ):
            words = rf"double free: the .* at 0x{ref.address:x}, allocated at .*, freed at "
            with pytest.raises(emheap.DoubleFreeError, match=words):
                free()
        check_unchanged(heap, other)
        other.free()


def test_a_second_free_calls_no_allocator() -> None:
    given: list[int] = []
    data = bytearray(1 << 16)
    heap = emheap.create_wasm_heap_manager(lambda: data, lambda size: 4096, given.append)
    ref = heap.alloc_array(uint8, 5000)
    ref.free()
    assert given == [4096]
    again: tuple[Callable[[], None], ...] = (
        ref.free,
        lambda: heap.free(ref),
        lambda: heap.free(4096),
    )
    for free in again:
        with pytest.raises(emheap.DoubleFreeError):
            free()
    assert given == [4096]


def test_an_address_that_is_refused_reaches_no_allocator() -> None:
    given: list[int] = []

    class Noting(FreeListAllocator):
        def free(self, address: int) -> None:
            given.append(address)
            super().free(address)

    heap = emheap.wrap_buffer(bytearray(1 << 16), allocator=Noting, debug=False)
    block = heap.alloc_array(int32, 2000)
    beyond = block.address + block.allocated_byte_size
    wild: Any = heap
    for address in (block.address + 4, beyond, 0, None, -8, 2**64, "16", 16.0, True):
        with pytest.raises((emheap.HeapError, TypeError)):
            wild.free(address)
        assert given == []
    heap.free(block.address)
    assert given == [block.address]


def test_a_block_of_another_heap_is_refused(kind: HeapKind, heap: HeapManager) -> None:
    with kind.open() as other_heap:
        for make in (
            other_heap.alloc_int32,
            lambda: other_heap.alloc_array(int32, 5),
            lambda: other_heap.alloc(utf8, "abc"),
        ):
            own = heap.alloc(int32, 7)
            foreign: Any = make()
            with pytest.raises(emheap.NotAllocatedError, match=r"belongs to another heap .*; free"):
                heap.free(foreign)
            check_unchanged(heap, own)
            check_unchanged(other_heap, foreign)
            foreign.free()
            with pytest.raises(emheap.NotAllocatedError, match="belongs to another heap"):
                heap.free(foreign)
            own.free()


def test_a_wrapped_reference_is_not_ours_to_free(heap: HeapManager) -> None:
    ref = heap.alloc_array(int32, 4)
    for wrapped in (
        heap.wrap(int32, ref.address),
        heap.wrap_array(int32, ref.address, 4),
        heap.wrap(utf8, ref.address, 3),
    ):
        words = "is a wrapped reference: the code that allocated it must free it"
        for free in (wrapped.free, lambda wrapped=wrapped: heap.free(wrapped)):
            with pytest.raises(emheap.NotAllocatedError, match=words):
                free()
        check_unchanged(heap, ref)
        with wrapped:
            pass  # a with statement of it does not free it either
        check_unchanged(heap, ref)
    ref.free()
    with pytest.raises(emheap.NotAllocatedError, match="is a wrapped reference"):
        wrapped.free()


def test_an_address_inside_a_block_is_refused(heap: HeapManager) -> None:
    ref = heap.alloc_array(int32, 4)
    for offset, inside in ((1, "1 byte"), (4, "4 bytes"), (8, "8 bytes"), (15, "15 bytes")):
        words = (
            rf"0x{ref.address + offset:x} is not the start of a block: it lies {inside} "
            rf"inside the int32 array of 16 bytes at 0x{ref.address:x}, allocated at "
        )
        with pytest.raises(emheap.NotAllocatedError, match=words):
            heap.free(ref.address + offset)
        check_unchanged(heap, ref)
    ref.free()


def test_an_address_beside_an_empty_block_is_not_inside_of_it() -> None:
    heap = emheap.wrap_buffer(bytearray(256), debug=False)
    empty = heap.alloc_array(int32, 0)
    with pytest.raises(emheap.NotAllocatedError, match="was not allocated by this heap"):
        heap.free(empty.address + 1)
    empty.free()


def test_an_address_that_was_never_handed_out_is_refused(heap: HeapManager) -> None:
    ref = heap.alloc_array(int32, 4)
    for address in (ref.address + 2**20, 2**31, 2**32 + 16, 2**53, 2**64, -8, -(2**31)):
        with pytest.raises(emheap.NotAllocatedError, match=NOT_OURS):
            heap.free(address)
        check_unchanged(heap, ref)
    with pytest.raises(emheap.NullPointerError, match="cannot free the null pointer: no block has"):
        heap.free(0)
    wild: Any = heap
    with pytest.raises(emheap.NullPointerError, match="the address to free is None"):
        wild.free(None)
    check_unchanged(heap, ref)
    for value in (1.0, float("nan"), "16", b"", [], True, object(), [ref]):
        with pytest.raises(TypeError, match="the address to free must be an int, not"):
            wild.free(value)
        check_unchanged(heap, ref)
    ref.free()


def test_a_with_statement_frees_at_its_end(heap: HeapManager) -> None:
    with heap.alloc(int32, 5) as ref:
        assert ref.value == 5
    assert ref.is_freed
    with heap.alloc_array(int32, 5) as array:
        array.free()  # earlier is fine
    assert array.is_freed
    with pytest.raises(LookupError, match="of the body"), heap.alloc(utf8, "abc") as text:
        raise LookupError("of the body")
    assert text.is_freed
    with pytest.raises(emheap.UseAfterFreeError), ref:
        pytest.fail("a freed reference was entered")


@pytest.mark.needs("zero copy")
def test_a_with_statement_refuses_while_a_view_is_used(heap: HeapManager) -> None:
    ref = heap.alloc_array(int32, 5)
    piece = ref.view[1:]
    with pytest.raises(emheap.BufferInUseError, match="still in use"), ref:
        pass
    assert ref.is_not_freed
    with pytest.raises(LookupError, match="of the body") as caught, ref:
        raise LookupError("of the body")
    (note,) = notes_of(caught.value, ["still in use"])
    assert "still in use" in note
    assert ref.is_not_freed
    del piece
    ref.free()


def test_free_all_frees_everything(heap: HeapManager) -> None:
    refs: list[Any] = []
    for number in range(20):
        refs += [heap.alloc(int32, number), heap.alloc_int8(1), heap.alloc_array(int32, number)]
        refs += [heap.alloc(utf8, "x" * number), heap.alloc_array(uint8, 9, align=32)]
    assert heap.total_allocated_byte_size == sum(ref.allocated_byte_size for ref in refs)
    heap.free_all()
    assert heap.total_allocated_byte_size == 0
    assert all(ref.is_freed for ref in refs)
    assert heap.allocated_heap_refs == []
    heap.free_all()


def test_free_all_frees_scalars_first_and_each_kind_last_first() -> None:
    freed: list[int] = []

    class Recording(emheap.WrappingAllocator):
        def free_sized(self, address: int, size: int) -> None:
            freed.append(address)
            super().free_sized(address, size)

    allocator = Recording(FreeListAllocator(16, 4096))
    heap = emheap.wrap_buffer(bytearray(4096), allocator=allocator, debug=False)
    refs: list[Any] = [heap.alloc_array(int32, 3), heap.alloc(int32, 1), heap.alloc(int32, 2)]
    refs += [heap.alloc(utf8, "text"), heap.alloc(int32, 3), heap.alloc_array(int32, 1)]
    array, one, two, text, three, other = [ref.address for ref in refs]
    heap.free_all()
    assert freed == [three, two, one, other, text, array]


@pytest.mark.needs("zero copy")
def test_free_all_leaves_what_is_in_use_and_names_it(heap: HeapManager) -> None:
    refs = [heap.alloc_array(int32, 4) for _ in range(5)]
    pieces = [refs[1].view[1:], refs[3].view[1:]]
    with pytest.raises(emheap.BufferInUseError) as caught:
        heap.free_all()
    assert [ref.is_freed for ref in refs] == [True, False, True, False, True]
    for ref in (refs[1], refs[3]):
        assert f"at 0x{ref.address:x}, allocated at" in str(caught.value)
    assert heap.total_allocated_byte_size == 32
    pieces.clear()
    heap.free_all()
    assert heap.total_allocated_byte_size == 0


def test_a_heap_is_a_scope_too(kind: HeapKind) -> None:
    with kind.open() as heap:
        with heap as same:
            assert same is heap
            ref = heap.alloc(int32, 5)
        assert ref.is_freed
        assert heap.total_allocated_byte_size == 0


def test_freed_bytes_are_used_again() -> None:
    heap = emheap.wrap_buffer(bytearray(1 << 12))
    for _ in range(200):
        refs: list[Any] = [heap.alloc(int32), heap.alloc_array(uint8, 20), heap.alloc(utf8, "text")]
        for ref in refs:
            heap.free(ref.address)
        heap.alloc(int32).free()
        heap.alloc_array(uint8, 20).free()
        with heap.alloc_array(uint8, 500):
            pass
        refs = [heap.alloc(int32), heap.alloc_array(uint8, 20), heap.alloc(utf8, "text")]
        heap.free_all()


def test_the_bytes_freed_last_are_used_first() -> None:
    heap = emheap.open()
    makers: tuple[Callable[[], Any], ...] = (
        lambda: heap.alloc(int32),
        lambda: heap.alloc_array(uint8, 20),
        lambda: heap.alloc(utf8, "text"),
    )
    frees: tuple[Callable[[Any], None], ...] = (
        lambda ref: ref.free(),
        lambda ref: heap.free(ref),
        lambda ref: heap.free(ref.address),
        lambda ref: heap.free_all(),
        lambda ref: ref.__exit__(None, None, None),
    )
    for make, free in product(makers, frees):
        ref = make()
        free(ref)
        with make() as again:
            assert again.address == ref.address


def test_freed_bytes_go_back_to_the_allocator() -> None:
    allocator = FreeListAllocator(16, 1 << 16)
    heap = emheap.wrap_buffer(bytearray(1 << 16), allocator=allocator)
    room = allocator.available_byte_size
    for _ in range(3):
        refs: list[Any] = [heap.alloc(int32) for _ in range(10)]
        refs += [heap.alloc_array(int8, n, align=1 << n) for n in range(10)]
        refs += [heap.alloc(utf8, n) for n in range(10)]
        assert allocator.available_byte_size < room
        for ref in refs:
            ref.free()
        assert allocator.available_byte_size == allocator.largest_gap == room


@pytest.mark.parametrize("kind", [int32, uint256])
def test_no_more_than_some_freed_blocks_are_kept_for_later_ones(kind: Any) -> None:
    beneath = FreeListAllocator(16, 1 << 20)
    room = beneath.available_byte_size
    heap = emheap.wrap_buffer(bytearray(1 << 20), allocator=PoolAllocator(beneath), debug=False)
    refs = [heap.alloc(kind) for _ in range(6000)]
    for ref in refs:
        ref.free()
    size = max(kind.size, PoolAllocator.GRANULE)
    assert room - beneath.available_byte_size <= most_spare(size) * size
