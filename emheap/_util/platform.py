"""Where this program runs."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

__all__ = ["HAS_GIL", "IN_PYODIDE", "c_runtime"]

IN_PYODIDE: bool = sys.platform == "emscripten"
"""Whether this is Pyodide: its own heap is a WebAssembly memory, and JavaScript is at hand."""

HAS_GIL: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether one thread runs Python code at a time; not so on free-threaded builds of CPython."""


def c_runtime() -> Any:
    """The C library. Ask it for names that are known to be there: in Pyodide an unknown one can
    end the interpreter."""
    # On Windows CDLL(None) does not exist, and a program may hold several C runtimes, each with a
    # heap of its own: the universal one is what CPython and current compilers link.
    return ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
