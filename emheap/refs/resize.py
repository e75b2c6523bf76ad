"""Arrays and strings that change their length."""

from __future__ import annotations

from functools import partial
from typing import Any

from emheap._util.sites import Site
from emheap.allocators.adopted import AdoptedAllocator
from emheap.allocators.base import Allocator
from emheap.blocks.block import Block, Layout
from emheap.blocks.region import Region
from emheap.blocks.transfer import check_changeable
from emheap.errors import BufferInUseError
from emheap.memories.base import Memory
from emheap.memories.elements import Pin, pin
from emheap.refs.base import HeapRef
from emheap.types import Scalar

__all__ = ["resize"]


def resize(ref: HeapRef[Any], count: int, unit: type[Scalar[Any]], site: Site) -> None:
    """Let a reference have a block of `count` elements with the contents of its own, which is
    freed.

    What is new is 0. If this raises, nothing changed.
    """
    block = ref._latest_block()
    table = check_changeable(block)
    _, address, layout, _, _ = block
    larger = layout.resized(count, count * unit.size, _source_of(layout))
    _, alignment = table.padding(address)
    moved = table.allocate(larger, unit, None, site, max(alignment, unit.alignment))
    try:
        _copy_contents(block, moved)
        ref._copy_pointees(moved)
        # Not before the old block is out of reach: another thread may take a view at any time, and
        # one of each block would let neither of them go.
        if not table.release_if_live(block, site, partial(ref._hold, moved)):
            raise table.use_after_free(block)
    except Exception:
        if ref._block is moved:  # the allocator refused to take the old block back
            ref._hold(table.revival_of(block) or moved)
        if ref._block is not moved:
            try:  # noqa: SIM105 (contextlib takes time to import)
                table.release_if_live(moved, site)
            except BufferInUseError:
                pass  # a signal handler's exception came while it was pinned: its traceback pins it
        raise


def _copy_contents(block: Block, moved: Block) -> None:
    """Copy what fits of a block to another, and set the rest of that to 0.

    While it was allocated another thread may have freed the one, or with all others the other.
    """
    _, address, layout, _, _ = block
    _, target, larger, _, _ = moved
    memory: Memory = layout.table.memory
    kept = min(layout.byte_size, larger.byte_size)
    pinned = _pin(block)
    try:
        target_pinned = _pin(moved)
        try:
            memory.write_bytes(target, memory.read_bytes(address, kept))
            if not layout.table.options.clear_allocated_regions:
                memory.fill(target + kept, larger.byte_size - kept)
        finally:
            target_pinned.release()
    finally:
        pinned.release()


def _pin(block: Block) -> Pin:
    try:
        return pin(block[0])
    except ValueError:
        raise block[2].table.use_after_free(block) from None


def _source_of(layout: Layout) -> Allocator:
    """Where the next block comes from: an arena's from that, while it is open."""
    source: Allocator = layout.source
    apart = isinstance(source, Region) and (source.closed or layout.blocks is not source.blocks)
    if apart or isinstance(source, AdoptedAllocator):
        return layout.table.allocator  # type: ignore[no-any-return]
    return source
