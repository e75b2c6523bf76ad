"""A general allocator for memories that come without one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from emheap._util.checks import align_up, check_alignment, check_integer
from emheap._util.locks import Locked
from emheap._util.messages import format_address
from emheap.allocators.base import Allocator
from emheap.errors import HeapCorruptionError, OutOfBoundsError

__all__ = ["FreeListAllocator"]


class FreeListAllocator(Allocator, Locked):
    """Allocates from the bytes from `start` to `end`, best fit first, and joins free neighbours.

    Its records are Python objects, not headers in the memory, so a program that writes past its
    blocks cannot damage them. Finding, splitting and joining are searches by bisection.

    A finalizer may free or allocate in the middle of a call: the lock lets its own thread in. So a
    block is entered before the gaps change, with no call between the last look at its gap and the
    entry; each step says that the gaps are torn after its own calls, right before it changes them;
    and where another call came between, the next one finds the gaps again.
    """

    trusted = True
    refusals = (MemoryError,)  # before anything was changed

    def __init__(self, start: int, end: int, *, alignment: int = 8) -> None:
        self.alignment = check_alignment(alignment)
        self._start = align_up(max(check_integer(start, "start"), 1), alignment)
        self._end = check_integer(end, "end") & -alignment
        if self._end < self._start:
            raise OutOfBoundsError(f"no room between start {start} and end {end}")
        self._ranges: list[tuple[int, int]] = []
        """The ranges of bytes that are free, as starts and ends."""
        self._used: dict[int, int] = {}
        """The blocks: sizes by address. The gaps, in three orders, follow from both."""
        self._free_by_address: dict[int, int] = {}
        self._free_by_end: dict[int, int] = {}
        self._free_by_size: list[tuple[int, int]] = []
        self._torn = False
        """Whether the gaps are being changed; or were, when an interrupt or a fork came."""
        self._calls = 0
        """How often a call has begun to change the gaps, or found them again."""
        self.add(self._start, self._end)

    @property
    def available_byte_size(self) -> int:
        """The bytes that are free, in all gaps together."""
        with self._lock:
            self._mend()
            return sum(size for size, _ in self._free_by_size)

    @property
    def largest_gap(self) -> int:
        """The bytes of the largest block that can be allocated."""
        with self._lock:
            self._mend()
            return self._free_by_size[-1][0] if self._free_by_size else 0

    def allocate(self, size: int) -> int:
        needed = align_up(max(size, 1), self.alignment)
        with self._lock:
            return self._take(needed)

    def _take(self, needed: int) -> int:
        while True:
            call = self._begin()
            position = bisect_left(self._free_by_size, (needed, 0))
            fitting = self._free_by_size[position : position + 1]
            if call == self._calls:
                break
        if not fitting:
            return 0
        ((gap, address),) = fitting
        self._torn = True
        self._used[address] = needed
        try:  # noqa: SIM105 (making `suppress()` would take memory)
            self._change(call, self._split, address, gap, needed)
        except MemoryError:
            pass  # it has the block all the same: the next call finds the gaps again
        return address

    def free(self, address: int) -> None:
        with self._lock:
            call = self._begin()
            used = self._used.get(address)
            if used is None:
                raise HeapCorruptionError(
                    f"{format_address(address)} is not the address of a block of this allocator"
                )
            end = address + used
            self._torn = True
            del self._used[address]
            try:  # noqa: SIM105 (as above)
                self._change(call, self._join, address, end)
            except MemoryError:
                pass  # it is free all the same

    def extend(self, end: int) -> None:
        """Make the bytes up to `end` available too, after the memory has grown."""
        self.add(self._end, end)

    def add(self, start: int, end: int) -> None:
        """Make the bytes from `start` to `end`, none of which it has, available too."""
        first = align_up(check_integer(start, "start"), self.alignment)
        last = check_integer(end, "end") & -self.alignment
        if last > first:
            with self._lock:
                call = self._begin()
                self._torn = True
                # In this order: what was entered is never added again.
                self._end = max(self._end, last)
                self._ranges.append((first, last))
                self._change(call, self._join, first, last)

    # The gaps

    def _begin(self) -> int:
        """Begin a call that changes the gaps; gives its number."""
        self._mend()
        self._calls = call = self._calls + 1
        return call

    def _change(self, call: int, change: Callable[..., None], *arguments: int) -> None:
        """Change the gaps after the blocks or the ranges. Where that fails they stay torn."""
        try:
            change(*arguments)
            self._torn = call != self._calls
        except LookupError:  # another call found the gaps again
            if call == self._calls:
                raise
            self._torn = True

    def _mend(self) -> None:
        """Find the gaps again if their records may be half changed."""
        while self._torn:
            calls = self._calls
            gaps = self._find_gaps()
            by_address = {start: end - start for start, end in gaps}
            by_end = {end: start for start, end in gaps}
            by_size = sorted((end - start, start) for start, end in gaps)
            if calls == self._calls:
                self._free_by_address, self._free_by_end = by_address, by_end
                self._free_by_size = by_size
                self._calls = calls + 1
                self._torn = False

    def _find_gaps(self) -> list[tuple[int, int]]:
        """The starts and ends of what no block has of the ranges."""
        gaps = []
        used = sorted(self._used.items())
        for start, end in _joined(self._ranges):
            for address, size in used[bisect_left(used, (start, 0)) :]:
                if address >= end:
                    break
                if address > start:
                    gaps.append((start, address))
                start = address + size
            if end > start:
                gaps.append((start, end))
        return gaps

    def _split(self, address: int, gap: int, needed: int) -> None:
        """Leave of a gap what a block at its start does not need."""
        self._remove_gap(address, gap)
        if gap > needed:
            self._add_gap(address + needed, gap - needed)

    def _join(self, start: int, end: int) -> None:
        """Make one gap of bytes that became free and the gaps before and after them."""
        before = self._free_by_end.get(start)
        if before is not None:
            self._remove_gap(before, start - before)
            start = before
        following = self._free_by_address.get(end)
        if following is not None:
            self._remove_gap(end, following)
            end += following
        self._add_gap(start, end - start)

    def _add_gap(self, address: int, size: int) -> None:
        gap = (size, address)
        position = bisect_left(self._free_by_size, gap)
        self._torn = True
        self._free_by_address[address] = size
        self._free_by_end[address + size] = address
        self._free_by_size.insert(position, gap)

    def _remove_gap(self, address: int, size: int) -> None:
        position = bisect_left(self._free_by_size, (size, address))
        self._torn = True
        del self._free_by_size[position]
        del self._free_by_end[address + size]
        del self._free_by_address[address]


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in their order, those that touch as one: a block may lie across their border."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and joined[-1][1] == start:
            start = joined.pop()[0]
        joined.append((start, end))
    return joined
