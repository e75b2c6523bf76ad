"""What the table of blocks says of mistakes."""

from __future__ import annotations

from collections.abc import Iterator

from emheap._util.locks import value_of
from emheap._util.messages import count_of, format_address
from emheap._util.sites import Origin, Site, describe_site
from emheap.blocks.block import Block, describe_block
from emheap.errors import (
    DoubleFreeError,
    HeapError,
    NotAllocatedError,
    NullPointerError,
    UseAfterFreeError,
)
from emheap.memories.base import Memory

__all__ = ["Messages"]


class Messages:
    """The errors of a table of blocks."""

    memory: Memory
    freed: dict[int, tuple[Block, Origin, int]]
    detached: dict[int, Block]

    def __iter__(self) -> Iterator[Block]:
        raise NotImplementedError

    def with_stack(self, site: Site) -> Site:
        """What is recorded of a site: on a debug heap the callers too."""
        return site

    def describe_use(self, what: str) -> str:
        """Where a mistake was made, for a heap whose messages say more than the traceback does."""
        return ""

    def freed_at(self, block: Block) -> str:
        """Where a block, or the one around a wrapped reference, was freed."""
        _, start, layout, _, _ = block
        record = value_of(self.freed, start)
        if record is not None and (record[0] is block or layout.borrowed):
            ended = "detached" if value_of(self.detached, start) is record[0] else "freed"
            return f"{ended} at {describe_site((record[1], record[2]))}"
        if layout.borrowed:
            for around, code, offset in reversed(list(self.freed.values())):
                if _lies_in(start, around):
                    freed = f"freed at {describe_site((code, offset))}"
                    return f"inside {describe_block(around)}, which was {freed}"
        return "freed earlier, at a place no longer on record"

    def use_after_free(self, block: Block) -> UseAfterFreeError:
        """The error for a use of a reference whose block is gone."""
        return UseAfterFreeError(
            f"use after free: {describe_block(block)}, {self.freed_at(block)}"
            f"{self.describe_use('used')}; allocate another block, or free it later"
        )

    def refusal(self, block: Block) -> HeapError:
        """The error for freeing a block that is not live, or not ours."""
        _, address, layout, _, _ = block
        if layout.borrowed:
            return NotAllocatedError(
                f"{describe_block(block)} is a wrapped reference: the code that allocated it must "
                "free it"
            )
        if value_of(self.detached, address) is block:
            return NotAllocatedError(
                f"{describe_block(block)} was {self.freed_at(block)}: the code that owns it now "
                "must free it, or heap.adopt() it back"
            )
        return DoubleFreeError(
            f"double free: {describe_block(block)}, {self.freed_at(block)}"
            f"{self.describe_use('freed again')}"
        )

    def closed_error(self, site: Site) -> UseAfterFreeError:
        """The error for a use of a heap that was closed."""
        return UseAfterFreeError(
            f"the heap of {self.memory.name} was closed at {describe_site(site)}; open another "
            "one, or close it later"
        )

    def unknown_address(self, address: int) -> HeapError:
        """The error for freeing an address at which no live block starts."""
        if address == 0:
            return NullPointerError("cannot free the null pointer: no block has address 0")
        record = value_of(self.freed, address)
        if record is not None:
            return self.refusal(record[0])
        around = self.containing(address)
        if around is not None:
            return NotAllocatedError(
                f"{format_address(address)} is not the start of a block: it lies "
                f"{count_of(address - around[1], 'byte')} inside {describe_block(around)}"
            )
        return NotAllocatedError(
            f"{format_address(address)} was not allocated by this heap ({self.memory.name}), "
            "or was freed long ago; free it where it was allocated"
            f"{self.memory.explain_sign(address)}"
        )

    def containing(self, address: int) -> Block | None:
        """The live block that `address` lies in. Walks all of them; for messages."""
        return next((block for block in self if _lies_in(address, block)), None)


def _lies_in(address: int, block: Block) -> bool:
    _, start, layout, _, _ = block
    return start <= address < start + max(layout.byte_size, 1)
