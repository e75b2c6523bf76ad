"""C's variable arguments: the ``...`` of printf.

Nothing says of what types they are, so each goes as C would pass a value like it: an int as int,
or as long long where it is too large, a float as double, text and references as addresses.
"""

from __future__ import annotations

import ctypes
import struct
from typing import Any

from emheap.calls.conversions import Conversions
from emheap.calls.kinds import Buffer, String
from emheap.calls.ranges import checked_number
from emheap.calls.temporaries import view_of
from emheap.errors import NotSupportedError
from emheap.refs.base import HeapRef
from emheap.refs.pointer import Pointer
from emheap.types.scalars import dtype_kind, is_truth

__all__ = ["VariableArguments"]

_CTYPES = {
    "i": ctypes.c_int, "I": ctypes.c_uint, "q": ctypes.c_longlong, "Q": ctypes.c_ulonglong,
    "d": ctypes.c_double, "g": ctypes.c_longdouble,
}  # fmt: skip
_PROMOTED = {"?": "i", "b": "i", "B": "i", "h": "i", "H": "i", "f": "d"}
"""What C makes of small types here."""


class _Held:
    """What several arguments need during the call. Within its ``with`` they are converted: if that
    fails, all of it is released."""

    def __init__(self) -> None:
        self.holds: list[Any] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.release()

    def release(self) -> None:
        """Release all of it."""
        while self.holds:
            self.holds.pop().release()


class VariableArguments:
    """Converts the variable arguments of one function."""

    def __init__(self, services: Conversions, described: str) -> None:
        self._described = described
        self._convention = services.convention
        self._arguments = services.arguments
        self._text = services.converter(String(), described).convert
        self._buffer = services.converter(Buffer(), described).convert
        self._constant = services.converter(Buffer(constant=True), described).convert

    def by_ctypes(self, values: tuple[Any, ...]) -> tuple[list[Any], _Held]:
        """As objects of ctypes."""
        held = _Held()
        made = []
        with held:
            for value in values:
                letter, number = self._classify(value, held)
                made.append(_pointer(number) if letter == "P" else _CTYPES[letter](number))
        return made, held

    def in_memory(self, values: tuple[Any, ...]) -> tuple[int, _Held]:
        """As bytes in C's memory, each aligned to its size; returns their address."""
        held = _Held()
        data = bytearray()
        with held:
            for value in values:
                letter, number = self._classify(value, held)
                data += bytes(-len(data) % struct.calcsize(f"={letter}"))
                data += struct.pack(f"<{letter}", number)
            made = self._arguments.temporaries.store(bytes(data))  # type: ignore[attr-defined]
        held.holds.append(made)
        return made.address, held

    def _classify(self, value: Any, held: _Held) -> tuple[str, Any]:
        if hasattr(value, "number") and hasattr(value, "value") and not hasattr(value, "address"):
            letter = self._convention.letter(value.number.format)
            self._check_wide(letter, value.number)
            number = checked_number(letter, f"{self._described} ({value.number})")(value.value)
            return _PROMOTED.get(letter, letter), number
        if isinstance(value, bool):
            return "i", int(value)
        if isinstance(value, float):
            return "d", value
        if hasattr(type(value), "__index__") and not isinstance(value, Pointer):
            return self._integer(value)
        # numpy's numbers are bytes-like, too: it is not their address that is meant.
        if dtype_kind(value) not in ("", "-"):
            return self._scalar_of_numpy(value)
        address, hold = self._pass_address(value)
        if hold is not None:
            held.holds.append(hold)
        return self._convention.address, address

    def _pass_address(self, value: Any) -> tuple[Any, Any]:
        if isinstance(value, bytes):
            return self._constant(value + b"\0")  # it may be meant as a string
        if isinstance(value, (str, type(None))):
            return self._text(value)
        # Nothing says whether C writes to it.
        view = None if isinstance(value, HeapRef) else view_of(value, self._described)
        return self._constant(value) if view is not None and view.readonly else self._buffer(value)

    def _check_wide(self, letter: str, number: Any) -> None:
        if letter in "tT":
            raise NotSupportedError(
                f"{self._described} cannot be {number}: pass two of c.uint64 to a function that "
                "takes them so"
            )
        if letter == "g" and self._convention.passes_as_wasm:
            raise NotSupportedError(
                f"{self._described} cannot be {number}: compilers for WebAssembly do not agree "
                "where it lies there; pass a double to a function that takes one"
            )

    def _scalar_of_numpy(self, value: Any) -> tuple[str, Any]:
        if is_truth(value):
            return "i", int(bool(value))
        return "d", checked_number("d", self._described)(value)

    def _integer(self, value: Any) -> tuple[str, int]:
        number = value.__index__()
        if -(1 << 31) <= number < 1 << 31:
            return "i", number
        letter = "Q" if number >= 1 << 63 else "q"
        return letter, checked_number(letter, self._described)(number)


def _pointer(address: Any) -> Any:
    """An address, bytes, or an array of ctypes', as an object that stands for a pointer."""
    if isinstance(address, bytes):
        return ctypes.c_char_p(address)
    return ctypes.c_void_p(address) if isinstance(address, int) else address
