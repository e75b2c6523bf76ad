"""Where this program runs."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

__all__ = ["HAS_GIL", "IN_PYODIDE", "ON_EMSCRIPTEN", "c_runtime"]

ON_EMSCRIPTEN: bool = sys.platform == "emscripten"
"""Whether the interpreter is a WebAssembly module, and its heap that module's memory."""

IN_PYODIDE: bool = ON_EMSCRIPTEN and sys.modules.get("pyodide") is not None
"""Whether this is Pyodide, where JavaScript is at hand: CPython's own build for Emscripten, as PEP
776 has it, has no module ``js``."""

HAS_GIL: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
"""Whether one thread runs Python code at a time; not so on free-threaded builds of CPython."""


def c_runtime() -> Any:
    """The C library. Ask it for names that are known to be there: in Pyodide an unknown one can
    end the interpreter."""
    # On Windows CDLL(None) does not exist, and a program may hold several C runtimes, each with a
    # heap of its own: the universal one is what CPython and current compilers link.
    return ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None)
