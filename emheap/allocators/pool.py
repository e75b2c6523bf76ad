"""Freed small blocks, kept for the next allocation of the same size."""

from __future__ import annotations

from emheap.allocators.base import Allocator

__all__ = ["PoolAllocator"]


class PoolAllocator(Allocator):
    """Keeps freed blocks of up to `LARGEST` bytes in lists by size, in front of another allocator.

    A call into malloc is what an allocation costs most (0.4 us by ctypes, 19 us into a wasmtime
    guest); taking a block off a list costs a tenth. Every block is still one of the allocator's
    own, so C code may free it. Lists are bounded, so memory goes back after a burst.
    """

    GRANULE = 16
    LARGEST = 256
    KEPT = 1024
    """The blocks that the list of one size may hold."""

    def __init__(self, allocator: Allocator) -> None:
        self._allocator = allocator
        self.alignment = allocator.alignment
        count = self.LARGEST // self.GRANULE
        self._spare: list[list[int]] = [[] for _ in range(count + 1)]

    @property
    def native(self) -> Allocator:
        return self._allocator.native

    def spare(self, size: int) -> list[int] | None:
        """The list of free addresses that blocks of `size` bytes come from; None above LARGEST.

        Taking one off is allocating it and putting one on is freeing it, as long as the list
        stays below KEPT: this is what the fast paths do, for a list's pop and append are atomic.
        """
        return self._spare[-(-size // self.GRANULE)] if size <= self.LARGEST else None

    def allocate(self, size: int) -> int:
        spare = self.spare(size)
        if spare is None:
            return self._allocator.allocate(size)
        try:
            return spare.pop()
        except IndexError:
            return self._allocator.allocate(-(-size // self.GRANULE) * self.GRANULE)

    def allocate_zeroed(self, size: int) -> int | None:
        return self._allocator.allocate_zeroed(size) if size > self.LARGEST else None

    def free(self, address: int) -> None:
        self._allocator.free(address)

    def free_sized(self, address: int, size: int) -> None:
        PoolAllocator.take_back(self, [address], size)

    def take_back(self, owed: list[int], size: int | None = None) -> None:
        spare = None if size is None else self.spare(size)
        if spare is not None and len(spare) < self.KEPT:
            spare.append(owed.pop())
        else:
            self._allocator.take_back(owed)

    def relinquish(self, address: int) -> bool:
        return self._allocator.relinquish(address)

    def trim(self) -> None:
        """Give every kept block back to the allocator."""
        for spare in self._spare:
            owed: list[int] = []
            try:
                while spare:
                    owed.append(spare.pop())
                    self._allocator.take_back(owed)
            except BaseException:
                spare += owed
                raise
