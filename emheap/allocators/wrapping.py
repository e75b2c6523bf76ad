"""What allocators in front of another one have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emheap._util.locks import Locked
from emheap.allocators.base import Allocator, is_ours
from emheap.allocators.functions import checked_address
from emheap.allocators.outstanding import OutstandingBlocks

__all__ = ["CheckedAllocator", "SizingAllocator", "WrappingAllocator", "checked"]


class WrappingAllocator(Allocator):
    """Passes everything on to `allocator`. As a part of a heap it is asked for each block, so
    that the short cuts of a pool beneath it are not taken.

    To have one on a heap that is open already, make a second heap in the same memory::

        limited = HeapManager(heap.memory, QuotaAllocator(heap.allocator, 1 << 20), heap.options)
    """

    needs_every_call = True

    def __init__(self, allocator: Allocator) -> None:
        self._allocator = checked(allocator)
        self.alignment = allocator.alignment
        self.refusals = allocator.refusals

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

    def trim(self) -> None:
        self._allocator.trim()

    def relinquish(self, address: int) -> bool:
        return self._allocator.relinquish(address)


class CheckedAllocator(WrappingAllocator):
    """An allocator of the user's, of which each block is compared with the others that it handed
    out and has not had back. Raises HeapCorruptionError for one that overlaps another."""

    def __init__(self, allocator: Allocator, pointer_size: int = 8) -> None:
        self._allocator = allocator
        self._pointer_size = pointer_size
        self.alignment = allocator.alignment
        self.needs_every_call = allocator.needs_every_call
        self.refusals = allocator.refusals
        self._outstanding = OutstandingBlocks()

    @property
    def checks(self) -> Allocator:
        """The user's allocator."""
        return self._allocator

    def allocate(self, size: int) -> int:
        return self._noted(self._allocator.allocate(size), size)

    def allocate_zeroed(self, size: int) -> int | None:
        address = self._allocator.allocate_zeroed(size)
        return None if address is None else self._noted(address, size)

    def _noted(self, result: Any, size: int) -> int:
        address = checked_address(result, size, self._pointer_size)
        if address:
            try:
                self._outstanding.add(address, size)
            except MemoryError:
                self.free(address)
                raise
        return address

    def free(self, address: int) -> None:
        # Forgotten before the call, or another thread could have the address already.
        size = self._outstanding.discard(address)
        try:
            self._allocator.free(address)
        except self.refusals:
            self._restore(address, size)
            raise

    def free_sized(self, address: int, size: int) -> None:
        known = self._outstanding.discard(address)
        try:
            self._allocator.free_sized(address, size)
        except self.refusals:
            self._restore(address, known)
            raise

    def _restore(self, address: int, size: int | None) -> None:
        if size is not None:
            self._outstanding.add(address, size)

    def relinquish(self, address: int) -> bool:
        gone = self._allocator.relinquish(address)
        if gone:
            self._outstanding.discard(address)
        return gone


def checked(allocator: Allocator, pointer_size: int = 8) -> Allocator:
    """What a heap, or another allocator, uses in the place of the one that it is made with."""
    return allocator if is_ours(type(allocator)) else CheckedAllocator(allocator, pointer_size)


class SizingAllocator(WrappingAllocator, Locked):
    """Knows the bytes that each live block was asked for with, and their sum.

    The lock is not held while the other allocator is asked, which may be a program's and have a
    lock of its own: two threads could wait for each other, one of them in a finalizer.
    """

    def __init__(self, allocator: Allocator) -> None:
        super().__init__(allocator)
        self._sizes: dict[int, int] = {}
        """The bytes of the live blocks, by address."""
        self._asked: dict[object, int] = {}
        """The bytes of the blocks that are being allocated now."""
        self._sum: int | None = 0
        """Of the sizes; None while they change, so that an interrupt leaves no wrong sum."""

    @property
    def live_byte_size(self) -> int:
        """The bytes of the live blocks."""
        with self._lock:
            if self._sum is None:
                self._sum = sum(self._sizes.values())
            return self._sum

    def _admit(self, key: object, size: int) -> bool:
        """Whether a block may be allocated, which is then among those that are being."""
        return True

    def _enter(self, address: int, size: int) -> None:
        """Count a block that was allocated."""
        self._note(address, size)

    def _note(self, address: int, size: int) -> None:
        """Count a block among the live ones."""
        with self._lock:
            total = self.live_byte_size + size - self._sizes.get(address, 0)
            self._sum = None
            self._sizes[address] = size
            self._sum = total

    def _forget(self, address: int) -> int | None:
        """Stop counting a block; returns its bytes."""
        with self._lock:
            size = self._sizes.get(address)
            if size is not None:
                total = self.live_byte_size - size
                self._sum = None
                del self._sizes[address]
                self._sum = total
            return size

    def _sized(self, size: int, allocate: Callable[[int], int | None]) -> int | None:
        key = object()
        try:
            if not self._admit(key, size):
                return 0
            address = allocate(size)
            if address:
                self._enter_or_free(address, size)
            return address
        finally:
            self._asked.pop(key, None)

    def _enter_or_free(self, address: int, size: int) -> None:
        try:
            self._enter(address, size)
        except MemoryError:
            self._allocator.free(address)
            raise

    def allocate(self, size: int) -> int:
        return self._sized(size, self._allocator.allocate) or 0

    def allocate_zeroed(self, size: int) -> int | None:
        return self._sized(size, self._allocator.allocate_zeroed)

    def free(self, address: int) -> None:
        # Forgotten before the call, or another thread could have the address already.
        size = self._forget(address)
        try:
            self._allocator.free(address)
        except self._allocator.refusals:
            if size is not None:
                self._note(address, size)
            raise

    def free_sized(self, address: int, size: int) -> None:
        known = self._forget(address)
        try:
            self._allocator.free_sized(address, size)
        except self._allocator.refusals:
            if known is not None:
                self._note(address, known)
            raise

    def relinquish(self, address: int) -> bool:
        gone = self._allocator.relinquish(address)
        if gone:
            self._forget(address)
        return gone
