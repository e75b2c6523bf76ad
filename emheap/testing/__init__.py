"""The conformance kit: what every memory and every allocator must do, for people who write one.

A test of a new kind of heap is one call, with any test runner or none::

    check_memory(lambda: (MyMemory(), 4096))
    check_allocator(lambda: (MyAllocator(), MyMemory()))

An AssertionError says what was done, what came of it and what should have.
"""

from __future__ import annotations

from emheap.testing.allocator_checks import check_allocator
from emheap.testing.memory_checks import ROOM, check_memory

__all__ = ["ROOM", "check_allocator", "check_memory"]
