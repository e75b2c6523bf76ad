"""Debug heaps: raw addresses must lie in live blocks, and sites are whole stacks.

Imported when the first debug heap is opened. Any other heap pays nothing for this: which table a
heap has, and through what it looks addresses up, is chosen when it is opened. When the interpreter
ends, what is live and what is damaged on every debug heap is written to stderr.
"""

from __future__ import annotations

import atexit
import sys
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from emheap._util.messages import count_of, format_address
from emheap._util.pointers import Pinned
from emheap._util.sites import Site, caller_stack, describe_site
from emheap.allocators.base import Allocator
from emheap.allocators.debug import DebugAllocator, find_debug_allocator
from emheap.blocks.block import Block, Layout, describe_block, describe_freed, end_of
from emheap.blocks.options import Options
from emheap.blocks.table import BlockTable
from emheap.errors import HeapError, OutOfBoundsError, UnterminatedStringError, UseAfterFreeError
from emheap.memories.atomics.base import Atomics
from emheap.memories.base import Elements, Loan, Memory, Reader, Writer
from emheap.types import Scalar

__all__ = ["Guard", "GuardedMemory", "GuardedTable", "guard", "report"]

_CURE = (
    "use an address of a live block, or, for what C allocated, heap.adopt() it first, with "
    "free=lambda address: None where it is not ours to free"
)


def guard(memory: Memory, allocator: Allocator, options: Options) -> Allocator:
    """The allocator with red zones and a quarantine, unless it has them."""
    if find_debug_allocator(allocator) is not None:
        return allocator
    return DebugAllocator(allocator, memory, site_depth=options.site_depth)


class GuardedTable(BlockTable):
    """The live blocks of a debug heap, found by every address in them."""

    def __init__(self, memory: Memory, allocator: Allocator, options: Options) -> None:
        super().__init__(memory, allocator, options)
        self.raw_memory = GuardedMemory(memory, self)
        guard = find_debug_allocator(allocator)
        assert guard is not None, "a debug heap has a debug allocator"
        self._guard = guard
        self._starts: list[int] = []
        """The addresses of the live blocks, sorted; an interrupt may leave some too many."""
        watch(self)

    @cached_property
    def atomics(self) -> Atomics:
        """As of any heap, on addresses in live blocks."""
        atomics = self.memory.open_atomics()
        atomics.extents = self.raw_memory
        return atomics

    def describe_guarded(self, address: int, size: int) -> str:
        return self._guard.describe_at(address, size)

    # Sites

    def with_stack(self, site: Site) -> Site:
        known = site[0] is None or isinstance(site[0], tuple)
        return site if known else caller_stack(self.options.site_depth)

    def describe_use(self, what: str) -> str:
        return f", {what} at {describe_site(caller_stack(self.options.site_depth))}"

    def allocate(
        self,
        layout: Layout,
        unit: type[Scalar[object]],
        data: bytes | memoryview | None,
        site: Site,
        alignment: int | None = None,
    ) -> Block:
        return super().allocate(layout, unit, data, self.with_stack(site), alignment)

    def record_freed(self, block: Block, site: Site) -> None:
        super().record_freed(block, self.with_stack(site))

    # Live blocks by address

    def register(self, block: Block) -> None:
        with self._lock:
            position = bisect_left(self._starts, block[1])
            if self._starts[position : position + 1] != [block[1]]:
                insort(self._starts, block[1])  # one step, where `position` may be old by now
            hold(self)
        super().register(block)

    def claim(self, block: Block) -> bool:
        claimed = super().claim(block)
        if claimed:
            try:  # noqa: SIM105 (contextlib takes time to import)
                self._forget_start(block[1])
            except MemoryError:
                pass  # a start of no block is looked up in vain
        return claimed

    def _forget_start(self, address: int) -> None:
        with self._lock:
            position = bisect_left(self._starts, address)
            if self._starts[position : position + 1] == [address]:
                del self._starts[position]
            elif address in self._starts:  # a finalizer freed blocks after the search
                self._starts.remove(address)
            if not self._starts:
                forget(self)

    def retire(self, block: Block, site: Site) -> bool:
        with self._lock:
            return super().retire(block, site)

    def block_containing(self, address: int, size: int) -> Block | None:
        """The live block that `size` bytes from `address` lie in."""
        found = self._find_around(address, size)
        if found is None:
            # A thread that tries to free a block in use takes it away and puts it back.
            with self._lock:
                found = self._find_around(address, size)
        return found

    def _find_around(self, address: int, size: int) -> Block | None:
        with self._lock:
            position = bisect_right(self._starts, address)
            try:
                block = self.find(self._starts[position - 1]) if position else None
            except IndexError:  # a finalizer freed blocks after the search
                block = None
        if block is not None and block[1] <= address and address + size <= end_of(block):
            return block
        # An adopted block may lie inside of another; or a finalizer freed blocks after the search.
        for block in self:
            if block[1] <= address and address + size <= end_of(block):
                return block
        return None

    def find_damage(self) -> list[str]:
        """A message for each block that was written around, or after it was freed."""
        return self._guard.find_damage()

    # What GuardedMemory asks

    def check_inside(self, address: int, size: int, what: str) -> int:
        block = self.block_containing(address, size)
        if block is None:
            raise self._outside(address, size, what)
        return end_of(block)

    def describe_around(self, address: int) -> str:
        block = self.block_containing(address, 0)
        return "no live block" if block is None else describe_block(block)

    def _outside(self, address: int, size: int, what: str) -> HeapError:
        problem = f"{what} of {count_of(size, 'byte')} at {format_address(address)}"
        describe_use = self.describe_use("accessed")
        begun = self.block_containing(address, 1)
        if begun is not None:
            beyond = count_of(address + size - end_of(begun), "byte")
            return OutOfBoundsError(
                f"{problem} reaches {beyond} beyond the end of "
                f"{describe_block(begun)}{describe_use}; allocate more, or access less"
            )
        for block, origin, offset in reversed(list(self.freed.values())):
            if block[1] <= address < block[1] + max(block[2].byte_size, 1):
                return UseAfterFreeError(
                    f"use after free: {problem} lies {count_of(address - block[1], 'byte')} inside "
                    f"{describe_freed(block, (origin, offset))}"
                    f"{describe_use}; allocate another block, or free it later"
                )
        near = self._nearest(address, size)
        where = f": it lies {near}" if near else ""
        return OutOfBoundsError(
            f"{problem} lies in no live block of this heap{where}{describe_use}; {_CURE}"
        )

    def _nearest(self, address: int, size: int) -> str:
        """How far an extent lies from the nearest live or freed block; empty if there is none."""
        known = [(block, describe_block(block)) for block in self]
        known += [
            (block, describe_freed(block, (origin, offset)))
            for block, origin, offset in list(self.freed.values())
        ]
        if not known:
            return ""
        block, described = min(known, key=lambda item: _distance(item[0], address, size))
        if address < block[1]:
            return f"{count_of(block[1] - address, 'byte')} before the start of {described}"
        return f"{count_of(address - end_of(block), 'byte')} after the end of {described}"


def _distance(block: Block, address: int, size: int) -> int:
    return max(block[1] - (address + size), address - end_of(block))


# The memory


T = TypeVar("T")


class Guard(Protocol):
    """Who knows the live blocks."""

    def check_inside(self, address: int, size: int, what: str) -> int:
        """The end of the live block that the extent lies in; raises if it lies in none."""
        ...

    def describe_around(self, address: int) -> str:
        """The live block that an address lies in, as messages name it."""
        ...


class GuardedMemory(Memory):
    """Another memory, whose every access is first held against the live blocks of a heap.

    It is what a heap and its references go through; the heap's own records, and the allocator
    with its red zones, use the memory beneath.
    """

    def __init__(self, memory: Memory, guard: Guard) -> None:
        self._inner = memory
        self._guard = guard
        for name in ("name", "zero_copy", "stable", "in_javascript"):
            setattr(self, name, getattr(memory, name))
        self.pointer_size = memory.pointer_size
        self.lowest_address = memory.lowest_address
        self.shared = memory.shared

    @property
    def size(self) -> int:
        return self._inner.size

    @property
    def space(self) -> object:
        return self._inner.space

    @property
    def largest_block(self) -> int:
        return self._inner.largest_block

    def check_extent(self, address: Any, size: int, what: str = "access") -> int:
        start = self._inner.check_extent(address, size, what)
        self._guard.check_inside(start, size, what)
        return start

    def read_bytes(self, address: int, size: int) -> bytes:
        return self._inner.read_bytes(self.check_extent(address, size, "read"), size)

    def write_bytes(self, address: int, data: bytes | memoryview) -> None:
        self._inner.write_bytes(self.check_extent(address, len(data), "write"), data)

    def fill(self, address: int, size: int, byte: int = 0) -> None:
        self._inner.fill(self.check_extent(address, size, "fill"), size, byte)

    def elements(self, scalar: type[Scalar[Any]], address: int, count: int) -> Elements:
        start = self.check_extent(address, count * scalar.size)
        return self._inner.elements(scalar, start, count)

    def lend(self, scalar: type[Scalar[Any]], address: int, count: int) -> Loan[Any]:
        start = self.check_extent(address, count * scalar.size, "view")
        return self._inner.lend(scalar, start, count)

    def reader(self, scalar: type[Scalar[T]]) -> Reader[T]:
        read_inside, check = self._inner.cached_reader(scalar), self.check_extent
        what, size = f"read of {scalar.name}", scalar.size

        def read(address: int) -> T:
            if type(address) is int:  # which pins nothing
                return read_inside(check(address, size, what))
            with Pinned(address):
                return read_inside(check(address, size, what))

        return read

    def writer(self, scalar: type[Scalar[T]]) -> Writer[T]:
        encoded, writer, check = self.encoded, self._inner.cached_writer, self.check_extent
        what, size = f"write of {scalar.name}", scalar.size

        def write(address: int, value: T) -> None:
            stored, number = encoded(scalar, value)  # first, for it may run the user's code
            with Pinned(address):
                writer(stored)(check(address, size, what), number)

        return write

    def find_null(self, address: int, width: int, limit: int | None) -> int | None:
        what = "read of a null-terminated string"
        start = self._inner.check_extent(address, width, what)
        room = (self._guard.check_inside(start, width, what) - start) // width
        return self._inner.find_null(start, width, room if limit is None else min(limit, room))

    def count_elements(self, address: Any, width: int, max_elements: int | None = None) -> int:
        try:
            return super().count_elements(address, width, max_elements)
        except UnterminatedStringError:
            start = self.address_of(address)
            around = self._guard.describe_around(start)
            limit = "" if max_elements is None else f" within {count_of(max_elements, 'element')}"
            raise UnterminatedStringError(
                f"no null terminator{limit} from address {format_address(start)} (elements of "
                f"{width} bytes) to the end of {around}"
            ) from None

    def js_view(self, scalar: type[Scalar[Any]], address: int, count: int) -> Any:
        start = self.check_extent(address, count * scalar.size, "view")
        return self._inner.js_view(scalar, start, count)

    def host_address(self, address: int) -> int:
        return self._inner.host_address(self.check_extent(address, 1))

    def from_host_address(self, address: int) -> int:
        return self._inner.from_host_address(address)


# The report at exit


_watched: WeakSet[GuardedTable] = WeakSet()
_holding_blocks: dict[int, GuardedTable] = {}
"""Those with live blocks, by id, which keeps them: a heap that the program has dropped is reported
all the same."""


def watch(table: GuardedTable) -> None:
    """Report on a debug heap at exit, if it is there by then."""
    _watched.add(table)


def hold(table: GuardedTable) -> None:
    """Keep a debug heap until exit, for it has a live block."""
    _holding_blocks[id(table)] = table


def forget(table: GuardedTable) -> None:
    """Keep a debug heap no longer, for it has no live block."""
    _holding_blocks.pop(id(table), None)


def report() -> None:
    """Write to stderr what is live and what is damaged on every debug heap. Raises nothing."""
    for table in list(_watched):
        try:
            lines = list(_findings(table))
        except Exception as error:  # noqa: BLE001 (a memory or an allocator of the user's may raise anything, and nobody could catch it here)
            lines = [f"could not be looked at: {type(error).__name__}: {error}"]
        if sys.stderr is not None:
            for line in lines:
                sys.stderr.write(f"emheap at exit: {table.memory.name}: {line}\n")


def _findings(table: GuardedTable) -> Iterator[str]:
    from emheap.diagnosis.reports import describe_live, leak_report

    live = describe_live(table)
    if live:
        yield leak_report(live, "live")
    yield from table.find_damage()


atexit.register(report)
