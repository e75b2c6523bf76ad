"""Addresses as others spell them: references, and the pointers of ctypes and of cffi."""

from __future__ import annotations

import ctypes
import operator
from typing import Any

from emheap.errors import NullPointerError

__all__ = ["Pinned", "address_of", "address_or_none", "is_reference", "pin_of"]

_POINTERS = (
    ctypes._Pointer,
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.c_wchar_p,
    type(ctypes.byref(ctypes.c_int())),
)


def address_of(value: Any, what: str) -> int:
    """The address that `value` means: an int, a reference, a pointer of ctypes or cffi.

    Raises TypeError for anything else, NullPointerError for None, which is how ctypes spells a
    null pointer, and UseAfterFreeError for a reference to a freed block.
    """
    if isinstance(value, bool):
        raise TypeError(f"{what} must be an int, not the bool {value!r}")
    try:
        return operator.index(value)
    except TypeError:
        pass
    if value is None:
        raise NullPointerError(
            f"null pointer: {what} is None, which is how ctypes spells the address 0; an "
            "allocation failed unnoticed, or a pointer was never set"
        )
    address = address_or_none(value)
    if address is not None:
        return address
    shown = repr(value)
    if len(shown) > 60:
        shown = shown[:57] + "..."
    raise TypeError(f"{what} must be an int, not {type(value).__name__} {shown}")


def address_or_none(value: Any) -> int | None:
    """The address that a reference or a pointer means; None for anything else."""
    if is_reference(value):
        return value._address_now()  # type: ignore[no-any-return]
    if isinstance(value, _POINTERS):
        return ctypes.cast(value, ctypes.c_void_p).value or 0
    if type(value).__module__ == "_cffi_backend":
        return _address_in_cffi(value)
    return None


def is_reference(value: Any) -> bool:
    """Whether this is a reference of ours, whose modules import this one."""
    return hasattr(type(value), "_address_now")


def pin_of(place: Any) -> Any:
    """What keeps the block of a reference, or of a pointer, from being freed until its
    ``release()``; None for an address."""
    if type(place) is int or not hasattr(type(place), "_pin"):
        return None
    return place._pin()[1]


class Pinned:
    """``with Pinned(place):`` keeps the block of a reference from being freed, or that of a pointer
    which knows it; an address names none."""

    __slots__ = ("_pin",)

    def __init__(self, place: Any) -> None:
        self._pin: Any = pin_of(place)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        if self._pin is not None:
            self._pin.release()


def _address_in_cffi(value: Any) -> int | None:
    from _cffi_backend import FFI  # type: ignore[import-untyped]

    ffi = FFI()
    try:
        if ffi.typeof(value).kind in ("pointer", "array", "function"):
            return int(ffi.cast("uintptr_t", value))
    except TypeError:  # a library or a type, which this module makes too
        pass
    return None
