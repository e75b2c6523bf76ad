"""Blocks that change hands or size."""

from __future__ import annotations

from typing import Any

from emheap._util.messages import format_address
from emheap._util.sites import Site
from emheap.blocks.block import Block, Layout, describe_block
from emheap.blocks.table import BlockTable
from emheap.errors import AlreadyOwnedError, NotSupportedError, OutOfMemoryError
from emheap.types import Scalar

__all__ = ["adopt", "check_changeable", "detach"]


def check_changeable(block: Block) -> BlockTable:
    """The table of a block that is live, ours, and has no view out."""
    table: BlockTable = block[2].table
    if not table.is_live(block):
        refused = block[2].borrowed or table.detached.get(block[1]) is block
        raise table.refusal(block) if refused else table.use_after_free(block)
    table.check_not_lent(block)
    return table


def detach(block: Block, site: Site) -> int:
    """Let go of a block without freeing it; gives its address, for whoever frees it now."""
    table = check_changeable(block)
    _, address, layout, _, _ = block
    padding, alignment = table.padding(address)
    if padding:
        raise NotSupportedError(
            f"{describe_block(block)} cannot be detached: to be aligned to {alignment} bytes it "
            f"lies {padding} bytes inside the allocator's block, which another program's free "
            "would not recognise; allocate it without align="
        )
    out: list[Block | None] = []
    gone = False
    try:
        lent = table.take_out(block, out, table.use_after_free)
        table.end(block, lent)
        gone = layout.source.relinquish(address)
        if gone:
            table.detached[address] = block
            table.retire(block, site)
            return address
        revived = table.revive(block)
        table.register(revived)
        out.clear()
        return _move_out(table, block, revived, site)
    except BaseException:
        if gone:  # an interrupt: nobody has got the address, so it is freed
            table.detached.pop(address, None)
            table.retire(block, site)
            layout.source.take_back([address])
        elif out:
            table.restore(block, out)
        raise


def _move_out(table: BlockTable, block: Block, revived: Block, site: Site) -> int:
    """Detach a copy of a block that lies where only our allocator can free it."""
    _, address, layout, _, _ = block
    size = max(layout.byte_size, 1)
    native = layout.source.native
    moved = 0
    try:
        moved = native.allocate(size)
        if not moved:
            raise OutOfMemoryError(f"no room for {size} bytes to detach {describe_block(block)} to")
        table.memory.write_bytes(moved, table.memory.read_bytes(address, size))
        table.release(revived, site)
        table.detached[address] = block
        table.freed[address] = (block, *site)
        return moved
    except BaseException:
        table.detached.pop(address, None)
        if moved:
            native.free(moved)
        raise


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
    block: Block = (
        layout.open_elements(unit, start, count),
        start,
        layout,
        *table.with_stack(site),
    )
    table.register(block)
    return block
