"""Blocks that change hands or size."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from emheap.allocators.adopted import AdoptedAllocator
from emheap.blocks import BlockTable
from emheap.errors import AlreadyOwnedError, NotSupportedError, OutOfMemoryError, format_address
from emheap.records import Block, Layout, describe_block
from emheap.sites import Site
from emheap.types import Scalar

if TYPE_CHECKING:
    from emheap.refs.base import HeapRef

__all__ = ["adopt", "detach", "resize"]


def _check_changeable(block: Block) -> BlockTable:
    """The table of a block that is live, ours, and has no view out."""
    table = block[2].owner
    if not table.is_live(block):
        refused = block[2].borrowed or table.detached.get(block[1]) is block
        raise table.refusal(block) if refused else table.use_after_free(block)
    table.check_not_lent(block)
    return table


def detach(block: Block, site: Site) -> int:
    """Let go of a block without freeing it; gives its address, for whoever frees it now."""
    table = _check_changeable(block)
    _, address, layout, _, _ = block
    padding, alignment = table.padding(address)
    if padding:
        raise NotSupportedError(
            f"{describe_block(block)} cannot be detached: to be aligned to {alignment} bytes it "
            f"lies {padding} bytes inside the allocator's block, which another program's free "
            "would not recognise; allocate it without align="
        )
    out: list[Block | None] = []
    lent: list[Any] = []
    gone = False
    try:
        lent = table.take_out(block, out, table.use_after_free)
        gone = layout.source.let_go(address)
        if gone:
            table.detached[address] = block
            table.bury(block, site, lent)
            return address
        table.put_back(out)
        out.clear()
        return _move_out(table, block, site)
    except BaseException:
        if gone:  # an interrupt: nobody has got the address, so it is freed
            table.detached.pop(address, None)
            table.bury(block, site, lent)
            layout.source.take_back([address])
        else:
            table.put_back(out)
        raise


def _move_out(table: BlockTable, block: Block, site: Site) -> int:
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
        table.detached[address] = block
        table.release(block, site)
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
    block: Block = (table.memory.elements(unit, start, count), start, layout, *table.deepen(site))
    table.register(block)
    return block


def resize(ref: HeapRef[Any], count: int, unit: type[Scalar[Any]], site: Site) -> None:
    """Let a reference have a block of `count` elements with the contents of its own, which is
    freed.

    What is new is 0. If this raises, nothing changed; after an interrupt it may have.
    """
    block = ref._block
    table = _check_changeable(block)
    _, address, layout, _, _ = block
    source = layout.source
    if isinstance(source, AdoptedAllocator):
        source = table.allocator
    larger = Layout(table, layout.kind, count, count * unit.size, source=source)
    _, alignment = table.padding(address)
    moved: Block | None = None
    holder = getattr(ref, "_holder", None)  # only references to collected blocks have one
    try:
        moved = table.allocate(larger, unit, None, site, max(alignment, unit.alignment))
        kept = min(layout.byte_size, larger.byte_size)
        memory = table.memory
        memory.write_bytes(moved[1], memory.read_bytes(address, kept))
        if not table.options.clear_allocated_regions:
            memory.fill(moved[1] + kept, larger.byte_size - kept)
        # Not before the old block is out of reach: another thread may take a view at any time, and
        # one of each block would let neither of them go.
        table.release(block, site, partial(ref._hold, moved))
    except BaseException:
        if moved is not None and (ref._block is block or table.is_live(block)):
            ref._hold(block, holder)
            if table.is_live(moved):
                table.release(moved, site)
        raise
