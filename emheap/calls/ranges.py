"""The numbers that fit C's types: the test that a generated function makes, and what is called for
those that it does not pass."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from emheap.errors import ValueOutOfRangeError
from emheap.types.scalars import as_real, is_truth

__all__ = ["checked_number", "limits_of", "number_test"]

_FLOAT32 = 3.4028234663852886e38
_BITS = {"b": 8, "B": 8, "h": 16, "H": 16, "i": 32, "I": 32, "q": 64, "Q": 64, "t": 128, "T": 128}


def limits_of(letter: str) -> tuple[int, int]:
    """The smallest and the largest integer of a letter."""
    bits = _BITS[letter]
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if letter.islower() else (0, (1 << bits) - 1)


def checked_number(letter: str, described: str) -> Callable[[Any], Any]:
    """What is called for an argument that the generated test did not pass: it converts what
    Python's own protocols allow, and says what is wrong with the rest."""
    if letter == "?":
        return lambda value: _checked_bool(value, described)
    if letter in "fdg":
        return lambda value: _checked_float(value, letter, described)
    low, high = limits_of(letter)

    def check(value: Any) -> int:
        try:
            number = operator.index(value)
        except TypeError:
            if not is_truth(value):
                raise TypeError(
                    f"{described} takes an int, not {type(value).__name__} {value!r:.60}"
                ) from None
            number = int(bool(value))
        if low <= number <= high:
            return number
        raise ValueOutOfRangeError(
            f"{described} takes {low} to {high}, and {_shorten(number)} does not fit"
        )

    return check


def _checked_bool(value: Any, described: str) -> bool:
    # numpy's bool has neither a base class nor an index in common with Python's.
    if is_truth(value) or (isinstance(value, int) and operator.index(value) in (0, 1)):
        return bool(value)
    raise TypeError(f"{described} takes a bool, not {type(value).__name__} {value!r:.60}")


def _checked_float(value: Any, letter: str, described: str) -> float:
    try:
        number = as_real(value)
    except OverflowError:
        raise ValueOutOfRangeError(f"{described}: {_shorten(value)} is beyond any float") from None
    if number is None:
        raise TypeError(f"{described} takes a float, not {type(value).__name__} {value!r:.60}")
    if letter == "f" and number - number == 0 and not -_FLOAT32 <= number <= _FLOAT32:
        raise ValueOutOfRangeError(
            f"{described} takes a float of 4 bytes, whose largest is {_FLOAT32}, not {number!r}"
        )
    return number


def _shorten(number: Any) -> str:
    if isinstance(number, int) and number.bit_length() >= 512:
        return f"an int of {number.bit_length()} bits"
    return str(number)


def number_test(letter: str, variable: str) -> str:
    """Source: whether a variable holds what needs no look. Types are compared, not asked: a
    subclass of int may lie about its value."""
    if letter == "?":
        return f"type({variable}) is bool"
    if letter in "dg":
        return f"type({variable}) is float"
    if letter == "f":
        return f"type({variable}) is float and {-_FLOAT32!r} <= {variable} <= {_FLOAT32!r}"
    low, high = limits_of(letter)
    # Two comparisons: one chain of them would keep a copy of the variable on the stack.
    return f"type({variable}) is int and {variable} <= {high} and {variable} >= {low}"
