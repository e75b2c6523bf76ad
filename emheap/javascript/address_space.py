"""Room for one more WebAssembly memory. This module is imported inside Pyodide only."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from pyodide.ffi import JsException

__all__ = ["with_room"]


def with_room(make: Callable[[], Any]) -> Any:
    """What `make` gives, a WebAssembly.Memory or what has one.

    A browser has address space for about a hundred memories. Its engine looks for garbage before
    it gives up, but heaps that were dropped and not closed are Python's garbage.
    """
    try:
        return make()
    except JsException as error:
        # The other RangeErrors may come out of code of the module's that has run already.
        if error.name != "RangeError" or "memory" not in error.message:
            raise
    gc.collect()
    return make()
