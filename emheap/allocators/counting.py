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

    def _enter(self, address: int, size: int) -> None:
        with self._lock:
            super()._enter(address, size)
            self.peak_blocks = max(self.peak_blocks, len(self._sizes))
            self.peak_bytes = max(self.peak_bytes, self.live_byte_size)
            blocks, total = self.total_blocks + 1, self.total_bytes + size
            self.total_blocks, self.total_bytes = blocks, total
