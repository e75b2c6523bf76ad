"""The allocator of a heap that allocates nothing."""

from __future__ import annotations

from emheap._util.messages import count_of
from emheap.allocators.base import Allocator
from emheap.errors import NotSupportedError

__all__ = ["WrapOnlyAllocator"]


class WrapOnlyAllocator(Allocator):
    """Refuses to allocate and to free: for heaps that read, write and wrap what is there."""

    def allocate(self, size: int) -> int:
        raise self._refusal(f"allocate {count_of(size, 'byte')}")

    def free(self, address: int) -> None:
        raise self._refusal("free a block")

    def _refusal(self, what: str) -> NotSupportedError:
        return NotSupportedError(
            f"this heap cannot {what}: it was opened to read, write and wrap what is there; open "
            "another with the functions of the module's allocator to have blocks"
        )
