"""Numbers: at an address, and behind a reference."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import emheap
from emtests.bench.measuring import Contest, Statement
from emtests.bench.rows.base import Row, timed


class Number(NamedTuple):
    """A type, ctypes's for the same bytes, and two values of it."""

    kind: Any
    peer: Any
    first: Any
    second: Any


# Python keeps no int above 256 ready: each result is a new object, as most are.
INT32 = Number(emheap.int32, ctypes.c_int32, 1_234_567, -7_654_321)
FLOAT64 = Number(emheap.float64, ctypes.c_double, 1234.5, -0.125)
NUMBERS = (INT32, FLOAT64)


@contextmanager
def _read_at_address(number: Number) -> Iterator[Contest]:
    heap = emheap.open()

    def check(ours: Any, peer: Any) -> None:
        assert ours == peer == number.first, (ours, peer)

    with heap.alloc(number.kind, number.first) as ref:
        read = getattr(heap, f"read_{number.kind.name}")
        from_address = number.peer.from_address
        yield Contest(
            Statement("result = read(address)", {"read": read, "address": ref.address}),
            Statement(
                "result = from_address(address).value",
                {"from_address": from_address, "address": ref.address},
            ),
            check,
        )


@contextmanager
def _write_at_address(number: Number) -> Iterator[Contest]:
    heap = emheap.open()
    with heap.alloc(number.kind) as mine, heap.alloc(number.kind) as its:

        def check(ours: Any, peer: Any) -> None:
            stored = [number.peer.from_address(ref.address).value for ref in (mine, its)]
            assert stored == [number.first, number.second], stored
            mine.clear()
            its.clear()

        write = getattr(heap, f"write_{number.kind.name}")
        from_address = number.peer.from_address
        yield Contest(
            Statement(
                "write(address, value)",
                {"write": write, "address": mine.address, "value": number.first},
            ),
            Statement(
                "from_address(address).value = value",
                {"from_address": from_address, "address": its.address, "value": number.second},
            ),
            check,
        )


@contextmanager
def _get_value(number: Number) -> Iterator[Contest]:
    def check(ours: Any, peer: Any) -> None:
        assert ours == peer == number.first, (ours, peer)

    with emheap.open().alloc(number.kind, number.first) as ref:
        code = "result = number.value"
        yield Contest(
            Statement(code, {"number": ref}),
            Statement(code, {"number": number.peer(number.first)}),
            check,
        )


@contextmanager
def _set_value(number: Number) -> Iterator[Contest]:
    its = number.peer()
    with emheap.open().alloc(number.kind) as mine:

        def check(ours: Any, peer: Any) -> None:
            stored = [number.peer.from_address(mine.address).value, its.value]
            assert stored == [number.first, number.second], stored
            mine.clear()
            its.value = 0

        code = "number.value = value"
        yield Contest(
            Statement(code, {"number": mine, "value": number.first}),
            Statement(code, {"number": its, "value": number.second}),
            check,
        )


def _rows() -> Iterator[Row]:
    peer = "ctypes from_address(a).value"
    for verb, prepare in (("read", _read_at_address), ("write", _write_at_address)):
        for number in NUMBERS:
            work = f"{verb} {number.kind.name} at an address"
            yield timed(work, peer, partial(prepare, number), native=1.0, pyodide=0.7)
    for verb, prepare in (("get", _get_value), ("set", _set_value)):
        for number in NUMBERS:
            work = f"{verb} ref.value, {number.kind.name}"
            peer = f"{number.peer.__name__} object's .value"
            yield timed(work, peer, partial(prepare, number), native=2.0, pyodide=1.2)


SCALAR_ROWS = list(_rows())
