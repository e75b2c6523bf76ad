"""Blocks that change hands or size."""

from __future__ import annotations

from typing import Any

from emheap._util.messages import count_of, format_address
from emheap._util.sites import Site
from emheap.allocators.adopted import AdoptedAllocator
from emheap.allocators.base import Allocator
from emheap.allocators.pool import PoolAllocator
from emheap.blocks.block import Block, Layout, describe_block, describe_freed
from emheap.blocks.table import BlockTable
from emheap.errors import AlreadyOwnedError, HeapError, NotSupportedError, OutOfMemoryError
from emheap.types import Scalar

__all__ = ["adopt", "check_changeable", "detach"]


def check_changeable(block: Block) -> BlockTable:
    """The table of a block that is live, ours, and has no view in use."""
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
            f"lies {count_of(padding, 'byte')} inside the allocator's block, which another "
            "program's free would not recognise; allocate it without align="
        )
    if not table.retire(block, site):
        raise table.use_after_free(block)
    try:
        gone = layout.source.relinquish(address)
    except _refusals(layout):
        table.restore(block)
        raise
    moved = address if gone else _move_out(table, block)
    try:  # noqa: SIM105 (contextlib takes time to import)
        table.detached[address] = block
    except MemoryError:
        pass  # it is for messages only
    return moved


def _refusals(layout: Layout) -> tuple[type[Exception], ...]:
    """The errors after which a block is allocated still."""
    return (HeapError, MemoryError, *layout.source.refusals)


def _move_out(table: BlockTable, block: Block) -> int:
    """Free a block that only our allocator can free; returns the address of a copy, which is no
    block of ours."""
    _, address, layout, _, _ = block
    native: Allocator = layout.source.native
    size = layout.byte_size or 1
    moved, copied = 0, False
    try:
        moved = native.allocate(size)
        if not moved:  # no room, say
            raise OutOfMemoryError(
                f"no room for {count_of(size, 'byte')} to detach {describe_block(block)} to"
            )
        native.relinquish(moved)
        table.memory.write_bytes(moved, table.memory.read_bytes(address, size))
        copied = True
        table.give_back(layout, address)
    except BaseException as error:  # an error, or an interrupt: nobody has got the copy
        if moved:
            native.free(moved)
        if not copied or isinstance(error, _refusals(layout)):
            table.restore(block)
        raise
    return moved


def adopt(
    table: BlockTable, layout: Layout, unit: type[Scalar[Any]], start: int, site: Site
) -> Block:
    """A block of the table where another program allocated one."""
    table.check_open()
    around = table.owner_of(start)
    problem = _owner_of(table, layout, start, around)
    if problem:
        raise AlreadyOwnedError(f"{format_address(start)} cannot be adopted: {problem}")
    count = 1 if layout.count is None else layout.count
    elements = layout.open_elements(unit, start, count)
    block: Block = (elements, start, layout, *table.with_stack(site))
    if around is not None:
        table.inner[start] = block
        table.loans.add_elements(start, layout.byte_size, elements)  # no short cut frees `around`
    table.register(block)
    return block


def _owner_of(table: BlockTable, layout: Layout, start: int, around: Block | None) -> str:
    """Why bytes cannot be adopted that this heap has already; empty if they can be."""
    live = table.find(start)
    if live is not None:
        return f"{describe_block(live)} is live there"
    kept = _kept_around(table, layout, start)
    if kept:
        return kept
    last = table.owner_of(start + max(layout.byte_size, 1) - 1)
    if last is not around:
        crossed = last or around
        assert crossed is not None
        return f"its {layout.byte_size} bytes reach across the end or the start of " + (
            describe_block(crossed)
        )
    source = layout.source
    if around is not None and isinstance(source, AdoptedAllocator) and not source.frees_by_function:
        return (
            f"it lies {count_of(start - around[1], 'byte')} inside {describe_block(around)}; "
            "wrap it, or pass the free= of the allocator that it came from"
        )
    guarded = "" if around is not None else table.describe_guarded(start, max(layout.byte_size, 1))
    return f"its bytes are those, or in a red zone, of {guarded}" if guarded else ""


def _kept_around(table: BlockTable, layout: Layout, start: int) -> str:
    """Which freed block has some of these bytes still, for the heap keeps it; empty if none."""
    end = start + max(layout.byte_size, 1)
    step = layout.source.native.alignment
    places = range(start - start % step - PoolAllocator.LARGEST, end, step)
    if len(places) > len(table.freed):
        near = [at for at in list(table.freed) if places.start <= at < end]
    elif table.freed.keys().isdisjoint(places):  # as nearly always
        return ""
    else:
        near = list(places)
    for address in near:
        record = table.freed.get(address)
        if record is None:
            continue
        freed, code, offset = record
        spare = freed[2].spare
        if address + freed[2].byte_size > start and spare is not None and address in list(spare):
            return (
                f"{describe_freed(freed, (code, offset))}, and the heap keeps its bytes for the "
                "next block"
            )
    return ""
