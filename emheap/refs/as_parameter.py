"""A reference as an argument of a foreign function that ctypes calls."""

from __future__ import annotations

import ctypes
from typing import Any

from emheap.memories.elements import Pin
from emheap.types import Scalar

__all__ = ["as_parameter"]

_TYPES: dict[str, Any] = {
    "b": ctypes.c_int8,
    "B": ctypes.c_uint8,
    "h": ctypes.c_int16,
    "H": ctypes.c_uint16,
    "i": ctypes.c_int32,
    "I": ctypes.c_uint32,
    "q": ctypes.c_int64,
    "Q": ctypes.c_uint64,
    "f": ctypes.c_float,
    "d": ctypes.c_double,
}
_CHARACTERS = {1: ctypes.c_char, ctypes.sizeof(ctypes.c_wchar): ctypes.c_wchar}


def as_parameter(ref: Any) -> Any:
    """A ctypes pointer to the bytes of a reference, which cannot be freed while it exists.

    A function may declare ``c_void_p``, ``POINTER(...)`` of the elements' type, ``c_char_p`` for
    bytes, ``c_wchar_p`` for elements as wide as a ``wchar_t``, or nothing.
    """
    block, pinned = ref._pin()
    held: Any = _Held(pinned)
    host = block[2].table.raw_memory.host_address(ref._extent(block)[0])
    unit: type[Scalar[Any]] = ref._unit
    kinds = [_TYPES.get(unit.format, ctypes.c_uint8)]
    if unit.size in _CHARACTERS:
        kinds.append(_CHARACTERS[unit.size])
    pointer: Any = None
    for kind in reversed(kinds):
        fallback, pointer = pointer, ctypes.cast(host, ctypes.POINTER(kind))
        pointer.emheap_holds = held
        if fallback is not None:
            # ctypes asks for this where a function declares another type than the pointer's.
            pointer._as_parameter_ = fallback
    return pointer


class _Held:
    """A block that cannot be freed for as long as this exists."""

    def __init__(self, pinned: Pin) -> None:
        self._pinned = pinned

    def __del__(self) -> None:
        self._pinned.release()
