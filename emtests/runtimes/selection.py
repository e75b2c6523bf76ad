"""Which tests a row runs: all that it can, or with `--focused` those whose answer may differ there.

Each CPython, and Pyodide under Node, is asked everything either way, as far as it concerns them.
"""

from __future__ import annotations

__all__ = ["IN_A_BROWSER", "NOT_AGAIN", "NOT_SLOW", "ON_MEMORY", "SLOW"]

NOT_SLOW = ("-m", "not slow")
SLOW = ("-m", "slow and not packaging and not ecosystem")
NOT_AGAIN = ("-m", "not slow and not once")
"""Leaves out also the tests that one CPython is enough for: the running one."""

IN_A_BROWSER = (
    "--kinds=own,module,wasm-memory,shared-wasm,guest32,guest64,guest-shared",
    "emtests/webassembly",
    "emtests/memories",
    "emtests/refs",
    "emtests/backends",
    "emtests/calls",
)
"""What JavaScript, its workers and the page can change: another engine than Node's runs it, with
growable buffers and memories of 64 bits; a page's main thread may not wait."""

ON_MEMORY = ("--kinds=own,debug,libc,guest32,guest64",)
"""What the memory of the process can change: heaps that lie in it as the C library's blocks, and
those behind another program's pointer. A bytearray is Python's own to check."""
