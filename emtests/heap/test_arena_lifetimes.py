"""Arenas: blocks that die together."""

from __future__ import annotations

import gc
import re
import warnings
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest

from emheap import (
    Arena,
    BufferInUseError,
    FreeListAllocator,
    HeapManager,
    HeapRef,
    NotAllocatedError,
    OutOfMemoryError,
    Pointer,
    UseAfterFreeError,
    float32,
    float64,
    int32,
    uint8,
    uint128,
    utf8,
    utf16,
    wrap_buffer,
)
from emheap.allocators.chunks import ChunkAllocator
from emheap.blocks.table import BlockTable
from emtests.conftest import OpenHeap
from emtests.contexts import notes_of
from emtests.hostile.stealing import Evil
from emtests.structures.kinds import Vec


class Counting(FreeListAllocator):
    """Remembers what it was asked for."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(start, end)
        self.calls: list[tuple[str, int]] = []

    def allocate(self, size: int) -> int:
        self.calls.append(("allocate", size))
        return super().allocate(size)

    def free(self, address: int) -> None:
        self.calls.append(("free", address))
        super().free(address)


def counting_heap(size: int) -> tuple[HeapManager, Counting]:
    allocator = Counting(16, size)
    heap = wrap_buffer(bytearray(size), allocator=allocator)
    allocator.calls.clear()
    return heap, allocator


def test_ten_thousand_small_blocks_cost_a_few_calls_of_malloc() -> None:
    heap, allocator = counting_heap(1 << 20)
    room = allocator.available_byte_size
    with heap.arena() as scratch:
        refs = [scratch.alloc(int32, index) for index in range(10_000)]
        assert len(allocator.calls) == 7  # as the documentation says
        assert [ref.value for ref in refs] == list(range(10_000))
        assert heap.total_allocated_byte_size == 40_000
    assert len(allocator.calls) == 2 * 7  # each chunk went back
    assert allocator.available_byte_size == room
    assert all(ref.is_freed for ref in refs)


def test_blocks_of_all_kinds_do_not_overlap(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        numbers = [scratch.alloc(float64, index / 2) for index in range(100)]
        names = [scratch.alloc(utf8, f"name {index}") for index in range(100)]
        arrays = [scratch.alloc_array(uint8, [index] * (index + 1)) for index in range(100)]
        aligned = [scratch.alloc(int32, index, align=64) for index in range(20)]
        large = scratch.alloc_array(uint8, 50_000)
        assert large[:] == [0] * 50_000
        for index in range(100):
            assert numbers[index].value == index / 2
            assert names[index].value == f"name {index}"
            assert arrays[index][:] == [index] * (index + 1)
        assert [ref.value for ref in aligned] == list(range(20))
        assert not any(ref.address % 64 for ref in aligned)
        refs: list[HeapRef[Any]] = [*numbers, *names, *arrays, large]
        everything = sorted((ref.address, ref.allocated_byte_size) for ref in refs)
        for (address, size), (following, _) in pairwise(everything):
            assert address + size <= following
    assert heap.total_allocated_byte_size == 0


def test_blocks_in_an_arena_are_zeroed_though_others_lay_there(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        for _ in range(50):
            block = scratch.alloc_array(uint8, [255] * 40)
            block.free()
            fresh = scratch.alloc_array(uint8, 40)
            assert fresh[:] == [0] * 40
            fresh.free()


def test_exit_frees_last_first() -> None:
    heap, allocator = counting_heap(1 << 20)
    with heap.arena() as scratch:
        blocks = [scratch.alloc_array(uint8, 20_000) for _ in range(5)]
        allocator.calls.clear()
    assert allocator.calls == [("free", ref.address) for ref in reversed(blocks)]


def test_arenas_inside_end_between_the_blocks_before_and_after_them() -> None:
    heap, allocator = counting_heap(1 << 20)
    with heap.arena() as outer:
        blocks = [outer.alloc_array(uint8, 20_000)]
        first = outer.arena()
        blocks += [arena.alloc_array(uint8, 20_000) for arena in (first, outer)]
        second = outer.arena()
        blocks.append(second.alloc_array(uint8, 20_000))
        third = second.arena()
        blocks += [arena.alloc_array(uint8, 20_000) for arena in (third, second, outer)]
        allocator.calls.clear()
    assert allocator.calls == [("free", ref.address) for ref in reversed(blocks)]


def test_a_block_freed_by_hand_is_not_freed_again(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        by_ref, by_address, kept = (scratch.alloc(int32, 1) for _ in range(3))
        by_ref.free()
        heap.free(by_address.address)
        assert heap.total_allocated_byte_size == 4
    assert kept.is_freed


def test_an_arena_in_an_arena_ends_with_it(heap: HeapManager) -> None:
    with heap.arena() as outer:
        first = outer.alloc(int32, 1)
        with outer.arena() as inner:
            second = inner.alloc(int32, 2)
        assert second.is_freed
        assert first.value == 1
        unfinished = outer.arena()
        third = unfinished.alloc(int32, 3)
    assert first.is_freed
    assert third.is_freed
    with pytest.raises(UseAfterFreeError, match=r"was closed at .*test_arena_lifetimes.py"):
        unfinished.alloc(int32)


def test_one_error_names_every_block_in_use(heap: HeapManager) -> None:
    outer = heap.arena()
    blocks = [outer.alloc_array(uint8, [1, 2, 3]) for _ in range(3)]
    inner = outer.arena().alloc_array(uint8, 4)
    slices = [blocks[0].view[:1], blocks[2].view[1:], inner.view[2:]]
    with pytest.raises(BufferInUseError) as caught:
        outer.__exit__(None, None, None)
    message = str(caught.value)
    assert re.search(r"at the end of the arena opened at .*test_arena_lifetimes.py:\d+", message)
    for ref in (blocks[0], blocks[2], inner):
        assert f"at 0x{ref.address:x}," in message
        assert not ref.is_freed
    assert blocks[1].is_freed
    assert blocks[2][1] == 2
    for part in slices:
        part.release()
    left = (blocks[0], blocks[2], inner)  # are the heap's now
    assert {ref.address for ref in heap.allocated_heap_refs} == {ref.address for ref in left}
    heap.free(inner.address)
    heap.free_all()
    assert all(ref.is_freed for ref in left)


def test_an_error_of_the_body_comes_first(heap: HeapManager) -> None:
    scratch = heap.arena()
    block = scratch.alloc_array(uint8, 3)
    part = block.view[1:]
    error = KeyError("body")
    scratch.__exit__(KeyError, error, None)
    (note,) = notes_of(error, ["and then, at the end of the arena"])
    assert "and then, at the end of the arena" in note
    part.release()
    block.free()


def test_use_after_the_end_says_which_arena(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        block = scratch.alloc(int32, 1)
    here = r".*test_arena_lifetimes.py:\d+"
    where = rf"arena opened at {here} in test_use.* was closed at {here}"
    for use in (
        lambda: scratch.alloc(int32),
        lambda: scratch.alloc_array(int32, 3),
        lambda: scratch.alloc_uint8(),
        scratch.arena,
        scratch.__enter__,
        lambda: scratch.keep(block),
    ):
        with pytest.raises(UseAfterFreeError, match=where):
            use()
    with pytest.raises(UseAfterFreeError, match=r"freed at .*test_arena_lifetimes.py"):
        block.value = 2


ALLOCATE: dict[str, Callable[[Arena], Any]] = {
    "number": lambda arena: arena.alloc(int32, 1),
    "number by a flat name": lambda arena: arena.alloc_int32(),
    "wide number": lambda arena: arena.alloc(uint128, 1),
    "aligned number": lambda arena: arena.alloc(int32, align=64),
    "array": lambda arena: arena.alloc_array(uint8, 40),
    "array of values": lambda arena: arena.alloc_array(float32, [1, 2]),
    "string": lambda arena: arena.alloc(utf8, "text"),
    "empty string": lambda arena: arena.alloc(utf16, 4),
    "text": lambda arena: arena.alloc_text(utf8, "text"),
    "strings": lambda arena: arena.alloc_strings(utf8, ["a", "b"]),
    "structure": lambda arena: arena.alloc(Vec, x=1, y=2),
    "structures": lambda arena: arena.alloc_array(Vec, 2),
    "pointer": lambda arena: arena.alloc(Pointer[Vec]),
}


@pytest.mark.parametrize("ending", ["arena", "outer arena", "heap"])
def test_nothing_is_allocated_in_an_arena_that_is_over(open_heap: OpenHeap, ending: str) -> None:
    """However often it was before: what was found out then is used no more."""
    heap = open_heap()
    outer = heap.arena()
    arena = outer.arena()
    refs = [allocate(arena) for allocate in ALLOCATE.values() for _ in range(3)]
    for ref in refs[::3]:
        ref.free()
    if ending == "heap":
        heap.close()
    else:
        (arena if ending == "arena" else outer).__exit__(None, None, None)
        assert heap.total_allocated_byte_size == 0
    assert all(ref.is_freed for ref in refs)
    over = "heap of" if ending == "heap" else "arena opened at"
    for name, allocate in ALLOCATE.items():
        with pytest.raises(UseAfterFreeError, match=f"^the {over} .* was closed at "):
            pytest.fail(f"{name}: {allocate(arena)!r}")


def test_a_detached_block_outlives_the_arena(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        before = scratch.alloc(int32, 1)
        kept = scratch.keep(scratch.alloc_array(uint8, [7, 8]))
        after = scratch.alloc(int32, 2)
    assert before.is_freed
    assert after.is_freed
    assert kept[:] == [7, 8]
    assert heap.total_allocated_byte_size == 2
    others = [heap.alloc_array(uint8, [9] * 64) for _ in range(100)]
    assert kept[:] == [7, 8]
    for ref in others:
        ref.free()
    kept.free()


@pytest.mark.parametrize("collected", [False, True])
def test_a_block_that_is_kept_warns_as_any_of_the_heap_when_it_is_dropped(
    open_heap: OpenHeap, collected: bool
) -> None:
    heap = open_heap(enable_garbage_collection=collected)
    with heap.arena() as scratch:
        kept = scratch.keep(scratch.alloc_array(uint8, [7, 8]))
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always", ResourceWarning)
        del kept
        gc.collect()
    assert [record.category for record in records] == [ResourceWarning] * (not collected)
    assert heap.total_allocated_byte_size == (0 if collected else 2)
    heap.free_all()


def test_the_chunk_goes_back_with_the_last_detached_block() -> None:
    heap, allocator = counting_heap(1 << 16)
    room = allocator.available_byte_size
    with heap.arena() as scratch:
        kept = [scratch.keep(scratch.alloc(int32, index)) for index in range(100)]
    for ref in kept:
        assert allocator.available_byte_size < room
        ref.free()
    assert allocator.available_byte_size == room


@pytest.mark.parametrize("number", [int32, uint8, float32, uint128])
def test_a_value_that_ends_the_arena_gets_no_block_in_it(heap: HeapManager, number: Any) -> None:
    arena = heap.arena()
    for _ in range(3):
        arena.alloc(number, 1)

    def end() -> None:
        if arena._closed is None:
            arena.__exit__(None, None, None)

    with pytest.raises(UseAfterFreeError):
        arena.alloc(number, Evil(7, end))
    assert heap.live() == []
    gc.collect()  # of the traceback, whose frames hold a view


def test_the_blocks_of_an_arena_that_is_dropped_before_its_end_live_on() -> None:
    heap, allocator = counting_heap(1 << 16)
    room = allocator.available_byte_size
    for free in (lambda block: block.free(), lambda block: heap.free(block.address)):
        scratch = heap.arena()
        small = [scratch.alloc(int32, index) for index in range(100)]
        del scratch
        gc.collect()
        assert [block.value for block in small] == list(range(100))
        assert len(heap.live()) == 100
        for block in small:
            assert allocator.available_byte_size < room
            free(block)
        assert allocator.available_byte_size == room
        scratch = heap.arena()
        aligned = scratch.alloc_array(uint8, 100, align=256)
        del scratch
        gc.collect()
        free(aligned)
        assert allocator.available_byte_size == room
    scratch = heap.arena()
    scratch.alloc(int32)
    del scratch
    gc.collect()
    assert [block.byte_size for block in heap.live()] == [4]
    heap.free_all()
    assert allocator.available_byte_size == room


def test_a_detached_block_that_is_freed_first_keeps_no_chunk() -> None:
    heap, allocator = counting_heap(1 << 16)
    room = allocator.available_byte_size
    with heap.arena() as scratch:
        scratch.keep(scratch.alloc(int32)).free()
        scratch.keep(scratch.alloc_array(uint8, 5000)).free()
    assert allocator.available_byte_size == room


def test_blocks_freed_by_hand_make_room_in_the_arena() -> None:
    heap, _ = counting_heap(1 << 14)
    with heap.arena() as scratch:
        for _ in range(1000):
            scratch.alloc(int32).free()
            heap.free(scratch.alloc_array(uint8, 100).address)
            scratch.alloc(utf8, "text").free()
            scratch.alloc_array(Vec, 10).free()


def test_only_its_own_live_blocks_are_kept(heap: HeapManager) -> None:
    foreign = heap.alloc(int32)
    with heap.arena() as scratch:
        freed = scratch.alloc(int32)
        freed.free()
        twice = scratch.keep(scratch.alloc(int32))
        inner = scratch.arena()
        element = scratch.alloc_array(Vec, 2)[1]
        for wrong in (foreign, freed, twice, inner, element, None, 7):
            with pytest.raises(NotAllocatedError, match="no live block of the arena opened at"):
                scratch.keep(wrong)  # type: ignore[type-var]
    twice.free()
    foreign.free()


def test_a_dropped_reference_does_not_warn_while_the_arena_lives(heap: HeapManager) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with heap.arena() as scratch:
            scratch.alloc(int32, 1)
            gc.collect()


def test_a_full_heap_leaves_the_arena_usable() -> None:
    heap, allocator = counting_heap(2048)
    room = allocator.available_byte_size
    with heap.arena() as scratch:
        refs = []
        with pytest.raises(OutOfMemoryError):  # noqa: PT012 (which of them fails is not the point)
            for index in range(1000):
                refs.append(scratch.alloc(int32, index))  # noqa: PERF401
        assert [ref.value for ref in refs] == list(range(len(refs)))
        assert len(refs) > 100, "what is left is allocated singly when no chunk fits"
        refs.pop().free()
        scratch.alloc(int32, 5)
    assert allocator.available_byte_size == room


def test_arenas_work_without_tracking_and_with_collection(open_heap: OpenHeap) -> None:
    for options in ({"track_allocations": False}, {"enable_garbage_collection": True}):
        heap = open_heap(**options)
        with heap.arena() as scratch:
            refs = [scratch.alloc(int32, index) for index in range(50)]
            assert [ref.value for ref in refs] == list(range(50))
        assert all(ref.is_freed for ref in refs)


def test_a_chunk_grows_up_to_a_bound() -> None:
    allocator = Counting(16, 1 << 24)
    chunks = ChunkAllocator(allocator)
    for _ in range(50_000):
        chunks.allocate(16)
    sizes = [size for _, size in allocator.calls]
    assert sizes[0] == ChunkAllocator.SMALLEST
    assert max(sizes) == ChunkAllocator.LARGEST
    assert sizes == sorted(sizes)


def test_blocks_of_several_sizes_share_a_chunk() -> None:
    """At most 4096 bytes at a time are cut off for blocks of one size."""
    allocator = Counting(16, 1 << 24)
    chunks = ChunkAllocator(allocator)
    chunks.allocate(10_000)
    asked = len(allocator.calls)
    for size in (16, 32, 48, 64, 80):
        chunks.allocate(size)
    assert len(allocator.calls) == asked


def test_blocks_are_missing_that_are_neither_free_nor_live() -> None:
    """Another thread is about to enter them; the end of an arena waits for it."""
    chunks = ChunkAllocator(FreeListAllocator(16, 1 << 16))
    blocks = [chunks.allocate(size) for size in (16, 16, 100, 16)]
    assert chunks.count_missing(blocks) == 0
    chunks.stop()
    assert chunks.count_missing(blocks) == 0
    assert chunks.count_missing(blocks[:1]) == 3
    chunks.free(blocks[3])
    assert chunks.count_missing(blocks[:3]) == 0
    assert chunks.count_missing(blocks[:1]) == 2


# A free function that fails


class Refusing(FreeListAllocator):
    """Raises when it should free certain blocks."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(start, end)
        self.refused: set[int] = set()

    def free(self, address: int) -> None:
        if address in self.refused:
            raise RuntimeError(f"no, not {address}")
        super().free(address)


def refusing_heap() -> tuple[HeapManager, Refusing, int]:
    allocator = Refusing(16, 1 << 20)
    heap = wrap_buffer(bytearray(1 << 20), allocator=allocator)
    return heap, allocator, allocator.available_byte_size


def test_the_others_are_freed_where_freeing_one_fails() -> None:
    heap, allocator, room = refusing_heap()
    scratch = heap.arena()
    inner = scratch.arena()
    large = [arena.alloc_array(uint8, 20_000) for arena in (scratch, inner, scratch, scratch)]
    small = [scratch.alloc(int32, number) for number in range(10)]
    allocator.refused = {large[2].address, large[1].address}
    part = large[0].view[:1]
    with pytest.raises(RuntimeError, match=f"no, not {large[2].address}") as caught:
        scratch.__exit__(None, None, None)
    expected = [f"RuntimeError('no, not {large[1].address}')", "is not freed: still in use"]
    for words, note in zip(expected, notes_of(caught.value, expected), strict=True):
        assert words in note
    assert [ref.is_freed for ref in large] == [False, False, False, True]
    assert all(ref.is_freed for ref in small)
    part.release()
    allocator.refused.clear()
    for ref in large[:3]:
        ref.free()
    assert allocator.available_byte_size == room


def test_a_failing_free_hides_no_error_of_the_body() -> None:
    heap, allocator, room = refusing_heap()
    scratch = heap.arena()
    block = scratch.alloc_array(uint8, 20_000)
    allocator.refused = {block.address}
    with pytest.raises(KeyError, match="body") as caught, scratch:
        raise KeyError("body")
    expected = ["and then, at the end of the arena opened at "]
    for words, note in zip(expected, notes_of(caught.value, expected), strict=True):
        assert note.startswith(words)
    allocator.refused.clear()
    block.free()
    assert allocator.available_byte_size == room


def test_a_chunk_whose_free_fails_goes_back_later() -> None:
    heap, allocator, room = refusing_heap()
    scratch = heap.arena()
    first = scratch.alloc(int32, 1)
    chunk = first.address
    kept = [scratch.keep(scratch.alloc(int32, number)) for number in range(100)]
    allocator.refused = {chunk}
    scratch.__exit__(None, None, None)
    assert first.is_freed
    for ref in kept:
        with suppress(RuntimeError):
            ref.free()
    [last] = [ref for ref in kept if not ref.is_freed]
    assert last.value == kept.index(last)
    allocator.refused.clear()
    last.free()
    assert allocator.available_byte_size == room


def test_a_heap_frees_all_that_it_can() -> None:
    heap, allocator, room = refusing_heap()
    blocks = [heap.alloc_array(uint8, 100) for _ in range(4)]
    allocator.refused = {blocks[2].address}
    with pytest.raises(RuntimeError, match="no, not"), heap:
        pass
    assert [ref.is_freed for ref in blocks] == [True, True, False, True]
    with pytest.raises(RuntimeError, match="no, not"):
        heap.free_all()
    late = heap.alloc(int32)
    with pytest.raises(KeyError, match="body") as caught, heap:
        raise KeyError("body")
    assert late.is_freed
    expected = ["and then, at the end of the heap: RuntimeError('no, not"]
    for words, note in zip(expected, notes_of(caught.value, expected), strict=True):
        assert note.startswith(words)
    allocator.refused.clear()
    heap.free_all()
    assert allocator.available_byte_size == room


def test_an_arena_or_a_heap_that_was_never_made_has_no_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", unraisable.append)
    with pytest.raises(TypeError, match="missing 2 required positional arguments"):
        Arena()  # type: ignore[call-arg]
    Arena.__new__(Arena)
    BlockTable.__new__(BlockTable)
    gc.collect()
    assert not unraisable
