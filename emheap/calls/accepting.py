"""What may be behind an address that C takes: which references and arrays fit a parameter."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from emheap.calls.kinds import Address, Number, Reference, type_name
from emheap.calls.linker import Convention
from emheap.types import Scalar, Text
from emheap.types.c_scalars import boolean
from emheap.types.pointers import PointerTo
from emheap.types.structs import StructType
from emheap.types.wide import WideInteger

__all__ = ["accepts_target", "array_test", "describe_target", "is_row_of_bytes"]

Test = Callable[[Any], bool]


def is_row_of_bytes(kind: Any) -> bool:
    """Whether something is a type of one byte, as strings and their characters are."""
    return not isinstance(kind, (StructType, PointerTo)) and bool(kind.size == 1)


def accepts_target(target: Any, convention: Convention) -> Test:
    """A function that tells whether the address of a value of one type fits a parameter."""
    if target is None or target is Any:
        return lambda kind: True
    if isinstance(target, Number):
        return _accepts_letter(convention.letter(target.format), convention)
    if isinstance(target, PointerTo):
        return _accepts_pointer(target, convention)
    if isinstance(target, StructType):
        return lambda kind: kind is target
    return _accepts_scalar(target, convention)


def _accepts_pointer(target: PointerTo, convention: Convention) -> Test:
    size = convention.abi.pointer_size

    def accepts(kind: Any) -> bool:
        if kind == target:
            return True
        if not getattr(kind, "is_pointer", False):
            return False
        if kind.pointee is None:  # addresses, of anything: those of alloc_strings() too
            return bool(kind.size == size)
        return bool(kind.pointee == target)

    return accepts


def _accepts_scalar(target: Any, convention: Convention) -> Test:
    if issubclass(target, WideInteger):
        return lambda kind: kind is target
    if issubclass(target, Text):
        size = target.size
        return lambda kind: not isinstance(kind, (StructType, PointerTo)) and kind.size == size
    return _accepts_letter(target.for_abi(convention.abi).format, convention)


def _accepts_letter(letter: str, convention: Convention) -> Test:
    if letter == "?":  # which is stored as a byte
        return lambda kind: kind is boolean

    def accepts(kind: Any) -> bool:
        if isinstance(kind, (StructType, PointerTo)) or not issubclass(kind, Scalar):
            return False
        return bool(kind.for_abi(convention.abi).format == letter)

    return accepts


def describe_target(kind: Address | Reference) -> str:
    """What a parameter takes, for messages."""
    return f"a reference to {type_name(kind.target)}, an array of it, a pointer, or None"


def array_test(
    kind: Address | Reference, convention: Convention
) -> Callable[[memoryview | None], memoryview | None]:
    """A function that gives a view back if it is one of the right numbers."""
    if not isinstance(kind.target, Number):
        return lambda view: None
    letter = convention.letter(kind.target.format)
    size = ctypes.sizeof(_C_TYPES[letter])

    def test(view: memoryview | None) -> memoryview | None:
        if view is None:
            return None
        found = view.format.lstrip("@=<")
        same = found == letter or (
            view.itemsize == size
            and found.lower() in "bhilqn"
            and letter.lower() in "bhiq"
            and found.isupper() == letter.isupper()
        )
        return view if same else None

    return test


_C_TYPES: dict[str, Any] = {
    "?": ctypes.c_bool, "b": ctypes.c_int8, "B": ctypes.c_uint8, "h": ctypes.c_int16,
    "H": ctypes.c_uint16, "i": ctypes.c_int32, "I": ctypes.c_uint32, "q": ctypes.c_int64,
    "Q": ctypes.c_uint64, "f": ctypes.c_float, "d": ctypes.c_double,
}  # fmt: skip
