"""What an allocator that is not ours handed out: it must not hand out the same bytes twice."""

from __future__ import annotations

from bisect import bisect_left, insort

from emheap._util.locks import Locked
from emheap._util.messages import count_of, format_address
from emheap.errors import HeapCorruptionError

__all__ = ["OutstandingBlocks", "OverlapError"]

_BITS = 16
"""Blocks are looked up by the 64 KiB that they start in."""


class OverlapError(HeapCorruptionError):
    """Raised for a block that overlaps another one. The table of blocks, which knows what is
    there, raises HeapCorruptionError in its place."""

    def __init__(self, address: int, size: int, known: int, known_size: int) -> None:
        super().__init__(
            f"the allocator returned {format_address(address)} for {count_of(size, 'byte')}, but "
            f"it was not given back {count_of(known_size, 'byte')} at {format_address(known)}, "
            "which it handed out before"
        )
        self.address = address
        self.size = size
        self.known = known
        """The start of the other block."""


class OutstandingBlocks(Locked):
    """The blocks that an allocator handed out and has not had back: they never overlap.

    A sorted list of all starts would be moved by each block that is added. So there is one for
    each 64 KiB, and a note of the block that reaches into it from below.
    """

    def __init__(self) -> None:
        self._ends: dict[int, int] = {}
        """The end of each block, by its start. What is not here does not count."""
        self._starts: dict[int, list[int]] = {}
        """Where the blocks that start in each 64 KiB do, in order."""
        self._reaching: dict[int, int] = {}
        """The start of the block that covers the first byte of each 64 KiB from below."""

    def add(self, start: int, size: int) -> None:
        """Note a block. Raises OverlapError, and notes nothing, if it overlaps another one."""
        end = start + size
        first, last = start >> _BITS, (end - 1) >> _BITS
        with self._lock:
            known = self._find(start, end, first, last)
            if known is not None:
                raise OverlapError(start, size, known, self._ends[known] - known)
            # An interrupt in between leaves a block that is not found, which does no harm.
            self._ends[start] = end
            insort(self._starts.setdefault(first, []), start)
            if last > first:
                self._reaching.update(dict.fromkeys(range(first + 1, last + 1), start))

    def _find(self, start: int, end: int, first: int, last: int) -> int | None:
        """The start of a block that has some of these bytes."""
        for number in range(first, last + 1):
            starts = self._starts.get(number, ())
            before = bisect_left(starts, end)
            try:
                near = starts[before - 1] if before else self._reaching.get(number, -1)
            except IndexError:  # a finalizer freed blocks after the search
                return self._find(start, end, first, last)
            if near < end and self._ends.get(near, 0) > start:
                return near
        return None

    def discard(self, start: int) -> int | None:
        """Forget the block at an address; gives its bytes, or None if there is none."""
        with self._lock:
            end = self._ends.get(start)
            if end is None:
                return None
            size = end - start
            self._forget(start, start >> _BITS, (end - 1) >> _BITS)
            del self._ends[start]  # the last step: if one before raises, the block is known still
            return size

    def _forget(self, start: int, first: int, last: int) -> None:
        """Take a block out of the indexes."""
        starts = self._starts.get(first, [])
        position = bisect_left(starts, start)
        if starts[position : position + 1] == [start]:
            del starts[position]
        elif start in starts:  # a finalizer freed blocks after the search
            starts.remove(start)
        if not starts:
            self._starts.pop(first, None)
        for number in range(first + 1, last + 1):
            self._reaching.pop(number, None)
