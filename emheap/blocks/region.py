"""The blocks of an arena."""

from __future__ import annotations

from typing import Any

from emheap.allocators.base import Allocator
from emheap.allocators.chunks import ChunkAllocator

__all__ = ["Region"]


class Region(ChunkAllocator):
    """Where the blocks of an arena come from, and the table that they are in while it is open."""

    def __init__(self, allocator: Allocator) -> None:
        super().__init__(allocator)
        self.blocks: dict[int, Any] = {}
        """The live ones by address, oldest first."""
        self.layouts: dict[tuple[Any, int | None], Any] = {}
        """Those of the blocks that it had already, by type and number of elements."""
        self.kept: set[int] = set()
        """The allocator's addresses of the live ones that were taken out of the arena."""
        self.held: dict[int, Any] = {}
        """What keeps the blocks alive where garbage is collected, by address."""

    def free(self, address: int) -> None:
        """Take back a block of unknown size."""
        super().free(address)
        self.kept.discard(address)

    def free_sized(self, address: int, size: int) -> None:
        """Take back a block of `size` bytes."""
        kept = address in self.kept
        super().free_sized(address, size)
        if kept:
            self.kept.discard(address)
