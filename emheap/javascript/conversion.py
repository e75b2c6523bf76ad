"""References where JavaScript wants a number.

A Python object that is passed to a function of WebAssembly arrives as a Proxy, which JavaScript
turns into a number by its text: NaN, and so silently 0, the null pointer. Pyodide asks an object
for nothing else. So its proxies get the method that JavaScript asks first, which gives the address
of a reference and, of all else, the text as before. This module is imported inside Pyodide only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import js
import pyodide_js
from pyodide.ffi import create_proxy, to_js

__all__ = ["pass_as_address"]


def pass_as_address(kind: type, address_of: Callable[[Any], int]) -> None:
    """Have objects of a class be numbers to JavaScript: what `address_of` says, or raises."""

    def to_primitive(this: Any, hint: str) -> Any:
        return address_of(this) if hint == "number" and isinstance(this, kind) else str(this)

    method = {"value": create_proxy(to_primitive, capture_this=True), "configurable": True}
    js.Object.defineProperty(
        pyodide_js.ffi.PyProxy.prototype,
        js.Symbol.toPrimitive,
        to_js(method, dict_converter=js.Object.fromEntries),
    )
