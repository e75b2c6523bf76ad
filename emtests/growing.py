"""A memory that grows by being replaced, as a WebAssembly memory's buffer is."""

from __future__ import annotations

from emheap import FreeListAllocator

_START = 16
_STALE = 0xA5


class ReplacedBuffer:
    """A buffer that a larger one takes the place of when an allocation finds no room.

    The one before is released and spoilt, so that code that still reads it is found.
    """

    def __init__(self, size: int, limit: int) -> None:
        self._limit = limit
        self._bytes = bytearray(size)
        self._latest = memoryview(self._bytes)
        self._free_list = FreeListAllocator(_START, size)
        self.polls = 0
        """How often the buffer was asked for."""

    def get_heap(self) -> memoryview:
        self.polls += 1
        return self._latest

    def allocate(self, size: int) -> int:
        self._free_list.extend(len(self._bytes))  # an interrupt may have kept a growth from its end
        address = self._free_list.allocate(size)
        while not address and len(self._bytes) < self._limit:
            self.grow(min(2 * len(self._bytes), self._limit))
            address = self._free_list.allocate(size)
        return address

    def free(self, address: int) -> None:
        self._free_list.free(address)

    def grow(self, size: int) -> None:
        """Replace the buffer by one of `size` bytes that begins with the same ones."""
        old, view = self._bytes, self._latest
        grown = bytearray(size)
        grown[: len(old)] = old
        latest = memoryview(grown)
        # An interrupt may come at any time: published at once, and the one before not left in use.
        try:
            self._bytes, self._latest = grown, latest
            self._free_list.extend(size)
        finally:
            if self._latest is latest:
                view.release()
        old[:] = bytes([_STALE]) * len(old)
