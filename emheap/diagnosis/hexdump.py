"""Hexdumps: the bytes of a heap, with the blocks that they belong to and the values they hold."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, overload

from emheap._util.checks import check_count
from emheap._util.messages import count_of
from emheap.blocks.block import Block, Layout, describe_block, describe_freed, end_of
from emheap.blocks.table import BlockTable
from emheap.diagnosis.html import Printout
from emheap.errors import OutOfBoundsError
from emheap.memories.base import Memory
from emheap.memories.elements import Pin
from emheap.types import Scalar, Text
from emheap.types.arrays import decode_elements

__all__ = ["Extent", "hexdump", "split_by_block"]


class _Reference(Protocol):
    """A reference of a heap. Their module imports this one, for notebooks."""

    _block: Block

    @property
    def _memory(self) -> Memory: ...
    def _pin(self) -> tuple[Block, Pin]: ...
    def _extent(self, block: Block) -> tuple[int, int]: ...


class _Heap(Protocol):
    _table: BlockTable


@overload
def hexdump(place: _Reference, /, *, length: int | None = None) -> Printout: ...
@overload
def hexdump(place: _Heap, address: int, length: int, /) -> Printout: ...
def hexdump(place: Any, /, *extent: int, length: int | None = None) -> Printout:
    """The bytes of a reference, or `length` bytes from an address of a heap, as text.

    Each run of bytes stands under the block that it belongs to, live or freed, with the values
    that they hold beside it. Of a reference the first 4096 bytes are shown, or `length`. A debug
    heap is shown as it is, red zones and all. Raises UseAfterFreeError, OutOfBoundsError,
    OverflowError for a bad length, TypeError.

    >>> import emheap
    >>> heap = emheap.wrap_buffer(bytearray(100))
    >>> with heap.alloc_array(emheap.int16, [1, -2, 3]) as numbers:
    ...     print(emheap.hexdump(heap, numbers.address, 8))
    the int16 array of 6 bytes at 0x10, allocated at ...
      0x10  01 00 fe ff 03 00                                 |......|  1 -2 3
    no known block
      0x16  00 00                                             |..|
    """
    if hasattr(place, "allocated_byte_size"):
        if extent:
            raise TypeError("hexdump() of a reference takes length= and nothing else")
        return dump_ref(place, length)
    if not hasattr(place, "_table") or len(extent) != 2 or length is not None:
        raise TypeError("hexdump() takes a reference, or a heap, an address and a length")
    return dump_extent(place._table, *extent)


_MOST = 4096
"""The bytes of a reference that are shown, unless the caller says how many."""
_ROW = 16


def dump_extent(table: BlockTable, address: Any, length: Any) -> Printout:
    """The bytes from an address of a heap."""
    size = check_count(length, "length", 1, table.memory.largest_block)
    start = table.memory.check_extent(address, size, "hexdump")
    data = table.memory.read_bytes(start, size)
    return Printout("\n".join(_lines(data, start, split_by_block(table, start, start + size))))


def dump_ref(ref: _Reference, length: int | None) -> Printout:
    """The bytes of a reference."""
    block, pinned = ref._pin()
    try:
        start, size = ref._extent(block)
        shown = min(size, _MOST)
        if length is not None:
            shown = check_count(length, "length", 1, ref._memory.largest_block)
        if shown > size:
            raise OutOfBoundsError(f"hexdump of {count_of(shown, 'byte')}: {ref!r} has {size}")
        data = ref._memory.read_bytes(start, shown) if shown else b""
    finally:
        pinned.release()
    live = block[2].table.is_live(block)
    extent = Extent(start, start + shown, block, describe_block(block), live)
    lines = list(_lines(data, start, [extent]))
    if shown < size:
        lines.append(
            f"  ... {count_of(size - shown, 'byte')} more; hexdump(ref, length=...) shows them"
        )
    return Printout("\n".join(lines))


def _lines(data: bytes, start: int, extents: list[Extent]) -> Iterator[str]:
    width = len(f"{start + len(data):#x}")
    for extent in extents:
        part = data[extent.start - start : extent.end - start]
        yield extent.state + _text_of(extent, part)
        yield from _rows(part, extent.start, width, _values(extent, part))


def _layout_of(extent: Extent) -> Layout | None:
    """How the bytes of an extent are read, if they begin where an element does."""
    if extent.block is None:
        return None
    layout = extent.block[2]
    if layout.show_fields(b"", 0, 0, 0) is not None:  # a structure's `size` may be a field
        return None
    return None if (extent.start - extent.block[1]) % layout.kind.size else layout


def _text_of(extent: Extent, part: bytes) -> str:
    layout = _layout_of(extent)
    if layout is None or not issubclass(layout.kind, Text):
        return ""
    size = layout.kind.size
    whole = part[: len(part) // size * size]
    text = layout.kind.decode(whole, "replace").partition("\0")[0]
    return f": {text[:60]!r}" + ("..." if len(text) > 60 else "")


_Values = Callable[[int], str]
"""Gives the values that begin in the row at an offset."""


def _rows(data: bytes, start: int, width: int, values_at: _Values) -> Iterator[str]:
    """Rows of 16 bytes with their addresses, as characters, and as the values in them."""
    for offset in range(0, len(data), _ROW):
        row = data[offset : offset + _ROW]
        pairs = row.hex(" ")
        halves = f"{pairs[:23]}  {pairs[24:]}".rstrip()
        characters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        line = f"  {start + offset:#0{width}x}  {halves:48}  |{characters}|"
        values = values_at(offset)
        yield f"{line}  {values}" if values else line


def _values(extent: Extent, data: bytes) -> _Values:
    """What shows the values in the bytes of an extent: elements, or the fields of structures."""
    block = extent.block
    if block is not None and block[2].show_fields(b"", 0, 0, 0) is not None:
        show, start = block[2].show_fields, extent.start - block[1]
        end = start + len(data)
        return lambda offset: (
            show(data, start, start + offset, min(start + offset + _ROW, end)) or ""
        )
    layout = _layout_of(extent)
    if layout is None or not issubclass(layout.kind, Scalar):
        return lambda offset: ""
    kind = layout.kind
    size = kind.size

    def elements(offset: int) -> str:
        first = -(-offset // size) * size
        last = min(-(-(offset + _ROW) // size) * size, len(data) // size * size)
        return " ".join(map(repr, decode_elements(kind, data[first:last])))

    return elements


class Extent(NamedTuple):
    """Bytes that belong together."""

    start: int
    end: int
    block: Block | None
    """The block that they are, or were, a part of."""
    state: str
    """Its description: what a live block is, and also where a freed one was freed."""
    is_live: bool


def split_by_block(table: BlockTable, start: int, end: int) -> list[Extent]:
    """The bytes from `start` to `end` by the block that they belong to, in order.

    Of blocks that overlap, as an adopted one may, only the first is listed; of freed blocks, only
    those whose bytes were not allocated again.
    """
    found: list[Extent] = []
    for block in sorted(table, key=lambda block: block[1]):
        _add(found, _cut(block, start, end, describe_block(block), is_live=True))
    for block, origin, offset in reversed(list(table.freed.values())):
        state = f"freed: {describe_freed(block, (origin, offset))}"
        _add(found, _cut(block, start, end, state, is_live=False))
    whole: list[Extent] = []
    position = start
    for extent in [*found, Extent(end, end, None, "", False)]:
        if extent.start > position:
            whole.append(Extent(position, extent.start, None, "no known block", False))
        whole.append(extent)
        position = extent.end
    return whole[:-1]


def _cut(block: Block, start: int, end: int, state: str, *, is_live: bool) -> Extent:
    first, last = max(block[1], start), min(end_of(block), end)
    return Extent(first, last, block, state, is_live)


def _add(found: list[Extent], extent: Extent) -> None:
    if extent.start >= extent.end:
        return
    position = bisect_right(found, extent.start, key=lambda known: known.start)
    before, after = found[position - 1 : position], found[position : position + 1]
    if before and position and before[0].end > extent.start:
        return
    if after and after[0].start < extent.end:
        return
    found.insert(position, extent)
