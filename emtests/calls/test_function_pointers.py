"""Functions by their addresses, there and back: what a callback may take and return."""

from __future__ import annotations

import enum
from typing import Any

import pytest

from emheap import (
    ForeignTrapError,
    Function,
    HeapManager,
    Library,
    NotSupportedError,
    OutOfBoundsError,
    Pointer,
    Struct,
    UseAfterFreeError,
    ValueOutOfRangeError,
    c,
    int32,
    utf8,
)
from emtests.calls.declared import Calls, Machine, One, OnInt, Segment, Structures, Vec
from emtests.calls.ways import Way
from emtests.conftest import skip_for_gap


class Size(enum.Enum):
    SMALL = 1
    LARGE = 2


def there_and_back(calls: Calls, kind: Any, function: Any) -> Any:
    """What calls a Python function by way of C's pointer to it."""
    address = calls.function_pointer(kind, function)
    assert address
    return calls.function_at(kind, address)


def test_numbers_and_bools(calls: Calls) -> None:
    half = there_and_back(calls, Function[[c.float], c.float], lambda x: x / 2)
    assert half(3) == 1.5
    positive = there_and_back(calls, Function[[c.int], c.bool], lambda x: x > 0)
    assert (positive(5), positive(-5)) == (True, False)
    with pytest.raises(TypeError, match=r"the result of the callback .* takes a bool, not int 5"):
        there_and_back(calls, Function[[c.int], c.bool], lambda x: x)(5)


def test_enumerations(calls: Calls) -> None:
    other = there_and_back(
        calls,
        Function[[Size], Size],
        lambda size: Size.LARGE if size is Size.SMALL else Size.SMALL,
    )
    assert (other(Size.SMALL), other(Size.LARGE)) == (Size.LARGE, Size.SMALL)
    with pytest.raises(TypeError, match=r"the result of the callback .* takes a Size, not int 1"):
        there_and_back(calls, Function[[Size], Size], lambda size: 1)(Size.SMALL)


def test_pointers_and_references(calls: Calls, c_heap: HeapManager) -> None:
    kind = Function[[Pointer[int32]], Pointer[int32]]
    with c_heap.alloc_array(int32, [1, 2, 3]) as numbers, c_heap.alloc(utf8, "text") as text:
        same = there_and_back(calls, kind, lambda pointer: pointer)
        assert same(numbers)[1] == 2
        assert not there_and_back(calls, kind, lambda pointer: None)(numbers)
        assert there_and_back(calls, kind, lambda pointer: numbers)(None).address == numbers.address
        with pytest.raises(TypeError, match=r"the result of the callback .* does not take"):
            there_and_back(calls, kind, lambda pointer: text)(None)


def test_addresses(calls: Calls) -> None:
    highest = 2**32 - 1
    same = there_and_back(calls, Function[[c.address], c.address], lambda address: address)
    assert same(highest) == highest
    with pytest.raises(ValueOutOfRangeError, match=r"the result of the callback .* takes 0 to"):
        there_and_back(calls, Function[[c.address], c.address], lambda address: -1)(0)


@pytest.mark.parametrize(
    "value", [Vec(x=1, y=2), Segment(start=Vec(x=1, y=2), end=Vec(x=3, y=4)), One(only=5)]
)
def test_structures_by_value(calls: Calls, value: Any) -> None:
    kept = []
    keep = there_and_back(calls, Function[[value.kind, c.int], None], lambda *a: kept.append(a))
    assert keep(value, 7) is None
    assert kept == [(value, 7)]


def test_a_structure_of_a_structure_of_one_number(way: Way, c_heap: HeapManager) -> None:
    class Wrapped(Struct):
        inner: One

    class Wrapping(Library):
        unwrap: Function[[Wrapped], c.int]
        wrap_one: Function[[c.int], Wrapped]

    library = way.bind(Wrapping, c_heap)
    assert library.unwrap(Wrapped(inner=One(only=41))) == 41
    assert library.wrap_one(41).inner.only == 42


def test_what_a_callback_cannot_return(calls: Calls) -> None:
    words = (
        "^a callback cannot return Vec by value, for ctypes returns no more than 8 bytes; let C "
        "take what it gives at an address that it passes$"
    )
    with pytest.raises(NotSupportedError, match=words):
        calls.function_pointer(Function[[c.int], Vec], lambda value: Vec(x=1, y=2))
    with pytest.raises(TypeError, match=r"the result of the callback .* cannot be passed"):
        calls.function_pointer(Function[[c.int], c.text], lambda value: "text")


# What is none


def test_an_address_that_is_no_function(calls: Calls, way: Way) -> None:
    if not way.is_wasm:
        skip_for_gap("an address that is no function", "the process can only jump there")
    for address in (1_000_000, 2**32 - 1):
        with pytest.raises(OutOfBoundsError, match=rf"^{address} is no function of the module"):
            calls.function_at(Function[[c.int], c.int], address)


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (Function[[c.double], c.int], r"\(double\) -> int: it is declared as \(f64\) -> i32"),
        (Function[[c.int, c.int], c.int], r"\(int, int\) -> int: it is declared as \(i32, i32\)"),
    ],
    ids=["another", "more"],
)
def test_a_function_of_another_type(calls: Calls, way: Way, kind: Any, shown: str) -> None:
    """C would read arguments that were never passed."""
    if not way.is_wasm:
        skip_for_gap("a function's type", "the process does not tell")
    address = calls.function_pointer(Function[[c.int], c.int], abs)
    with pytest.raises(NotSupportedError, match=rf"^the function at {address} is not {shown}"):
        calls.function_at(kind, address)


def test_a_function_pointer_whose_scope_is_over(calls: Calls, way: Way) -> None:
    class Getting(Library):
        same_pointer: Function[[OnInt], c.address]

    library = way.bind(Getting, calls._services.heap)
    with library.callback(lambda value: value + 1) as callback:
        address = library.same_pointer(callback)
        function = library.function_at(Function[[c.int], c.int], address)
        assert function(5) == 6
    for late in (function, library.function_at(Function[[c.int], c.int], address)):
        with pytest.raises(UseAfterFreeError, match="after the scope of its callback was over"):
            late(5)


# Exceptions and traps at once


def test_a_trap_after_a_callback_that_raised(way: Way, c_heap: HeapManager) -> None:
    """C goes on after a callback that raised. If it then traps the exception is the cause."""
    if not way.is_wasm:
        skip_for_gap("a trap", "natively it is a fault of the process")
    library = way.bind(Structures, c_heap)
    with c_heap.alloc(Machine, state=1, step=0) as machine:

        def step(value: int) -> int:
            machine.step = 0
            raise KeyError("inside")

        machine.step = library.function_pointer(Function[[c.int], c.int], step)
        with pytest.raises(ForeignTrapError, match=r"^run_machine\(\) did not return") as caught:
            library.run_machine(machine, 2)
        assert isinstance(caught.value.__cause__, KeyError)
        machine.step = library.doubler()
        assert library.run_machine(machine, 1) == 0  # what C got for the step that raised, doubled
