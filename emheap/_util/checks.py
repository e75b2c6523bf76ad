"""Checks of the whole numbers that callers pass: addresses, counts, sizes, alignments."""

from __future__ import annotations

import operator
from typing import Any

from emheap._util.messages import count_of, format_address
from emheap.errors import MisalignedError, ValueOutOfRangeError

__all__ = [
    "align_up",
    "check_aligned",
    "check_alignment",
    "check_choice",
    "check_count",
    "check_integer",
]


def check_integer(value: Any, what: str) -> int:
    """Return `value` as an int; raise TypeError for a bool, a float or anything else.

    A bool is an int to Python, but as an address or a count it is a slip.
    """
    if isinstance(value, bool):
        raise TypeError(f"{what} must be an int, not the bool {value!r}")
    try:
        return operator.index(value)
    except TypeError:
        shown = repr(value)
        if len(shown) > 60:
            shown = shown[:57] + "..."
        raise TypeError(f"{what} must be an int, not {type(value).__name__} {shown}") from None


def check_index(value: Any) -> int:
    """Return `value` as an index: an int, or a bool, for True is 1 to a list as well."""
    return int(value) if isinstance(value, bool) else check_integer(value, "index")


def check_count(value: Any, what: str, element_size: int, limit: int) -> int:
    """Return `value` as a count of elements of at most `limit` bytes together.

    Raises TypeError for anything but an int, and ValueOutOfRangeError for a negative count or
    one whose bytes do not fit. A 32-bit malloc takes its size modulo 2**32 silently, so the
    check comes before any allocator is called.
    """
    count = check_integer(value, what)
    if count < 0:
        raise ValueOutOfRangeError(f"{what} must not be negative, got {count}")
    if count * element_size > limit:
        raise ValueOutOfRangeError(
            f"{what} {count} of {count_of(element_size, 'byte')} each is {count * element_size} "
            f"bytes, more than the {limit} bytes that a block can have on this heap"
        )
    return count


def check_alignment(value: Any) -> int:
    """Return `value` as an alignment in bytes: a power of two, at most 2**30."""
    alignment = check_integer(value, "align")
    if not 0 < alignment <= 1 << 30 or alignment & (alignment - 1):
        raise ValueOutOfRangeError(
            f"align must be a power of two between 1 and 2**30 bytes, got {alignment}"
        )
    return alignment


def check_choice(value: Any, what: str, choices: tuple[Any, ...]) -> Any:
    """Return `value` if it is one of `choices`; raise TypeError or ValueError otherwise."""
    if type(value) not in {type(choice) for choice in choices}:
        expected = " or ".join(sorted({type(choice).__name__ for choice in choices}))
        raise TypeError(f"{what} must be {expected}, not {type(value).__name__} {value!r}")
    if value not in choices:
        shown = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{what} must be one of {shown}, got {value!r}")
    return value


def align_up(value: int, alignment: int) -> int:
    """Round `value` up to the next multiple of `alignment`, a power of two.

    >>> align_up(13, 8)
    16
    """
    return (value + alignment - 1) & -alignment


def check_aligned(address: int, alignment: int, what: str) -> None:
    """Raise MisalignedError unless `address` is a multiple of `alignment`."""
    if address % alignment:
        raise MisalignedError(
            f"{what} needs an address that is a multiple of {alignment} bytes; "
            f"{format_address(address)} is {address % alignment} too high"
        )
