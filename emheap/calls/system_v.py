"""Structures by value on x86-64, as the System V ABI has them.

Each eight bytes of a structure of up to 16 go in a register: in a vector register if all that is
there is float or double, else in a general one. Any larger structure goes on the stack. ctypes
takes a union, a bit-field and a field that ``pack=`` moved for something else than they are, so it
is not given the members: it is given another structure, of the same size and alignment, that goes
in the same registers.
"""

from __future__ import annotations

import ctypes
import platform
import struct
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from emheap.types.abi import ABI
from emheap.types.pointers import PointerTo
from emheap.types.structs import StructType, layout_of, size_and_alignment

__all__ = [
    "IS_SYSTEM_V",
    "TwoWords",
    "Unpassable",
    "halves",
    "in_last_register",
    "same_registers",
]

IS_SYSTEM_V = (
    platform.machine().lower() in ("x86_64", "amd64")
    and sys.platform != "win32"
    and ctypes.sizeof(ctypes.c_void_p) == 8
)
"""Whether this process passes structures so."""

_INTEGERS: dict[int, Any] = {
    1: ctypes.c_uint8,
    2: ctypes.c_uint16,
    4: ctypes.c_uint32,
    8: ctypes.c_uint64,
}
_FLOATS: dict[int, Any] = {4: ctypes.c_float, 8: ctypes.c_double}
_ALIGNED_TO_16 = ctypes.c_longdouble * 0
"""A member without bytes, which goes nowhere."""


class Unpassable(Exception):  # noqa: N818 (it is no error of the caller's)
    """Says why a structure cannot be passed."""


class TwoWords(ctypes.Structure):
    """An __int128: two general registers, or a place on the stack that is aligned to 16 bytes."""

    registers = ("integer", "integer")
    _fields_ = [
        ("aligned", _ALIGNED_TO_16),
        ("low", ctypes.c_uint64),
        ("high", ctypes.c_uint64),
    ]

    def __init__(self, low: int = 0, high: int = 0) -> None:
        super().__init__(low=low, high=high)


def same_registers(kind: Any, abi: ABI) -> Any:
    """A structure of ctypes that travels as `kind` does. Raises Unpassable."""
    layout = layout_of(kind, abi)
    size, alignment = layout.size, layout.alignment
    if alignment > 16:
        raise Unpassable(f"the stack that libffi makes is aligned to 16 bytes, not to {alignment}")
    unit = min(alignment, 8)
    fields: list[tuple[str, Any]] = [("aligned", _ALIGNED_TO_16)] * (alignment == 16)
    space: dict[str, Any] = {}
    if size > 16:
        fields.append(("bytes", _INTEGERS[unit] * (size // unit)))
    else:
        classes = _classes(kind, abi)
        space["registers"] = tuple(classes)
        fields += _members(classes, size, unit)
        if unit < 4 and "float" in classes:
            space["_layout_"], space["_pack_"] = "ms", unit
    space["_fields_"] = fields
    made = type(kind.__name__, (ctypes.Structure,), space)
    assert (ctypes.sizeof(made), ctypes.alignment(made)) == (size, alignment)
    return made


def _members(classes: list[str], size: int, unit: int) -> Iterator[tuple[str, Any]]:
    """Numbers that fill the bytes of a small structure, in the registers of `classes`."""
    for start, one in zip(range(0, size, 8), classes, strict=True):
        if one:
            kinds, step = (_FLOATS, max(unit, 4)) if one == "float" else (_INTEGERS, unit)
            yield from ((f"at{at}", kinds[step]) for at in range(start, min(start + 8, size), step))


def _classes(kind: Any, abi: ABI) -> list[str]:
    """For each eight bytes the registers that they go in: "integer" or "float"."""
    size = layout_of(kind, abi).size
    classes = [""] * -(-size // 8)
    for start, length, is_float in _numbers(kind, abi, 0):
        for eight in range(start // 64, (start + length - 1) // 64 + 1):
            if classes[eight] != "integer":
                classes[eight] = "float" if is_float else "integer"
    if not all(classes):  # they go nowhere, and libffi takes a register for them
        raise Unpassable("eight bytes of it are padding, which libffi puts in the wrong place")
    if "float" in classes and _has_unnamed_bits(kind):
        raise Unpassable("compilers do not agree about a float beside unnamed bit-fields")
    return classes


def _has_unnamed_bits(kind: Any) -> bool:
    return any(
        one.unnamed or (isinstance(one.kind, StructType) and _has_unnamed_bits(one.kind))
        for one in kind._declaration.entries
    )


def _numbers(kind: Any, abi: ABI, base: int) -> Iterator[tuple[int, int, bool]]:
    """Each number of a structure that begins at bit `base`: its first bit, how many bits it has,
    and whether it is a float."""
    layout = layout_of(kind, abi)
    for entry in kind._declaration.named:
        start, length = layout.placed.bits[entry.name]
        start += base
        size, alignment = size_and_alignment(entry.kind, abi)
        whole = entry.width is None or kind._declaration.union  # to gcc, not to clang
        if whole and start % (8 * alignment):
            raise Unpassable(f"{entry.name} is not aligned, and such structures go on the stack")
        if entry.width is not None:
            yield start, length, False
            continue
        for at in range(start, start + length, 8 * size):
            if isinstance(entry.kind, StructType):
                yield from _numbers(entry.kind, abi, at)
            else:
                yield at, 8 * size, _is_float(entry.kind)


def in_last_register(params: Sequence[Any], result: Any) -> int | None:
    """The number of the parameter that libffi spoils another one with; None if there is none.

    Of a structure it copies all bytes to the place of a general register, also where only the
    first eight are for that. After the last one comes that of the first vector register, which an
    argument before may be in.
    """
    vector, general = 0, 0
    if isinstance(result, type) and issubclass(result, ctypes.Structure):
        general = not _registers(result)  # the place of the result is in the first one
    for number, letter in enumerate(params):
        registers = _registers(letter)
        if registers is None:
            registers = ("float",) if letter in ("f", "d") else ("integer",)
        integers, floats = registers.count("integer"), registers.count("float")
        if general + integers > 6 or vector + floats > 8:
            continue
        if registers == ("integer", "float") and general == 5 and vector:
            return number
        general, vector = general + integers, vector + floats
    return None


def _registers(letter: Any) -> Any:
    """The registers of a structure, none if it goes on the stack; None for anything else."""
    return getattr(letter, "registers", ()) if isinstance(letter, type) else None


def halves(given: Any) -> tuple[int, float]:
    """The two registers of a structure that goes in one of each kind."""
    found: tuple[int, float] = struct.unpack("=Qd", bytes(given).ljust(16, b"\0"))
    return found


def _is_float(kind: Any) -> bool:
    return not isinstance(kind, PointerTo) and getattr(kind, "format", "") in ("f", "d")
