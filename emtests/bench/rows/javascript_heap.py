"""Another module's heap, which JavaScript holds, seen from Pyodide."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import emheap
from emtests.bench.measuring import Contest, Statement
from emtests.bench.rows.base import Row, pattern, timed
from emtests.bench.rows.scalars import NUMBERS, Number
from emtests.webassembly.guests import Guest, open_guest

_MIB = 1 << 20
_TEXT = "helloworld"
_METHODS = {"int32": "Int32", "float64": "Float64"}
_ARRAYS = {"int32": "Int32Array", "float64": "Float64Array"}
_PEERS = {"int32": "HEAP32[i]", "float64": "HEAPF64[i]"}


def _buffer(guest: Guest) -> Any:
    (instance,) = guest.parts
    return instance.exports.memory.buffer


@contextmanager
def _get(number: Number, by_index: bool) -> Iterator[Contest]:
    import js

    guest = open_guest("guest32")
    buffer = _buffer(guest)
    name = number.kind.name

    def check(ours: Any, peer: Any) -> None:
        assert ours == peer == number.first, (ours, peer)

    with guest.heap.alloc(number.kind, number.first) as ref:
        read = getattr(guest.heap, f"read_{name}")
        ours = Statement("result = read(address)", {"read": read, "address": ref.address})
        if by_index:
            array = getattr(js, _ARRAYS[name]).new(buffer)
            index = ref.address // number.kind.size
            peer = Statement("result = array[index]", {"array": array, "index": index})
        else:
            get = getattr(js.DataView.new(buffer), f"get{_METHODS[name]}")
            peer = Statement("result = get(address, True)", {"get": get, "address": ref.address})
        yield Contest(ours, peer, check)


@contextmanager
def _set(number: Number, by_index: bool) -> Iterator[Contest]:
    import js

    guest = open_guest("guest32")
    buffer = _buffer(guest)
    name = number.kind.name
    with guest.heap.alloc(number.kind) as mine, guest.heap.alloc(number.kind) as its:

        def check(_: Any, __: Any) -> None:
            assert (mine.value, its.value) == (number.first, number.second)
            mine.clear()
            its.clear()

        write = getattr(guest.heap, f"write_{name}")
        ours = Statement(
            "write(address, value)",
            {"write": write, "address": mine.address, "value": number.first},
        )
        if by_index:
            array = getattr(js, _ARRAYS[name]).new(buffer)
            index = its.address // number.kind.size
            peer = Statement(
                "array[index] = value", {"array": array, "index": index, "value": number.second}
            )
        else:
            put = getattr(js.DataView.new(buffer), f"set{_METHODS[name]}")
            peer = Statement(
                "put(address, value, True)",
                {"put": put, "address": its.address, "value": number.second},
            )
        yield Contest(ours, peer, check)


@contextmanager
def _bulk(code: str, peer_code: str) -> Iterator[Contest]:
    import js

    guest = open_guest("guest32")
    data = pattern(_MIB)
    with guest.heap.alloc_array(emheap.uint8, data) as array:
        heap_bytes = js.Uint8Array.new(_buffer(guest))
        start, stop = array.address, array.address + _MIB

        def check(ours: Any, peer: Any) -> None:
            for result in (ours, peer):
                assert result is None or result == data
            assert bytes(array) == data

        names = {"array": array, "data": data, "bytes": bytes}
        its_names = {"heap": heap_bytes, "start": start, "stop": stop, "data": data}
        yield Contest(Statement(code, names), Statement(peer_code, its_names), check)


@contextmanager
def _read_text() -> Iterator[Contest]:
    import js

    guest = open_guest("guest32")
    with guest.heap.alloc(emheap.utf8, _TEXT) as ref:
        names = {
            "heap": js.Uint8Array.new(_buffer(guest)),
            "decode": js.TextDecoder.new().decode,
            "address": ref.address,
        }

        def check(ours: Any, peer: Any) -> None:
            assert ours == peer == _TEXT, (ours, peer)

        read = guest.heap.read_null_terminated_utf8_string
        yield Contest(
            Statement("result = read(address)", {"read": read, "address": ref.address}),
            Statement(
                "result = decode(heap.subarray(address, heap.indexOf(0, address)))",
                names,
            ),
            check,
        )


def _rows() -> Iterator[Row]:
    for verb, prepare in (("read", _get), ("write", _set)):
        for number in NUMBERS:
            work = f"{verb} {number.kind.name} in a module's heap"
            method = f"DataView.{prepare.__name__[1:]}{_METHODS[number.kind.name]}, cached"
            yield timed(work, method, partial(prepare, number, False), pyodide=0.6)
            yield timed(work, _PEERS[number.kind.name], partial(prepare, number, True), pyodide=2.0)
    into = partial(_bulk, "array[:] = data", "heap.subarray(start, stop).assign(data)")
    out = partial(_bulk, "result = bytes(array)", "result = heap.subarray(start, stop).to_bytes()")
    yield timed("1 MiB into a module's heap", "subarray().assign", into, pyodide=1.1)
    yield timed("1 MiB out of a module's heap", "subarray().to_bytes", out, pyodide=1.1)
    peer = "TextDecoder through the FFI"
    yield timed("read UTF-8, 10 chars, in a module's heap", peer, _read_text, pyodide=1.0)


JAVASCRIPT_ROWS = list(_rows())
