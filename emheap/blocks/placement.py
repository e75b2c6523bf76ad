"""Where a new block goes: bytes from an allocator, aligned, inside the memory, in no live block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from emheap._util.checks import align_up
from emheap._util.messages import count_of, format_address
from emheap.allocators.base import Allocator
from emheap.allocators.outstanding import OverlapError
from emheap.blocks.block import Block, Layout, describe_block
from emheap.errors import HeapCorruptionError, OutOfMemoryError
from emheap.memories.base import Memory

__all__ = ["find_room"]


class _Table(Protocol):
    """What is asked of the table of live blocks."""

    memory: Memory
    padded: dict[int, tuple[int, int]]

    @property
    def block_count(self) -> int: ...
    @property
    def total_byte_size(self) -> int: ...
    def find(self, address: int) -> Block | None: ...
    def containing(self, address: int) -> Block | None: ...


def find_room(
    table: _Table,
    layout: Layout,
    size: int,
    alignment: int,
    allocate: Callable[[int], int | None],
) -> int | None:
    """An aligned address of `size` bytes. They come from `allocate`, one of the two methods of the
    layout's source; None if it gives no such block.

    Raises OutOfMemoryError, and HeapCorruptionError for what cannot be right.
    """
    source = layout.source
    extra = alignment - 1 if alignment > source.alignment else 0
    base = _ask(table, allocate, size + extra)
    if base is not None and not extra and base % alignment:
        # An allocator of the user's need not align as malloc does: ask with room. It gets the
        # block back without its size, or a pool would keep it for the next block.
        _check_nobodys(table, source, base, base, size)
        source.free(base)
        extra = alignment - 1
        base = _ask(table, allocate, size + extra)
    if base is None:
        return None
    try:
        address = align_up(base, alignment) if extra else base
        _check_nobodys(table, source, base, address, size)
    except MemoryError:
        source.free(base)
        raise
    try:
        table.memory.check_extent(base, size + extra, "the allocator's block")
        if extra:
            table.padded[address] = base, alignment
    except Exception:
        source.free(base)
        raise
    return address


def _check_nobodys(table: _Table, source: Allocator, base: int, address: int, size: int) -> None:
    """Raise HeapCorruptionError if a live block begins where a new one would.

    Allocators compare with what they handed out themselves; blocks may have been adopted, too.
    Nothing is given back then: that would free the live block.
    """
    if source.trusted:
        return
    live = table.find(base) or table.find(address)
    if live is not None:
        raise _still_live(address, size, live)


def _still_live(address: int, size: int, live: Block) -> HeapCorruptionError:
    return HeapCorruptionError(
        f"the allocator returned {format_address(address)} for {count_of(size, 'byte')}, but "
        f"{describe_block(live)} is still live there"
    )


def _ask(table: _Table, allocate: Callable[[int], int | None], size: int) -> int | None:
    """What an allocator gives, unless it overlaps what it handed out before."""
    # A 32-bit malloc would take the size, with what alignment adds, modulo 2**32.
    if size < 1 << 8 * table.memory.pointer_size:
        try:
            address = allocate(size)
        except OverlapError as error:
            live = table.find(error.known) or table.containing(error.known)
            if live is None:  # it is kept for the next block, or is a chunk of an arena
                raise
            raise _still_live(error.address, error.size, live) from None
        if address != 0:
            return address
    total = table.total_byte_size
    raise OutOfMemoryError(
        f"no room for {count_of(size, 'byte')}: {count_of(total, 'byte')} "
        f"{'is' if total == 1 else 'are'} live in {count_of(table.block_count, 'block')} of "
        f"{table.memory.name}"
    )
