"""Allocators that hand out bytes which they have handed out before: no block is written over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import emheap
from emheap import (
    Allocator,
    HeapCorruptionError,
    HeapManager,
    PoolAllocator,
    QuotaAllocator,
    int32,
    uint8,
    utf8,
)
from emheap.allocators.outstanding import OutstandingBlocks
from emheap.allocators.wrapping import WrappingAllocator

SIZE = 1 << 18


class Told:
    """Returns the addresses that it was told to, and records what it gets back."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.freed: list[int] = []

    def allocate(self, size: int) -> int:
        return self.answers.pop(0) if self.answers else 0

    def free(self, address: int) -> None:
        self.freed.append(address)


class ToldAllocator(Allocator):
    """The same as an allocator of the user's."""

    alignment = 8

    def __init__(self, told: Told) -> None:
        self.told = told

    def allocate(self, size: int) -> int:
        return self.told.allocate(size)

    def free(self, address: int) -> None:
        self.told.free(address)


class Shifting(WrappingAllocator):
    """A wrapper of the user's around an allocator of ours that is right."""

    def __init__(self, told: Told) -> None:
        super().__init__(emheap.FreeListAllocator(16, SIZE))
        self.told = told

    def allocate(self, size: int) -> int:
        return self.told.allocate(size)

    def free(self, address: int) -> None:
        self.told.free(address)

    def free_sized(self, address: int, size: int) -> None:
        self.told.free(address)


def functions(told: Told, **options: Any) -> HeapManager:
    buffer = bytearray(SIZE)
    return emheap.create_wasm_heap_manager(
        lambda: buffer, told.allocate, lambda address: told.free(address), **options
    )


def in_buffer(make: Callable[[Told], Allocator]) -> Callable[..., HeapManager]:
    def open_heap(told: Told, **options: Any) -> HeapManager:
        return emheap.wrap_buffer(bytearray(SIZE), allocator=make(told), **options)

    return open_heap


OPENERS: dict[str, Callable[..., HeapManager]] = {
    "functions": functions,
    "class": in_buffer(ToldAllocator),
    "wrapper": in_buffer(Shifting),
    "pooled": in_buffer(lambda told: PoolAllocator(ToldAllocator(told))),
    "quota": in_buffer(lambda told: QuotaAllocator(ToldAllocator(told), 1 << 20)),
}


Opener = Callable[..., HeapManager]


@pytest.fixture(params=OPENERS)
def open_told(request: pytest.FixtureRequest) -> Opener:
    return OPENERS[request.param]


@pytest.mark.parametrize(("first", "size"), [(4096, 32), (4096, 2000), (4096, 150_000)])
@pytest.mark.parametrize("where", ["start", "inside", "last byte", "below", "around"])
def test_an_address_inside_of_a_live_block_is_corruption(
    open_told: Opener, first: int, size: int, where: str
) -> None:
    second = {
        "start": first,
        "inside": first + 16,
        "last byte": first + size - 8,
        "below": first - 16,
        "around": first - 16,
    }[where]
    told = Told(first, second)
    heap = open_told(told)
    kept = heap.alloc_array(uint8, bytes([7]) * size)
    words = rf"the allocator returned 0x{second:x} for \d+ bytes, but the uint8 array of {size} by"
    with pytest.raises(HeapCorruptionError, match=words):
        heap.alloc_array(uint8, b"\1" * (size + 64 if where == "around" else 24))
    assert set(kept) == {7}
    assert told.freed == []
    assert heap.total_allocated_byte_size == size
    kept.free()


def test_neighbours_do_not_overlap(open_told: Opener) -> None:
    told = Told(4096, 4096 + 16, 4096 - 16, 4096 + 32)
    heap = open_told(told)
    refs = [heap.alloc_array(uint8, bytes([number]) * 16) for number in range(4)]
    assert [set(ref) for ref in refs] == [{0}, {1}, {2}, {3}]
    heap.free_all()


def test_what_was_given_back_may_come_again(open_told: Opener) -> None:
    told = Told(4096, 8192, 4096 + 64, 4096)
    heap = open_told(told)
    for size in (5000, 3000):  # more than a pool keeps
        heap.alloc_array(uint8, size).free()
    assert told.freed == [4096, 8192]
    with heap.alloc_array(uint8, 2000), pytest.raises(HeapCorruptionError):
        heap.alloc_array(uint8, 2000)


def test_blocks_that_a_pool_keeps_are_not_given_back() -> None:
    heap = OPENERS["pooled"](Told(4096, 4096 + 16))
    heap.alloc_array(uint8, 64).free()
    words = (
        r"^the allocator returned 0x1010 for 32 bytes, but it was not given back 64 bytes at 0x1000"
        ", which it handed out before$"
    )
    with pytest.raises(HeapCorruptionError, match=words):
        heap.alloc_array(uint8, 32)


@pytest.mark.parametrize("name", ["functions", "class"])
def test_a_chunk_of_an_arena_is_not_given_back(name: str) -> None:
    heap = OPENERS[name](Told(4096, 4096 + 128))
    with heap.arena() as scratch:
        number = scratch.alloc(int32, 5)
        with pytest.raises(HeapCorruptionError):
            heap.alloc_array(uint8, b"\1" * 64)
        assert number.value == 5
        number.free()


def test_red_zones_are_not_drawn_over_a_live_block(open_told: Opener) -> None:
    heap = open_told(Told(4096, 4096 + 80), debug=True)
    kept = heap.alloc(utf8, "a string of more than thirty bytes")
    with pytest.raises(HeapCorruptionError):
        heap.alloc(int32, 5)
    assert kept.value == "a string of more than thirty bytes"
    heap.verify()
    kept.free()


def test_a_block_that_was_handed_over_may_come_again(
    open_told: Opener,
) -> None:
    heap = open_told(Told(4096, 4096))
    assert heap.alloc_array(uint8, 2000).detach() == 4096
    with heap.alloc_array(uint8, 2000) as ref:
        assert ref.address == 4096


@pytest.mark.parametrize("name", ["functions", "class", "pooled"])
def test_a_block_that_was_not_freed_is_still_the_programs(name: str) -> None:
    told = Told(4096, 4096 + 8, 4096 + 8)
    heap = OPENERS[name](told)
    kept = heap.alloc_array(uint8, 2000)
    free, told.free = told.free, _refuse  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="not now"):
        kept.free()
    told.free = free  # type: ignore[method-assign]
    with pytest.raises(HeapCorruptionError):
        heap.alloc_array(uint8, 2000)
    heap.free_all()
    with heap.alloc_array(uint8, 2000) as ref:
        assert ref.address == 4096 + 8


def _refuse(address: int) -> None:
    raise RuntimeError("not now")


@pytest.mark.parametrize("answer", [True, "16", 16.0])
@pytest.mark.parametrize("name", ["class", "wrapper", "quota"])
def test_an_allocator_of_the_users_must_return_addresses(name: str, answer: Any) -> None:
    with pytest.raises(TypeError, match="must return an address, an int, or 0; for 2000 bytes it"):
        OPENERS[name](Told(answer)).alloc_array(uint8, 2000)


def test_functions_that_do_their_work_later_are_refused() -> None:
    async def later(number: int) -> int:
        return number

    def generator(number: int) -> Any:
        yield number

    async def both(number: int) -> Any:
        yield number

    def at_once(number: int) -> int:
        return 4096

    for wrong in (later, generator, both):
        wild: Any = wrong
        for name, functions in (("allocate", (wild, at_once)), ("free", (at_once, wild))):
            words = f"^{name} must be a function that does its work when it is called, not an async"
            with pytest.raises(TypeError, match=words):
                emheap.create_wasm_heap_manager(lambda: bytearray(64), *functions)


def test_a_promise_is_no_address() -> None:
    class Promise:
        def __await__(self) -> Any:
            return iter(())

    wild: Any = lambda size: Promise()  # noqa: E731
    heap = emheap.create_wasm_heap_manager(lambda: bytearray(8192), wild, lambda address: None)
    with pytest.raises(TypeError, match="pass one that does its work at once, and not asynch"):
        heap.alloc_array(uint8, 2000)


def test_a_heap_names_the_allocator_that_it_was_opened_with() -> None:
    allocator = ToldAllocator(Told())
    assert emheap.wrap_buffer(bytearray(SIZE), allocator=allocator).allocator is allocator


EXTENTS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 1 << 19), st.integers(1, 1 << 18)), max_size=60
)


@given(steps=EXTENTS)
def test_any_overlap_is_found(steps: list[tuple[bool, int, int]]) -> None:
    outstanding, known = OutstandingBlocks(), dict[int, int]()
    for adds, start, size in steps:
        if not adds and known:
            start = sorted(known)[start % len(known)]
            assert outstanding.discard(start) == known.pop(start)
            assert outstanding.discard(start) is None
            continue
        overlapped = {at for at, of in known.items() if at < start + size and start < at + of}
        try:
            outstanding.add(start, size)
            assert not overlapped
            known[start] = size
        except HeapCorruptionError as error:
            assert error.known in overlapped  # type: ignore[attr-defined]  # noqa: PT017
    for start in list(known):
        outstanding.discard(start)
    assert not outstanding._ends
    assert not outstanding._starts
    assert not outstanding._reaching


def test_a_block_that_ends_with_the_first_byte_of_64_kib_has_that_byte() -> None:
    outstanding, boundary = OutstandingBlocks(), 1 << 16
    outstanding.add(boundary - 8, 9)
    with pytest.raises(HeapCorruptionError):
        outstanding.add(boundary, 4)
    outstanding.add(boundary + 1, 1)
    with pytest.raises(HeapCorruptionError):
        outstanding.add(boundary + 1, 1)
