"""What programs do in loops with references: slices, views, wrapped numbers, lists, texts."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import emheap
from emheap import HeapManager, clamped_uint8, float32, int32, uint8, utf8, utf16, utf32
from emtests.bench.measuring import Contest, Statement
from emtests.bench.rows.base import NATIVE, PYODIDE, Row, timed

Check = Callable[[Any, Any], None]
Names = dict[str, Any]
Ways = tuple[str, Names, str, Names, Check]
"""Our code and its names, the peer's, and what is right."""
Setup = Callable[[HeapManager, ExitStack], Ways]
_COUNT = 1000
_MANY = 100_000
_MILLION = 1_000_000
_STRINGS = [f"customer name {number}" for number in range(10_000)]


def equal(ours: Any, peer: Any) -> None:
    """Both ways gave the same."""
    assert ours == peer, (ours, peer)


@contextmanager
def _prepare(setup: Setup) -> Iterator[Contest]:
    with ExitStack() as stack:
        ours, our_names, peer, peer_names, check = setup(emheap.open(), stack)
        yield Contest(Statement(ours, our_names), Statement(peer, peer_names), check)


def _arrays(heap: HeapManager, stack: ExitStack) -> tuple[Any, Any]:
    mine: Any = stack.enter_context(heap.alloc_array(int32, range(_COUNT)))
    return mine, (ctypes.c_int32 * _COUNT)(*range(_COUNT))


def _get_slice(heap: HeapManager, stack: ExitStack) -> Ways:
    mine, its = _arrays(heap, stack)
    code = "result = array[0:1]"
    return code, {"array": mine}, code, {"array": its}, equal


def _set_slice(heap: HeapManager, stack: ExitStack) -> Ways:
    mine, its = _arrays(heap, stack)

    def check(_: Any, __: Any) -> None:
        assert mine[0] == its[0] == 7
        mine[0] = its[0] = 0

    code = "array[0:1] = [7]"
    return code, {"array": mine}, code, {"array": its}, check


def _view(heap: HeapManager, stack: ExitStack) -> Ways:
    mine, its = _arrays(heap, stack)
    its = (ctypes.c_ubyte * (4 * _COUNT)).from_buffer(its)
    peer = "result = memoryview(array).cast('B').cast('i')"
    return "result = array.view", {"array": mine}, peer, {"array": its}, equal


def _view_at(heap: HeapManager, stack: ExitStack) -> Ways:
    mine, _ = _arrays(heap, stack)
    ours = {"view": heap.view_int32_array, "address": mine.address}
    peer = {"number": ctypes.c_int32, "address": mine.address}
    its = "result = memoryview((number * 1000).from_address(address)).cast('B').cast('i')"
    return "result = view(address, 1000)", ours, its, peer, equal


def _wrap(heap: HeapManager, stack: ExitStack) -> Ways:
    mine, _ = _arrays(heap, stack)
    code, address = "result = wrap(address).value", mine.address + 4
    ours = {"wrap": heap.wrap_int32, "address": address}
    return code, ours, code, {"wrap": ctypes.c_int32.from_address, "address": address}, equal


def _read_at(heap: HeapManager, stack: ExitStack) -> Ways:
    mine, its = _arrays(heap, stack)
    peer = "result = array[500]"
    return "result = array.read_at(500)", {"array": mine}, peer, {"array": its}, equal


def _write_at(heap: HeapManager, stack: ExitStack) -> Ways:
    mine, its = _arrays(heap, stack)

    def check(_: Any, __: Any) -> None:
        assert mine[500] == its[500] == 7
        mine[500] = its[500] = 0

    return "array.write_at(500, 7)", {"array": mine}, "array[500] = 7", {"array": its}, check


def _iterate(heap: HeapManager, stack: ExitStack) -> Ways:
    mine, its = _arrays(heap, stack)
    code = "result = 0\nfor each in array: result += each"
    return code, {"array": mine}, code, {"array": its}, equal


def _floats(heap: HeapManager, stack: ExitStack) -> Ways:
    values = [number / 2 for number in range(_MANY)]
    mine = stack.enter_context(heap.alloc_array(float32, _MANY))
    its: Any = ctypes.c_float * _MANY
    peer = "result = kind(*values)"

    def check(_: Any, made: Any) -> None:
        assert mine[:] == list(made)

    ours = {"array": mine, "values": values}
    return "array[:] = values", ours, peer, {"kind": its, "values": values}, check


def _clamped(heap: HeapManager, stack: ExitStack) -> Ways:
    values = [number % 256 for number in range(_MANY)]
    mine = stack.enter_context(heap.alloc_array(clamped_uint8, _MANY))

    def check(_: Any, made: Any) -> None:
        assert bytes(mine) == made

    ours = {"array": mine, "values": values}
    return "array[:] = values", ours, "result = bytes(values)", {"values": values}, check


def _strings(heap: HeapManager, stack: ExitStack) -> Ways:
    def mine() -> list[str]:
        with heap.alloc_strings(utf8, _STRINGS) as names:
            return heap.read_strings(utf8, names.address)

    pointers: Any = ctypes.c_char_p * len(_STRINGS)

    def its() -> list[str]:
        return [each.decode() for each in pointers(*[name.encode() for name in _STRINGS])]

    code = "result = go()"
    return code, {"go": mine}, code, {"go": its}, equal


def _capacity(heap: HeapManager, stack: ExitStack) -> Ways:
    room = stack.enter_context(heap.alloc_array(uint8, 64))
    names = {"write": heap.write_null_terminated_utf8_string, "address": room.address}

    def check(*_: Any) -> None:
        assert bytes(room[:11]) == b"helloworld\0"

    ours = "write(address, 'helloworld', 40)"
    return ours, names, "write(address, 'helloworld')", names, check


def _wide(kind: Any, heap: HeapManager, stack: ExitStack) -> Ways:
    text = "helloworld" * 10
    wide = stack.enter_context(heap.alloc(kind, text))
    narrow = stack.enter_context(heap.alloc(utf8, text))
    code = "result = read(address)"
    ours = {
        "read": getattr(heap, f"read_null_terminated_{kind.name}_string"),
        "address": wide.address,
    }
    peer = {"read": ctypes.string_at, "address": narrow.address}
    return code, ours, "result = read(address).decode()", peer, equal


def _million(make: Any, heap: HeapManager, stack: ExitStack) -> Ways:
    mine = stack.enter_context(heap.alloc_array(int32, _MILLION))
    its: Any = (ctypes.c_int32 * _MILLION)()
    code = "array[:] = make(); result = array[:]"
    peer = "array[:] = tuple(make()); result = array[:]"

    def check(ours: Any, theirs: Any) -> None:
        assert list(ours) == list(theirs) == list(range(_MILLION))

    names = {"make": make}
    return code, {"array": mine, **names}, peer, {"array": its, **names}, check


_LIST = list(range(_MILLION))


def _million_of_numpy(heap: HeapManager, stack: ExitStack) -> Ways:
    import numpy

    given = numpy.arange(_MILLION, dtype=numpy.int32)
    mine = stack.enter_context(heap.alloc_array(int32, _MILLION))
    its = numpy.empty(_MILLION, dtype=numpy.int32)

    def check(ours: Any, theirs: Any) -> None:
        assert ours == theirs == given.tobytes()

    code = "array[:] = given; result = "
    return (
        f"{code}bytes(array)",
        {"array": mine, "given": given},
        f"{code}array.tobytes()",
        {"array": its, "given": given},
        check,
    )


def _rows() -> Iterator[Row]:
    array = "ctypes array"
    for work, peer, setup, native, pyodide in (
        ("array[0:1]", array, _get_slice, 2.0, 2.0),
        ("array[0:1] = [x]", array, _set_slice, 5.0, 7.0),
        ("array.view", "memoryview(ctypes array).cast().cast()", _view, 1.5, 1.5),
        ("view at an address", "memoryview(from_address()).cast().cast()", _view_at, 1.5, 1.5),
        ("wrap an int32 and read it", "ctypes from_address().value", _wrap, 4.0, 4.0),
        ("array.read_at(i)", f"{array} item", _read_at, 1.3, 1.3),
        ("array.write_at(i, x)", f"{array} item", _write_at, 1.3, 1.3),
        ("for x in array", array, _iterate, 0.25, 0.25),
        ("float32 array from a list", "ctypes (c_float * n)(*l)", _floats, 0.5, 0.2),
        ("clamped_uint8 array from a list", "bytes(l)", _clamped, 2.0, 2.0),
        ("10,000 names to char** and back", "ctypes (c_char_p * n)", _strings, 1.5, 1.5),
        ("write UTF-8 with a capacity", "the same without", _capacity, 1.2, 1.2),
        ("read UTF-16, 100 chars", "ctypes string_at().decode()", partial(_wide, utf16), 4.0, 4.0),
        ("read UTF-32, 100 chars", "ctypes string_at().decode()", partial(_wide, utf32), 8.0, 8.0),
        ("1,000,000 int32 from a list and back", array, partial(_million, lambda: _LIST), 1.0, 1.0),
        (
            "1,000,000 int32 from an iterator and back",
            array,
            partial(_million, lambda: iter(_LIST)),
            1.0,
            1.0,
        ),
    ):
        limits = {NATIVE: native, PYODIDE: pyodide}
        yield timed(work, peer, partial(_prepare, setup), **limits)
    work = "1,000,000 int32 from numpy and back"
    yield timed(work, "numpy array", partial(_prepare, _million_of_numpy), native=1.1)


ACCESS_ROWS = list(_rows())
