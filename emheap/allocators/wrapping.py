"""What allocators in front of another one have in common."""

from __future__ import annotations

from _thread import RLock
from collections.abc import Callable

from emheap.allocators.base import Allocator

__all__ = ["SizingAllocator", "WrappingAllocator"]


class WrappingAllocator(Allocator):
    """Passes everything on to `allocator`. As a part of a heap it is asked for each block, so
    that the short cuts of a pool beneath it are not taken.

    To have one on a heap that is open already, make a second heap in the same memory::

        limited = HeapManager(heap.memory, QuotaAllocator(heap.allocator, 1 << 20), heap.options)
    """

    needs_every_call = True

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

    def relinquish(self, address: int) -> bool:
        return self._allocator.relinquish(address)


class SizingAllocator(WrappingAllocator):
    """Knows the bytes that each live block was asked for with, and their sum.

    Its lock is not held while the other allocator is asked, which has a lock of its own: two
    threads could wait for each other, one of them in a finalizer.
    """

    def __init__(self, allocator: Allocator) -> None:
        super().__init__(allocator)
        self._sizes: dict[object, int] = {}
        """By address; by a key of its own for a block that is being allocated."""
        self._live_bytes = 0
        self._lock = RLock()

    def _admit(self, key: object, size: int) -> bool:
        """Count a block that is about to be allocated; False if it may not be."""
        self._note(key, size)
        return True

    def _enter(self, key: object, address: int) -> None:
        """Count a block by its address from now on."""
        with self._lock:
            self._sizes[address] = self._sizes.pop(key)

    def _note(self, key: object, size: int) -> None:
        with self._lock:
            # In one line, with no call between the two stores: no interrupt comes between them.
            more = size - self._sizes.get(key, 0)
            self._sizes[key], self._live_bytes = size, self._live_bytes + more

    def _forget(self, key: object) -> None:
        with self._lock:
            self._live_bytes -= self._sizes.pop(key, 0)

    def _sized(self, size: int, allocate: Callable[[int], int | None]) -> int | None:
        key, address = object(), None
        try:
            if not self._admit(key, size):
                return 0
            address = allocate(size)
            if address:
                self._enter(key, address)
            else:
                self._forget(key)
            return address
        except BaseException:  # an interrupt, or the user's function may raise anything
            self._forget(key)
            if address:
                self._forget(address)
                self._allocator.free(address)
            raise

    def allocate(self, size: int) -> int:
        return self._sized(size, self._allocator.allocate) or 0

    def allocate_zeroed(self, size: int) -> int | None:
        return self._sized(size, self._allocator.allocate_zeroed)

    def free(self, address: int) -> None:
        SizingAllocator.take_back(self, [address])

    def free_sized(self, address: int, size: int) -> None:
        SizingAllocator.take_back(self, [address], size)

    def take_back(self, owed: list[int], size: int | None = None) -> None:
        address = owed[0]
        known = self._sizes.get(address, 0)
        try:
            # Before the call, or another thread could have the address already.
            self._forget(address)
            self._allocator.take_back(owed, size)
        except BaseException:  # an interrupt, or the user's function may raise anything
            if known and owed:
                self._note(address, known)
            raise

    def relinquish(self, address: int) -> bool:
        known = self._sizes.get(address, 0)
        try:
            gone = self._allocator.relinquish(address)
            if gone:
                self._forget(address)
            return gone
        except BaseException:  # an interrupt: it was not let go
            if known:
                self._note(address, known)
            raise
