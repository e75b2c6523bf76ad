"""The fields of structures in bytes that a dump shows, whether their block is live or not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from emheap._util.messages import format_address
from emheap.refs.field_codecs import ScalarCodec
from emheap.types.abi import ABI
from emheap.types.pointers import PointerTo
from emheap.types.struct_fields import Entry
from emheap.types.structs import StructType, layout_of, size_and_alignment
from emheap.types.text import Text

__all__ = ["fields_in"]

_MOST_ELEMENTS = 64


class _Item(NamedTuple):
    """A number in a structure."""

    offset: int
    size: int
    name: str
    show: Callable[[bytes], str]


def fields_in(
    kind: Any, abi: ABI, stride: int, data: bytes, start: int, first: int, last: int
) -> str:
    """The fields of structures, `stride` bytes apart, that begin at `first` to `last`, with their
    values, as words. Offsets count from the start of the block; `data` are its bytes from `start`
    on."""
    items = list(_items_of(kind, abi, "", 0))
    stride = max(stride, 1)
    words = []
    for base in range(first // stride * stride, last, stride):
        for item in items:
            at = base + item.offset
            if first <= at < last:
                part = data[at - start : at - start + item.size]
                value = item.show(part) if len(part) == item.size else "..."
                words.append(f"{item.name}={value}")
    return " ".join(words)


def _items_of(kind: Any, abi: ABI, prefix: str, base: int) -> Iterator[_Item]:
    """The numbers in a structure, those of nested ones included."""
    fields = layout_of(kind, abi).fields
    for entry in kind._declaration.named:
        offset, name = base + fields[entry.name].offset, prefix + entry.name
        if entry.width is not None:
            yield _bits_item(kind, entry, abi, name, base)
        elif entry.shape is None:
            yield from _items_at(kind, entry, abi, name, offset)
        elif isinstance(entry.kind, type) and issubclass(entry.kind, Text):
            yield _text_item(entry, name, offset)
        else:
            size = size_and_alignment(entry.kind, abi)[0]
            for index in range(min(entry.count or 0, _MOST_ELEMENTS)):
                label = f"{name}[{index}]"
                yield from _items_at(kind, entry, abi, label, offset + index * size)


def _items_at(owner: Any, entry: Entry, abi: ABI, name: str, offset: int) -> Iterator[_Item]:
    if isinstance(entry.kind, StructType):
        yield from _items_of(entry.kind, abi, f"{name}.", offset)
        return
    if isinstance(entry.kind, PointerTo):
        yield _Item(offset, abi.pointer_size, name, _show_pointer)
        return
    codec = ScalarCodec(owner, entry, abi)
    yield _Item(offset, codec.size, name, _shower(codec.unpack))


def _bits_item(owner: Any, entry: Entry, abi: ABI, name: str, base: int) -> _Item:
    field = layout_of(owner, abi).fields[entry.name]
    codec = ScalarCodec(owner, entry, abi)
    width = entry.width or 0
    signed = getattr(codec.scalar, "minimum", 0) < 0 and entry.convert is not bool

    def decode(data: bytes) -> Any:
        stored = int.from_bytes(data, "little") >> field.bit_offset & (1 << width) - 1
        return codec.decode(stored - (1 << width) if signed and stored >> width - 1 else stored)

    return _Item(base + field.offset, field.size, name, _shower(decode))


def _text_item(entry: Entry, name: str, offset: int) -> _Item:
    def show(data: bytes) -> str:
        return repr(entry.kind.decode(data, "replace").partition("\0")[0])

    return _Item(offset, (entry.count or 0) * entry.kind.size, name, show)


def _show_pointer(data: bytes) -> str:
    address = int.from_bytes(data, sys.byteorder)
    return format_address(address) if address else "null"


def _shower(decode: Callable[[bytes], Any]) -> Callable[[bytes], str]:
    def show(data: bytes) -> str:
        try:
            return str(decode(data))
        except (ValueError, OverflowError):  # no member of an enumeration, say
            return f"0x{data[::-1].hex()}"

    return show
