"""Helpers for the text of errors."""

from __future__ import annotations

__all__ = ["add_note", "format_address"]


def add_note(error: BaseException, note: str) -> None:
    """Add a note to an error that is on its way, where Python has notes (3.11 on)."""
    adder = getattr(error, "add_note", None)
    if adder is not None:
        adder(note)


def format_address(address: int) -> str:
    """An address as every message of emheap shows it: in hexadecimal.

    >>> format_address(4096)
    '0x1000'
    """
    return f"-0x{-address:x}" if address < 0 else f"0x{address:x}"
