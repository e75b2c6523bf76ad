"""The members of a JavaScript object, found without running getters, which may abort the module.

Emscripten puts getters in the place of what it does not export, and in builds with assertions those
call ``abort()``, which leaves the module unusable: even ``hasattr`` from Python is enough. So
properties are looked up by their descriptors, and only those that hold a value are read. This
module is imported inside Pyodide only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import js
from pyodide.ffi import JsException, JsProxy

from emheap.javascript.bridge import JsNull, big_int, read_member, tag_of, unreadable
from emheap.javascript.trampolines import is_exported_function

__all__ = [
    "adapt_function",
    "data_member",
    "data_names",
    "different_memories",
    "find_buffer_source",
    "is_memory64",
    "member_modules",
    "memory_in",
    "parameter_count",
    "values_in",
]

_describe: Any = js.Object.getOwnPropertyDescriptor

_HEAPS = ("HEAPU8", "HEAP8", "HEAPU32", "HEAP32", "HEAPU16", "HEAP16", "HEAPF64", "HEAPF32")


def data_member(owner: Any, name: str) -> Any:
    """The value of a property of an object or of what it inherits from; None if it has none, or
    computes it, or has one that Pyodide cannot hand to Python.

    Raises TypeError for a proxy that was revoked, or one that throws."""
    try:
        while isinstance(owner, JsProxy):
            descriptor = _describe(owner, name)
            if descriptor is not None:
                try:
                    return getattr(descriptor, "value", None)
                except (RuntimeError, JsException):  # of a subclass of a typed array: Node's Buffer
                    return None
            owner = js.Object.getPrototypeOf(owner)
    except JsException as error:
        raise unreadable(f"the member {name!r} of a JavaScript object", error) from error
    return None


def data_names(owner: Any) -> list[str]:
    """The names of an object's own properties. Raises TypeError as `data_member` does."""
    try:
        return [str(name) for name in js.Object.getOwnPropertyNames(owner)]
    except JsException as error:
        raise unreadable("the list of the members of a JavaScript object", error) from error


def values_in(owner: Any) -> Iterator[tuple[str, Any, str]]:
    """The names, values and kinds of an object's own values. What throws when it is asked of what
    kind it is, no one can use: it is passed by."""
    for name in data_names(owner):
        value = data_member(owner, name)
        try:
            kind = tag_of(value)
        except TypeError:
            continue
        yield name, value, kind


def memory_in(exports: Any) -> Any:
    """The first WebAssembly.Memory among an object's own values, or None."""
    return next(memories_in(exports), None)


def memories_in(exports: Any) -> Iterator[Any]:
    """Every WebAssembly.Memory among an object's own values."""
    for _, value, kind in values_in(exports):
        if kind == "WebAssembly.Memory":
            yield value


def find_buffer_source(module: Any) -> tuple[Callable[[], Any], Any] | None:
    """A function that gives the latest buffer of an Emscripten module, and its WebAssembly.Memory
    if that can be found. None if neither a memory nor a HEAP view is exported."""
    memory = next(_memories(module), None)
    if memory is not None:
        return lambda: memory.buffer, memory
    for name in _HEAPS:
        kind = tag_of(data_member(module, name), f"the member {name!r}")
        if kind.endswith("Array") and kind != "Array":
            return _view_source(module, name), None
    return None


def member_modules(owner: Any) -> list[str]:
    """The names of those own values of an object that look like an Emscripten module."""
    return [name for name, value, kind in values_in(owner) if _looks_like_module(value, kind)]


def different_memories(module: Any) -> list[Any]:
    """Every WebAssembly.Memory of an Emscripten module, each once."""
    found: list[Any] = []
    for memory in _memories(module):
        if not any(memory == one for one in found):
            found.append(memory)
    return found


def _looks_like_module(value: Any, kind: str) -> bool:
    try:
        return kind == "Object" and find_buffer_source(value) is not None
    except TypeError:  # its members cannot be read
        return False


def _memories(module: Any) -> Iterator[Any]:
    for name in ("wasmMemory", "memory"):
        value = data_member(module, name)
        if tag_of(value, f"the member {name!r}") == "WebAssembly.Memory":
            yield value
    for name in ("wasmExports", "asm"):
        exports = data_member(module, name)
        if isinstance(exports, JsProxy):
            yield from memories_in(exports)


def _view_source(module: Any, name: str) -> Callable[[], Any]:
    # Emscripten replaces its views when the memory grows: look for the latest each time.
    return lambda: data_member(module, name).buffer


def is_memory64(memory: Any) -> bool:
    """Whether a WebAssembly.Memory has 64-bit addresses.

    JavaScript cannot be asked, but a memory says how it takes a number of pages. This text is no
    number: to a BigInt it is a SyntaxError, otherwise a TypeError. So nothing can grow, and no
    view is detached. A BigInt of far too many pages will not do: V8 takes 2**60 for 0.
    """
    try:
        memory.grow("pages")
    except JsException as error:
        return error.name == "SyntaxError"  # type: ignore[no-any-return]
    raise AssertionError("a memory grew by a text")


def parameter_count(function: Any) -> int | None:
    """How many arguments a JavaScript function takes; None where that cannot be known.

    An export of a WebAssembly module says it truly. A function of JavaScript may take more than
    its ``length``, which is 0 for a wrapper like ``(...arguments) => ...``.
    """
    count: int = read_member(function, "length", "the function")
    return count if count or is_exported_function(function) else None


def adapt_function(
    function: Any,
    failed: Callable[[JsException, tuple[int, ...]], BaseException] | None = None,
) -> Callable[..., Any]:
    """A JavaScript function of addresses and sizes, as a Python function.

    A module with 64-bit memory may take BigInts or, through Emscripten's wrappers, numbers: which
    it is shows at the first call, for the others are refused before anything happens. What the
    function throws is raised as it is, or as what `failed` makes of it and the arguments.
    """
    if not isinstance(function, JsProxy):
        return function  # type: ignore[no-any-return]
    convert: Callable[[int], int] = int

    def call(*values: int) -> Any:
        nonlocal convert
        try:
            result = function(*map(convert, values))
        except JsException as error:
            if convert is int and error.name == "TypeError" and "BigInt" in str(error):
                convert = big_int
                return call(*values)
            if failed is None:
                raise
            raise failed(error, values) from error
        if isinstance(result, JsNull):
            return None
        return int(result) if isinstance(result, int) and result is not True else result

    return call
