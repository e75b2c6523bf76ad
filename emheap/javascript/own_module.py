"""Pyodide's own Emscripten module, seen through the JavaScript FFI.

The public API of Pyodide has no access to its heap; ``pyodide_js._module`` has been there, with
``HEAPU8``, in every release from 0.26 to 314. Outside Pyodide this module can be imported, but
its functions must not be called.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from emheap._util.platform import IN_PYODIDE

if TYPE_CHECKING or IN_PYODIDE:
    import js
    import pyodide_js
    from pyodide.ffi import JsProxy

    from emheap.javascript.bridge import is_alive

    _module: Any = pyodide_js._module

__all__ = [
    "function_in_table",
    "is_own_buffer",
    "is_own_module",
    "module_functions",
    "own_function",
    "own_functions",
    "typed_array",
]


class _LatestBuffer:
    """The buffer of the heap as JavaScript has it: another one after each growth.

    Asking the module for it costs twice as much as making a typed array.
    """

    def __init__(self) -> None:
        self._constructors: dict[str, Any] = {}
        self._refresh()

    def _refresh(self) -> None:
        self._buffer = _module.HEAPU8.buffer
        self._size: int = self._buffer.byteLength
        self._first_byte = js.Uint8Array.new(self._buffer, 0, 1)

    def typed_array(self, name: str, item_size: int, address: int, count: int) -> Any:
        new = self._constructors.get(name)
        if new is None:
            new = self._constructors[name] = getattr(js, name).new
        # A shared buffer is not detached when there is a longer one.
        if not is_alive(self._first_byte) or address + count * item_size > self._size:
            self._refresh()
        return new(self._buffer, address, count)


@cache
def _latest_buffer() -> _LatestBuffer:
    return _LatestBuffer()


def typed_array(name: str, item_size: int, address: int, count: int) -> Any:
    """A JavaScript typed array on the heap, with no copy: its class by name, bytes of an element.

    It is made from the address: Pyodide's own buffer bridge takes a signed one, and above 2 GiB
    gives zeros or errors. The length is explicit, for a length-tracking view over a heap that
    grew lets Pyodide copy past the end of its target. It dies when the heap grows.
    """
    return _latest_buffer().typed_array(name, item_size, address, count)


def is_own_buffer(buffer: Any) -> bool:
    """Whether a JavaScript ArrayBuffer is the one of Pyodide's heap."""
    return isinstance(buffer, JsProxy) and bool(buffer == _module.HEAPU8.buffer)


def is_own_module(module: Any) -> bool:
    """Whether a JavaScript object is Pyodide's own Emscripten module."""
    return isinstance(module, JsProxy) and bool(module == _module)


def module_functions() -> tuple[Callable[[int], int], Callable[[int], None]] | None:
    """The module's ``_malloc`` and ``_free``, or None where it does not export them.

    Pyodide 314 exports both, 0.26 to 0.29 only ``_free``. A property of the module is asked for
    by its descriptor, because reading an unknown one aborts some builds of Emscripten.
    """
    describe = js.Object.getOwnPropertyDescriptor
    if any(describe(_module, name) is None for name in ("_malloc", "_free")):
        return None
    return _module._malloc, _module._free


def function_in_table(address: int) -> Any:
    """The WebAssembly function that a pointer of C's points to, or None."""
    table = _module.wasmTable
    found = table.get(address) if 0 <= address < table.length else None
    return found if isinstance(found, JsProxy) else None


def own_functions() -> list[str]:
    """The names in C of what `own_function` knows, and of some of JavaScript's."""
    loaded = js.Reflect.get(_module.LDSO.loadedLibsByName, "__main__")
    return [str(name) for name in js.Object.getOwnPropertyNames(loaded.exports)]


def own_function(name: str) -> Any:
    """The WebAssembly function of this name in C, or None.

    The dynamic linker of Pyodide must not be asked for any name: it ends the interpreter for one
    that is JavaScript's.
    """
    from emheap.javascript.trampolines import is_exported_function

    loaded = js.Reflect.get(_module.LDSO.loadedLibsByName, "__main__")
    descriptor = js.Object.getOwnPropertyDescriptor(loaded.exports, name)
    function = getattr(descriptor, "value", None)
    if not isinstance(function, JsProxy) or js.Reflect.get(function, "call") is None:
        return None
    return function if is_exported_function(function) else None
