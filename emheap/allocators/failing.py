"""An allocator that runs out of memory when a test wants it to."""

from __future__ import annotations

from collections.abc import Callable

from emheap._util.checks import check_integer
from emheap._util.locks import Locked
from emheap.allocators.base import Allocator
from emheap.allocators.wrapping import WrappingAllocator

__all__ = ["FailingAllocator"]


class FailingAllocator(WrappingAllocator, Locked):
    """Lets `after` allocations succeed; every later one finds no room.

    To see that a program survives running out of memory, run it with ``after`` 0, 1, 2 and so on
    until it gets through.

    >>> import emheap
    >>> allocator = emheap.FailingAllocator(emheap.FreeListAllocator(16, 4096), after=1)
    >>> heap = emheap.wrap_buffer(bytearray(4096), allocator=allocator)
    >>> with heap.alloc(emheap.int32, 5):
    ...     heap.alloc(emheap.int32, 6)
    Traceback (most recent call last):
    emheap.errors.OutOfMemoryError: no room for 4 bytes: 4 bytes are live in 1 block of the buffer
    """

    def __init__(self, allocator: Allocator, *, after: int) -> None:
        super().__init__(allocator)
        self.after = check_integer(after, "after")
        """The number of allocations that still succeed; may be changed."""
        self.failures = 0
        """The allocations that failed because no more were to succeed."""

    def _allowed(self, size: int, allocate: Callable[[int], int | None]) -> int | None:
        with self._lock:
            if self.after <= 0:
                self.failures += 1
                return 0
            self.after -= 1
        address = None
        try:
            address = allocate(size)
            return address
        finally:
            if not address:  # there is no room, or None, and `allocate` is called next
                with self._lock:
                    self.after += 1

    def allocate(self, size: int) -> int:
        return self._allowed(size, self._allocator.allocate) or 0

    def allocate_zeroed(self, size: int) -> int | None:
        return self._allowed(size, self._allocator.allocate_zeroed)
