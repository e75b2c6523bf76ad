"""Reports about a heap: its live blocks, statistics, snapshots and leaks.

Imported with the first report: making the named tuples takes longer than importing the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import NamedTuple

from emheap._util.messages import add_note, count_of, format_address
from emheap._util.sites import describe_site
from emheap.allocators.counting import CountingAllocator
from emheap.blocks.block import Block
from emheap.blocks.table import BlockTable
from emheap.diagnosis.html import page, preformatted, table
from emheap.errors import LeakError

__all__ = [
    "Change",
    "Counts",
    "LiveBlock",
    "LiveBlocks",
    "NoLeaks",
    "Snapshot",
    "Statistics",
    "Usage",
    "describe_live",
    "leak_report",
    "refuse_leaks",
    "show_blocks",
    "show_statistics",
    "show_usage",
    "take_statistics",
]


_MOST_ROWS = 100


class LiveBlock(NamedTuple):
    """A block that was not freed."""

    address: int
    byte_size: int
    kind: str
    """What lies in it: ``int32``, ``float64 array``, ``utf8 string``."""
    site: str
    """Where it was allocated, as ``file:line in function``."""


class LiveBlocks(list[LiveBlock]):
    """Blocks that were not freed; a table in a notebook."""

    def _repr_html_(self) -> str:
        return show_blocks("live blocks", self)


class Usage(NamedTuple):
    """A number of blocks, and their bytes together."""

    blocks: int
    byte_size: int


class Counts(NamedTuple):
    """The counts of a heap with ``count_allocations=True``: the most at one time, and the total
    since the heap was opened. Bytes are those requested of the allocator."""

    peak_blocks: int
    peak_bytes: int
    total_blocks: int
    total_bytes: int


class Statistics(NamedTuple):
    """What is live on a heap."""

    live: Usage
    by_size: dict[int, Usage]
    """By the power of two that a block is no larger than."""
    by_kind: dict[str, Usage]
    by_site: dict[str, Usage]
    """Both with the largest first."""
    counts: Counts | None
    """None unless the heap was opened with ``count_allocations=True``."""

    def _repr_html_(self) -> str:
        return show_statistics(self)


class Change(NamedTuple):
    """What was allocated and what was freed between two snapshots."""

    allocated: LiveBlocks
    freed: LiveBlocks

    def _repr_html_(self) -> str:
        return show_blocks("allocated", self.allocated) + show_blocks("freed", self.freed)


class Snapshot:
    """The blocks that were live on a heap at one moment. Costs memory while it is kept."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        # The blocks themselves: an address may be another block's by the time it is compared.
        self._blocks = {id(block): block for block in blocks}

    def __len__(self) -> int:
        return len(self._blocks)

    def diff(self, later: Snapshot) -> Change:
        """What was allocated and what was freed from this snapshot to a later one."""
        if not isinstance(later, Snapshot):
            raise TypeError(f"diff() takes what heap.snapshot() gave later, not {later!r:.60}")
        allocated = (block for key, block in later._blocks.items() if key not in self._blocks)
        freed = (block for key, block in self._blocks.items() if key not in later._blocks)
        return Change(describe_live(allocated), describe_live(freed))


def describe_live(blocks: Iterable[Block]) -> LiveBlocks:
    """Blocks as reports show them."""
    return LiveBlocks(
        LiveBlock(address, layout.byte_size, layout.describe(), describe_site((origin, offset)))
        for _, address, layout, origin, offset in blocks
    )


def _add_up(pairs: Iterable[tuple[str, int]]) -> dict[str, Usage]:
    """Blocks and bytes by key, the most bytes first."""
    usage: dict[str, Usage] = {}
    for key, size in pairs:
        blocks, total = usage.get(key, (0, 0))
        usage[key] = Usage(blocks + 1, total + size)
    return dict(sorted(usage.items(), key=lambda item: item[1].byte_size, reverse=True))


def take_statistics(table: BlockTable) -> Statistics:
    """What is live on a heap, added up in every way."""
    live = describe_live(table)
    by_size: dict[int, Usage] = {}
    for block in live:
        limit = 1 << max(block.byte_size - 1, 0).bit_length()
        blocks, total = by_size.get(limit, (0, 0))
        by_size[limit] = Usage(blocks + 1, total + block.byte_size)
    counter = table.allocator
    counts = None
    if isinstance(counter, CountingAllocator):
        counts = Counts(
            counter.peak_blocks, counter.peak_bytes, counter.total_blocks, counter.total_bytes
        )
    return Statistics(
        Usage(len(live), sum(block.byte_size for block in live)),
        dict(sorted(by_size.items())),
        _add_up((block.kind, block.byte_size) for block in live),
        _add_up((block.site, block.byte_size) for block in live),
        counts,
    )


class NoLeaks:
    """The scope that `DiagnosisVerbs.no_leaks` opens."""

    def __init__(self, table: BlockTable) -> None:
        self._table = table

    def __enter__(self) -> None:
        self._before = Snapshot(self._table)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        left = self._before.diff(Snapshot(self._table)).allocated
        if error is None:
            refuse_leaks(left, "still live")
        elif left:
            add_note(error, f"and then, {leak_report(left, 'still live')}")


def refuse_leaks(live: list[LiveBlock], state: str) -> None:
    """Raise LeakError if there is any block."""
    if live:
        raise LeakError(leak_report(live, state))


def leak_report(live: list[LiveBlock], state: str) -> str:
    """Live blocks, grouped by their allocation site, the most bytes first."""
    total = sum(block.byte_size for block in live)
    head = f"{len(live)} blocks of {count_of(total, 'byte')} together are {state}; free them:"
    if len(live) == 1:
        head = f"1 block of {count_of(total, 'byte')} is {state}; free it:"
    lines = [head]
    for site, usage in _add_up((block.site, block.byte_size) for block in live).items():
        group = [block for block in live if block.site == site]
        kinds = ", ".join(dict.fromkeys(block.kind for block in group))
        lines.append(
            f"  {usage.blocks} of {count_of(usage.byte_size, 'byte')} ({kinds}), the first at "
            f"{format_address(group[0].address)}, allocated at {site}"
        )
    return "\n".join(lines)


# In notebooks


def show_statistics(statistics: Statistics) -> str:
    """Statistics, in every way that they are added up."""
    rows = [("live blocks", statistics.live.blocks), ("live bytes", statistics.live.byte_size)]
    if statistics.counts is not None:
        rows += zip(
            ("most blocks at once", "most bytes at once", "blocks in all", "bytes in all"),
            statistics.counts,
            strict=True,
        )
    sizes = [(f"up to {limit}", usage) for limit, usage in statistics.by_size.items()]
    return page(
        "statistics",
        table((), rows),
        show_usage("bytes of a block", sizes),
        show_usage("kind", list(statistics.by_kind.items())),
        show_usage("allocated at", list(statistics.by_site.items())),
    )


def show_usage(what: str, usage: Sequence[tuple[str, Usage]]) -> str:
    """Usage by something, as a table; empty if there is none."""
    if not usage:
        return ""
    shown = usage[:_MOST_ROWS]
    rows = [(name, blocks, size) for name, (blocks, size) in shown]
    return table((what, "blocks", "bytes"), rows) + _rest(len(usage) - len(shown))


def show_blocks(title: str, blocks: Sequence[LiveBlock]) -> str:
    """Blocks, one in a row."""
    return page(
        f"{title}: {len(blocks)}, {sum(block.byte_size for block in blocks)} bytes",
        table(("address", "bytes", "kind", "allocated at"), _rows(blocks)) if blocks else "",
        _rest(len(blocks) - _MOST_ROWS),
    )


def _rows(blocks: Sequence[LiveBlock]) -> Iterator[Sequence[object]]:
    for block in blocks[:_MOST_ROWS]:
        yield format_address(block.address), block.byte_size, block.kind, block.site


def _rest(count: int) -> str:
    return preformatted(f"... and {count} more") if count > 0 else ""
