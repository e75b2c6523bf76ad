"""An allocator that only ever moves forward."""

from __future__ import annotations

from emheap.allocators.base import Allocator
from emheap.checks import align_up, check_alignment, check_integer
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

    @property
    def available_byte_size(self) -> int:
        """The bytes that are left, for blocks and the padding between them."""
        return self._end - self._next

    def allocate(self, size: int) -> int:
        address = self._next
        if size > self._end - address:
            return 0
        self._next = min(self._end, align_up(address + size, self.alignment))
        self._newest = address
        return address

    def free(self, address: int) -> None:
        if address == self._newest:
            self._next = address
            self._newest = 0

    def reset(self) -> None:
        """Start again. Every block handed out before becomes part of future ones."""
        self._next = self._start
        self._newest = 0
