"""References and pointers where JavaScript wants a number.

A Python object that is passed to a function of WebAssembly arrives as a Proxy, which JavaScript
turns into a number by its text: NaN, and so silently 0, the null pointer. Pyodide asks an object
for nothing else. So its proxies get the method that JavaScript asks first. It calls an object's
``_javascript_number``, which gives an address or raises; of all else it gives the text as before.
``ref + 4``, which may join texts, too, is a sum. This module is imported inside Pyodide only.
"""

from __future__ import annotations

from typing import Any

import js
import pyodide_js
from pyodide.ffi import create_proxy, to_js

__all__ = ["pass_addresses"]


def _to_primitive(this: Any, hint: str) -> Any:
    address = None if hint == "string" else getattr(type(this), "_javascript_number", None)
    return str(this) if address is None else address(this)


def pass_addresses() -> None:
    """Have objects be numbers to JavaScript, as their ``_javascript_number`` says."""
    method = {"value": create_proxy(_to_primitive, capture_this=True), "configurable": True}
    js.Object.defineProperty(
        pyodide_js.ffi.PyProxy.prototype,
        js.Symbol.toPrimitive,
        to_js(method, dict_converter=js.Object.fromEntries),
    )
