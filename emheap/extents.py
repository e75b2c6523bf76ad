"""What lies where on a heap: its blocks, live and freed, and what lies between them."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from emheap.blocks import BlockTable
from emheap.records import Block, describe_block, describe_freed, end_of

__all__ = ["Extent", "divide"]


class Extent(NamedTuple):
    """Bytes that belong together."""

    start: int
    end: int
    block: Block | None
    """The block that they are, or were, a part of."""
    state: str
    """What is told of it: of a live block what it is, of a freed one where that was, too."""
    is_live: bool


def divide(table: BlockTable, start: int, end: int) -> list[Extent]:
    """The bytes from `start` to `end` by the block that they belong to, in order.

    Of blocks that overlap, as an adopted one may, the one that begins first is told of; of freed
    ones those whose bytes no other block has since.
    """
    found: list[Extent] = []
    for block in sorted(table, key=lambda block: block[1]):
        _add(found, _cut(block, start, end, describe_block(block), is_live=True))
    for block, origin, offset in reversed(list(table.freed.values())):
        state = f"freed: {describe_freed(block, (origin, offset))}"
        _add(found, _cut(block, start, end, state, is_live=False))
    whole: list[Extent] = []
    position = start
    for extent in [*found, Extent(end, end, None, "", False)]:
        if extent.start > position:
            whole.append(Extent(position, extent.start, None, "no known block", False))
        whole.append(extent)
        position = extent.end
    return whole[:-1]


def _cut(block: Block, start: int, end: int, state: str, *, is_live: bool) -> Extent:
    first, last = max(block[1], start), min(end_of(block), end)
    return Extent(first, last, block, state, is_live)


def _add(found: list[Extent], extent: Extent) -> None:
    if extent.start >= extent.end:
        return
    position = bisect_right(found, extent.start, key=lambda known: known.start)
    before, after = found[position - 1 : position], found[position : position + 1]
    if before and position and before[0].end > extent.start:
        return
    if after and after[0].start < extent.end:
        return
    found.insert(position, extent)
