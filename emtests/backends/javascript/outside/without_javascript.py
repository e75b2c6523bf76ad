"""A program in CPython's own build for Emscripten, as far as Pyodide can stand for one: nothing of
JavaScript can be imported."""

from __future__ import annotations

import sys


async def run() -> str:
    """Use the process's heap, and a buffer's; gives what was read."""
    for name in ("js", "pyodide", "pyodide_js", "pyodide.ffi", "_pyodide_core"):
        sys.modules[name] = None  # type: ignore[assignment]
    import emheap

    heap = emheap.open()
    with heap.arena() as scratch:
        numbers = scratch.alloc_array(emheap.int32, range(100_000))
        text = scratch.alloc(emheap.utf8, "grüße")
        total, read = sum(numbers), heap.read(emheap.utf8, text.address)
    with emheap.wrap_buffer(bytearray(1024)).alloc(emheap.float64, 0.5) as number:
        half = number.value
    refused = False
    try:
        emheap.wrap_emscripten_module_heap(b"")
    except emheap.NotSupportedError:
        refused = True
    return f"{total} {read} {half} {refused}"
