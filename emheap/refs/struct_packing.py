"""Structures of plain numbers: what packs and unpacks all of their fields in one step."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from emheap.types.abi import ABI
from emheap.types.scalars import BYTE_ORDER, FloatingPoint, Scalar
from emheap.types.struct_fields import REQUIRED, Entry

__all__ = ["GENERATED", "form_of", "make_encoders", "packer"]


def form_of(declaration: Any, abi: ABI) -> struct.Struct | None:
    """The format of ``struct`` for a structure of plain numbers with nothing between the bytes."""
    if declaration.union or not declaration.named or declaration.named != declaration.entries:
        return None
    layout = declaration.layout(abi)
    parts, end = [], 0
    for entry in declaration.entries:
        plain = entry.shape is None and entry.width is None and entry.convert is None
        if not plain or entry.swapped or not isinstance(entry.kind, type):
            return None
        if not issubclass(entry.kind, Scalar) or not entry.kind.format or _converts(entry.kind):
            return None
        offset = layout.fields[entry.name].offset
        parts.append(f"{offset - end}x" if offset > end else "")
        scalar = entry.kind.for_abi(abi)
        parts.append(scalar.format)
        end = offset + scalar.size
    return struct.Struct(f"{BYTE_ORDER}{''.join(parts)}{layout.size - end}x")


def _converts(scalar: type[Scalar[Any]]) -> bool:
    return scalar.decodes or (scalar.encodes and not issubclass(scalar, FloatingPoint))


def make_encoders(
    entries: list[Entry], form: struct.Struct
) -> tuple[Callable[..., bytes], Callable[..., None], Callable[..., None]]:
    """Functions of the fields, as keywords or in a dict, that give their bytes, or store them."""
    space: dict[str, Any] = {
        **GENERATED,
        **_GUARDS,
        "__pack": form.pack,
        "__pack_into": form.pack_into,
    }
    parameters = []
    for entry in entries:
        if entry.default is REQUIRED:
            parameters.append(entry.name)
        else:
            space[f"__default_{entry.name}"] = entry.default or 0
            parameters.append(f"{entry.name}=__default_{entry.name}")
    values = ", ".join(entry.name for entry in entries)
    keywords = ", ".join(parameters)
    guard = _guard(entries)
    taken = "".join(f"    {entry.name} = __fields[{entry.name!r}]\n" for entry in entries)
    exec(
        f"def encode(*, {keywords}):\n{guard}"
        f"    return __pack({values})\n"
        f"def put(__window, __address, /, *, {keywords}):\n{guard}"
        f"    __pack_into(__window, __address, {values})\n"
        f"def put_all(__window, __address, __fields, /):\n{taken}{guard}"
        f"    __pack_into(__window, __address, {values})\n",
        space,
    )
    return space["encode"], space["put"], space["put_all"]


GENERATED = {"__name__": __name__}
"""The names of functions that are made of source text. By this one they are known for the
library's, where a message says which line of the program used a freed block."""
# Fields may be called ``type`` or ``float``.
_GUARDS = {"__type": type, "__float": float, "__int": int, "__error": TypeError}


def _guard(entries: list[Entry]) -> str:
    """Statements that let no number pass but Python's: ``struct`` takes all that can be made a
    float, and of a complex number of numpy's the real part."""
    return "".join(
        f"    if __type({entry.name}) is not __float and __type({entry.name}) is not __int:\n"
        f"        raise __error\n"
        for entry in entries
        if issubclass(entry.kind, FloatingPoint)
    )


def packer(kind: Any, form: struct.Struct) -> Callable[..., bytes]:
    """``pack(1, 2)``, which gives the bytes of a structure of plain numbers, or raises."""
    entries: list[Entry] = kind._declaration.named
    guard = _guard(entries)
    if not guard:
        return form.pack
    values = ", ".join(entry.name for entry in entries)
    space: dict[str, Any] = {**GENERATED, **_GUARDS, "__pack": form.pack}
    exec(f"def pack({values}, /):\n{guard}    return __pack({values})", space)
    made: Callable[..., bytes] = space["pack"]
    return made
