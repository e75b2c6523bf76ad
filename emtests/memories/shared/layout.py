"""What the two processes agree on: where in the block things lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.shared_memory import SharedMemory
from typing import NamedTuple

import emheap
from emheap import FreeListAllocator, HeapManager, float64, int32, int64, pointer32

SIZE = 1 << 20
TURN, PARENT, CHILD = 64, 128, 192
"""Addresses: whose turn it is, and what each process wrote last. A cache line each."""
STRINGS, NUMBERS = 4096, 8192
COUNTED, EXCHANGED, TAKEN = 8256, 8320, 8384
ADDITIONS = 5000
HALF = SIZE // 2
"""The parent allocates below, the child above: each process has an allocator of its own."""


class Side(NamedTuple):
    """The heap as one process sees it."""

    heap: HeapManager
    other_lives: Callable[[], bool]

    def await_turn(self, number: int) -> None:
        """Wait, burning time, until the other process has set the turn to `number`."""
        while self.heap.read_int32_atomic(TURN) != number:
            assert self.other_lives(), f"the other process ended before turn {number}"

    def set_turn(self, number: int) -> None:
        self.heap.write_int32_atomic(TURN, number)

    def leave(self, place: int, address: int) -> None:
        """Leave a pointer for the other process."""
        self.heap.write(pointer32, place, address)

    def find(self, place: int) -> int:
        return self.heap.read(pointer32, place)


@contextmanager
def opened(
    block: SharedMemory, start: int, end: int, other_lives: Callable[[], bool]
) -> Iterator[Side]:
    """The heap in a shared block, whose blocks lie from `start` to `end`."""
    heap = emheap.wrap_buffer(block.buf, allocator=FreeListAllocator(start, end))
    try:
        yield Side(heap, other_lives)
    finally:
        heap.free_all()
        heap.memory.release()
        block.close()


def count_up(side: Side, first: int, steps: int) -> None:
    """Take turns with the other process; every second number is ours."""
    for number in range(first, steps, 2):
        side.await_turn(number)
        side.heap.wrap(int32, NUMBERS).value += 1
        side.set_turn(number + 1)


def add_ones(side: Side) -> None:
    """Add to a number that the other process adds to at the same time."""
    number, real = side.heap.wrap(int32, COUNTED), side.heap.wrap(float64, COUNTED + 8)
    for _ in range(ADDITIONS):
        number.atomic.add(1)
        real.atomic.add(0.5)


def exchange(side: Side, first: int) -> int:
    """Store numbers where the other process does at the same time; the sum of what was there."""
    number = side.heap.wrap(int64, EXCHANGED)
    return sum(number.atomic.exchange(each) for each in range(first, first + ADDITIONS))
