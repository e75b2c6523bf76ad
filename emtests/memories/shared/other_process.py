"""The other process: ``python -m emtests.memories.shared.other_process NAME``."""

from __future__ import annotations

import os
import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from typing import Any

from emheap import clamped_uint8, float64, int64, utf8, utf16
from emtests.memories.shared.layout import (
    ADDITIONS,
    CHILD,
    HALF,
    PARENT,
    SIZE,
    STRINGS,
    TAKEN,
    Side,
    add_ones,
    count_up,
    exchange,
    opened,
)

NUMBERS_AFTER = 12288


def attach(name: str) -> SharedMemory:
    """Open a block that another process made, and leave its end to that process."""
    if sys.version_info >= (3, 13):
        return SharedMemory(name, track=False)
    block = SharedMemory(name)
    # Before 3.13 every process that opens a block is taken for its owner, and removes it.
    resource_tracker.unregister(block._name, "shared_memory")  # type: ignore[attr-defined]
    return block


def answer(side: Side) -> None:
    """Read what the parent left, and leave something for it."""
    heap = side.heap
    side.await_turn(1)
    numbers: Any = heap.wrap_array(float64, side.find(PARENT), 1000)
    total = sum(numbers)
    numbers.view[0] = -1.0
    text = heap.read(utf8, STRINGS)
    reply = heap.alloc(utf16, f"read {text}, adding up to {total}")
    side.leave(CHILD, reply.address)
    heap.write(int64, NUMBERS_AFTER, -(2**40))
    heap.write(clamped_uint8, NUMBERS_AFTER + 8, 300)
    side.set_turn(2)


if __name__ == "__main__":
    parent = os.getppid()
    with opened(attach(sys.argv[1]), HALF, SIZE, lambda: os.getppid() == parent) as side:
        answer(side)
        count_up(side, 3, 203)
        add_ones(side)
        side.heap.write(int64, TAKEN, exchange(side, ADDITIONS))
