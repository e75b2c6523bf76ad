"""Who owns which bytes: the live blocks of a heap, and where the late ones were freed.

A block is a tuple, and its first item is what a reference reads and writes through. Freeing the
block releases that item, so every reference that shares it finds out at its next access, and a
live access tests nothing. A block object with a flag costs 90 bytes more for each block and an
attribute read for each access; refs in the table would keep dropped ones alive, so that neither
a leak could be seen nor a block collected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any, ClassVar
from weakref import WeakValueDictionary

from emheap._util.messages import format_address
from emheap._util.sites import Origin, Site, describe_site
from emheap.allocators.base import Allocator
from emheap.allocators.pool import PoolAllocator
from emheap.blocks.block import Block, Layout, describe_block, is_released
from emheap.blocks.loans import LoanTable
from emheap.blocks.options import Options
from emheap.blocks.placement import find_room
from emheap.blocks.views import ViewTable
from emheap.errors import (
    DoubleFreeError,
    HeapError,
    NotAllocatedError,
    NullPointerError,
    UseAfterFreeError,
)
from emheap.memories.atomics.base import Atomics
from emheap.memories.base import Memory
from emheap.types import Scalar

__all__ = ["BlockTable"]

_REMEMBERED = 2048
"""The freed blocks whose sites are kept for messages."""


class BlockTable:
    """The live blocks of one heap."""

    for_values: ClassVar[bool] = False
    """Whether the blocks are structures on no heap of the program's."""
    places: Any
    """Opens references at addresses of the heap; see `emheap.refs.places`."""

    def __init__(self, memory: Memory, allocator: Allocator, options: Options) -> None:
        self.memory = memory
        self.raw_memory = memory
        """What addresses of the user's are looked up in: on a debug heap it checks them."""
        self.allocator = allocator
        self.options = options
        self.loans = LoanTable()
        self.views = ViewTable()
        self.freed: dict[int, tuple[Block, Origin, int]] = {}
        """The late blocks by address, with the site where each was freed."""
        self.mixed: dict[int, Block] = {}
        """The live arrays, strings and over-aligned scalars by address."""
        self.padded: dict[int, tuple[int, int]] = {}
        """For blocks aligned by us: the allocator's address and the alignment, by ours."""
        self.detached: dict[int, Block] = {}
        """The late blocks that live on in other hands, by address."""
        self.revived: dict[int, tuple[Block, Block]] = {}
        """What stands for blocks whose freeing failed, by address."""
        self._scalars: dict[type[Any], Layout] = {}
        self.holders: WeakValueDictionary[int, Any] = WeakValueDictionary()
        """What keeps a block alive, by the block's id, where garbage is collected."""

    @cached_property
    def atomics(self) -> Atomics:
        """Indivisible reads and writes on this heap's memory."""
        return self.memory.open_atomics()

    def scalar_layout(self, scalar: type[Scalar[Any]]) -> Layout:
        """The layout that all scalars of a type share. Their table is theirs alone, so that its
        length, which is always right, counts their bytes."""
        return self.shared_layout(
            scalar, lambda: Layout(self, scalar, None, scalar.size, blocks={})
        )

    def shared_layout(self, kind: type[Any], make: Callable[[], Layout]) -> Layout:
        """The layout that all single values of a type share; made, with a table, if need be."""
        layout = self._scalars.get(kind)
        if layout is None:
            layout = make()
            options = self.options
            tracked = options.track_allocations and not options.enable_garbage_collection
            if tracked and isinstance(self.allocator, PoolAllocator):
                layout.spare = self.allocator.spare(layout.byte_size)
            layout = self._scalars.setdefault(kind, layout)  # another thread may have been here
        return layout

    # Allocation

    def allocate(
        self,
        layout: Layout,
        unit: type[Scalar[Any]],
        data: bytes | memoryview | None,
        site: Site,
        alignment: int | None = None,
    ) -> Block:
        """A new block holding `data`, or zeros if the heap's options say so."""
        size = max(layout.byte_size, 1)
        count = 1 if layout.count is None else layout.count
        clear = data is None and self.options.clear_allocated_regions
        address = 0
        block: Block | None = None
        # Here and below: what an allocator hands out is taken within `try`, and the line that
        # passes it on is the last one there. So an interrupt before any line loses nothing.
        try:
            address, cleared = find_room(self, layout, size, alignment or unit.alignment, clear)
            if clear and not cleared:
                self.memory.fill(address, size)
            if data is not None and len(data):
                self.memory.write_bytes(address, data)
            elements = layout.open_elements(unit, address, count)
            block = (elements, address, layout, *site)
            self.register(block)
            return block
        except BaseException:
            if block is not None:
                self.claim(block)
            if address:
                self._give_back([address], layout, self.padded.pop(address, None))
            raise

    def register(self, block: Block) -> None:
        """Enter a block that was allocated, or adopted, into its table."""
        _, address, layout, _, _ = block
        if not self.options.track_allocations:
            return
        layout.blocks[address] = block
        self._trim_history()

    def _give_back(self, owed: list[int], layout: Layout, padding: tuple[int, int] | None) -> None:
        """Let the allocator have a block's address, or the one before its padding."""
        if padding is None:
            layout.source.take_back(owed, max(layout.byte_size, 1))
        else:
            owed[0] = padding[0]
            layout.source.take_back(owed)

    def padding(self, address: int) -> tuple[int, int]:
        """The bytes before a block that its alignment takes, and the alignment; or ``0, 1``."""
        base, alignment = self.padded.get(address, (address, 1))
        return address - base, alignment

    # Freeing

    def release(self, block: Block, site: Site, before: Callable[[], None] = lambda: None) -> None:
        """Free a block: by its reference, its address, or the collector.

        `before` is called once no view is in the way, while the bytes are there still.
        """
        _, address, layout, _, _ = block
        if not self.is_live(block):
            raise self.refusal(block)
        self.check_not_lent(block)
        out: list[Block | None] = []
        owed, padding = [address], None
        try:
            lent = self.take_out(block, out, self.refusal)
            before()
            self.end(block, lent)
            # Out before the call: a later block may have the address at once. Known before it is
            # out, or an interrupt in between would leave the block without it.
            padding = self.padded.get(address)
            self.padded.pop(address, None)
            self._give_back(owed, layout, padding)
            self.retire(block, site)
        except BaseException:
            # A view is in use, the user's free function failed, or an interrupt came: the block
            # stays as it was, unless the allocator has it.
            if not owed:
                self.retire(block, site)
            else:
                if padding is not None:
                    self.padded[address] = padding
                self.restore(block, out)
            raise

    def release_together(self, blocks: list[Block], site: Site) -> None:
        """Free blocks, the first one first: all of them, or none if one of them is in use."""
        taken: list[tuple[Block, list[Block | None]]] = []
        try:
            for block in blocks:
                out: list[Block | None] = []
                taken.append((block, out))
                self.end(block, self.take_out(block, out, self.refusal))
            for block in blocks:
                _, address, layout, _, _ = block
                self._give_back([address], layout, self.padded.pop(address, None))
                self.retire(block, site)
                del taken[0]
        except BaseException:
            for block, out in taken:
                self.restore(block, out)
            raise

    def end(self, block: Block, lent: list[Any]) -> None:
        """Make every use of a block that has left its table raise, before its bytes can become
        another block's. Raises BufferInUseError if something still uses them."""
        elements, address, _, _, _ = block
        if lent:
            self.loans.end(lent, describe_block(block))
        self.views.release(address, elements, partial(describe_block, block))

    def restore(self, block: Block, out: list[Block | None]) -> None:
        """Undo `take_out` and `end`."""
        if out and out[0] is block and is_released(block[0]):
            out[0] = self.revive(block)
        self.put_back(out)

    def revive(self, block: Block) -> Block:
        """A block as it was, which the allocator refused to take back."""
        _, address, layout, code, offset = block
        unit: Any = getattr(layout.kind, "unit", layout.kind)
        count = 1 if layout.count is None else layout.count
        revived = (layout.open_elements(unit, address, count), address, layout, code, offset)
        self.revived[address] = block, revived
        return revived

    def revival_of(self, block: Block) -> Block | None:
        """The block that stands for one whose freeing failed after its elements had ended."""
        old, new = self.revived.get(block[1], (None, None))
        return new if old is block and new is not None and self.is_live(new) else None

    def take_out(
        self,
        block: Block,
        out: list[Block | None],
        refusal: Callable[[Block], HeapError],
    ) -> list[Any]:
        """Take a block out of its table, with no view in the way; gives what is lent of it.

        Whoever calls this has looked, but another thread may have freed the block since: then
        `refusal` is raised. What came out of the table goes to the list `out` in the same line,
        for `put_back` to undo it.
        """
        _, address, layout, _, _ = block
        tracked = self.options.track_allocations
        out.append(layout.blocks.pop(address, None) if tracked else block)
        if out[0] is not block:
            raise refusal(block)
        # Out of the table, and then one more look at the views: whoever takes one at the same
        # moment looks into the table afterwards, so one of the two finds out.
        self.unlist(block)
        self.check_not_lent(block)
        return self.loans.overlapping(address, max(layout.byte_size, 1))

    def put_back(self, out: list[Block | None]) -> None:
        """Undo `take_out`, also where it took another block, at the same address by now."""
        for found in out:
            if found is not None:
                self.register(found)

    def retire(self, block: Block, site: Site) -> None:
        """Record where a block was freed."""
        _, address, _, _, _ = block
        self.freed[address] = (block, *site)
        self.revived.pop(address, None)
        self._trim_history()

    def claim(self, block: Block) -> bool:
        """Take a block out of its table; only one thread gets it."""
        _, address, layout, _, _ = block
        # No lock: a finalizer could run while this thread held it, and want another that a thread
        # holds whose finalizer wants this one.
        found = layout.blocks.pop(address, None)
        if found is block:
            self.unlist(block)
        elif found is not None:
            layout.blocks[address] = found  # the address is another block's by now
        return found is block

    def unlist(self, block: Block) -> None:
        """Take a block that has left its table out of what else it is in."""

    def release_address(self, address: int, site: Site) -> None:
        """Free the block that starts at `address`."""
        if not self.options.track_allocations:
            if address <= 0:
                raise self._unknown_address(address)
            self._release_untracked([address])
            return
        block = self.find(address)
        if block is None:
            raise self._unknown_address(address)
        self.release(block, site)

    def _release_untracked(self, owed: list[int]) -> None:
        address, padding = owed[0], None
        try:
            padding = self.padded.get(address)
            self.padded.pop(address, None)
            if padding is not None:
                owed[0] = padding[0]
            self.allocator.take_back(owed)
        except BaseException:
            if owed and padding is not None:
                self.padded[address] = padding
            raise

    def _trim_history(self) -> None:
        if len(self.freed) > 2 * _REMEMBERED:
            for address in list(self.freed)[:_REMEMBERED]:
                self.freed.pop(address, None)
                self.detached.pop(address, None)

    # Looking things up

    def is_live(self, block: Block) -> bool:
        """Whether a block that this heap handed out has not been freed."""
        elements, address, layout, _, _ = block
        if layout.borrowed:
            return False
        if self.options.track_allocations:
            return layout.blocks.get(address) is block
        return not is_released(elements)

    def find(self, address: int) -> Block | None:
        """The live block that starts at `address`."""
        block = self.mixed.get(address)
        if block is not None:
            return block
        for layout in list(self._scalars.values()):
            block = layout.blocks.get(address)
            if block is not None:
                return block
        return None

    def __iter__(self) -> Iterator[Block]:
        """The live blocks, oldest first within a type."""
        yield from list(self.mixed.values())
        for layout in list(self._scalars.values()):
            yield from list(layout.blocks.values())

    @property
    def block_count(self) -> int:
        """The live blocks."""
        scalars = sum(len(layout.blocks) for layout in list(self._scalars.values()))
        return len(self.mixed) + scalars

    @property
    def total_byte_size(self) -> int:
        """The bytes of the live blocks, without what an allocator adds."""
        scalars = sum(
            len(layout.blocks) * layout.byte_size for layout in list(self._scalars.values())
        )
        # Added up here, because an interrupt could come between a table and a running sum.
        return scalars + sum(block[2].byte_size for block in list(self.mixed.values()))

    def containing(self, address: int) -> Block | None:
        """The live block that `address` lies in. Walks all of them; for messages."""
        for block in self:
            if block[1] <= address < block[1] + max(block[2].byte_size, 1):
                return block
        return None

    def live_block(self, address: int, what: str) -> Block:
        """The live block that starts at `address`; raises NotAllocatedError naming `what`."""
        block = self.find(address)
        if block is None:
            raise NotAllocatedError(f"{what}: {self._unknown_address(address)}; nothing was freed")
        return block

    def check_not_lent(self, block: Block) -> None:
        """Raise BufferInUseError if a view of a block is still in use after it was recalled."""
        if self.loans.buckets:
            self.loans.recall(block[1], max(block[2].byte_size, 1), describe_block(block))

    # Messages

    def with_stack(self, site: Site) -> Site:
        """What is recorded of a site: on a debug heap the callers too."""
        return site

    def describe_use(self, what: str) -> str:
        """Where a mistake was made, for a heap whose messages say more than the traceback does."""
        return ""

    def freed_at(self, block: Block) -> str:
        """Where a block, or the one around a wrapped reference, was freed."""
        start = block[1]
        record = self.freed.get(start)
        if record is not None and (record[0] is block or block[2].borrowed):
            ended = "detached" if self.detached.get(start) is record[0] else "freed"
            return f"{ended} at {describe_site((record[1], record[2]))}"
        if block[2].borrowed:
            for around, code, offset in reversed(list(self.freed.values())):
                if around[1] <= start < around[1] + max(around[2].byte_size, 1):
                    freed = f"freed at {describe_site((code, offset))}"
                    return f"inside {describe_block(around)}, which was {freed}"
        return "freed earlier, at a place no longer on record"

    def use_after_free(self, block: Block) -> UseAfterFreeError:
        """The error for a use of a reference whose block is gone."""
        return UseAfterFreeError(
            f"use after free: {describe_block(block)}, {self.freed_at(block)}"
            f"{self.describe_use('used')}; allocate anew, or free later"
        )

    def refusal(self, block: Block) -> HeapError:
        """The error for freeing a block that is not live, or not ours."""
        if block[2].borrowed:
            return NotAllocatedError(
                f"{describe_block(block)} is a wrapped reference: whoever allocated it must free it"
            )
        if self.detached.get(block[1]) is block:
            return NotAllocatedError(
                f"{describe_block(block)} was {self.freed_at(block)}: whoever has it now must "
                "free it, or heap.adopt() it back"
            )
        return DoubleFreeError(
            f"double free: {describe_block(block)}, {self.freed_at(block)}"
            f"{self.describe_use('freed again')}"
        )

    def _unknown_address(self, address: int) -> HeapError:
        if address == 0:
            return NullPointerError("cannot free the null pointer: no block has address 0")
        record = self.freed.get(address)
        if record is not None:
            return self.refusal(record[0])
        around = self.containing(address)
        if around is not None:
            return NotAllocatedError(
                f"{format_address(address)} is not the start of a block: it lies "
                f"{address - around[1]} bytes inside {describe_block(around)}"
            )
        return NotAllocatedError(
            f"{format_address(address)} was not handed out by this heap ({self.memory.name}), "
            "or was freed long ago; free it where it was allocated"
        )
