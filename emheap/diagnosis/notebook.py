"""What references, heaps and reports look like in a notebook.

Nothing here raises for a block that is gone or damaged: a notebook shows what it can.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from emheap._util.messages import count_of, format_address
from emheap._util.sites import describe_site
from emheap.blocks.table import BlockTable
from emheap.diagnosis.heap_map import draw_map
from emheap.diagnosis.hexdump import hexdump
from emheap.diagnosis.html import page, preformatted, table
from emheap.diagnosis.reports import show_usage, take_statistics
from emheap.errors import HeapError
from emheap.types.pointers import name_of

__all__ = ["show_heap", "show_ref"]

_MOST_ELEMENTS = 16
_MOST_BYTES = 64
_MOST_CHARACTERS = 300


def show_ref(ref: Any) -> str:
    """A reference: what and where it is, its value, its first bytes."""
    _, _, layout, origin, offset = ref._block
    owner = layout.table
    title = f"{name_of(ref.kind)} in {layout.describe()}" if hasattr(ref, "_parent") else ""
    rows = [
        ("address", format_address(ref.address)),
        ("bytes", ref.allocated_byte_size),
        ("memory", owner.memory.name),
    ]
    if origin is not None:
        rows.append(("allocated at", describe_site((origin, offset))))
    if ref.is_freed:
        rows.append(("state", owner.freed_at(ref._block)))
        return page(title or layout.describe(), table((), rows))
    if not layout.is_mapped(ref.address, ref.allocated_byte_size):
        rows.append(("state", "borrowed, and cannot be read"))
        return page(title or layout.describe(), table((), rows))
    rows.append(("state", "borrowed" if layout.borrowed else "owned"))
    if hasattr(ref, "_variants"):  # structures, whose module imports this one
        return page(title or layout.describe(), *_structures(ref, rows))
    rows.insert(0, ("value", _value(ref)))
    return page(title or layout.describe(), table((), rows), preformatted(_first_bytes(ref)))


def _structures(ref: Any, rows: list[tuple[str, object]]) -> tuple[str, ...]:
    """A structure with its fields, or an array of some with theirs."""
    if not hasattr(ref, "__getitem__"):
        return (_fields(ref),) if ref._table.for_values else (table((), rows), _fields(ref))
    rows.insert(0, ("value", count_of(len(ref), "element")))
    return table((), rows), _elements(ref), preformatted(_first_bytes(ref))


def _fields(ref: Any) -> str:
    """The fields of a structure: where each is, and what is there."""
    rows = []
    for name, field in ref._variants.layout.fields.items():
        offset, kind = str(field.offset), name_of(field.kind)
        if field.bit_width is not None:
            offset, kind = f"{offset}:{field.bit_offset}", f"{kind}:{field.bit_width}"
        rows.append((offset, kind, name, _field(ref, name)))
    return table(("offset", "type", "field", "value"), rows)


def _elements(refs: Any) -> str:
    """The first structures of an array, each in a row with its fields."""
    names = list(refs._variants.layout.fields)
    rows: list[tuple[object, ...]] = [
        (index, *(_field(each, name) for name in names))
        for index, each in enumerate(islice(refs, _MOST_ELEMENTS))
    ]
    if len(refs) > _MOST_ELEMENTS:
        rows.append(("...", *("" for _ in names)))
    return table(("", *names), rows)


def _field(ref: Any, name: str) -> str:
    try:
        text: str = ref._field_text(name)
    except (HeapError, ValueError) as error:
        return f"unreadable: {error}"
    return text


def _value(ref: Any) -> str:
    try:
        if not hasattr(ref, "__getitem__"):
            text = ref._content()
            return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."
        shown = ", ".join(map(repr, islice(ref, _MOST_ELEMENTS)))
    except (HeapError, ValueError) as error:
        return f"unreadable: {error}"
    more = ", ..." if len(ref) > _MOST_ELEMENTS else ""
    return f"{count_of(len(ref), 'element')}: [{shown}{more}]"


def _first_bytes(ref: Any) -> str:
    try:
        size = min(ref.allocated_byte_size, _MOST_BYTES)
        return hexdump(ref, length=size).partition("\n")[2]
    except (HeapError, ValueError) as error:
        return f"unreadable: {error}"


def show_heap(owner: BlockTable) -> str:
    """A heap: how much is live, of what kinds, and where."""
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
        show_usage("kind", list(statistics.by_kind.items())),
        draw_map(owner)._repr_html_(),
    )
