"""Helpers for the text of errors."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["add_note", "count_of", "format_address", "raise_at"]


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an error that is being raised, where Python has notes (3.11 on)."""
    adder = getattr(error, "add_note", None)
    if adder is not None:
        adder(note)


def raise_at(error: Exception, where: str) -> NoReturn:
    """Raise an error of ours that is being handled as one that says first where it came up."""
    if isinstance(error, (UnicodeEncodeError, UnicodeDecodeError)):
        error.reason = f"{where}: {error.reason}"  # they are made of five things
        raise error
    raise type(error)(f"{where}: {error}") from None


def count_of(number: int, noun: str) -> str:
    """A number of things, in the right form of the noun.

    >>> count_of(1, "block"), count_of(2, "block")
    ('1 block', '2 blocks')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def format_address(address: int) -> str:
    """An address as every message of emheap shows it: in hexadecimal.

    >>> format_address(4096), format_address(0), format_address(-4)
    ('0x1000', '0x0', '-0x4')
    """
    return f"-0x{-address:x}" if address < 0 else f"0x{address:x}"
