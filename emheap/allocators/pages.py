"""An allocator for WebAssembly memories that come without one: it grows them."""

from __future__ import annotations

from collections.abc import Callable

from emheap._util.checks import align_up
from emheap.allocators.base import allocate_locked
from emheap.allocators.freelist import FreeListAllocator

__all__ = ["PAGE_SIZE", "PageAllocator"]

PAGE_SIZE = 65536
"""The bytes of a WebAssembly page, unless the memory was made with pages of another size."""


class PageAllocator(FreeListAllocator):
    """Hands out the pages that it added to a memory itself, and none that were there before.

    What lies in the memory when the heap is opened, and what its module adds later, is the
    module's: its data, its stack. The module itself must have no allocator: most of those take
    every page of the memory for their own, whoever added it.

    ``grow(pages)`` does what the instruction ``memory.grow`` does: it adds pages at the end and
    returns how many there were before, or -1 if there can be no more. Only that number says which
    pages are ours, for a module in another thread may grow a shared memory at the same time.
    Nothing grows until the first block is asked for.
    """

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
        # The lock is also around `grow`: who calls it may have to be alone.
        return allocate_locked(self._lock, self._take_or_grow, size, self.free)

    def _take_or_grow(self, size: int) -> int:
        while self.largest_gap < max(size, 1) and self._add_pages(size):
            pass
        return super().allocate(size)

    def _gap_at_end(self) -> int:
        """The free bytes that new pages most likely lie next to."""
        return self._end - self._free_by_end.get(self._end, self._end)

    def _add_pages(self, size: int) -> bool:
        """Grow the memory by pages for `size` bytes; tell whether it could."""
        wanted = align_up(max(size - self._gap_at_end(), 1), self.alignment)
        pages = -(-wanted // self._page_size)
        before = -1
        try:
            before = self._grow(pages)
            if before >= 0:
                self._add(before, pages)
            return before >= 0
        except BaseException:  # an interrupt: pages that were added are not lost
            if before >= 0 and (before + pages) * self._page_size & -self.alignment > self._end:
                self._add(before, pages)
            raise

    def _add(self, before: int, pages: int) -> None:
        # The first bytes of a memory that had no page stay unused: no block has address 0.
        start = max(before * self._page_size, self.alignment)
        end = (before + pages) * self._page_size
        if start == self._rest.stop:
            start = self._rest.start
        self.add(start, end)
        self._rest = range(max(start, end & -self.alignment), end)
