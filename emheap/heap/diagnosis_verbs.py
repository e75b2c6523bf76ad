"""The verbs of a heap that report what is live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emheap.blocks.table import BlockTable
from emheap.errors import NotSupportedError

if TYPE_CHECKING:
    from emheap.diagnosis.heap_map import HeapMap
    from emheap.diagnosis.reports import LiveBlocks, NoLeaks, Snapshot, Statistics

__all__ = ["DiagnosisVerbs"]


class DiagnosisVerbs:
    """The verbs of a heap that report what is live.

    All raise NotSupportedError on a heap that was opened with ``track_allocations=False``.
    """

    _table: BlockTable

    def live(self) -> LiveBlocks:
        """The live blocks, oldest first within a type; those of arenas, and numbers with an
        alignment of their own, are listed apart.

        >>> import emheap
        >>> heap = emheap.open()
        >>> with heap.alloc_array(emheap.float32, 10):
        ...     [(block.kind, block.byte_size) for block in heap.live()]
        [('float32 array', 40)]
        """
        from emheap.diagnosis.reports import describe_live

        return describe_live(self._tracked("live()"))

    def statistics(self) -> Statistics:
        """What is live, by size, type and allocation site; with the option
        ``count_allocations=True`` also the most at one time, and the total."""
        from emheap.diagnosis.reports import take_statistics

        return take_statistics(self._tracked("statistics()"))

    def snapshot(self) -> Snapshot:
        """The blocks that are live now, to compare with a later snapshot by its `diff`."""
        from emheap.diagnosis.reports import Snapshot

        return Snapshot(self._tracked("snapshot()"))

    def map(self) -> HeapMap:
        """Where the live blocks lie and which gaps are between them: text when printed, a picture
        in a notebook.

        >>> import emheap
        >>> heap = emheap.wrap_buffer(bytearray(4096))
        >>> blocks = [heap.alloc_array(emheap.uint8, size) for size in (40, 24, 64, 16)]
        >>> blocks[1].free()
        >>> print(heap.map())
        the buffer: 3 blocks of 120 bytes in 1 region
        0x10 to 0xa0: 3 blocks of 120 bytes in 144, 83 % in use, largest gap 24; cells of 16 bytes
          ##-.#####
        in use: # all of a cell's bytes, + more than half, - fewer, . none
        >>> heap.free_all()
        """
        from emheap.diagnosis.heap_map import draw_map

        return draw_map(self._tracked("map()"))

    def _repr_html_(self) -> str:
        from emheap.diagnosis.notebook import show_heap

        return show_heap(self._table)

    def check_leaks(self) -> None:
        """Raise LeakError, grouped by allocation site, if any block is live."""
        from emheap.diagnosis.reports import describe_live, refuse_leaks

        refuse_leaks(describe_live(self._tracked("check_leaks()")), "live")

    def verify(self) -> None:
        """Look for damage. Raises HeapCorruptionError, which names every block whose red zones were
        written to and every block in quarantine that was written to after it was freed. The damage
        is repaired and reported once.

        Raises NotSupportedError unless the heap was opened with ``debug=True``.
        """
        from emheap.allocators.debug import find_debug_allocator

        guard = find_debug_allocator(self._table.allocator)
        if guard is None:
            raise NotSupportedError(
                "verify() needs red zones around the blocks; open the heap with debug=True, or "
                "set EMHEAP_DEBUG=1 in the environment"
            )
        guard.verify()

    def no_leaks(self) -> NoLeaks:
        """A scope that raises LeakError at its end if blocks allocated in it are live then.

        An exception from the body takes precedence, and from Python 3.11 on carries the leaks in
        a note.

        >>> import emheap
        >>> heap = emheap.open()
        >>> with heap.no_leaks():
        ...     heap.alloc_int32(5).free()
        """
        from emheap.diagnosis.reports import NoLeaks

        return NoLeaks(self._tracked("no_leaks()"))

    def _tracked(self, what: str) -> BlockTable:
        if not self._table.options.track_allocations:
            raise NotSupportedError(
                f"{what} needs a table of live blocks; open the heap with track_allocations=True"
            )
        return self._table
