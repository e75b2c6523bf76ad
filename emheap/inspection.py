"""Hexdumps: the bytes of a heap, with the blocks that they belong to and the values they hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, overload

from emheap.checks import check_count
from emheap.diagnosis import DiagnosisVerbs
from emheap.extents import Extent, divide
from emheap.markup import Printout
from emheap.records import Layout, describe_block
from emheap.refs import HeapRef
from emheap.types import Scalar, Text
from emheap.types.sequences import decode_elements

__all__ = ["dump_bytes", "hexdump"]

_MOST = 4096
"""The bytes of a reference that are shown, unless the caller says how many."""
_ROW = 16


@overload
def hexdump(place: HeapRef[Any], /, *, length: int | None = None) -> Printout: ...
@overload
def hexdump(place: DiagnosisVerbs, address: int, length: int, /) -> Printout: ...
def hexdump(place: Any, /, *extent: int, length: int | None = None) -> Printout:
    """The bytes of a reference, or `length` bytes from an address of a heap, as text.

    Each run of bytes stands under the block that it belongs to, live or freed, with the values
    that they hold beside it. Of a reference the first 4096 bytes are shown, or `length`. Raises
    UseAfterFreeError, OutOfBoundsError, TypeError. A debug heap is shown as it is, red zones
    and all.

    >>> import emheap
    >>> heap = emheap.wrap_buffer(bytearray(100))
    >>> with heap.alloc_array(emheap.int16, [1, -2, 3]) as numbers:
    ...     print(emheap.hexdump(heap, numbers.address, 8))
    the int16 array of 6 bytes at 0x10, allocated at ...
      0x10  01 00 fe ff 03 00                                 |......|  1 -2 3
    no known block
      0x16  00 00                                             |..|
    """
    if isinstance(place, HeapRef):
        if extent:
            raise TypeError("hexdump() of a reference takes length= and nothing else")
        return _dump_ref(place, length)
    if not isinstance(place, DiagnosisVerbs) or len(extent) != 2 or length is not None:
        raise TypeError("hexdump() takes a reference, or a heap, an address and a length")
    table = place._table
    size = check_count(extent[1], "length", 1, table.memory.largest_block)
    start = table.memory.check_extent(extent[0], size, "hexdump")
    data = table.memory.read_bytes(start, size)
    return Printout("\n".join(_lines(data, start, divide(table, start, start + size))))


def _dump_ref(ref: HeapRef[Any], length: int | None) -> Printout:
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
        yield from dump_bytes(part, extent.start, width, _layout_of(extent))


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


def dump_bytes(data: bytes, start: int, width: int, layout: Layout | None = None) -> Iterator[str]:
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
