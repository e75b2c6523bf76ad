"""What hexdumps are made of. Imported when the first one is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from emheap.blocks import BlockTable
from emheap.checks import check_count
from emheap.extents import Extent, divide
from emheap.markup import Printout
from emheap.records import Layout, describe_block
from emheap.refs import HeapRef
from emheap.types import Scalar, Text
from emheap.types.sequences import decode_elements

__all__ = ["dump_extent", "dump_ref"]

_MOST = 4096
"""The bytes of a reference that are shown, unless the caller says how many."""
_ROW = 16


def dump_extent(table: BlockTable, address: Any, length: Any) -> Printout:
    """The bytes from an address of a heap."""
    size = check_count(length, "length", 1, table.memory.largest_block)
    start = table.memory.check_extent(address, size, "hexdump")
    data = table.memory.read_bytes(start, size)
    return Printout("\n".join(_lines(data, start, divide(table, start, start + size))))


def dump_ref(ref: HeapRef[Any], length: int | None) -> Printout:
    """The bytes of a reference."""
    ref._check_alive()
    size = ref.allocated_byte_size
    shown = min(size, _MOST if length is None else check_count(length, "length", 1, size))
    start = ref.address
    data = ref._memory.read_bytes(start, shown) if shown else b""
    owner = ref._block[2].owner
    state = describe_block(ref._block)
    extent = Extent(start, start + shown, ref._block, state, owner.is_live(ref._block))
    lines = list(_lines(data, start, [extent]))
    if shown < size:
        lines.append(f"  ... {size - shown} bytes more; hexdump(ref, length=...) shows them")
    return Printout("\n".join(lines))


def _lines(data: bytes, start: int, extents: list[Extent]) -> Iterator[str]:
    width = len(f"{start + len(data):#x}")
    for extent in extents:
        part = data[extent.start - start : extent.end - start]
        yield extent.state + _text_of(extent, part)
        yield from _rows(part, extent.start, width, _layout_of(extent))


def _layout_of(extent: Extent) -> Layout | None:
    """How the bytes of an extent are read, if they begin where an element does."""
    if extent.block is None:
        return None
    layout = extent.block[2]
    return None if (extent.start - extent.block[1]) % layout.kind.size else layout


def _text_of(extent: Extent, part: bytes) -> str:
    layout = _layout_of(extent)
    if layout is None or not issubclass(layout.kind, Text):
        return ""
    size = layout.kind.size
    whole = part[: len(part) // size * size]
    text = layout.kind.decode(whole, "replace").partition("\0")[0]
    return f": {text[:60]!r}" + ("..." if len(text) > 60 else "")


def _rows(data: bytes, start: int, width: int, layout: Layout | None = None) -> Iterator[str]:
    """Rows of 16 bytes with their addresses, as characters, and as the values of a layout."""
    for offset in range(0, len(data), _ROW):
        row = data[offset : offset + _ROW]
        pairs = row.hex(" ")
        halves = f"{pairs[:23]}  {pairs[24:]}".rstrip()
        characters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        line = f"  {start + offset:#0{width}x}  {halves:48}  |{characters}|"
        values = _values(data, offset, layout)
        yield f"{line}  {values}" if values else line


def _values(data: bytes, offset: int, layout: Layout | None) -> str:
    """The elements that begin in a row."""
    if layout is None or not issubclass(layout.kind, Scalar):
        return ""
    size = layout.kind.size
    first = -(-offset // size) * size
    last = min(-(-(offset + _ROW) // size) * size, len(data) // size * size)
    return " ".join(map(repr, decode_elements(layout.kind, data[first:last])))
