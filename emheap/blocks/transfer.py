"""Blocks that change hands or size."""

from __future__ import annotations

from typing import Any

from emheap._util.messages import format_address
from emheap._util.sites import Site
from emheap.blocks.block import Block, Layout, describe_block
from emheap.blocks.table import BlockTable
from emheap.errors import AlreadyOwnedError, HeapError, NotSupportedError, OutOfMemoryError
from emheap.types import Scalar

__all__ = ["adopt", "check_changeable", "detach"]


def check_changeable(block: Block) -> BlockTable:
    """The table of a block that is live, ours, and has no view out."""
    _, address, layout, _, _ = block
    table: BlockTable = layout.table
    if not table.is_live(block):
        refused = layout.borrowed or table.detached.get(address) is block
        raise table.refusal(block) if refused else table.use_after_free(block)
    table.check_not_lent(block)
    return table


def detach(block: Block, site: Site) -> int:
    """End a block without freeing it; returns its address, for the code that will free it."""
    table = check_changeable(block)
    _, address, layout, _, _ = block
    padding, alignment = table.padding(address)
    if padding:
        raise NotSupportedError(
            f"{describe_block(block)} cannot be detached: to be aligned to {alignment} bytes it "
            f"lies {padding} bytes inside the allocator's block, which another program's free "
            "would not recognise; allocate it without align="
        )
    table.retire(block, site, table.use_after_free)
    refusals: tuple[type[Exception], ...] = (HeapError, MemoryError, *layout.source.refusals)
    try:
        moved = address if layout.source.relinquish(address) else _move_out(table, block)
    except refusals:  # no room, say
        table.restore(block)
        raise
    table.detached[address] = block
    return moved


def _move_out(table: BlockTable, block: Block) -> int:
    """Free a block that only our allocator can free; gives the address of a copy."""
    _, address, layout, _, _ = block
    size = layout.byte_size or 1
    native = layout.source.native
    moved = native.allocate(size)
    if not moved:
        raise OutOfMemoryError(f"no room for {size} bytes to detach {describe_block(block)} to")
    try:
        table.memory.write_bytes(moved, table.memory.read_bytes(address, size))
        table.give_back(layout, address)
    except BaseException:  # an error, or an interrupt: nobody has got the copy
        native.free(moved)
        raise
    return moved


def adopt(
    table: BlockTable, layout: Layout, unit: type[Scalar[Any]], start: int, site: Site
) -> Block:
    """A block of the table where another program allocated one."""
    live = table.find(start)
    if live is not None:
        raise AlreadyOwnedError(
            f"{format_address(start)} cannot be adopted: {describe_block(live)} is live there"
        )
    count = 1 if layout.count is None else layout.count
    elements = layout.open_elements(unit, start, count)
    block: Block = (elements, start, layout, *table.with_stack(site))
    table.register(block)
    return block
