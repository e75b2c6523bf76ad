"""Bytes between Python and JavaScript, right wherever they lie in Pyodide's heap.

Pyodide's own bridge takes addresses as signed numbers. For a Python object above 2 GiB `assign`
stores zeros, and `to_bytes` raises RangeError. This module is imported inside Pyodide only.
"""

from __future__ import annotations

import ctypes
from typing import Any

from pyodide.ffi import JsException

from emheap.home import c_runtime
from emheap.memories.own_module import typed_array
from emheap.types import uint8

__all__ = ["copy_in", "copy_out", "js_error_name"]

_LINE = 1 << 31
_HEADER = 64
"""More than the bytes between the start of a bytes object and its contents."""
_PIECE = 1 << 20

_heap_size: Any = c_runtime().emscripten_get_heap_size
_heap_size.restype = ctypes.c_size_t


def js_error_name(error: JsException) -> str:
    """The name of an error that JavaScript threw, such as ``RangeError``."""
    return str(getattr(error, "name", ""))


def copy_out(array: Any, size: int) -> bytes:
    """The bytes of a Uint8Array of explicit length `size`."""
    try:
        return array.to_bytes()  # type: ignore[no-any-return]
    except JsException as error:
        if js_error_name(error) != "RangeError":
            raise
    # Python's allocator put the result above 2 GiB.
    pieces = []
    for start in range(0, size, _PIECE):
        length = min(_PIECE, size - start)
        box = (ctypes.c_ubyte * length)()
        _bytes_of(box).set(array.subarray(start, start + length))
        pieces.append(bytes(box))
    return b"".join(pieces)


def copy_in(array: Any, data: bytes | memoryview) -> None:
    """Store `data` into a Uint8Array of the same length."""
    low = data.__class__ is bytes and id(data) + _HEADER + len(data) < _LINE
    if low or _heap_size() <= _LINE:
        array.assign(data)
    else:
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            box = (ctypes.c_ubyte * len(piece)).from_buffer_copy(piece)
            array.set(_bytes_of(box), start)


def _bytes_of(box: Any) -> Any:
    return typed_array(uint8, ctypes.addressof(box), len(box))
