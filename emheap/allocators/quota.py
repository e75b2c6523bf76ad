"""An allocator that hands out no more than it may."""

from __future__ import annotations

from _thread import RLock
from collections.abc import Callable

from emheap.allocators.base import Allocator
from emheap.allocators.wrapping import WrappingAllocator
from emheap.checks import check_integer
from emheap.errors import ValueOutOfRangeError

__all__ = ["QuotaAllocator"]


class QuotaAllocator(WrappingAllocator):
    """Finds no room for a block that would make more than `max_bytes` live at once.

    >>> import emheap
    >>> allocator = emheap.QuotaAllocator(emheap.FreeListAllocator(16, 4096), max_bytes=100)
    >>> heap = emheap.wrap_buffer(bytearray(4096), allocator=allocator)
    >>> with heap.alloc_array(emheap.uint8, 90):
    ...     heap.alloc_array(emheap.uint8, 20)
    Traceback (most recent call last):
    emheap.errors.OutOfMemoryError: no room for 20 bytes: 90 bytes are live in 1 blocks ...
    """

    def __init__(self, allocator: Allocator, max_bytes: int) -> None:
        super().__init__(allocator)
        self.max_bytes = check_integer(max_bytes, "max_bytes")
        if self.max_bytes < 0:
            raise ValueOutOfRangeError(f"max_bytes must not be negative, got {max_bytes}")
        self.live_byte_size = 0
        """The bytes that count against the quota now."""
        self._sizes: dict[int, int] = {}
        self._lock = RLock()

    def _within(self, size: int, allocate: Callable[[int], int | None]) -> int | None:
        with self._lock:
            if self.live_byte_size + size > self.max_bytes:
                return 0
            address = allocate(size)
            if address:
                self._sizes[address] = size
                self.live_byte_size += size
            return address

    def _forget(self, address: int) -> None:
        with self._lock:
            self.live_byte_size -= self._sizes.pop(address, 0)

    def allocate(self, size: int) -> int:
        return self._within(size, super().allocate) or 0

    def allocate_zeroed(self, size: int) -> int | None:
        return self._within(size, super().allocate_zeroed)

    def free(self, address: int) -> None:
        super().free(address)
        self._forget(address)

    def free_sized(self, address: int, size: int) -> None:
        super().free_sized(address, size)
        self._forget(address)

    def let_go(self, address: int) -> bool:
        gone = super().let_go(address)
        if gone:
            self._forget(address)
        return gone
