"""What references, heaps and reports look like in a notebook.

Nothing here raises for a block that is gone or damaged: a notebook shows what it can.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from emheap.diagnosis import DiagnosisVerbs
from emheap.errors import HeapError, format_address
from emheap.inspection import hexdump
from emheap.maps import draw_map
from emheap.markup import page, preformatted, table
from emheap.refs import ArrayRef, HeapRef
from emheap.reports import take_statistics
from emheap.sites import describe_site

if TYPE_CHECKING:
    from emheap.reports import LiveBlock, Statistics, Usage

__all__ = ["show_blocks", "show_heap", "show_ref", "show_statistics"]

_MOST_ROWS = 100
_MOST_ELEMENTS = 16
_MOST_BYTES = 64
_MOST_CHARACTERS = 300


def show_ref(ref: HeapRef[Any]) -> str:
    """A reference: what and where it is, its value, its first bytes."""
    _, address, layout, origin, offset = ref._block
    owner = layout.owner
    rows = [
        ("address", format_address(address)),
        ("bytes", layout.byte_size),
        ("memory", owner.memory.name),
    ]
    if origin is not None:
        rows.append(("allocated at", describe_site((origin, offset))))
    if ref.is_freed:
        rows.append(("state", owner.freed_at(ref._block)))
        return page(layout.describe(), table((), rows))
    rows.insert(0, ("value", _value(ref)))
    rows.append(("state", "borrowed" if layout.borrowed else "owned"))
    return page(layout.describe(), table((), rows), preformatted(_first_bytes(ref)))


def _value(ref: HeapRef[Any]) -> str:
    try:
        if not isinstance(ref, ArrayRef):
            text = ref._content()
            return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."
        shown = ", ".join(map(repr, islice(ref, _MOST_ELEMENTS)))
    except (HeapError, ValueError) as error:
        return f"unreadable: {error}"
    more = ", ..." if len(ref) > _MOST_ELEMENTS else ""
    return f"{len(ref)} elements: [{shown}{more}]"


def _first_bytes(ref: HeapRef[Any]) -> str:
    try:
        size = min(ref.allocated_byte_size, _MOST_BYTES)
        return hexdump(ref, length=size).partition("\n")[2]
    except (HeapError, ValueError) as error:
        return f"unreadable: {error}"


def show_heap(heap: DiagnosisVerbs) -> str:
    """A heap: how much is live, of what kinds, and where."""
    owner = heap._table
    options = owner.options
    title = f"heap in {owner.memory.name}"
    chosen = ", ".join(name for name in ("debug", "count_allocations") if getattr(options, name))
    rows: list[tuple[str, object]] = [("allocator", type(owner.allocator).__name__)]
    if chosen:
        rows.append(("options", chosen))
    if not options.track_allocations:
        return page(title, table((), [*rows, ("blocks", "not tracked")]))
    statistics = take_statistics(owner)
    rows += [("live blocks", statistics.live.blocks), ("live bytes", statistics.live.byte_size)]
    return page(
        title,
        table((), rows),
        _usage("kind", list(statistics.by_kind.items())),
        draw_map(owner)._repr_html_(),
    )


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
        _usage("bytes of a block", sizes),
        _usage("kind", list(statistics.by_kind.items())),
        _usage("allocated at", list(statistics.by_site.items())),
    )


def _usage(what: str, usage: Sequence[tuple[str, Usage]]) -> str:
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
