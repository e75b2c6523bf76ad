"""An allocator that counts."""

from __future__ import annotations

from _thread import RLock

from emheap.allocators.base import Allocator
from emheap.allocators.wrapping import WrappingAllocator

__all__ = ["CountingAllocator"]


class CountingAllocator(WrappingAllocator):
    """Counts the blocks and bytes that it was asked for: live, at most at once, and in all.

    Bytes are as asked for, which for over-aligned blocks is with the room that aligning takes.
    The option ``count_allocations`` puts one on a heap.
    """

    def __init__(self, allocator: Allocator) -> None:
        super().__init__(allocator)
        self.live_bytes = 0
        self.peak_blocks = 0
        self.peak_bytes = 0
        self.total_blocks = 0
        self.total_bytes = 0
        self._sizes: dict[int, int] = {}
        self._lock = RLock()

    def _count(self, address: int, size: int) -> int:
        if address:
            with self._lock:
                self._sizes[address] = size
                self.live_bytes += size
                self.total_blocks += 1
                self.total_bytes += size
                self.peak_blocks = max(self.peak_blocks, len(self._sizes))
                self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        return address

    def _discount(self, address: int) -> None:
        with self._lock:
            self.live_bytes -= self._sizes.pop(address, 0)

    def allocate(self, size: int) -> int:
        return self._count(super().allocate(size), size)

    def allocate_zeroed(self, size: int) -> int | None:
        address = super().allocate_zeroed(size)
        return None if address is None else self._count(address, size)

    def free(self, address: int) -> None:
        # Before the call, or another thread could have the address already.
        size = self._sizes.get(address, 0)
        self._discount(address)
        try:
            super().free(address)
        except Exception:  # the user's function may raise anything: the block stays
            self._sizes[address] = size
            self.live_bytes += size
            raise

    def free_sized(self, address: int, size: int) -> None:
        self.free(address)

    def let_go(self, address: int) -> bool:
        gone = super().let_go(address)
        if gone:
            self._discount(address)
        return gone
