"""A read beyond the end of Pyodide's heap: by emheap, which raises, and by ctypes."""

from __future__ import annotations

import ctypes
import sys

import emheap


async def run() -> str:
    """Read behind the last byte; gives what was read, if anything is."""
    heap = emheap.open()
    outside = heap.memory.size + (1 << 20)
    try:
        heap.read_int32(outside)
    except emheap.OutOfBoundsError as error:
        sys.stdout.write(f"emheap: {type(error).__name__}\n")
        sys.stdout.flush()
    found = ctypes.c_int32.from_address(outside).value
    return f"it went on with {found}"
