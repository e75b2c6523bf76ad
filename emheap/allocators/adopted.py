"""Blocks that another program allocated, and that are ours to free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emheap.allocators.base import Allocator

__all__ = ["AdoptedAllocator"]


class AdoptedAllocator(Allocator):
    """Allocates nothing; frees adopted blocks by `free`, or as the heap's own malloc does.

    A pool must not keep one: it would reuse the bytes that its own blocks are rounded up by.
    """

    def __init__(self, heap_allocator: Allocator, free: Callable[[int], Any] | None) -> None:
        if free is not None and not callable(free):
            raise TypeError(
                "free must be a function that takes an address, "
                f"not {type(free).__name__} {free!r:.60}"
            )
        self._native = heap_allocator.native
        self._free = free
        if free is None:
            self.refusals = self._native.refusals

    @property
    def frees_by_function(self) -> bool:
        """Whether the blocks are freed by a function of the user's."""
        return self._free is not None

    @property
    def native(self) -> Allocator:
        return self._native

    def allocate(self, size: int) -> int:
        return 0

    def free(self, address: int) -> None:
        (self._free or self._native.free)(address)

    def free_sized(self, address: int, size: int) -> None:
        if self._free is None:
            self._native.free_sized(address, size)
        else:
            self._free(address)
