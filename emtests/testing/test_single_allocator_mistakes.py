"""Allocators that are wrong in one case alone: each question of the kit finds one of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from emheap import Allocator, BumpAllocator, FreeListAllocator
from emheap.memories.base import Memory
from emheap.memories.buffer import BufferMemory
from emheap.testing import check_allocator
from emheap.types.abi import WASM64

SIZE = 1 << 20


def finds(kind: Callable[[int, int], Allocator], message: str, **options: Any) -> None:
    with pytest.raises(AssertionError, match=f"(?m){message}"):  # pytest may add lines
        check_allocator(lambda: (kind(16, SIZE), BufferMemory(bytearray(SIZE))), **options)


class Recording(FreeListAllocator):
    """One that is right, and remembers what it was asked."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(start, end)
        self.asked: list[int] = []
        self.most = 0

    def allocate(self, size: int) -> int:
        self.asked.append(size)
        address = super().allocate(size)
        self.most = max(self.most, len(self._used))
        return address


def recorded(**options: Any) -> list[Recording]:
    made: list[Recording] = []

    def make() -> tuple[Allocator, Memory]:
        made.append(Recording(16, SIZE))
        return made[-1], BufferMemory(bytearray(SIZE))

    check_allocator(make, **options)
    return made


def test_nothing_stays_allocated() -> None:
    assert [allocator._used for allocator in recorded()] == [{}, {}, {}, {}]


def test_a_small_memory_will_do() -> None:
    made = recorded()
    assert [allocator.most for allocator in made] == [1, 1, 8, 40]
    assert set(made[-1].asked) == {1, 3, 8, 17, 64, 100, 257}
    # One that gets full says so, and goes on.
    small = lambda: (BumpAllocator(16, 20_000), BufferMemory(bytearray(20_000)))  # noqa: E731
    check_allocator(small, reuse=False)


def test_as_many_operations_as_are_asked_for() -> None:
    assert len(recorded(operations=1)[-1].asked) == 1
    assert len(recorded(operations=4)[-1].asked) < len(recorded(operations=400)[-1].asked) < 400


def test_the_seed_chooses_the_blocks() -> None:
    first, again, other = (recorded(seed=seed)[-1].asked for seed in (3, 3, 4))
    assert first == again
    assert first != other
    assert recorded()[-1].asked == recorded(seed=0)[-1].asked


@pytest.mark.parametrize("alignment", [0, 3, 12, 1 << 31])
def test_alignments_that_are_none(alignment: int) -> None:
    class Odd(FreeListAllocator):
        def __init__(self, start: int, end: int) -> None:
            super().__init__(start, end)
            self.alignment = alignment

    finds(Odd, f"^alignment is {alignment}$")


@pytest.mark.parametrize("alignment", [1, 2, 64])
def test_alignments_that_are_some(alignment: int) -> None:
    memory = BufferMemory(bytearray(SIZE))
    check_allocator(lambda: (FreeListAllocator(64, SIZE, alignment=alignment), memory))


def test_an_allocator_that_is_always_full() -> None:
    class Full(FreeListAllocator):
        def allocate(self, size: int) -> int:
            return 0

    finds(Full, r"^allocate\(1\) gave 0, though nearly nothing is live$")


@pytest.mark.parametrize("abi", [None, WASM64])
def test_nearly_the_whole_address_space(abi: Any) -> None:
    whole = 1 << 62 if abi else (1 << 32) - (1 << 16)

    class Endless(FreeListAllocator):
        def allocate(self, size: int) -> int:
            return 16 if size == whole else super().allocate(size)

    message = rf"^allocate\({whole}\) gave 0x10; 0 says there is no room$"
    with pytest.raises(AssertionError, match=f"(?m){message}"):  # pytest may add lines
        check_allocator(lambda: (Endless(16, SIZE), BufferMemory(bytearray(SIZE), abi)))


def test_an_allocator_that_gives_up_where_there_is_no_room() -> None:
    class Offended(FreeListAllocator):
        offended = False

        def allocate(self, size: int) -> int:
            self.offended = self.offended or size > SIZE
            return 0 if self.offended else super().allocate(size)

    finds(Offended, r"^allocate\(8\) gave 0, though nearly nothing is live$")


@pytest.mark.parametrize("dirty", [1, 8, 100, 5000])
def test_zeros_of_one_size_that_are_none(dirty: int) -> None:
    class Dirty(FreeListAllocator):
        def allocate_zeroed(self, size: int) -> int | None:
            return self.allocate(size) if size == dirty else None

    finds(Dirty, rf"^allocate_zeroed\({dirty}\) gave a block that is not zero$")


def test_zeros_outside_of_the_memory() -> None:
    class Outside(FreeListAllocator):
        def allocate_zeroed(self, size: int) -> int | None:
            return SIZE

    finds(Outside, r"^allocate\(1\) gave a block outside the memory: access of 1 byte at")


def test_zeros_are_freed() -> None:
    class Zeroing(Recording):
        def allocate_zeroed(self, size: int) -> int | None:
            address = self.allocate(size)
            memory.fill(address, size)
            return address

    made: list[Zeroing] = []
    memory = BufferMemory(bytearray(SIZE))

    def make() -> tuple[Allocator, Memory]:
        made.append(Zeroing(16, SIZE))
        return made[-1], memory

    check_allocator(make)
    assert [allocator._used for allocator in made] == [{}, {}, {}, {}]


# What comes back


class Cycling(BumpAllocator):
    """Hands out the places of blocks in turn, whatever is live."""

    places = 0

    def __init__(self, start: int, end: int) -> None:
        super().__init__(start, end)
        self._turns = itertools.cycle(range(16, 16 + 5000 * self.places, 5000))

    def allocate(self, size: int) -> int:
        return 0 if size > 5000 else next(self._turns)


@pytest.mark.parametrize("places", [400, 401])
def test_half_of_the_blocks_come_back(places: int) -> None:
    class Some(Cycling):
        pass

    Some.places = places
    room = 16 + 5000 * places

    def check() -> None:
        check_allocator(lambda: (Some(16, room), BufferMemory(bytearray(room))), operations=1)

    if places == 400:
        check()
        return
    with pytest.raises(
        AssertionError, match=r"^800 blocks of 1024 bytes, at most 8 of them live, "
    ):
        check()


def test_blocks_freed_by_size_that_do_not_come_back() -> None:
    class Losing(FreeListAllocator):
        def free_sized(self, address: int, size: int) -> None:
            pass

    finds(Losing, "took 4.. addresses: what is freed does not come back")


@pytest.mark.parametrize("size", [1, 8, 100, 5000])
def test_blocks_freed_by_one_size_that_are_refused(size: int) -> None:
    class Refusing(FreeListAllocator):
        def free_sized(self, address: int, size: int) -> None:
            assert size != refused, f"{size} bytes are not freed"
            super().free_sized(address, size)

    refused = size
    finds(Refusing, f"^{size} bytes? are not freed", reuse=False)


def test_what_need_not_come_back() -> None:
    class Losing(FreeListAllocator):
        def free(self, address: int) -> None:
            pass

    memory = BufferMemory(bytearray(SIZE))
    check_allocator(lambda: (Losing(16, SIZE), memory), reuse=False)


# Blocks beside each other


@pytest.mark.parametrize("wrong", [1, 3, 8, 17, 64, 100, 257])
def test_blocks_of_one_size_that_overlap(wrong: int) -> None:
    class Overlapping(FreeListAllocator):
        def allocate(self, size: int) -> int:
            large = [start for start, used in self._used.items() if used > 96]
            return large[0] + 8 if size == wrong and large else super().allocate(size)

    overlap = rf"^a block of {wrong} bytes? at 0x\w+ overlaps the one of (100|257) bytes at 0x\w+, "
    finds(Overlapping, overlap)


def test_a_block_that_reaches_into_the_next() -> None:
    class Reaching(FreeListAllocator):
        def allocate(self, size: int) -> int:
            live = [start for start in self._used if start > 64]
            return live[0] - 8 if size == 17 and live else super().allocate(size)

    finds(
        Reaching,
        r"^a block of 17 bytes at 0x\w+ overlaps the one of \d+ bytes? at 0x\w+, which is live",
    )


class Forgetful(BufferMemory):
    """A memory that loses what is not the same byte again and again."""

    def write_bytes(self, address: int, data: bytes | memoryview) -> None:
        if len(set(bytes(data))) == 1:
            super().write_bytes(address, data)


@pytest.mark.parametrize("operations", [2000, 1])
def test_blocks_that_change_while_they_are_live(operations: int) -> None:
    # The last ones are looked at when they are freed at the end.
    message = r"^the block of \d+ bytes? at 0x\w+ changed while it was live$"
    with pytest.raises(AssertionError, match=f"(?m){message}"):  # pytest may add lines
        check_allocator(
            lambda: (FreeListAllocator(16, SIZE), Forgetful(bytearray(SIZE))), operations=operations
        )
