"""An allocator that allocates no more than a limit."""

from __future__ import annotations

from emheap._util.checks import check_integer
from emheap.allocators.base import Allocator
from emheap.allocators.wrapping import SizingAllocator
from emheap.errors import ValueOutOfRangeError

__all__ = ["QuotaAllocator"]


class QuotaAllocator(SizingAllocator):
    """Finds no room for a block that would make more than `max_bytes` live at once.

    >>> import emheap
    >>> allocator = emheap.QuotaAllocator(emheap.FreeListAllocator(16, 4096), max_bytes=100)
    >>> heap = emheap.wrap_buffer(bytearray(4096), allocator=allocator)
    >>> with heap.alloc_array(emheap.uint8, 90):
    ...     heap.alloc_array(emheap.uint8, 20)
    Traceback (most recent call last):
    emheap.errors.OutOfMemoryError: no room for 20 bytes: 90 bytes are live in 1 block ...
    """

    def __init__(self, allocator: Allocator, max_bytes: int) -> None:
        super().__init__(allocator)
        self.max_bytes = check_integer(max_bytes, "max_bytes")
        if self.max_bytes < 0:
            raise ValueOutOfRangeError(f"max_bytes must not be negative, got {max_bytes}")

    def _admit(self, key: object, size: int) -> bool:
        with self._lock:
            if self.live_byte_size + sum(self._asked.values()) + size > self.max_bytes:
                return False
            self._asked[key] = size
            return True
