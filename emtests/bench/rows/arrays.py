"""Arrays: one element, all of them, and as JavaScript sees them."""

from __future__ import annotations

import array
import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import emheap
from emtests.bench.measuring import Contest, Statement
from emtests.bench.rows.base import NATIVE, PYODIDE, Row, pattern, timed
from emtests.bench.rows.scalars import NUMBERS, Number

_COUNT, _INDEX = 1000, 500
_MIB = 1 << 20
_BULK = 16 * _MIB


def _peer_array(runtime: str, number: Number) -> Any:
    if runtime == PYODIDE:
        return (number.peer * _COUNT)()
    import numpy

    return numpy.zeros(_COUNT, number.kind.name)


@contextmanager
def _get_element(runtime: str, number: Number) -> Iterator[Contest]:
    its = _peer_array(runtime, number)
    with emheap.open().alloc_array(number.kind, _COUNT) as mine:
        mine[_INDEX] = its[_INDEX] = number.first

        def check(ours: Any, peer: Any) -> None:
            assert ours == peer == number.first, (ours, peer)

        code = "result = array[index]"
        yield Contest(
            Statement(code, {"array": mine, "index": _INDEX}),
            Statement(code, {"array": its, "index": _INDEX}),
            check,
        )


@contextmanager
def _set_element(runtime: str, number: Number) -> Iterator[Contest]:
    its = _peer_array(runtime, number)
    with emheap.open().alloc_array(number.kind, _COUNT) as mine:

        def check(_: Any, __: Any) -> None:
            for values in (mine, its):
                around = list(values[_INDEX - 1 : _INDEX + 2])
                assert around == [0, number.first, 0], around
                values[_INDEX] = 0

        code = "array[index] = value"
        yield Contest(
            Statement(code, {"array": mine, "index": _INDEX, "value": number.first}),
            Statement(code, {"array": its, "index": _INDEX, "value": number.first}),
            check,
        )


def _bytes_at(address: int, size: int) -> memoryview:
    return memoryview((ctypes.c_ubyte * size).from_address(address)).cast("B")


@contextmanager
def _bulk_in(kind: Any, code: Any) -> Iterator[Contest]:
    data = pattern(_BULK)
    source: Any = array.array(code, data) if code != "B" else data
    with emheap.open().alloc_array(kind, _BULK // kind.size) as mine:
        # Both fill the same block: pages and cache lines are the same.
        block = _bytes_at(mine.address, _BULK)

        def fill(target: Any) -> None:
            mine.clear()
            target[:] = source
            assert block == data

        def check(_: Any, __: Any) -> None:
            assert block == data
            fill(mine)
            fill(block.cast(code))

        statement = "target[:] = source"
        yield Contest(
            Statement(statement, {"target": mine, "source": source}),
            Statement(statement, {"target": block.cast(code), "source": source}),
            check,
        )


@contextmanager
def _bulk_out(kind: Any) -> Iterator[Contest]:
    data = pattern(_BULK)
    with emheap.open().alloc_array(kind, _BULK // kind.size) as mine:
        block = _bytes_at(mine.address, _BULK)
        block[:] = data

        def check(ours: Any, peer: Any) -> None:
            assert ours == data
            assert peer == data

        code = "result = bytes(source)"
        yield Contest(
            Statement(code, {"bytes": bytes, "source": mine}),
            Statement(code, {"bytes": bytes, "source": block}),
            check,
        )


@contextmanager
def _to_javascript() -> Iterator[Contest]:
    from pyodide.ffi import to_js

    data = pattern(_MIB)
    with emheap.open().alloc_array(emheap.uint8, data) as mine:

        def check(ours: Any, peer: Any) -> None:
            for result in (ours, peer):
                assert result.constructor.name == "Uint8Array"
                assert result.to_bytes() == data

        yield Contest(
            Statement("result = array.js_view", {"array": mine}),
            Statement("result = to_js(data)", {"to_js": to_js, "data": data}),
            check,
        )


def _element_rows(runtime: str, peer: str) -> Iterator[Row]:
    for verb, prepare in (("get", _get_element), ("set", _set_element)):
        for number in NUMBERS:
            work = f"{verb} array element, {number.kind.name}"
            yield timed(
                work, f"{peer} element", partial(prepare, runtime, number), **{runtime: 2.0}
            )


def _bulk_rows() -> Iterator[Row]:
    limits = {NATIVE: 1.1, PYODIDE: 1.1}
    for kind, code in ((emheap.uint8, "B"), (emheap.float64, "d")):
        what = f"16 MiB {{}} a {kind.name} array"
        yield timed(what.format("into"), "memoryview copy", partial(_bulk_in, kind, code), **limits)
        yield timed(what.format("out of"), "memoryview copy", partial(_bulk_out, kind), **limits)


ARRAY_ROWS: list[Row] = [
    *_element_rows(NATIVE, "numpy"),
    *_element_rows(PYODIDE, "ctypes array"),
    *_bulk_rows(),
    timed("1 MiB to a JS typed array", "pyodide.ffi.to_js", _to_javascript, pyodide=0.05),
]
