"""Trying the homes that JavaScript has. This module is imported inside Pyodide only."""

from __future__ import annotations

from collections.abc import Callable

import js
import pyodide_js
from pyodide.ffi import to_js

from emheap import opening
from emheap.manager import HeapManager

__all__ = ["use_bare_memory", "use_own_module"]


def use_own_module(use: Callable[[HeapManager], None]) -> None:
    """Open and use the heap of Pyodide's module, as that of an Emscripten module."""
    use(opening.wrap_emscripten_module_heap(pyodide_js._module, debug=False))


def use_bare_memory(use: Callable[[HeapManager], None]) -> None:
    """Open and use the heap on a WebAssembly.Memory."""
    limits = to_js({"initial": 1, "maximum": 4}, dict_converter=js.Object.fromEntries)
    use(opening.wrap_wasm_instance(js.WebAssembly.Memory.new(limits), debug=False))
