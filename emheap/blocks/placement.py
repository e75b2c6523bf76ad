"""Where a new block goes: bytes from an allocator, aligned, inside of the memory, and nobody's."""

from __future__ import annotations

from typing import Protocol

from emheap._util.checks import align_up
from emheap._util.messages import format_address
from emheap.allocators.base import Allocator
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


def find_room(
    table: _Table, layout: Layout, size: int, alignment: int, clear: bool
) -> tuple[int, bool]:
    """An aligned address of `size` bytes, and whether they are 0 already.

    Raises OutOfMemoryError, and HeapCorruptionError for what cannot be right.
    """
    source = layout.source
    extra = alignment - 1 if alignment > source.alignment else 0
    address = 0
    owed: list[int] = []
    try:
        owed, cleared = _ask(table, source, size + extra, clear)
        if not extra and owed[0] % alignment and table.find(owed[0]) is None:
            # An allocator of the user's need not align as malloc does: ask with room. The size
            # is not told, or a pool would keep the block for the next one.
            source.take_back(owed)
            extra = alignment - 1
            owed, cleared = _ask(table, source, size + extra, clear)
        base = owed[0]
        address = align_up(base, alignment) if extra else base
        live = table.find(address) or table.find(base)
        if live is not None:
            owed = []  # the address belongs to the live block: giving it back would free that
            raise HeapCorruptionError(
                f"the allocator returned {format_address(address)} for {size} bytes, but "
                f"{describe_block(live)} is still live there"
            )
        table.memory.check_extent(address, size, "the allocator's block")
        if extra:
            table.padded[address] = base, alignment
        return address, cleared
    except BaseException:
        if owed:
            table.padded.pop(address, None)
            source.take_back(owed)
        raise


def _ask(table: _Table, source: Allocator, size: int, clear: bool) -> tuple[list[int], bool]:
    """A list of one address, as `Allocator.take_back` wants it, and whether its bytes are 0."""
    if size >= 1 << 8 * table.memory.pointer_size:
        # A 32-bit malloc would take the size, with what alignment adds, modulo 2**32.
        raise _no_room(table, size)
    address: int | None = None
    try:
        if clear:
            address = source.allocate_zeroed(size)
        if address:
            return [address], True
        if address is None:
            address = source.allocate(size)
        if address:
            return [address], False
    except BaseException:  # an interrupt, or the user's function may raise anything
        if address:
            source.free(address)
        raise
    raise _no_room(table, size)


def _no_room(table: _Table, size: int) -> OutOfMemoryError:
    return OutOfMemoryError(
        f"no room for {size} bytes: {table.total_byte_size} bytes are live in "
        f"{table.block_count} blocks of {table.memory.name}"
    )
