"""An allocator that only ever moves forward."""

from __future__ import annotations

from emheap._util.checks import align_up, check_alignment, check_integer
from emheap._util.locks import Locked
from emheap.allocators.base import Allocator
from emheap.errors import OutOfBoundsError

__all__ = ["BumpAllocator"]


class BumpAllocator(Allocator, Locked):
    """Allocates the bytes from `start` to `end` one after the other.

    The simplest way to give out memory, and one that never reclaims it: freeing the newest block
    moves back over it, freeing any other does nothing until `reset`.
    """

    trusted = True
    refusals = (MemoryError,)  # before anything was changed

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
        with self._lock:
            return self._take(size)

    def _take(self, size: int) -> int:
        while True:
            address = self._next
            if size > self._end - address:
                return 0
            following = min(self._end, align_up(address + size, self.alignment))
            if address == self._next:  # no finalizer has allocated meanwhile
                self._newest, self._next = address, following
                return address

    def free(self, address: int) -> None:
        with self._lock:
            if address == self._newest:
                self._newest, self._next = 0, address

    def reset(self) -> None:
        """Start again. Future blocks reuse the bytes of every block allocated before."""
        with self._lock:
            self._newest, self._next = 0, self._start
