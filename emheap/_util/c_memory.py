"""C's memset and memmove, by ctypes."""

from __future__ import annotations

import ctypes

__all__ = ["memmove", "memset"]

# Without memory for an argument ctypes raises an ArgumentError that says so; the caller would not
# look for that.


def memset(address: int, byte: int, size: int) -> None:
    """Set `size` bytes. Raises MemoryError if Python has no memory to make the call."""
    try:
        ctypes.memset(address, byte, size)
    except ctypes.ArgumentError as error:
        raise MemoryError(str(error)) from None


def memmove(target: int, source: int, size: int) -> None:
    """Copy `size` bytes, which may overlap. Raises MemoryError as `memset`."""
    try:
        ctypes.memmove(target, source, size)
    except ctypes.ArgumentError as error:
        raise MemoryError(str(error)) from None
