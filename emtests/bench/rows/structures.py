"""Structures: their fields, elements, columns and blocks, beside ctypes.Structure."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import emheap
from emheap import Struct, bits, field, float64, int32, uint16, uint32
from emheap._util.platform import c_runtime
from emtests.bench.measuring import Contest, Prepare, Statement
from emtests.bench.rows.base import NATIVE, PYODIDE, Row, timed
from emtests.webassembly.guests import open_guest

_MANY = 100_000


class Body(Struct):
    id: int32
    x: float64 = field()
    y: float64 = field()
    w: uint16 = field()
    z: int32 = field()
    hot: bool = bits(uint32, 1)
    level: int = bits(int32, 5)


class Plain(Struct):
    id: int32
    x: float64 = field()
    y: float64 = field()
    w: uint16 = field()
    z: int32 = field()


class Point(Struct):
    x: int32
    y: int32


class CBody(ctypes.Structure):
    _fields_ = (
        ("id", ctypes.c_int32),
        ("x", ctypes.c_double),
        ("y", ctypes.c_double),
        ("w", ctypes.c_uint16),
        ("z", ctypes.c_int32),
        ("hot", ctypes.c_uint32, 1),
        ("level", ctypes.c_int32, 5),
    )


FIVE_OF_CBODY = "result = (it.id, it.x, it.y, it.w, it.z)"


class CPoint(ctypes.Structure):
    _fields_ = (("x", ctypes.c_int32), ("y", ctypes.c_int32))


@contextmanager
def _fields(code: str, expected: Any) -> Iterator[Contest]:
    """The same statement on one structure of each."""
    heap = emheap.open()
    mine, its = heap.alloc(Body, id=5, x=1.5, hot=True, level=-3), CBody(5, 1.5, 0, 0, 0, 1, -3)

    def check(ours: Any, peer: Any) -> None:
        assert ours == peer == expected, (ours, peer)
        assert (mine.id, mine.x, mine.hot, mine.level) == (its.id, its.x, its.hot, its.level)

    yield Contest(Statement(code, {"it": mine}), Statement(code, {"it": its}), check)
    mine.free()


@contextmanager
def _elements(code: str) -> Iterator[Contest]:
    mine, its = emheap.open().alloc_array(Body, 1000), (CBody * 1000)()

    def check(ours: Any, peer: Any) -> None:
        assert ours == peer
        assert mine[7].id == its[7].id

    yield Contest(Statement(code, {"them": mine}), Statement(code, {"them": its}), check)
    mine.free()


@contextmanager
def _whole() -> Iterator[Contest]:
    mine, its = emheap.open().alloc(Plain, id=5, x=1.5), CBody(5, 1.5)

    def check(ours: Any, peer: Any) -> None:
        assert ours == peer == (5, 1.5, 0, 0, 0)

    yield Contest(
        Statement("result = it.to_tuple()", {"it": mine}),
        Statement(FIVE_OF_CBODY, {"it": its}),
        check,
    )
    mine.free()


@contextmanager
def _column() -> Iterator[Contest]:
    mine, its = emheap.open().alloc_array(Body, _MANY), (CBody * _MANY)()
    for index in range(0, _MANY, 1000):
        mine[index].id = its[index].id = index

    def check(ours: Any, peer: Any) -> None:
        assert ours == peer
        assert ours[5000] == 5000

    yield Contest(
        Statement("result = them.column('id').tolist()", {"them": mine}),
        Statement("result = [each.id for each in them]", {"them": its}),
        check,
        most=50,
    )
    mine.free()


@contextmanager
def _allocate() -> Iterator[Contest]:
    heap, library = emheap.open(), c_runtime()
    calloc, free = library.calloc, library.free
    calloc.argtypes, calloc.restype = (ctypes.c_size_t, ctypes.c_size_t), ctypes.c_void_p
    free.argtypes, free.restype = (ctypes.c_void_p,), None

    def check(_: Any, __: Any) -> None:
        assert heap.total_allocated_byte_size == 0
        with heap.alloc(Point, x=1, y=2) as point:
            assert point.to_tuple() == (1, 2)

    yield Contest(
        Statement("it = alloc(Point, x=1, y=2); it.free()", {"alloc": heap.alloc, "Point": Point}),
        Statement(
            "address = calloc(1, 8); it = at(address); it.x = 1; it.y = 2; free(address)",
            {"calloc": calloc, "free": free, "at": CPoint.from_address},
        ),
        check,
    )


@contextmanager
def _foreign() -> Iterator[Contest]:
    heap = open_guest("guest32").heap
    mine, its = heap.alloc(Plain), heap.alloc(Plain)

    def check(_: Any, __: Any) -> None:
        assert mine == its
        assert mine.to_tuple() == (1, 2, 3, 4, 5)

    yield Contest(
        Statement("it.write(values)", {"it": mine, "values": (1, 2.0, 3.0, 4, 5)}),
        Statement("it.id = 1; it.x = 2.0; it.y = 3.0; it.w = 4; it.z = 5", {"it": its}),
        check,
    )
    mine.free()
    its.free()


def _both(prepare: Prepare, work: str, peer: str, native: float, pyodide: float) -> Row:
    return timed(work, peer, prepare, **{NATIVE: native, PYODIDE: pyodide})


_CTYPES = "ctypes.Structure"

STRUCTURE_ROWS: list[Row] = [
    _both(partial(_fields, "result = it.id", 5), "structure field get", _CTYPES, 1.3, 1.3),
    _both(partial(_fields, "it.id = 5", None), "structure field set", _CTYPES, 2.0, 2.0),
    _both(partial(_fields, "result = it.x", 1.5), "structure float get", _CTYPES, 1.3, 1.3),
    _both(partial(_fields, "it.x = 1.5", None), "structure float set", _CTYPES, 2.0, 2.0),
    _both(partial(_fields, "result = it.level", -3), "bit-field get", _CTYPES, 3, 3),
    _both(partial(_fields, "it.level = -3", None), "bit-field set", _CTYPES, 5, 5),
    _both(partial(_fields, "result = it.hot", True), "flag get", _CTYPES, 3, 3),
    _both(partial(_fields, "it.hot = True", None), "flag set", _CTYPES, 5, 5),
    _both(partial(_elements, "result = them[7].id"), "array[i].field get", _CTYPES, 2.7, 3.0),
    _both(partial(_elements, "them[7].id = 9"), "array[i].field set", _CTYPES, 2.7, 3.0),
    _both(_whole, "structure of five fields to tuple", "five ctypes fields", 0.5, 0.5),
    _both(_column, "column of 100,000 to list", "ctypes loop", 0.05, 0.05),
    _both(_allocate, "alloc(Point, x=1, y=2) + free", "calloc, from_address, free", 1.5, 1.5),
    timed("foreign structure of five fields written", "five fields", _foreign, **{PYODIDE: 0.3}),
]
