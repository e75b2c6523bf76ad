"""What allocators in front of another one have in common."""

from __future__ import annotations

from emheap.allocators.base import Allocator

__all__ = ["WrappingAllocator"]


class WrappingAllocator(Allocator):
    """Passes everything on to `allocator`. As a part of a heap it is asked for each block, so
    that the short cuts of a pool beneath it are not taken.

    To have one on a heap that is open already, make a second heap in the same memory::

        limited = HeapManager(heap.memory, QuotaAllocator(heap.allocator, 1 << 20), heap.options)
    """

    sees_every_block = True

    def __init__(self, allocator: Allocator) -> None:
        self._allocator = allocator
        self.alignment = allocator.alignment

    @property
    def native(self) -> Allocator:
        return self._allocator.native

    def allocate(self, size: int) -> int:
        return self._allocator.allocate(size)

    def allocate_zeroed(self, size: int) -> int | None:
        return self._allocator.allocate_zeroed(size)

    def free(self, address: int) -> None:
        self._allocator.free(address)

    def free_sized(self, address: int, size: int) -> None:
        self._allocator.free_sized(address, size)

    def let_go(self, address: int) -> bool:
        return self._allocator.let_go(address)
