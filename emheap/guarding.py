"""Debug heaps: raw addresses are held against the live blocks, and sites are whole stacks.

Imported when the first debug heap is opened. A heap that is none has nothing of this in its way:
which table it has, and through what it looks addresses up, is chosen when it is opened.
"""

from __future__ import annotations

from _thread import RLock
from bisect import bisect_left, bisect_right
from functools import cached_property
from typing import Any

from emheap.allocators.base import Allocator
from emheap.allocators.debug import DebugAllocator, find_debug_allocator
from emheap.atomics import Atomics, open_atomics
from emheap.blocks import BlockTable
from emheap.errors import HeapError, OutOfBoundsError, UseAfterFreeError, format_address
from emheap.exit_report import hold, let_go, watch
from emheap.memories.base import Memory
from emheap.memories.guarded import GuardedMemory
from emheap.options import Options
from emheap.records import Block, Layout, describe_block, describe_freed, end_of
from emheap.sites import Site, caller_stack, describe_site
from emheap.types import Scalar

__all__ = ["GuardedTable", "guard"]

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
        self._guard = find_debug_allocator(allocator)
        # One lock for both, or two threads could wait for each other, each in a finalizer.
        self._lock = RLock() if self._guard is None else self._guard.lock
        self._starts: list[int] = []
        """The addresses of the live blocks, sorted; an interrupt may leave one too many."""
        watch(self)

    @cached_property
    def atomics(self) -> Atomics:
        """As of any heap, on addresses in live blocks."""
        atomics = open_atomics(self.memory)
        atomics.extents = self.raw_memory
        return atomics

    # Sites

    def deepen(self, site: Site) -> Site:
        known = site[0] is None or isinstance(site[0], tuple)
        return site if known else caller_stack(self.options.site_depth)

    def offence(self, what: str) -> str:
        return f", {what} at {describe_site(caller_stack(self.options.site_depth))}"

    def allocate(
        self,
        layout: Layout,
        unit: type[Scalar[object]],
        data: bytes | memoryview | None,
        site: Site,
        alignment: int | None = None,
    ) -> Block:
        return super().allocate(layout, unit, data, self.deepen(site), alignment)

    def bury(self, block: Block, site: Site, lent: list[Any]) -> None:
        super().bury(block, self.deepen(site), lent)

    # Live blocks by address

    def register(self, block: Block) -> None:
        with self._lock:
            position = bisect_left(self._starts, block[1])
            if self._starts[position : position + 1] != [block[1]]:
                self._starts.insert(position, block[1])
            hold(self)
        super().register(block)

    def unlist(self, block: Block) -> None:
        with self._lock:
            position = bisect_left(self._starts, block[1])
            if self._starts[position : position + 1] == [block[1]]:
                del self._starts[position]
            if not self._starts:
                let_go(self)

    def holding(self, address: int, size: int) -> Block | None:
        """The live block that `size` bytes from `address` lie in."""
        with self._lock:
            position = bisect_right(self._starts, address)
            block = self.find(self._starts[position - 1]) if position else None
        if block is not None and address + size <= end_of(block):
            return block
        # An adopted block may lie inside of another.
        for block in self:
            if block[1] <= address and address + size <= end_of(block):
                return block
        return None

    def find_damage(self) -> list[str]:
        """What is told of each block that was written around, or after it was freed."""
        return [] if self._guard is None else self._guard.find_damage()

    # What GuardedMemory asks

    def check_inside(self, address: int, size: int, what: str) -> int:
        block = self.holding(address, size)
        if block is None:
            raise self._outside(address, size, what)
        return end_of(block)

    def describe_around(self, address: int) -> str:
        block = self.holding(address, 0)
        return "no live block" if block is None else describe_block(block)

    def _outside(self, address: int, size: int, what: str) -> HeapError:
        problem = f"{what} of {size} bytes at {format_address(address)}"
        offence = self.offence("accessed")
        begun = self.holding(address, 0)
        if begun is not None and address < end_of(begun):
            return OutOfBoundsError(
                f"{problem} reaches {address + size - end_of(begun)} bytes beyond the end of "
                f"{describe_block(begun)}{offence}; allocate more, or access less"
            )
        for block, origin, offset in reversed(list(self.freed.values())):
            if block[1] <= address < block[1] + max(block[2].byte_size, 1):
                return UseAfterFreeError(
                    f"use after free: {problem} lies {address - block[1]} bytes inside "
                    f"{describe_freed(block, (origin, offset))}"
                    f"{offence}; allocate anew, or free later"
                )
        near = self._nearest(address, size)
        where = f": it lies {near}" if near else ""
        return OutOfBoundsError(
            f"{problem} lies in no live block of this heap{where}{offence}; {_CURE}"
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
            return f"{block[1] - address} bytes before the start of {described}"
        return f"{address - end_of(block)} bytes after the end of {described}"


def _distance(block: Block, address: int, size: int) -> int:
    return max(block[1] - (address + size), address - end_of(block))
