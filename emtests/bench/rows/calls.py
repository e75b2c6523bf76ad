"""Calls of C functions by a library: natively, in wasmtime, in a module of JavaScript's."""

from __future__ import annotations

import array
import ctypes
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import emheap
from emheap._util.platform import IN_PYODIDE
from emtests.bench.measuring import Contest, Statement
from emtests.bench.rows.base import Row, timed
from emtests.calls.declared import Calls
from emtests.calls.ways import shared_library
from emtests.webassembly.guests import Guest, WasmtimeGuest, open_guest

_TEXT = "héllo wörld"
_INT = ctypes.c_int


def _equal(expected: Any) -> Any:
    def check(ours: Any, peer: Any) -> None:
        assert ours == peer == expected, (ours, peer, expected)

    return check


# Natively, beside ctypes


def _native() -> tuple[emheap.HeapManager, Calls, Any]:
    heap = emheap.open()
    return heap, heap.library(Calls, shared_library()), ctypes.CDLL(shared_library())


@contextmanager
def _add() -> Iterator[Contest]:
    _, calls, peer = _native()
    peer.add.argtypes = [_INT, _INT]
    code = "result = add(2, 3)"
    yield Contest(
        Statement(code, {"add": calls.add}), Statement(code, {"add": peer.add}), _equal(5)
    )


@contextmanager
def _text() -> Iterator[Contest]:
    _, calls, peer = _native()
    peer.length.argtypes, peer.length.restype = [ctypes.c_char_p], ctypes.c_size_t
    yield Contest(
        Statement("result = length(text)", {"length": calls.length, "text": _TEXT}),
        Statement("result = length(text.encode())", {"length": peer.length, "text": _TEXT}),
        _equal(13),
    )


@contextmanager
def _out() -> Iterator[Contest]:
    heap, calls, peer = _native()
    peer.divide.argtypes = [_INT, _INT, ctypes.POINTER(_INT)]
    with heap.alloc(emheap.int32) as rest:
        yield Contest(
            Statement(
                "divide(17, 5, rest); result = rest.value", {"divide": calls.divide, "rest": rest}
            ),
            Statement(
                "rest = c_int(); divide(17, 5, byref(rest)); result = rest.value",
                {"divide": peer.divide, "c_int": _INT, "byref": ctypes.byref},
            ),
            _equal(2),
        )


@contextmanager
def _callback() -> Iterator[Contest]:
    _, calls, peer = _native()

    def step(value: int) -> int:
        return value + 1

    kind = ctypes.CFUNCTYPE(_INT, _INT)
    peer.apply.argtypes = [kind, _INT]
    code = "result = apply(step, 4)"
    yield Contest(
        Statement(code, {"apply": calls.apply, "step": step}),
        Statement(code, {"apply": peer.apply, "step": kind(step)}),
        _equal(5),
    )


# In wasmtime, beside its own call


@contextmanager
def _add_in_wasmtime() -> Iterator[Contest]:
    guest = WasmtimeGuest("calls")
    names = {"add": guest.exports["add"], "store": guest.store}
    yield Contest(
        Statement("result = add(2, 3)", {"add": guest.heap.library(Calls).add}),
        Statement("result = add(store, 2, 3)", names),
        _equal(5),
    )


# In another module, seen from Pyodide


def _foreign() -> tuple[Guest, Calls, Any]:
    guest = open_guest("calls")
    (instance,) = guest.parts
    return guest, guest.heap.library(Calls), instance.exports


@contextmanager
def _add_in_a_module() -> Iterator[Contest]:
    _, calls, exports = _foreign()
    code = "result = add(2, 3)"
    yield Contest(
        Statement(code, {"add": calls.add}), Statement(code, {"add": exports.add}), _equal(5)
    )


@contextmanager
def _text_in_a_module() -> Iterator[Contest]:
    import js

    _, calls, exports = _foreign()
    names = {
        "malloc": exports.malloc,
        "free": exports.free,
        "length": exports.length,
        "memory": js.Uint8Array.new(exports.memory.buffer),
        "text": _TEXT,
    }
    by_hand = (
        'data = text.encode() + b"\\0"; address = malloc(len(data)); '
        "memory.subarray(address, address + len(data)).assign(data); "
        "result = length(address); free(address)"
    )
    yield Contest(
        Statement("result = length(text)", {"length": calls.length, "text": _TEXT}),
        Statement(by_hand, names),
        _equal(13),
    )


@contextmanager
def _map_in_a_module(count: int) -> Iterator[Contest]:
    guest, calls, exports = _foreign()
    values = array.array("i", range(count))
    with guest.heap.alloc_array(emheap.int32, values) as numbers:
        yield Contest(
            Statement("result = map(numbers, numbers)", {"map": calls.add.map, "numbers": numbers}),
            Statement(
                "result = [add(value, value) for value in values]",
                {"add": exports.add, "values": values},
            ),
            _equal([2 * value for value in values]),
        )


def _native_rows() -> Iterator[Row]:
    yield timed("call add(int, int)", "ctypes with argtypes", _add, native=1.35)
    yield timed("call with a str", "ctypes c_char_p(text.encode())", _text, native=2.5)
    yield timed("call with an out-parameter", "ctypes c_int + byref", _out, native=1.2)
    yield timed("call that calls back", "ctypes CFUNCTYPE", _callback, native=1.5)


def _rows() -> Iterator[Row]:
    if not IN_PYODIDE and shutil.which("cc"):
        yield from _native_rows()
    yield timed("call in wasmtime", "Func.__call__", _add_in_wasmtime, native=0.06)
    yield timed("call in a module", "a cached JsProxy", _add_in_a_module, pyodide=1.6)
    peer = "malloc, assign, call, free by hand"
    yield timed("call in a module with a str", peer, _text_in_a_module, pyodide=0.5)
    mapping = partial(_map_in_a_module, 1000)
    yield timed("map in a module, 1,000 numbers", "a loop over a JsProxy", mapping, pyodide=0.1)


CALL_ROWS = list(_rows())
