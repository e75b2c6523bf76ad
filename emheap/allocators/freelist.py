"""A general allocator for memories that come without one."""

from __future__ import annotations

from bisect import bisect_left, insort

from emheap.allocators.base import Allocator
from emheap.checks import align_up, check_alignment, check_integer
from emheap.errors import HeapCorruptionError, OutOfBoundsError, format_address

__all__ = ["FreeListAllocator"]


class FreeListAllocator(Allocator):
    """Hands out the bytes from `start` to `end`, best fit first, and joins free neighbours.

    Its records are Python objects, not headers in the memory, so a program that writes past its
    blocks cannot damage them. Finding, splitting and joining are searches by bisection.
    """

    def __init__(self, start: int, end: int, *, alignment: int = 8) -> None:
        self.alignment = check_alignment(alignment)
        self._start = align_up(max(check_integer(start, "start"), 1), alignment)
        self._end = check_integer(end, "end") & -alignment
        if self._end < self._start:
            raise OutOfBoundsError(f"no room between start {start} and end {end}")
        self._used: dict[int, int] = {}
        self._free_by_address: dict[int, int] = {}
        self._free_by_end: dict[int, int] = {}
        self._free_by_size: list[tuple[int, int]] = []
        if self._end > self._start:
            self._add_free(self._start, self._end - self._start)

    @property
    def available_byte_size(self) -> int:
        """The bytes that are free, in all gaps together."""
        return sum(size for size, _ in self._free_by_size)

    @property
    def largest_gap(self) -> int:
        """The bytes of the largest block that can be allocated."""
        return self._free_by_size[-1][0] if self._free_by_size else 0

    def allocate(self, size: int) -> int:
        needed = align_up(max(size, 1), self.alignment)
        position = bisect_left(self._free_by_size, (needed, 0))
        if position == len(self._free_by_size):
            return 0
        gap, address = self._free_by_size[position]
        self._remove_free(address, gap)
        if gap > needed:
            self._add_free(address + needed, gap - needed)
        self._used[address] = needed
        return address

    def free(self, address: int) -> None:
        size = self._used.pop(address, None)
        if size is None:
            raise HeapCorruptionError(
                f"{format_address(address)} is not the address of a block of this allocator"
            )
        following = self._free_by_address.get(address + size)
        if following is not None:
            self._remove_free(address + size, following)
            size += following
        before = self._free_by_end.get(address)
        if before is not None:
            self._remove_free(before, address - before)
            address, size = before, size + address - before
        self._add_free(address, size)

    def extend(self, end: int) -> None:
        """Make the bytes up to `end` available too, after the memory has grown."""
        self.add(self._end, end)

    def add(self, start: int, end: int) -> None:
        """Make the bytes from `start` to `end`, none of which it has, available too."""
        first = align_up(check_integer(start, "start"), self.alignment)
        last = check_integer(end, "end") & -self.alignment
        if last > first:
            self._end = max(self._end, last)
            self._used[first] = last - first
            self.free(first)

    def _add_free(self, address: int, size: int) -> None:
        self._free_by_address[address] = size
        self._free_by_end[address + size] = address
        insort(self._free_by_size, (size, address))

    def _remove_free(self, address: int, size: int) -> None:
        del self._free_by_address[address]
        del self._free_by_end[address + size]
        del self._free_by_size[bisect_left(self._free_by_size, (size, address))]
