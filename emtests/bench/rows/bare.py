"""The least that Python does for what other rows promise: no test, no record, no error explained.

Where such a row is over its limit, which is that of the other, no library written in Python can
keep it.
"""

from __future__ import annotations

import array
import ctypes
import struct
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pickle import PickleBuffer
from typing import Any
from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

from emtests.bench.measuring import Contest, Statement
from emtests.bench.rows.base import NATIVE, PYODIDE, Row, timed
from emtests.bench.rows.structures import FIVE_OF_CBODY, CBody

Way = tuple[str, dict[str, Any]]
_Least = tuple[str, Callable[[], tuple[Way, Way]], float]
"""The peer, what makes the two ways, and the limit."""
_COUNT = 1000
_MANY = 100_000


class Bare:
    """A reference that does nothing but reach its elements."""

    __slots__ = ("_block", "_elements", "latest")

    def __init__(self, elements: memoryview) -> None:
        self._elements = elements
        self._block: Any = (elements, 0)
        self.latest: list[Any] = []

    @property
    def value(self) -> Any:
        return self._elements[0]

    @value.setter
    def value(self, value: Any) -> None:
        self._elements[0] = value

    def __getitem__(self, index: Any) -> Any:
        return self._elements[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._elements[index] = value

    def __iter__(self) -> Iterator[Any]:
        yield from self._elements

    def read_at(self, index: int) -> Any:
        return self._elements[index]

    def write_at(self, index: int, value: Any) -> None:
        self._elements[index] = value

    @property
    def view(self) -> memoryview:
        """An export, and a weak reference to it in a list that forgets those that are gone."""
        view = memoryview(PickleBuffer(self._elements))
        latest = self.latest
        latest.append(WeakReference(view))
        if len(latest) > 256:
            latest[:] = [entry for entry in latest if entry() is not None]
        return view


def _int32() -> tuple[Bare, Any]:
    return Bare(memoryview(array.array("i", range(_COUNT)))), (ctypes.c_int32 * _COUNT)(
        *range(_COUNT)
    )


def _on_array(ours: str, peer: str) -> tuple[Way, Way]:
    mine, its = _int32()
    return (ours, {"array": mine, "value": 7}), (peer, {"array": its, "value": 7})


def _on_number(code: str, kind: Any) -> tuple[Way, Way]:
    mine = Bare(memoryview(kind(5)).cast("B").cast(kind._type_))
    return (code, {"number": mine}), (code, {"number": kind(5)})


def _view() -> tuple[Way, Way]:
    mine, its = _int32()
    octets = (ctypes.c_ubyte * (4 * _COUNT)).from_buffer(its)
    peer = "result = memoryview(array).cast('B').cast('i')"
    return ("result = array.view", {"array": mine}), (peer, {"array": octets})


def _view_at() -> tuple[Way, Way]:
    numbers = (ctypes.c_int32 * _COUNT)()
    window, base = memoryview(numbers).cast("B").cast("i"), ctypes.addressof(numbers)
    lent: list[Any] = []

    def view(address: int, count: int) -> memoryview:
        """A view, and what tells whether it is in use, in a list that forgets what is not."""
        first = (address - base) >> 2
        elements = window[first : first + count]
        made = memoryview(PickleBuffer(elements))
        lent.append((elements, address, WeakReference(made)))
        if len(lent) > 256:
            lent[:] = [entry for entry in lent if entry[2]() is not None]
        return made

    peer = "result = memoryview((number * 1000).from_address(address)).cast('B').cast('i')"
    names = {"address": base}
    ours = {"view": view, **names}
    return ("result = view(address, 1000)", ours), (peer, {"number": ctypes.c_int32, **names})


def _in_module(code: str) -> tuple[Way, Way]:
    import js

    numbers = js.Int32Array.new(js.WebAssembly.Memory.new(initial=1).buffer)
    return (code, {"array": Bare(numbers), "value": 7}), (code, {"array": numbers, "value": 7})


def _in_module_at_address() -> tuple[Way, Way]:
    import js

    numbers = js.Int32Array.new(js.WebAssembly.Memory.new(initial=1).buffer)

    def read(address: int) -> Any:
        return numbers[address >> 2]

    names = {"array": numbers, "read": read, "address": 2000}
    return ("result = read(address)", names), ("result = array[500]", names)


def _method_to_nothing() -> tuple[Way, Way]:
    mine, _ = _int32()
    names = {"array": mine, "nothing": lambda: None}
    return ("result = array.read_at(500)", names), ("nothing()", names)


def _view_to_original() -> tuple[Way, Way]:
    mine, _ = _int32()
    names = {"elements": mine._elements, "nothing": lambda: None}
    return ("result = memoryview(elements)", names), ("nothing()", names)


def _wrap() -> tuple[Way, Way]:
    number = ctypes.c_int32(5)
    window = memoryview(number).cast("B").cast("i")
    new = object.__new__

    def wrap(address: int) -> Bare:
        made = new(Bare)
        elements = made._elements = window[0:1]
        made._block = elements, address, None, None, 0
        return made

    code, address = "result = wrap(address).value", ctypes.addressof(number)
    peer = ctypes.c_int32.from_address
    return (code, {"wrap": wrap, "address": address}), (code, {"wrap": peer, "address": address})


def _whole() -> tuple[Way, Way]:
    its, form = CBody(5, 1.5), struct.Struct("@iddHi")
    names = {"unpack": form.unpack_from, "data": memoryview(bytes(its))}
    return ("result = unpack(data)", names), (FIVE_OF_CBODY, {"it": its})


def _gone_over(code: str, peer: str) -> tuple[Way, Way]:
    values = [number * 0.5 for number in range(_MANY)]
    names = {
        "values": values,
        "pack": struct.Struct(f"={_MANY}f").pack,
        "array": array.array,
        "go_over": deque[float](maxlen=0).extend,
    }
    return (code, names), (peer, names)


@contextmanager
def _contest(make: Callable[[], tuple[Way, Way]]) -> Iterator[Contest]:
    (ours, our_names), (peer, peer_names) = make()

    def check(mine: Any, its: Any) -> None:
        assert None in (mine, its) or type(mine) is not type(its) or mine == its, (mine, its)

    yield Contest(Statement(ours, our_names), Statement(peer, peer_names), check)


def _rows() -> Iterator[Row]:
    item, put = "result = array[500]", "array[500] = value"
    add_up = "result = 0\nfor each in array: result += each"
    pack, go_over = "result = pack(*values)", "go_over(values)"
    native: dict[str, _Least] = {
        "pack 100,000 floats and go over them": (
            "packing them",
            partial(_gone_over, f"{pack}; {go_over}", pack),
            1.2,
        ),
    }
    pyodide: dict[str, _Least] = {
        "pack 100,000 floats and go over them": (
            "array('f', list)",
            partial(_gone_over, f"{pack}; {go_over}", "result = array('f', values)"),
            0.3,
        ),
        "a[i] in a module's heap": ("HEAP32[i]", partial(_in_module, item), 2.0),
        "a[i] = v in a module's heap": ("HEAP32[i]", partial(_in_module, put), 3.2),
        "read a number in a module's heap": ("HEAP32[i]", _in_module_at_address, 2.0),
    }
    both: dict[str, _Least] = {
        "set a value": (
            "ctypes object's .value",
            partial(_on_number, "number.value = 5", ctypes.c_int32),
            2.0,
        ),
        "set a float": (
            "ctypes object's .value",
            partial(_on_number, "number.value = 5.0", ctypes.c_double),
            2.0,
        ),
        "set an element": ("ctypes array", partial(_on_array, put, put), 2.0),
        "get a slice": (
            "ctypes array",
            partial(_on_array, "result = array[0:1].tolist()", "result = array[0:1]"),
            2.0,
        ),
        "read_at": (
            "ctypes array item",
            partial(_on_array, "result = array.read_at(500)", item),
            1.3,
        ),
        "write_at": (
            "ctypes array item",
            partial(_on_array, "array.write_at(500, value)", put),
            1.3,
        ),
        "iterate": ("ctypes array", partial(_on_array, add_up, add_up), 0.25),
        "a view": ("memoryview(ctypes array).cast().cast()", _view, 1.5),
        "a view at an address": ("memoryview(from_address()).cast().cast()", _view_at, 1.5),
        "read_at, beside a call": ("the call of a function", _method_to_nothing, 12.0),
        "memoryview(memoryview)": ("the call of a function", _view_to_original, 1.0),
        "wrap and read": ("ctypes from_address().value", _wrap, 4.0),
        "unpack five fields": ("five ctypes fields", _whole, 0.5),
    }
    for rows, runtimes in ((both, (NATIVE, PYODIDE)), (native, (NATIVE,)), (pyodide, (PYODIDE,))):
        for work, (peer, make, limit) in rows.items():
            limits: dict[str, float] = dict.fromkeys(runtimes, limit)
            yield timed(f"bare: {work}", peer, partial(_contest, make), **limits)


BARE_ROWS = list(_rows())
