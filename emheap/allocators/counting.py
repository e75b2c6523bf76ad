"""An allocator that counts."""

from __future__ import annotations

from emheap.allocators.base import Allocator
from emheap.allocators.wrapping import SizingAllocator

__all__ = ["CountingAllocator"]


class CountingAllocator(SizingAllocator):
    """Counts the blocks and bytes that it was asked for: live, at most at once, and in all.

    Bytes are as asked for, which for over-aligned blocks is with the room that aligning takes.
    The option ``count_allocations`` puts one on a heap.
    """

    def __init__(self, allocator: Allocator) -> None:
        super().__init__(allocator)
        self.peak_blocks = 0
        self.peak_bytes = 0
        self.total_blocks = 0
        self.total_bytes = 0

    @property
    def live_byte_size(self) -> int:
        """The bytes of the live blocks."""
        return self._live_bytes

    def _enter(self, key: object, address: int) -> None:
        with self._lock:
            super()._enter(key, address)
            self.total_blocks += 1
            self.total_bytes += self._sizes[address]
            self.peak_blocks = max(self.peak_blocks, len(self._sizes))
            self.peak_bytes = max(self.peak_bytes, self._live_bytes)
