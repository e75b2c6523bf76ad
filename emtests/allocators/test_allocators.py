"""The allocators in their own right: no overlap, alignment, reuse, joining, and their limits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import emheap
from emheap import (
    Allocator,
    BumpAllocator,
    FreeListAllocator,
    LibcAllocator,
    PageAllocator,
    PoolAllocator,
)
from emheap.allocators.base import MOST_SPARE, most_spare
from emheap.allocators.functions import FunctionsAllocator

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("allocate"), st.integers(1, 300)),
        st.tuples(st.just("free"), st.integers(0, 1000)),
    ),
    max_size=120,
)


def run_steps(allocator: Allocator, steps: Any, start: int, end: int) -> dict[int, int]:
    """Allocate and free by turns; check every block that it returns. Gives what is left."""
    live: dict[int, int] = {}
    for step, number in steps:
        if step == "free":
            if live:
                address = sorted(live)[number % len(live)]
                del live[address]
                allocator.free(address)
            continue
        address = allocator.allocate(number)
        if not address:
            continue
        assert address % allocator.alignment == 0
        assert start <= address <= address + number <= end
        for other, size in live.items():
            assert address + number <= other or other + size <= address
        live[address] = number
    return live


class Noting(FreeListAllocator):
    """One that notes the sizes that it is asked for, and those of what comes back."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(start, end)
        self.asked: list[int] = []
        self.returned: list[int] = []

    def allocate(self, size: int) -> int:
        self.asked.append(size)
        return super().allocate(size)

    def free_sized(self, address: int, size: int) -> None:
        self.returned.append(size)
        super().free_sized(address, size)


def test_an_allocator_gets_blocks_back_with_the_sizes_that_it_was_asked_for() -> None:
    allocator = Noting(16, 4096)
    heap = emheap.wrap_buffer(bytearray(4096), allocator=allocator, debug=False)
    allocator.asked.clear()
    for count in (0, 1, 7, 300):
        heap.alloc_array(emheap.uint8, count).free()
    heap.alloc(emheap.utf8, "").free()
    assert allocator.asked == [1, 1, 7, 300, 1]
    assert allocator.returned == allocator.asked


class Zeroing(Noting):
    """One that has zeros."""

    def allocate_zeroed(self, size: int) -> int | None:
        return self.allocate(size)


def test_a_pool_asks_once_for_a_block_that_it_gets() -> None:
    allocator = Zeroing(16, 16384)
    pool = PoolAllocator(allocator)
    pool.free_sized(pool.allocate(16), 16)
    room = allocator.available_byte_size
    for allocate in (pool.allocate, pool.allocate_zeroed):
        allocator.asked.clear()
        address = allocate(5000)
        assert address
        assert allocator.asked == [5000]
        pool.free(address)
        assert allocator.available_byte_size == room
    # Of the sizes that it keeps it has no zeros, and so asks for none.
    allocator.asked.clear()
    assert pool.allocate_zeroed(1024) is None
    assert allocator.asked == []


def test_a_pool_gives_what_it_keeps_for_a_block_that_has_no_room_otherwise() -> None:
    allocator = Zeroing(16, 16384)
    pool = PoolAllocator(allocator)
    whole = allocator.available_byte_size
    for allocate in (pool.allocate, pool.allocate_zeroed):
        pool.free_sized(pool.allocate(16), 16)
        assert allocator.available_byte_size < whole
        address = allocate(whole)
        assert address == 16
        pool.free(address)
        assert allocator.available_byte_size == whole


def test_a_pool_tells_whether_there_was_room_for_more_blocks() -> None:
    pool = PoolAllocator(FreeListAllocator(16, 64))
    assert pool.refill(40)
    assert pool.spare(40) == [16]
    assert pool.allocate(40) == 16
    assert not pool.refill(40)
    assert pool.allocate(40) == 0
    assert not pool.refill(PoolAllocator.LARGEST + 1)


@pytest.mark.parametrize("alignment", [8, 16])
@pytest.mark.parametrize(
    ("sized", "aligned"), [(False, False), (True, False), (False, True), (True, True)]
)
def test_functions_get_the_size_and_the_alignment_that_they_ask_for(
    alignment: int, sized: bool, aligned: bool
) -> None:
    chosen = {} if alignment == 8 else {"alignment": alignment}
    calls: list[tuple[int, ...]] = []

    def allocate(*given: int) -> int:
        calls.append(given)
        return 4096

    def free(*given: int) -> None:
        calls.append(given)

    functions = FunctionsAllocator(allocate, free, sized_free=sized, aligned=aligned, **chosen)
    assert functions.alignment == alignment
    functions.free(functions.allocate(100))
    functions.free_sized(functions.allocate(100), 100)
    more = (alignment,) if aligned else ()
    assert calls == 2 * [(100, *more), (4096, 100, *more) if sized else (4096,)]


@pytest.mark.parametrize("pointer_size", [4, 8])
def test_only_32_bit_addresses_come_back_as_signed_numbers(pointer_size: int) -> None:
    answers = [-(1 << 31), -16]
    functions = FunctionsAllocator(
        lambda size: answers.pop(0), lambda address: None, pointer_size=pointer_size
    )
    if pointer_size == 4:
        assert [functions.allocate(8), functions.allocate(8)] == [1 << 31, (1 << 32) - 16]
        return
    for negative in (-(1 << 31), -16):
        with pytest.raises(ValueError, match=f"returned {negative} for 8 bytes, which is no addr"):
            functions.allocate(8)


# The free list


@given(steps=STEPS, alignment=st.sampled_from([1, 4, 8, 16, 64]))
def test_a_free_list_hands_out_no_byte_twice_and_has_them_all_back(
    steps: Any, alignment: int
) -> None:
    allocator = FreeListAllocator(13, 4000, alignment=alignment)
    room = allocator.available_byte_size
    live = run_steps(allocator, steps, 13, 4000)
    used = sum((size + alignment - 1) & -alignment for size in live.values())
    assert allocator.available_byte_size == room - used
    for address in live:
        allocator.free(address)
    assert allocator.available_byte_size == allocator.largest_gap == room


@given(steps=STEPS)
def test_a_free_list_refuses_only_what_no_gap_can_hold(steps: Any) -> None:
    allocator = FreeListAllocator(16, 2000)
    run_steps(allocator, steps, 16, 2000)
    gap = allocator.largest_gap
    assert allocator.allocate(gap + 1) == 0
    if gap:
        assert allocator.allocate(gap) != 0


def test_a_free_list_joins_neighbours_on_both_sides() -> None:
    allocator = FreeListAllocator(16, 16 + 5 * 64)
    a, b, c, d, e = (allocator.allocate(64) for _ in range(5))
    assert allocator.allocate(1) == 0
    for first, second, third in ((b, c, d), (d, c, b), (b, d, c)):
        for address in (first, second, third):
            allocator.free(address)
        assert allocator.largest_gap == 192
        again = allocator.allocate(192)
        assert again == b
        allocator.free(again)
        assert (allocator.allocate(64), allocator.allocate(64), allocator.allocate(64)) == (b, c, d)
    allocator.free(a)
    allocator.free(e)
    assert (allocator.largest_gap, allocator.available_byte_size) == (64, 128)


def test_a_free_list_takes_the_smallest_gap_that_fits() -> None:
    allocator = FreeListAllocator(16, 16 + 1024)
    blocks = [allocator.allocate(size) for size in (256, 8, 64, 8, 128, 8)]
    for address in blocks[0::2]:
        allocator.free(address)
    assert allocator.allocate(60) == blocks[2]
    assert allocator.allocate(100) == blocks[4]
    assert allocator.allocate(130) == blocks[0]


def test_a_free_list_tells_the_bytes_of_all_its_gaps_and_of_the_largest() -> None:
    allocator = FreeListAllocator(16, 16 + 1000)
    blocks = [allocator.allocate(40) for _ in range(10)]
    assert (allocator.available_byte_size, allocator.largest_gap) == (600, 600)
    for address in blocks[::2]:
        allocator.free(address)
    assert (allocator.available_byte_size, allocator.largest_gap) == (800, 600)
    assert allocator.allocate(601) == 0
    assert allocator.allocate(600)
    assert (allocator.available_byte_size, allocator.largest_gap) == (200, 40)


def test_a_free_list_refuses_what_is_no_block_of_it() -> None:
    allocator = FreeListAllocator(16, 1024)
    address = allocator.allocate(64)
    for wrong in (0, 8, address + 8, 5000, -8):
        with pytest.raises(emheap.HeapCorruptionError, match="is not the address of a block of"):
            allocator.free(wrong)
    allocator.free(address)
    with pytest.raises(emheap.HeapCorruptionError, match=f"0x{address:x} is not the address"):
        allocator.free(address)
    assert allocator.available_byte_size == allocator.largest_gap == 1008


def test_a_free_list_survives_what_a_program_writes_into_its_memory() -> None:
    heap = emheap.wrap_buffer(bytearray(4096), debug=False)
    blocks = [heap.alloc_array(emheap.uint8, size) for size in (8, 100, 300, 16)]
    blocks[1].free()
    heap.memory.write_bytes(1, b"\xff" * 4095)
    blocks[1] = heap.alloc_array(emheap.uint8, 100)
    assert set(blocks[1]) == {0}
    assert {value for block in (blocks[0], *blocks[2:]) for value in block} == {0xFF}
    heap.free_all()
    with heap.alloc_array(emheap.uint8, 4080) as whole:
        assert whole.address == 16


def test_a_free_list_can_be_extended() -> None:
    allocator = FreeListAllocator(16, 128)
    first = allocator.allocate(112)
    assert allocator.allocate(8) == 0
    allocator.extend(256)
    assert allocator.available_byte_size == 128
    assert allocator.allocate(128) == 128
    allocator.extend(100)  # less than it has: nothing happens
    assert allocator.available_byte_size == 0
    allocator.free(first)
    allocator.extend(512)
    assert allocator.available_byte_size == 112 + 256


def test_a_free_list_goes_on_at_its_end_whatever_is_added_below_it() -> None:
    allocator = FreeListAllocator(512, 1024)
    allocator.add(16, 256)
    assert allocator.available_byte_size == 512 + 240
    assert allocator.largest_gap == 512
    allocator.extend(1536)
    assert allocator.allocate(1024) == 512
    assert allocator.allocate(240) == 16
    assert allocator.available_byte_size == 0


# The bump allocator


@given(steps=STEPS, alignment=st.sampled_from([1, 4, 8, 16, 64]))
def test_a_bump_allocator_hands_out_no_byte_twice(steps: Any, alignment: int) -> None:
    run_steps(BumpAllocator(13, 4000, alignment=alignment), steps, 13, 4000)


def test_a_bump_allocator_takes_back_the_newest_block_only() -> None:
    allocator = BumpAllocator(16, 1024)
    first, second = allocator.allocate(30), allocator.allocate(10)
    assert (first, second) == (16, 48)
    allocator.free(first)
    assert allocator.allocate(8) == 64
    allocator.free(64)
    allocator.free(second)  # the newest that is left, but not the newest there was
    assert allocator.allocate(20) == 64
    assert allocator.available_byte_size == 1024 - 88


def test_a_bump_allocator_ends_and_starts_again() -> None:
    allocator = BumpAllocator(16, 128)
    assert allocator.allocate(113) == 0
    assert allocator.allocate(112) == 16
    assert allocator.available_byte_size == 0
    assert allocator.allocate(1) == 0
    allocator.reset()
    assert allocator.available_byte_size == 112
    for _ in range(2):
        assert [allocator.allocate(size) for size in (1, 20, 8)] == [16, 24, 48]
        allocator.reset()
    assert allocator.allocate(112) == 16


def test_a_bump_allocator_tells_the_bytes_to_its_very_end() -> None:
    allocator = BumpAllocator(16, 101)
    assert allocator.available_byte_size == 85
    assert allocator.allocate(3) == 16
    assert allocator.available_byte_size == 77  # and not the 5 of padding
    assert allocator.allocate(77) == 24
    assert allocator.available_byte_size == 0


# What both take


def test_no_block_has_the_address_of_the_null_pointer() -> None:
    for make in (FreeListAllocator, BumpAllocator):
        assert make(0, 100).allocate(1) > 0
        assert make(0, 100, alignment=1).allocate(1) == 1


def test_bounds_and_alignment_are_checked() -> None:
    for make in (FreeListAllocator, BumpAllocator):
        wild: Any = make
        with pytest.raises(emheap.OutOfBoundsError, match="no room between start 200 and end 100"):
            make(200, 100)
        for alignment in (0, 3, -8):
            with pytest.raises(emheap.ValueOutOfRangeError, match="align must be a power of two"):
                make(16, 100, alignment=alignment)
        for start, end in ((None, 100), (16, None), (1.5, 100), (16, "100"), (True, 100)):
            with pytest.raises(TypeError, match="must be an int, not"):
                wild(start, end)
        empty = make(16, 16)
        assert (empty.allocate(1), empty.available_byte_size) == (0, 0)


# malloc


def test_sixty_characters_are_shown_of_what_is_no_bound() -> None:
    wrong: Any = "x" * 58
    with pytest.raises(TypeError, match=r"^start must be an int, not str 'x{58}'$"):
        FreeListAllocator(wrong, 100)
    with pytest.raises(TypeError, match=r"^start must be an int, not str 'x{56}\.\.\.$"):
        FreeListAllocator(wrong + "x", 100)


def test_malloc_gives_aligned_blocks_and_zeros() -> None:
    allocator = LibcAllocator()
    heap = emheap.open()
    blocks = {allocator.allocate(size): size for size in (1, 7, 8, 100, 4096, 1 << 20)}
    assert all(address % allocator.alignment == 0 for address in blocks)
    ordered = sorted(blocks)
    for lower, upper in pairwise(ordered):
        assert lower + blocks[lower] <= upper
    for address, size in blocks.items():
        heap.memory.fill(address, size, 0xEE)
        allocator.free(address)
    for size in (1, 100, 4096, 1 << 20):
        address = allocator.allocate_zeroed(size)
        assert heap.memory.read_bytes(address, size) == bytes(size)
        allocator.free(address)


# The pool


class Counting(Allocator):
    """Counts what it is asked for."""

    def __init__(self) -> None:
        self.alignment = 16
        self.inner = FreeListAllocator(16, 1 << 22, alignment=16)
        self.allocated: list[int] = []
        self.freed: list[int] = []

    def allocate(self, size: int) -> int:
        self.allocated.append(size)
        return self.inner.allocate(size)

    def free(self, address: int) -> None:
        self.freed.append(address)
        self.inner.free(address)


def test_a_pool_hands_out_what_was_freed_without_asking() -> None:
    counting = Counting()
    pool = PoolAllocator(counting)
    assert pool.alignment == 16
    for size in (1, 8, 16, 17, 100, 256):
        address = pool.allocate(size)
        asked = len(counting.allocated)
        pool.free_sized(address, size)
        for again in (size, max(1, size - 1)):
            if -(-again // 16) == -(-size // 16):
                assert pool.allocate(again) == address
                pool.free_sized(address, again)
        assert len(counting.allocated) == asked
    assert counting.freed == []


def test_the_gaps_are_found_anew_across_the_border_of_two_ranges() -> None:
    allocator = FreeListAllocator(16, 1024)
    allocator.extend(2048)
    across = allocator.allocate(1500)
    assert across == 16
    allocator._torn = True  # as an interrupt leaves it
    assert allocator.largest_gap == allocator.available_byte_size == 2048 - 16 - 1504
    assert allocator.allocate(100) >= across + 1500


def test_a_pool_passes_large_blocks_on() -> None:
    counting = Counting()
    pool = PoolAllocator(counting)
    size = PoolAllocator.LARGEST + 1
    address = pool.allocate(size)
    pool.free_sized(address, size)
    assert counting.allocated == [size]
    assert counting.freed == [address]


@given(steps=STEPS)
def test_a_pool_hands_out_no_byte_twice(steps: Any) -> None:
    counting = Counting()
    pool = PoolAllocator(counting)
    live: dict[int, int] = {}
    for step, number in steps:
        if step == "allocate":
            address = pool.allocate(number)
            for other, size in live.items():
                assert address + number <= other or other + size <= address
            live[address] = number
        elif live:
            address = sorted(live)[number % len(live)]
            pool.free_sized(address, live.pop(address))
    for address, size in live.items():
        pool.free_sized(address, size)
    pool.trim()
    assert counting.inner.available_byte_size == (1 << 22) - 16


def test_256_kib_are_kept_of_each_size_but_neither_few_blocks_nor_very_many() -> None:
    sizes = (1, 16, 128, 256, 1024, 4096, 1 << 20)
    assert [most_spare(size) for size in sizes] == [2048, 2048, 2048, 1024, 256, 64, 64]


@pytest.mark.parametrize(("size", "most"), [(1, MOST_SPARE), (16, MOST_SPARE), (1024, 256)])
def test_a_pool_keeps_no_more_than_it_says(size: int, most: int) -> None:
    counting = Counting()
    pool = PoolAllocator(counting)
    blocks = [pool.allocate(size) for _ in range(most + 100)]
    for address in blocks[:-1]:
        pool.free_sized(address, size)
        assert len(counting.allocated) - len(counting.freed) >= len(blocks) - most
    assert most_spare(size) == most
    pool.free_sized(blocks[-1], size)
    assert len(counting.freed) == most // 2
    pool.trim()
    assert sorted(counting.freed) == sorted(blocks)


def test_a_pool_that_cannot_give_blocks_back_keeps_them() -> None:
    counting = Counting()
    pool = PoolAllocator(counting)
    blocks = [pool.allocate(1024) for _ in range(256)]
    for address in blocks:
        pool.free_sized(address, 1024)
    kept = list(pool.spare(1024) or ())
    assert len(kept) == 256

    def refuse(address: int) -> None:
        raise RuntimeError("not now")

    counting.free = refuse  # type: ignore[method-assign]
    ways: tuple[Callable[[], None], ...] = (
        pool.trim,
        lambda: pool.shrink(1024),
        lambda: pool.free_sized(99, 1024),
    )
    for give_back in ways:
        with pytest.raises(RuntimeError, match="not now"):
            give_back()
        assert pool.spare(1024) == kept


def test_each_batch_of_a_pool_is_twice_as_large_as_the_last() -> None:
    pool = PoolAllocator(FreeListAllocator(16, 1 << 22))
    spare = pool.spare(16)
    assert spare is not None
    batches = []
    for _ in range(3 * PoolAllocator.BATCH):
        if not spare:
            pool.allocate(16)
            batches.append(len(spare) + 1)
        else:
            pool.allocate(16)
    assert batches == [1, 2, 4, 8, 16, 32, 64, 128, 256, 256, 256]


@pytest.mark.parametrize("size", [16, 64, 256, 1024])
def test_no_batch_of_a_pool_is_more_than_an_eighth_of_what_it_keeps(size: int) -> None:
    pool = PoolAllocator(FreeListAllocator(16, 1 << 22))
    spare = pool.spare(size)
    assert spare is not None
    batches: list[int] = []
    while len(batches) < 12:
        if not spare:
            batches.append(1)
        pool.allocate(size)
        batches[-1] = max(batches[-1], len(spare) + 1)
    assert max(batches) == min(PoolAllocator.BATCH, most_spare(size) // 8)


def test_a_heap_gives_a_burst_of_numbers_back() -> None:
    counting = Counting()
    heap = emheap.wrap_buffer(bytearray(1 << 22), allocator=PoolAllocator(counting))
    for make in (heap.alloc_int32, lambda: heap.alloc(emheap.float64)):
        refs: list[Any] = [make() for _ in range(3000)]
        for ref in refs:
            ref.free()
    assert len(counting.allocated) - len(counting.freed) <= MOST_SPARE
    assert heap.total_allocated_byte_size == 0


# In place of ours


def test_an_allocator_of_the_programs_own() -> None:
    counting = Counting()
    heap = emheap.wrap_buffer(bytearray(1 << 22), allocator=counting)
    with heap.alloc_array(emheap.int32, [1, 2, 3]) as ref:
        assert counting.allocated == [12]
    assert counting.freed == [ref.address]
    assert heap.allocator is counting


def test_an_allocator_of_pages_grows_the_memory_once_for_a_block() -> None:
    asked: list[int] = []

    def grow(pages: int) -> int:
        asked.append(pages)
        return sum(asked[:-1])

    allocator = PageAllocator(grow, page_size=256)
    assert [bool(allocator.allocate(size)) for size in (1000, 2000, 20)] == [True] * 3
    assert len(asked) == 2
