"""A general allocator for memories that come without one."""

from __future__ import annotations

from _thread import RLock
from bisect import bisect_left, insort

from emheap._util.checks import align_up, check_alignment, check_integer
from emheap._util.messages import format_address
from emheap.allocators.base import Allocator, allocate_locked
from emheap.errors import HeapCorruptionError, OutOfBoundsError

__all__ = ["FreeListAllocator"]


class FreeListAllocator(Allocator):
    """Hands out the bytes from `start` to `end`, best fit first, and joins free neighbours.

    Its records are Python objects, not headers in the memory, so a program that writes past its
    blocks cannot damage them. Finding, splitting and joining are searches by bisection. An
    interrupt in the middle damages nothing.
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
        self._lock = RLock()
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
        return allocate_locked(self._lock, self._take, size, self.free)

    def _take(self, size: int) -> int:
        needed = align_up(max(size, 1), self.alignment)
        position = bisect_left(self._free_by_size, (needed, 0))
        if position == len(self._free_by_size):
            return 0
        gap, address = self._free_by_size[position]
        try:
            self._remove_free(address, gap)
            if gap > needed:
                self._add_free(address + needed, gap - needed)
            self._used[address] = needed
            return address
        except BaseException:  # an interrupt: nothing was allocated
            self._used.pop(address, None)
            self._remove_free(address + needed, gap - needed)
            self._remove_free(address, gap)
            self._add_free(address, gap)
            raise

    def free(self, address: int) -> None:
        FreeListAllocator.take_back(self, [address])

    def take_back(self, owed: list[int], size: int | None = None) -> None:
        address = owed[0]
        with self._lock:
            used = self._used.get(address)
            if used is None:
                raise HeapCorruptionError(
                    f"{format_address(address)} is not the address of a block of this allocator"
                )
            end = address + used
            following = self._free_by_address.get(end, 0)
            before = self._free_by_end.get(address, address)
            try:
                self._join(before, address, end, end + following)
                owed.clear()
            except BaseException:  # an interrupt: what was begun is done all the same
                self._join(before, address, end, end + following)
                owed.clear()
                raise

    def _join(self, start: int, address: int, end: int, last: int) -> None:
        """Make one gap of a block and of those before and after it. May be done twice."""
        self._remove_free(start, address - start)
        self._remove_free(end, last - end)
        self._remove_free(start, last - start)
        self._add_free(start, last - start)
        self._used.pop(address, None)

    def extend(self, end: int) -> None:
        """Make the bytes up to `end` available too, after the memory has grown."""
        self.add(self._end, end)

    def add(self, start: int, end: int) -> None:
        """Make the bytes from `start` to `end`, none of which it has, available too."""
        first = align_up(check_integer(start, "start"), self.alignment)
        last = check_integer(end, "end") & -self.alignment
        if last > first:
            with self._lock:
                try:
                    self._used[first] = last - first
                    self._end = max(self._end, last)
                    self.free(first)
                except BaseException:  # an interrupt: what was begun is done all the same
                    if first in self._used:
                        self._end = max(self._end, last)
                        self.free(first)
                    raise

    def _add_free(self, address: int, size: int) -> None:
        self._free_by_address[address] = size
        self._free_by_end[address + size] = address
        insort(self._free_by_size, (size, address))

    def _remove_free(self, address: int, size: int) -> None:
        # Of a gap that an interrupt came between, some may be missing.
        position = bisect_left(self._free_by_size, (size, address))
        if self._free_by_size[position : position + 1] == [(size, address)]:
            del self._free_by_size[position]
        self._free_by_end.pop(address + size, None)
        self._free_by_address.pop(address, None)
