"""Blocks that were taken off a list and became nobody's: their value was refused."""

from __future__ import annotations

from typing import Any

from emheap._util.free_each import problem_of
from emheap.blocks.block import Layout
from emheap.blocks.region import Region

__all__ = ["put_back"]


def put_back(layout: Layout, spare: list[int], address: int) -> None:
    """Put a block on its list again. The value itself may have ended the arena, or closed the heap,
    while the block was on no list: what could not go back then goes now."""
    spare.append(address)
    if layout.spare is not None:
        return
    table: Any = layout.table
    if isinstance(layout.source, Region):
        table.close_region(layout.source)
    if table.closed_at is not None:
        problem_of(table.allocator.trim)
