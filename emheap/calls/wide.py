"""Numbers of 16 bytes: C's long double and __int128.

In WebAssembly each goes as two i64, the lower half first, and a result is stored at an address that
is passed before all arguments. Natively ctypes has long double, and an __int128 goes on x86-64 as
two words that are aligned to 16 bytes where they lie on the stack. A long double is a float in
Python: all floats are in its range, and what C gives is rounded to the nearest one.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any

from emheap.calls.linker import Convention
from emheap.calls.system_v import IS_SYSTEM_V, TwoWords
from emheap.errors import NotSupportedError, ValueOutOfRangeError

__all__ = ["WIDE", "lift_wide", "split_wide", "wide_letters"]

WIDE = "gtT"
"""The letters of long double, of __int128 and of the unsigned one; ``struct`` has none for them."""

_WORD = (1 << 64) - 1


class _LongDouble(ctypes.c_longdouble):
    """One that ctypes leaves as it is: what it makes of others does not say where it overflowed."""


_BYTES = 10 if bytes(_LongDouble(1.0))[9:10] == b"\x3f" else ctypes.sizeof(_LongDouble)
"""Those that mean something: of 12 or 16 that x86 has for one it uses 10."""


def wide_letters(letter: str, convention: Convention) -> tuple[Any, ...]:
    """What a wide number travels as. Raises NotSupportedError where nothing serves."""
    if convention.passes_as_wasm:
        return "Q", "Q"
    if letter == "g":
        return (_LongDouble,)
    if not IS_SYSTEM_V:
        raise NotSupportedError(
            "an __int128 cannot be passed on this machine, for ctypes does not know how C takes it "
            "here; let C take its address, and pass c.buffer"
        )
    return (TwoWords,)


def split_wide(letter: str, convention: Convention) -> Callable[[Any], Any]:
    """A function that makes of a number what is passed for it: two words, or one object."""
    if not convention.passes_as_wasm:
        return _LongDouble if letter == "g" else lambda value: TwoWords(*_words(value))
    return (lambda value: _words(_quadruple(value))) if letter == "g" else _words


def lift_wide(letter: str, convention: Convention, described: str) -> Callable[..., Any]:
    """A function that makes a number of what C gave: two words, or one object."""

    def lift_float(low: int, high: int) -> float:
        try:
            return _float_of(low | high << 64)
        except OverflowError:
            raise _beyond(described) from None

    def lift_native_float(got: Any) -> float:
        value: float = got.value
        if math.isinf(value) and bytes(got)[:_BYTES] != bytes(_LongDouble(value))[:_BYTES]:
            raise _beyond(described)
        return value

    def lift_integer(low: int, high: int) -> int:
        number = (low & _WORD) | (high & _WORD) << 64
        return number - (1 << 128) if letter == "t" and number >> 127 else number

    if convention.passes_as_wasm:
        return lift_float if letter == "g" else lift_integer
    return lift_native_float if letter == "g" else lambda got: lift_integer(got.low, got.high)


def _beyond(described: str) -> ValueOutOfRangeError:
    return ValueOutOfRangeError(
        f"{described} is a long double beyond any float, whose largest is 1.7976931348623157e+308"
    )


def _words(number: int) -> tuple[int, int]:
    return number & _WORD, number >> 64 & _WORD


def _quadruple(value: float) -> int:
    """The bits of a float in IEEE 754's quadruple precision."""
    sign = int(math.copysign(1, value) < 0) << 127
    if value == 0:
        return sign
    if not math.isfinite(value):
        return sign | 0x7FFF << 112 | (math.isnan(value) << 111)
    fraction, exponent = math.frexp(abs(value))
    return sign | (exponent + 16382) << 112 | (int(fraction * 2**53) - (1 << 52)) << 60


def _float_of(bits: int) -> float:
    """The float nearest to a number in quadruple precision. Raises OverflowError."""
    sign = -1.0 if bits >> 127 else 1.0
    exponent, fraction = bits >> 112 & 0x7FFF, bits & (1 << 112) - 1
    if exponent == 0x7FFF:
        return math.copysign(math.nan if fraction else math.inf, sign)
    if exponent:
        fraction |= 1 << 112
    shift = max(exponent, 1) - 16383 - 112
    # Of two ints, for their quotient is rounded once.
    number = float(fraction << shift) if shift >= 0 else fraction / (1 << -shift)
    return math.copysign(number, sign)
