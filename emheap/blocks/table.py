"""Who owns which bytes: the live blocks of a heap, and where freed ones were freed.

A block is a tuple, and its first item is what a reference reads and writes through. Freeing the
block releases that item, so every reference that shares it finds out at its next access, and a
live access tests nothing. A block object with a flag costs 90 bytes more for each block and an
attribute read for each access; refs in the table would keep dropped ones alive, so that neither
a leak could be seen nor a block collected.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakSet, WeakValueDictionary

from emheap._util.free_each import problem_of
from emheap._util.locks import Locked, exclusive, short_waits, value_of
from emheap._util.platform import HAS_GIL
from emheap._util.released import is_released
from emheap._util.sites import Origin, Site, is_within_elsewhere
from emheap.allocators.base import Allocator
from emheap.blocks.block import Block, Layout, describe_block, end_of
from emheap.blocks.ending import forget_pointees
from emheap.blocks.extents import ExtentIndex
from emheap.blocks.kept_exports import CLEARS_EXPORTED, keep_exports_of
from emheap.blocks.loans import LoanTable
from emheap.blocks.messages import Messages
from emheap.blocks.options import Options
from emheap.blocks.placement import find_room
from emheap.blocks.region import Region
from emheap.blocks.revivals import Revivals
from emheap.blocks.views import ViewTable
from emheap.errors import NotAllocatedError
from emheap.memories.base import Memory
from emheap.types import Scalar

if TYPE_CHECKING:
    from emheap.memories.atomics.base import Atomics

__all__ = ["BlockTable"]

_REMEMBERED = 2048
"""The freed blocks whose sites are kept for messages."""
_MOST_LAYOUTS = 4096
"""The layouts that are kept for the next arrays and strings of the same length."""


class BlockTable(Messages, Locked):
    """The live blocks of one heap."""

    for_values: ClassVar[bool] = False
    """Whether the blocks are structures on no heap of the program's."""
    open_places: Callable[[Any], Any]
    """Gives `places`, for this table."""

    def __init__(self, memory: Memory, allocator: Allocator, options: Options) -> None:
        self.memory = memory
        self.raw_memory = memory
        """What addresses of the user's are looked up in: on a debug heap it checks them."""
        self.allocator = allocator
        self.options = options
        self.tracked: bool = options.track_allocations
        self.loans = LoanTable()
        self.views = ViewTable()
        self.freed: dict[int, tuple[Block, Origin, int]] = {}
        """The freed blocks by address, with the site where each was freed."""
        self.mixed: dict[int, Block] = {}
        """The live arrays, strings and over-aligned scalars by address."""
        self._tables: dict[int, dict[int, Block]] = {id(self.mixed): self.mixed}
        """All tables of live blocks, by id: `mixed`, that of each scalar, that of each arena."""
        self.closed_at: Site | None = None
        """Where the heap was closed."""
        self._regions: dict[int, Region] = {}
        """Where the blocks of open arenas come from, by the id of their table."""
        self._left: list[Region] = []
        """Those of arenas that ended with blocks in use."""
        self.padded: dict[int, tuple[int, int]] = {}
        """For blocks aligned by us: the allocator's address and the alignment, by ours."""
        self.detached: dict[int, Block] = {}
        """The blocks whose ownership was passed to other code, by address."""
        self.inner: dict[int, Block] = {}
        """The live blocks that were adopted inside of others, by address: they end with those."""
        self.revived = Revivals()
        """What stands for blocks that could not be freed after all."""
        self._scalars: dict[type[Any], Layout] = {}
        self._layouts: dict[tuple[Any, int | None], Layout] = {}
        self.holders: WeakValueDictionary[int, Any] = WeakValueDictionary()
        """What keeps a block alive, by the block's id, where garbage is collected."""
        self._extents = ExtentIndex()
        _tables.add(self)

    @cached_property
    def places(self) -> Any:
        """Opens references at addresses of the heap; see `emheap.refs.places`."""
        # They remember what pointers point to, so threads that come here together share one.
        return self.__dict__.setdefault("places", self.open_places(self))

    @cached_property
    def atomics(self) -> Atomics:
        """Indivisible reads and writes on this heap's memory."""
        return self.memory.open_atomics()

    def describe_guarded(self, address: int, size: int) -> str:
        """The block whose bytes a debug heap keeps from use, among `size` bytes from an address
        that no live block lies in; empty if there is none."""
        return ""

    def __del__(
        self,
        finalizing: Callable[[], bool] = sys.is_finalizing,
        keep: Callable[[Any], None] | None = keep_exports_of if CLEARS_EXPORTED else None,
    ) -> None:
        if not hasattr(self, "_tables"):  # an interrupt came before it had any
            return
        if keep is not None:
            keep(self)
        if not finalizing():
            forget_pointees(self)

    # Layouts

    def scalar_layout(self, scalar: type[Scalar[Any]]) -> Layout:
        """The layout that all scalars of a type share. Their table is theirs alone, so that its
        length, which is always right, counts their bytes."""
        layout = self._scalars.get(scalar)
        if layout is None:
            layout = self._share(Layout(self, scalar, None, scalar.size, blocks={}))
        return layout

    def shared_layout(self, kind: type[Any], make: Callable[[], Layout]) -> Layout:
        """The layout that all single values of a type share; made, with a table, if need be."""
        return self._scalars.get(kind) or self._share(make())

    def _share(self, layout: Layout) -> Layout:
        layout.find_spare()
        self._tables[id(layout.blocks)] = layout.blocks
        # Another thread may have been here.
        return self._scalars.setdefault(layout.kind, layout)

    def layout_of(self, kind: type[Any], count: int | None, source: Allocator | None) -> Layout:
        """The layout that arrays and strings of a length share, and scalars of an arena."""
        known = source.layouts if isinstance(source, Region) else self._layouts
        layout = known.get((kind, count))
        if layout is None:
            size = kind.size if count is None else count * kind.size
            layout = Layout(self, kind, count, size, source=source)
            layout.find_spare()
            if len(known) >= _MOST_LAYOUTS:
                known.clear()
            layout = known.setdefault((kind, count), layout)
        return layout

    def open_region(self) -> Region:
        """What the blocks of a new arena come from."""
        for left in self._left:
            if not left.blocks:
                self._tables.pop(id(left.blocks), None)
        self._left = [left for left in self._left if left.blocks]
        region = Region(self.allocator)
        self._tables[id(region.blocks)] = region.blocks
        self._regions[id(region.blocks)] = region
        return region

    def close_region(self, region: Region) -> list[Exception]:
        """End an arena: its chunks go back but for those with blocks that could not be freed.

        May be done again, where an interrupt kept it from its end, or a thread that was about to
        use a block of it: then the chunks stay until the heap is closed.
        """
        if not self.stop_region(region):
            return []
        for address in list(region.blocks):
            self.keep(region, address)
        problems = region.close(region.kept)
        self._regions.pop(id(region.blocks), None)
        if region.blocks:
            self._left.append(region)
        else:
            self._tables.pop(id(region.blocks), None)
        return problems

    def stop_region(self, region: Region) -> bool:
        """Let an arena that ends give no more blocks; tell whether each is free or in its table.

        Another thread may have taken one, and fill it, but not have entered it yet; it is waited
        for. Asking costs nothing before, where a lock that each allocation takes would.
        """
        region.stop()
        for layout in list(region.layouts.values()):
            layout.spare = None
        for _ in short_waits():
            starts = {address - self.padding(address)[0] for address in list(region.blocks)}
            if region.count_missing(starts | region.kept) <= 0:
                return True
            if not is_within_elsewhere():
                return True  # an interrupt lost it
        return False

    def close(self, site: Site) -> list[Exception]:
        """Free all blocks, and give all that is kept for later blocks back to the allocator.

        If something is still in use, the rest is freed and the table stays open: gives the errors.
        May be done again, where an interrupt kept it from its end.
        """
        self.closed_at = site
        problems = self.release_all(list(self), site)
        lent = problem_of(self.loans.end_all)
        if lent is not None:
            problems.append(lent)
        if problems:
            self.closed_at = None
            return problems
        for layout in [*self._scalars.values(), *self._layouts.values()]:
            layout.spare = None  # now no short cut finds a block any more
        problems = self.release_all(list(self), site)  # what other threads made meanwhile
        for region in list(self._regions.values()):
            problems += self.close_region(region)
        kept = problem_of(self.allocator.trim)
        return problems if kept is None else [*problems, kept]

    def release_memory(self) -> None:
        """Let the owner of the bytes close them, unless another heap is open in the same memory."""
        others = [table for table in _tables if table.memory is self.memory]
        if all(table.closed_at is not None for table in others):
            self.memory.release()

    def check_open(self) -> None:
        """Raise UseAfterFreeError if the heap was closed."""
        if self.closed_at is not None:
            raise self.closed_error(self.closed_at)

    def keep(self, region: Region, address: int) -> None:
        """Have a chunk of an arena stay for as long as a block in it."""
        region.kept.add(address - self.padding(address)[0])

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
        self.check_open()
        size = layout.byte_size or 1
        clear = data is None and self.options.clear_allocated_regions
        source, alignment = layout.source, alignment or unit.alignment
        # Not as a pair with the address: without memory for one, the block would be lost.
        zeroed = None
        if clear:
            zeroed = find_room(self, layout, size, alignment, source.allocate_zeroed)
        address = zeroed or find_room(self, layout, size, alignment, source.allocate)
        assert address is not None
        try:
            if clear and not zeroed:
                self.memory.fill(address, size)
            elif data is not None and len(data):
                self.memory.write_bytes(address, data)
            count = 1 if layout.count is None else layout.count
            block = (layout.open_elements(unit, address, count), address, layout, *site)
        except BaseException:  # an error; or an interrupt, while many bytes are filled
            self.give_back(layout, address)
            raise
        try:
            self.register(block)
        except MemoryError:
            self.give_back(layout, address)
            raise
        if isinstance(source, Region) and source.closed:  # by another thread, meanwhile
            problem_of(partial(self.release_if_live, block, site))
            raise self.use_after_free(block)
        return block

    def register(self, block: Block) -> None:
        """Enter a block that was allocated, or adopted, into its table."""
        _, address, layout, _, _ = block
        if layout.tracked:
            layout.blocks[address] = block

    def give_back(self, layout: Layout, address: int) -> None:
        """Let the allocator have a block's bytes."""
        if address in self.padded:
            base, alignment = self.padded[address]
            del self.padded[address]
            try:
                layout.source.free(base)
            except layout.source.refusals:
                self.padded[address] = base, alignment
                raise
        else:
            layout.source.free_sized(address, layout.byte_size or 1)

    def padding(self, address: int) -> tuple[int, int]:
        """The bytes before a block that its alignment takes, and the alignment; or ``0, 1``."""
        base, alignment = self.padded.get(address, (address, 1))
        return address - base, alignment

    # Freeing

    def release(self, block: Block, site: Site) -> None:
        """Free a block: by its reference, its address, or the collector.

        Raises DoubleFreeError, or NotAllocatedError of a block that is another program's.
        """
        if not self.release_if_live(block, site):
            raise self.refusal(block)

    def release_if_live(
        self, block: Block, site: Site, before: Callable[[], None] | None = None
    ) -> bool:
        """Free a block, unless it was freed already; gives whether this freed it.

        `before` is called once no reference reaches the bytes, while they are there still.
        """
        _, address, layout, _, _ = block
        if not self.is_live(block):
            return False
        self.check_not_lent(block)
        spare = layout.spare
        if spare is not None and len(spare) >= layout.most_spare:
            layout.source.shrink(layout.byte_size or 1)
        if not self.retire(block, site):
            return False
        try:
            if before is not None:
                before()
            if spare is not None:
                spare.append(address)
        except MemoryError:
            self.restore(block)
            raise
        if spare is None:
            self._give_back_retired(block)
        return True

    def _give_back_retired(self, block: Block) -> None:
        _, address, layout, _, _ = block
        try:
            self.give_back(layout, address)
        except layout.source.refusals:
            self.restore(block)
            raise

    @exclusive
    def retire(self, block: Block, site: Site) -> bool:
        """Take a block out of its table and end all references to it; its bytes stay allocated.

        Gives False, having changed nothing, if another thread was faster. Raises BufferInUseError,
        having changed nothing, if something uses the bytes.
        """
        if not self.claim(block):
            return False
        try:
            self._end_references(block, site)
        except (BufferError, MemoryError):
            self.restore(block)
            raise
        try:  # noqa: SIM105 (contextlib takes time to import)
            self.record_freed(block, site)
        except MemoryError:
            pass  # it is for messages only
        return True

    def release_together(self, blocks: list[Block], site: Site) -> None:
        """Free blocks, the first one first: all of them, or none if one of them is in use."""
        retired: list[Block] = []
        number = -1
        try:
            for block in blocks:
                self.check_not_lent(block)
                if not self.retire(block, site):
                    raise self.refusal(block)
                retired.append(block)
            for number in range(len(blocks)):
                _, address, layout, _, _ = blocks[number]
                self.give_back(layout, address)
        except BaseException as error:  # an error, or an interrupt: what was not begun stays live
            refused = number >= 0 and isinstance(error, blocks[number][2].source.refusals)
            for block in retired[number if refused else number + 1 :]:
                self.restore(block)
            raise

    def claim(self, block: Block) -> bool:
        """Take a live block out of its table; only one thread gets it."""
        elements, address, layout, _, _ = block
        if not layout.tracked:
            return not is_released(elements)
        if not HAS_GIL:
            with self._lock:
                return _remove(layout.blocks, address, block)
        return _remove(layout.blocks, address, block)

    def _end_references(self, block: Block, site: Site) -> None:
        """Make every use of a block that has left its table raise, before its bytes can become
        another block's. Raises BufferInUseError if something uses them."""
        elements, address, layout, _, _ = block
        describe = partial(describe_block, block)
        self.views.release(elements, describe)
        if self.inner:
            self._end_inner(block, site)
        if self.loans.entries:
            size = layout.byte_size or 1
            # One more look: another thread that lends at this moment looks for the block after.
            self.loans.recall(address, size, describe())
            while self.loans.end(self.loans.overlapping(address, size), describe()):
                pass  # a part that was opened meanwhile of a structure that has ended now

    def _end_inner(self, block: Block, site: Site) -> None:
        """End the blocks that were adopted inside of a block. An allocator whose bytes lie in that
        block cannot take them back any more, so none is freed."""
        self.inner.pop(block[1], None)
        for inner in list(self.inner.values()):
            if block[1] <= inner[1] < end_of(block) and self.is_live(inner):
                self.retire(inner, site)

    def restore(self, block: Block) -> None:
        """Make a block live again that left its table."""
        self._extents.forget()
        self.register(self._revive(block) if is_released(block[0]) else block)

    def reenter(self, block: Block) -> None:
        """Let a block be in its table again that left it to be freed, and was not."""
        _, address, layout, _, _ = block
        self._extents.forget()
        layout.blocks[address] = block

    def _revive(self, block: Block) -> Block:
        """The block whose references have ended, where its elements can be used again; or one like
        it, with others."""
        ended, address, layout, code, offset = block
        reopen = getattr(ended, "reopen", None)
        if reopen is not None:
            reopen(layout.byte_size)
            return block
        unit: Any = getattr(layout.kind, "unit", layout.kind)
        count = 1 if layout.count is None else layout.count
        revived = (layout.open_elements(unit, address, count), address, layout, code, offset)
        holder = self.holders.get(id(block))
        if holder is not None:
            holder.follow(revived)
        self.revived.note(block, revived)
        return revived

    def revival_of(self, block: Block) -> Block | None:
        """The block that stands for one that could not be freed after its references had ended;
        which may be the same."""
        if self.is_live(block):
            return block
        latest = self.revived.standing_for(block)
        return latest if latest is not None and self.is_live(latest) else None

    def record_freed(self, block: Block, site: Site) -> None:
        """Remember where a block was freed."""
        self.freed.pop(block[1], None)  # or it would have the place of an older one
        self.freed[block[1]] = (block, *site)
        if self.revived:
            self.revived.pop(block[1], None)
        self._trim_history()

    def _trim_history(self) -> None:
        if len(self.freed) > 2 * _REMEMBERED:
            for address in list(self.freed)[:_REMEMBERED]:
                self.freed.pop(address, None)
                self.detached.pop(address, None)

    def release_address(self, address: int, site: Site) -> None:
        """Free the block that starts at `address`."""
        block = self.find(address)
        if block is not None:
            self.release(block, site)
        elif self.tracked or address <= 0:
            raise self.unknown_address(address)
        else:
            base, _ = self.padded.pop(address, (address, 1))
            self.allocator.free(base)

    def release_all(self, blocks: list[Block], site: Site) -> list[Exception]:
        """Free blocks, the last one first; returns the errors of those that cannot be freed."""
        problems: list[Exception] = []
        for part, noted in (blocks[_REMEMBERED:], False), (blocks[:_REMEMBERED], True):
            rest = reversed(part)
            while (block := self._release_pooled(rest, site, noted)) is not None:
                problem = problem_of(partial(self.release_if_live, block, site))
                if problem is not None:
                    problems.append(problem)
        self._trim_history()
        return problems

    def _release_pooled(self, rest: Iterator[Block], site: Site, noted: bool) -> Block | None:
        """Free blocks that go back to a list of free ones, in the common case, and remember where
        if that is to be `noted`; gives the first that is no common case."""
        code, offset = self.with_stack(site)
        freed, loans = self.freed, self.loans.entries
        last: Layout | None = None
        spare: Any = None
        live = self.mixed
        for block in rest:
            elements, address, layout, _, _ = block
            if layout is not last:
                last, spare, live = layout, layout.spare, layout.blocks
                if spare is None:
                    return block
            try:
                # One step, as in `_remove`: its call would cost as much as all of the rest.
                if loans or live[address] is not block:
                    return block
                del live[address]
                elements.release()
            except KeyError:
                return block
            except BufferError:
                self.reenter(block)
                return block
            spare.append(address)
            if noted:
                freed[address] = block, code, offset
        return None

    # Looking things up

    def is_live(self, block: Block) -> bool:
        """Whether a block that this heap allocated has not been freed."""
        elements, address, layout, _, _ = block
        if layout.borrowed:
            return False
        if layout.tracked:
            return value_of(layout.blocks, address) is block
        return not is_released(elements)

    def find(self, address: int) -> Block | None:
        """The live block that starts at `address`."""
        for blocks in list(self._tables.values()):
            # Most tables have not got it, and it may go meanwhile.
            block = value_of(blocks, address) if address in blocks else None
            if block is not None:
                return block
        return None

    def owner_of(self, address: int) -> Block | None:
        """The live block that `address` lies in, found without a walk over all of them."""
        tables = list(self._tables.copy().values())
        return self._extents.containing(address, tables, self.is_live)

    def __iter__(self) -> Iterator[Block]:
        """The live blocks, oldest first within each table."""
        tables = list(self._tables.values())
        return chain.from_iterable([list(blocks.values()) for blocks in tables])

    @property
    def block_count(self) -> int:
        """The live blocks."""
        return sum(map(len, list(self._tables.values())))

    @property
    def total_byte_size(self) -> int:
        """The bytes of the live blocks, without what an allocator adds."""
        scalars = {id(layout.blocks): layout for layout in list(self._scalars.values())}
        total = 0
        for key, blocks in self._tables.copy().items():
            if key in scalars:
                total += len(blocks) * scalars[key].byte_size
            else:
                total += sum(layout.byte_size for _, _, layout, _, _ in list(blocks.values()))
        return total

    def live_block(self, address: int, what: str) -> Block:
        """The live block that starts at `address`; raises NotAllocatedError naming `what`."""
        block = self.find(address)
        if block is None:
            raise NotAllocatedError(f"{what}: {self.unknown_address(address)}; nothing was freed")
        return block

    def check_not_lent(self, block: Block) -> None:
        """Raise BufferInUseError if a view of a block is still in use after it was recalled."""
        if self.loans.entries:
            _, address, layout, _, _ = block
            self.loans.recall(address, layout.byte_size or 1, describe_block(block))


_tables: WeakSet[BlockTable] = WeakSet()
"""All there are: several heaps may share a memory."""


def _remove(blocks: dict[int, Block], address: int, block: Block) -> bool:
    try:
        # With no call in between, and so one step for threads and interrupts: see the package.
        if blocks[address] is block:
            del blocks[address]
            return True
    except KeyError:
        pass
    return False
