"""An allocator for WebAssembly memories that come without one: it grows them."""

from __future__ import annotations

from collections.abc import Callable

from emheap._util.checks import align_up
from emheap.allocators.freelist import FreeListAllocator

__all__ = ["PAGE_SIZE", "PageAllocator"]

PAGE_SIZE = 65536
"""The bytes of a WebAssembly page, unless the memory was made with pages of another size."""


class PageAllocator(FreeListAllocator):
    """Allocates in pages that it adds to a memory itself, and in none that were there before.

    What lies in the memory when the heap is opened, and what its module adds later, is the
    module's: its data, its stack. The module itself must have no allocator: most of those take
    every page of the memory, no matter which code added it.

    ``grow(pages)`` does what the instruction ``memory.grow`` does: it adds pages at the end and
    returns how many there were before, or -1 if there can be no more. Only that number says which
    pages are ours, for a module in another thread may grow a shared memory at the same time.
    Nothing grows until the first block is asked for. It is called with the lock that all heaps
    share, so it must not wait for another thread that uses a heap.
    """

    trusted = True

    def __init__(
        self, grow: Callable[[int], int], *, page_size: int = PAGE_SIZE, alignment: int = 16
    ) -> None:
        super().__init__(alignment, alignment, alignment=alignment)
        self._grow = grow
        self._page_size = page_size
        self._rest = range(0)
        """The bytes at the end of our last pages that fill no unit of the alignment: the pages of
        some memories have a single byte. The next pages may go on from there."""

    def allocate(self, size: int) -> int:
        with self._lock:  # also around `grow`, which may not be called twice at a time
            return super().allocate(size) if self._has_room(size) else 0

    def _has_room(self, size: int) -> bool:
        """Whether there is a gap of `size` bytes, or pages were added until there was."""
        while self.largest_gap < max(size, 1):
            if not self._add_pages(size):
                return False
        return True

    def _add_pages(self, size: int) -> bool:
        """Grow the memory by pages for `size` bytes; tell whether it could."""
        # New pages most likely lie next to the gap at the end.
        gap = self._end - self._free_by_end.get(self._end, self._end)
        wanted = align_up(max(size - gap, 1), self.alignment)
        pages = -(-wanted // self._page_size)
        before = self._grow(pages)
        if before < 0:
            return False
        # The first bytes of a memory that had no page stay unused: no block has address 0.
        start = max(before * self._page_size, self.alignment)
        end = (before + pages) * self._page_size
        if start == self._rest.stop:
            start = self._rest.start
        self.add(start, end)
        self._rest = range(max(start, end & -self.alignment), end)
        return True
