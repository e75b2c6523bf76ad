"""Where this program runs."""

from __future__ import annotations

import sys

__all__ = ["IN_PYODIDE"]

IN_PYODIDE: bool = sys.platform == "emscripten"
"""Whether this is Pyodide: its own heap is a WebAssembly memory, and JavaScript is at hand."""
