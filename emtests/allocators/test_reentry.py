"""Allocators that a finalizer calls in the middle of a call, as a collection of garbage may."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

import pytest

import emheap
from emheap import Allocator, BumpAllocator, DebugAllocator, FreeListAllocator, PoolAllocator
from emheap.allocators.chunks import ChunkAllocator
from emheap.allocators.wrapping import CheckedAllocator

ROOM = 1 << 16
WITHIN = str(Path(emheap.__file__).with_name("allocators"))


def debug_allocator() -> Allocator:
    heap = emheap.wrap_buffer(bytearray(ROOM))
    return DebugAllocator(FreeListAllocator(16, ROOM), heap.memory, quarantine=1 << 10)


ALLOCATORS: dict[str, Callable[[], Allocator]] = {
    "free list": lambda: FreeListAllocator(16, ROOM),
    "bump": lambda: BumpAllocator(16, ROOM),
    "chunks": lambda: ChunkAllocator(FreeListAllocator(16, ROOM)),
    "pool": lambda: PoolAllocator(FreeListAllocator(16, ROOM)),
    "debug": debug_allocator,
    "checked": lambda: CheckedAllocator(FreeListAllocator(16, ROOM), 8),
}


class Program:
    """Allocates and frees, and does so again within a call of the allocator's now and then."""

    def __init__(self, allocator: Allocator, random: Random) -> None:
        self.allocator = allocator
        self.random = random
        self.live: dict[int, int] = {}
        self.wait = 0
        self.meddled = 0

    def step(self) -> None:
        if self.live and self.random.random() < 0.5:
            address = self.random.choice(list(self.live))
            self.allocator.free_sized(address, self.live.pop(address))
            return
        size = self.random.choice((8, 24, 100, 500))
        address = self.allocator.allocate(size)
        for other, length in self.live.items() if address else ():
            assert address + size <= other or other + length <= address
        if address:
            self.live[address] = size

    def meddle(self, frame: FrameType, event: str, _: Any) -> None:
        if not frame.f_code.co_filename.startswith(WITHIN) or not self.wait:
            return
        self.wait -= 1
        if not self.wait:
            self.meddled += 1
            self.wait = self.random.choice((0, 1, 2, 5))  # and again before the call has ended
            self.step()


@pytest.mark.parametrize("make", ALLOCATORS.values(), ids=ALLOCATORS)
def test_no_byte_is_given_twice_where_a_call_comes_within_another(
    make: Callable[[], Allocator],
) -> None:
    meddled = 0
    for seed in range(60):
        program = Program(make(), Random(seed))
        before = sys.getprofile()
        sys.setprofile(program.meddle)
        try:
            for _ in range(60):
                program.wait = program.random.randrange(1, 40)
                program.step()
        finally:
            sys.setprofile(before)
        program.wait = 0
        meddled += program.meddled
        if isinstance(program.allocator, FreeListAllocator):
            for address in program.live:
                program.allocator.free(address)
            assert program.allocator.largest_gap == ROOM - 16
    assert meddled > 100
