"""Bytes between Python and JavaScript, right wherever they lie in Pyodide's heap.

Pyodide's own bridge takes addresses as signed numbers. For a Python object above 2 GiB `assign`
stores zeros, and `to_bytes` raises RangeError. It also keeps the length that a typed array had when
Python first saw it: one that tracks the length of its buffer grows afterwards, and then more bytes
than the target has are copied into it. This module is imported inside Pyodide only.
"""

from __future__ import annotations

import array
import ctypes
import struct
from typing import Any

import js
import pyodide.ffi
import pyodide_js
from pyodide.ffi import JsException, JsProxy, to_js

from emheap._util.platform import c_runtime
from emheap.errors import NotSupportedError

try:
    from pyodide.ffi import JsBigInt
except ImportError:  # before 314 only integers beyond 2**53 reach JavaScript as BigInts
    JsBigInt = None

__all__ = [
    "LOW",
    "NOT_STORED",
    "JsNull",
    "big_int",
    "call_with_big_ints",
    "copy_elements",
    "copy_in",
    "copy_out",
    "is_alive",
    "is_function",
    "read_member",
    "tag_of",
    "unreadable",
]

JsNull: type = getattr(pyodide.ffi, "JsNull", type(None))
"""The class of JavaScript's null, which is None in older releases."""
_LINE = 1 << 31
LOW = _LINE - 64
"""Where the id and the length of a bytes object add up to less, its contents, which begin some
bytes after it, lie below 2 GiB: Pyodide's own ways to pass them work there only."""
NOT_STORED = (JsException, ValueError)
"""What a typed array raises that is to store bytes after its buffer was replaced."""
_PIECE = 1 << 20
_FORMATS = {
    "Int8Array": "b",
    "Uint8Array": "B",
    "Uint8ClampedArray": "B",
    "Int16Array": "h",
    "Uint16Array": "H",
    "Int32Array": "i",
    "Uint32Array": "I",
    "BigInt64Array": "q",
    "BigUint64Array": "Q",
    "Float16Array": "e",
    "Float32Array": "f",
    "Float64Array": "d",
}

_module: Any = pyodide_js._module
_to_string: Any = js.Object.prototype.toString
_array_of_bytes: Any = js.Uint8Array.new
_heap_size: Any = c_runtime().emscripten_get_heap_size
_heap_size.restype = ctypes.c_size_t


def tag_of(value: Any, what: str = "a JavaScript object") -> str:
    """What JavaScript calls the kind of a value: ``ArrayBuffer``, ``WebAssembly.Memory``.

    A subclass is named as what it derives from; anything but a JavaScript object by its Python
    type. Raises TypeError, which says `what` the value is, for a proxy that was revoked, or one
    that throws.
    """
    if not isinstance(value, JsProxy):
        return type(value).__name__
    try:
        return str(_to_string.call(value))[len("[object ") : -1]
    except JsException as error:
        raise unreadable(f"the kind of {what}", error) from error


def is_function(value: Any) -> bool:
    """Whether this is a function of any kind that JavaScript has."""
    return isinstance(value, JsProxy) and value.typeof == "function"


def unreadable(what: str, error: Exception) -> TypeError:
    """The error for something of a JavaScript object that cannot be read, as of a revoked proxy."""
    # Of what is no Error, Pyodide says in further lines how it looked at it.
    said = str(error).partition("\n")[0]
    return TypeError(f"{what} cannot be read: {said}")


def read_member(owner: Any, name: str, what: str) -> Any:
    """A member of a JavaScript object, which says `what` the object is where it has none, or throws
    when it is asked: an object may be called a Memory or a buffer, and be none."""
    try:
        return getattr(owner, name)
    except (JsException, AttributeError) as error:
        raise unreadable(f"the member {name!r} of {what}", error) from error


def is_alive(array: Any) -> bool:
    """Whether a typed array has its first element still: its buffer was not detached or shrunk.

    ``len()`` does not tell: V8 before 13, as in Node 22, may go on giving the length of before
    where the code that asks has seen arrays on resizable buffers, and Pyodide asks for all arrays
    by the same code.
    """
    try:
        array[0]
    except IndexError:
        return False
    return True


def big_int(number: int) -> int:
    """An integer that is a BigInt to JavaScript, however small.

    Raises `NotSupportedError` in Pyodide before 314.
    """
    if JsBigInt is None:
        raise NotSupportedError(
            "a 64-bit integer or address goes to WebAssembly as a BigInt, which this release of "
            "Pyodide cannot pass; Pyodide 314 can"
        )
    return JsBigInt(number)  # type: ignore[no-any-return]


def call_with_big_ints(function: Any, arguments: tuple[Any, ...], *numbers: int) -> Any:
    """Call a JavaScript function that uses no ``this``, its last arguments being BigInts."""
    if JsBigInt is None:
        made = js.Array.from_(to_js(numbers), js.BigInt)
        return js.Reflect.apply(function, None, js.Array.of(*arguments).concat(made))
    return function(*arguments, *map(JsBigInt, numbers))


def copy_elements(value: Any) -> memoryview | None:
    """A copy of the elements of a typed array, a DataView or a buffer; None for anything else.

    Pyodide itself does not know subclasses, as Node's Buffer is one, nor Float16Array.
    """
    if not isinstance(value, JsProxy):
        return None
    tag = tag_of(value)
    if tag in ("ArrayBuffer", "SharedArrayBuffer"):
        return _copy(value, 0, read_member(value, "byteLength", f"the {tag}"))
    if tag not in _FORMATS and tag != "DataView":
        return None
    data = _copy(read_member(value, "buffer", f"the {tag}"), value.byteOffset, value.byteLength)
    if tag == "Float16Array":  # memoryview cannot read these
        return memoryview(array.array("f", struct.unpack(f"={len(data) // 2}e", data)))
    return data.cast(_FORMATS.get(tag, "B"))  # type: ignore[call-overload, no-any-return]


def _copy(buffer: Any, offset: int, size: int) -> memoryview:
    return memoryview(copy_out(_array_of_bytes(buffer, offset, size), size))


def copy_out(source: Any, size: int) -> bytes:
    """The bytes of a Uint8Array of explicit length `size`."""
    try:
        return source.to_bytes()  # type: ignore[no-any-return]
    except JsException as error:
        if error.name != "RangeError":
            raise
    # Python's allocator put the result above 2 GiB.
    pieces = []
    for start in range(0, size, _PIECE):
        length = min(_PIECE, size - start)
        box = (ctypes.c_ubyte * length)()
        _bytes_of(box).set(source.subarray(start, start + length))
        pieces.append(bytes(box))
    return b"".join(pieces)


def copy_in(target: Any, data: bytes | memoryview) -> None:
    """Store `data` into a Uint8Array of the same length."""
    if (type(data) is bytes and id(data) + len(data) < LOW) or _heap_size() <= _LINE:
        target.assign(data)
    else:
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            box = (ctypes.c_ubyte * len(piece)).from_buffer_copy(piece)
            target.set(_bytes_of(box), start)


def _bytes_of(box: Any) -> Any:
    # The address as a Python int, which reaches JavaScript unsigned.
    return _array_of_bytes(_module.HEAPU8.buffer, ctypes.addressof(box), len(box))
