"""What numpy calls a structure: the description of a structured dtype."""

from __future__ import annotations

import sys
from typing import Any

from emheap.types.abi import ABI
from emheap.types.c_scalars import boolean, char, float16
from emheap.types.scalars import FloatingPoint
from emheap.types.struct_fields import Entry
from emheap.types.structs import StructType, layout_of
from emheap.types.text import Text
from emheap.types.wide import as_wide

__all__ = ["dtype_of"]

_SPECIAL = {boolean: "?", float16: "f2", char: "S1"}


def dtype_of(kind: Any, abi: ABI) -> dict[str, Any]:
    """What ``numpy.dtype`` takes for a structure of a kind. Bit-fields are left out."""
    layout = layout_of(kind, abi)
    entries = [entry for entry in kind._declaration.named if entry.width is None]
    return {
        "names": [entry.name for entry in entries],
        "formats": [_format(entry, abi) for entry in entries],
        "offsets": [layout.fields[entry.name].offset for entry in entries],
        "itemsize": layout.size,
    }


def _format(entry: Entry, abi: ABI) -> Any:
    if entry.shape is None:
        return _element(entry, abi)
    if isinstance(entry.kind, type) and issubclass(entry.kind, (Text, char)):
        size = entry.kind.size
        return f"S{entry.count}" if size == 1 else (f"u{size}", entry.shape)
    return _element(entry, abi), entry.shape or (0,)


def _element(entry: Entry, abi: ABI) -> Any:
    kind: Any = entry.kind
    if isinstance(kind, StructType):
        return dtype_of(kind, abi)
    order = "<" if (sys.byteorder == "little") != entry.swapped else ">"
    if hasattr(kind, "scalar"):
        return f"{order}u{abi.pointer_size}"
    special = _SPECIAL.get(kind)
    if special is not None and special != "f2":
        return special
    if as_wide(kind):
        return f"V{kind.size}"
    scalar = kind.for_abi(abi)
    if special or issubclass(scalar, FloatingPoint):
        return f"{order}f{scalar.size}"
    return f"{order}{'i' if scalar.format.islower() else 'u'}{scalar.size}"
