"""An allocator that only ever moves forward."""

from __future__ import annotations

from _thread import RLock

from emheap._util.checks import align_up, check_alignment, check_integer
from emheap.allocators.base import Allocator
from emheap.errors import OutOfBoundsError

__all__ = ["BumpAllocator"]


class BumpAllocator(Allocator):
    """Hands out the bytes from `start` to `end` one after the other.

    The fastest way to give out memory, and the one that never has it back: freeing the newest
    block moves back over it, freeing any other does nothing until `reset`.
    """

    def __init__(self, start: int, end: int, *, alignment: int = 8) -> None:
        self.alignment = check_alignment(alignment)
        self._start = align_up(max(check_integer(start, "start"), 1), alignment)
        self._end = check_integer(end, "end")
        if self._end < self._start:
            raise OutOfBoundsError(f"no room between start {start} and end {end}")
        self._next = self._start
        self._newest = 0
        self._lock = RLock()  # a finalizer may free a block while this thread holds it

    @property
    def available_byte_size(self) -> int:
        """The bytes that are left, for blocks and the padding between them."""
        return self._end - self._next

    def allocate(self, size: int) -> int:
        with self._lock:
            return self.take(size)

    def take(self, size: int) -> int:
        """As `allocate`, for a caller that lets one thread in at a time."""
        address = self._next
        if size > self._end - address:
            return 0
        self._next = min(self._end, align_up(address + size, self.alignment))
        self._newest = address
        return address

    def free(self, address: int) -> None:
        with self._lock:
            self.give_back(address)

    def give_back(self, address: int) -> None:
        """As `free`, for a caller that lets one thread in at a time."""
        if address == self._newest:
            self._next = address
            self._newest = 0

    def reset(self) -> None:
        """Start again. Every block handed out before becomes part of future ones."""
        with self._lock:
            self._next = self._start
            self._newest = 0
