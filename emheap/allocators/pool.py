"""Freed small blocks, kept for the next allocation of the same size."""

from __future__ import annotations

from emheap.allocators.base import Allocator, most_spare
from emheap.allocators.wrapping import checked

__all__ = ["PoolAllocator"]


class PoolAllocator(Allocator):
    """Keeps freed blocks of up to `LARGEST` bytes in lists by size, in front of another allocator.

    A call into malloc is most of what an allocation costs, and into a wasmtime guest nearly all of
    it; a block that was kept is taken off a list without one. Every block is still one of the
    allocator's own, so C code may free it. An empty list is filled with a batch, each twice as
    large as the last up to `BATCH`, and a full one gives half of its blocks back, so memory goes
    back after a burst.
    """

    GRANULE = 16
    LARGEST = 1024
    BATCH = 256
    """The most blocks that an empty list is filled with."""

    def __init__(self, allocator: Allocator) -> None:
        self._allocator = checked(allocator)
        self.alignment = allocator.alignment
        self.trusted, self.refusals = allocator.trusted, allocator.refusals
        self._spare: list[list[int]] = [[] for _ in range(self.LARGEST // self.GRANULE + 1)]
        self._batch = [1] * len(self._spare)
        self._most = [most_spare(number * self.GRANULE) for number in range(len(self._spare))]

    @property
    def native(self) -> Allocator:
        return self._allocator.native

    def spare(self, size: int) -> list[int] | None:
        return self._spare[-(-size // self.GRANULE)] if size <= self.LARGEST else None

    def allocate(self, size: int) -> int:
        if size > self.LARGEST:
            return self._allocate_below(size)
        number = -(-size // self.GRANULE)
        spare = self._spare[number]
        if not spare and not self.refill(size):
            # Blocks of an allocator that is not trusted are looked at one by one.
            return 0 if self.trusted else self._allocate_below(number * self.GRANULE)
        try:
            return spare.pop()
        except IndexError:  # another thread was faster
            return self.allocate(size)

    def refill(self, size: int) -> bool:
        if size > self.LARGEST or not self.trusted:
            return False
        number = -(-size // self.GRANULE)
        spare, allocate = self._spare[number], self._allocator.allocate
        rounded, batch = number * self.GRANULE, self._batch[number]
        address = found = allocate(rounded) or self._allocate_below(rounded)
        # Each goes on the list by itself, so that an interrupt loses one and not the batch.
        while address:
            try:
                spare.append(address)
            except MemoryError:
                self._allocator.free(address)
                raise
            batch -= 1
            address = allocate(rounded) if batch else 0
        self._batch[number] = min(2 * self._batch[number], self.BATCH, self._most[number] // 8)
        # Found, even where another thread took it off the list at once.
        return bool(found)

    def _allocate_below(self, size: int) -> int:
        address = self._allocator.allocate(size)
        if not address and any(self._spare):
            self.trim()
            address = self._allocator.allocate(size)
        return address

    def allocate_zeroed(self, size: int) -> int | None:
        if size <= self.LARGEST:
            return None
        address = self._allocator.allocate_zeroed(size)
        if address == 0 and any(self._spare):
            self.trim()
            address = self._allocator.allocate_zeroed(size)
        return address

    def free(self, address: int) -> None:
        self._allocator.free(address)

    def free_sized(self, address: int, size: int) -> None:
        if size > self.LARGEST:
            self._allocator.free(address)
            return
        self.shrink(size)
        self._spare[-(-size // self.GRANULE)].append(address)

    def shrink(self, size: int) -> None:
        if size <= self.LARGEST:
            spare = self._spare[-(-size // self.GRANULE)]
            most = self._most[-(-size // self.GRANULE)]
            if len(spare) >= most:
                self._give_back(spare, most // 2)

    def _give_back(self, spare: list[int], kept: int) -> None:
        free = self._allocator.free
        while len(spare) > kept:
            address = spare.pop()
            try:
                free(address)
            except self._allocator.refusals:
                spare.append(address)
                raise

    def relinquish(self, address: int) -> bool:
        return self._allocator.relinquish(address)

    def trim(self) -> None:
        """Give every kept block back to the allocator."""
        for spare in self._spare:
            self._give_back(spare, 0)
        self._allocator.trim()
