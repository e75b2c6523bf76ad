"""Arrays and strings that change their length."""

from __future__ import annotations

from functools import partial
from typing import Any

from emheap._util.sites import Site
from emheap.allocators.adopted import AdoptedAllocator
from emheap.blocks.block import Block
from emheap.blocks.transfer import check_changeable
from emheap.refs.base import HeapRef
from emheap.types import Scalar

__all__ = ["resize"]


def resize(ref: HeapRef[Any], count: int, unit: type[Scalar[Any]], site: Site) -> None:
    """Let a reference have a block of `count` elements with the contents of its own, which is
    freed.

    What is new is 0. If this raises, nothing changed; after an interrupt it may have.
    """
    block = ref._block
    table = check_changeable(block)
    _, address, layout, _, _ = block
    source = layout.source
    if isinstance(source, AdoptedAllocator):
        source = table.allocator
    larger = layout.resized(count, count * unit.size, source)
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
