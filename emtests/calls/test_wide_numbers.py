"""Numbers of 16 bytes: C's long double and __int128, in and out, among others and in callbacks."""

from __future__ import annotations

import ctypes
import enum
import math
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Concatenate

import pytest

import emheap
from emheap import (
    Function,
    HeapManager,
    Library,
    NotSupportedError,
    Pointer,
    ValueOutOfRangeError,
    c,
)
from emheap.calls import wide
from emheap.calls.linker import Convention
from emheap.calls.system_v import IS_SYSTEM_V
from emheap.types.abi import WASM32, native_abi
from emtests.calls.declared import WideNumbers
from emtests.calls.ways import Way, skip_without_big_ints
from emtests.conftest import skip_for_gap

declare: Any = Function
"""For signatures that are made when the test runs, which no checker reads."""

TOP = (1 << 127) - 1


@pytest.fixture
def numbers(way: Way, c_heap: HeapManager) -> WideNumbers:
    skip_without_big_ints(way)
    if not way.is_wasm and not IS_SYSTEM_V:
        skip_for_gap("__int128", "ctypes does not know how C takes one on this machine")
    return way.bind(WideNumbers, c_heap)


# __int128


def test_integers_pass_unchanged_up_to_their_limits(numbers: WideNumbers) -> None:
    for value in (-TOP - 1, -TOP, -(1 << 64), -1, 0, 1, 1 << 63, 1 << 64, (1 << 64) - 1, TOP):
        result = numbers.same_int128(value)
        assert (type(result), result) == (int, value)
    for value in (0, 1, (1 << 64) - 1, 1 << 64, TOP, TOP + 1, 2 * TOP + 1):
        assert numbers.same_uint128(value) == value


def test_integers_beyond_the_limits_raise(numbers: WideNumbers) -> None:
    for same, name, low, high in (
        (numbers.same_int128, "__int128", -TOP - 1, TOP),
        (numbers.same_uint128, "unsigned __int128", 0, 2 * TOP + 1),
    ):
        for value in (low - 1, high + 1, 1 << 200):
            words = rf"\({name}\) takes {low} to {high}, and {value} does not fit"
            with pytest.raises(ValueOutOfRangeError, match=words):
                same(value)
        for wrong in ("5", None, 2.0, 2.7, [5]):
            with pytest.raises(TypeError, match=rf"\({name}\) takes an int, not"):
                same(wrong)  # type: ignore[arg-type]
        assert same(True) == 1


def test_integers_in_registers_and_on_the_stack(numbers: WideNumbers) -> None:
    source = random.Random(1)
    for _ in range(50):
        small = [source.randint(-(1 << 31), (1 << 31) - 1) for _ in range(5)]
        large = [source.randint(-(1 << 110), 1 << 110) for _ in range(5)]
        large[3] = abs(large[3])
        given: Any = [value for pair in zip(small, large, strict=True) for value in pair]
        assert numbers.sum_wide(*given) == sum(value << n for n, value in enumerate(given))


# long double


def test_floats_pass_unchanged(numbers: WideNumbers) -> None:
    for value in (0.0, -0.0, 1.0, -1.5, 0.1, 1.7976931348623157e308, 5e-324, 2.0**-1022, math.inf,
                  -math.inf, math.pi):  # fmt: skip
        result = numbers.same_longdouble(value)
        assert type(result) is float
        assert (result, math.copysign(1, result)) == (value, math.copysign(1, value))
    assert math.isnan(numbers.same_longdouble(math.nan))
    assert numbers.same_longdouble(3) == 3.0
    with pytest.raises(OverflowError, match="beyond any float"):
        numbers.same_longdouble(10**400)
    for wrong in ("1.5", None, 1j, [1.0]):
        with pytest.raises(TypeError, match=r"\(long double\) takes a float, not"):
            numbers.same_longdouble(wrong)  # type: ignore[arg-type]


def test_what_no_float_is(numbers: WideNumbers) -> None:
    assert numbers.third() == 1 / 3
    assert numbers.tiny() == 0
    assert math.copysign(1, numbers.tiny()) == -1
    words = r"^the result of huge\(\) is a long double beyond any float, whose largest is 1\.797"
    with pytest.raises(ValueOutOfRangeError, match=words):
        numbers.huge()


def test_floats_among_others(numbers: WideNumbers) -> None:
    for which, expected in enumerate((1.25, -2.5, 1e300)):
        assert numbers.pick(which, 1.25, 7.0, -2.5, 9, 1e300) == expected


def test_a_callback_gets_them(numbers: WideNumbers) -> None:
    got: list[Any] = []

    def called(*arguments: Any) -> int:
        got.append(arguments)
        return 5

    assert numbers.apply_numbers(called, 3, -(1 << 100), 0.1) == 5
    assert got == [(3, -(1 << 100), 0.1, (1 << 128) - 1, 4, -(1 << 100) - 1, 0.5)]
    assert type(got[0][2]) is float
    with pytest.raises(ValueOutOfRangeError, match="parameter 1 of a callback is a long double be"):
        numbers.apply_huge(lambda value: 1)


# Quadruple precision, which is WebAssembly's


def test_quadruple_precision_is_rounded_to_the_nearest_float() -> None:
    split = wide.split_wide("g", Convention(True, WASM32))
    lift = wide.lift_wide("g", Convention(True, WASM32), "a result")
    source = random.Random(2)
    for _ in range(2000):
        exponent = source.choice((source.randint(1, 32766), source.randint(15300, 17420)))
        fraction = source.getrandbits(112) & ~((1 << source.randint(0, 112)) - 1)
        exact = Fraction((1 << 112) + fraction, 1 << 112) * Fraction(2) ** (exponent - 16383)
        bits = exponent << 112 | fraction
        try:
            expected = exact.numerator / exact.denominator
        except OverflowError:
            with pytest.raises(ValueOutOfRangeError, match="a result is a long double beyond"):
                lift(bits & (1 << 64) - 1, bits >> 64)
            continue
        assert lift(bits & (1 << 64) - 1, bits >> 64) == expected
        assert lift(*split(expected)) == expected


# The process's own


class Own(Library):
    ldexpl: Function[[c.longdouble, c.int], c.longdouble]
    strtold: Function[[c.string, c.pointer[Pointer[Any]]], c.longdouble]


def test_functions_of_the_c_library() -> None:
    own = emheap.open().library(Own)
    assert own.ldexpl(-0.75, 3) == -6.0
    assert own.strtold("0.1", None) == 0.1
    with pytest.raises(ValueOutOfRangeError, match=r"result of ldexpl\(\) is a long double beyond"):
        own.ldexpl(1.0, 5000)


# What is refused


def test_what_cannot_be_right_is_refused(way: Way, c_heap: HeapManager) -> None:
    skip_without_big_ints(way)
    out: Any = c.out
    for kind, name in ((c.longdouble, "long double"), (c.int128, "__int128")):
        words = (
            f"^what is pointed to is {name}, of which emheap has no type of memory: pass c.buffer, "
            r"and bytes that are aligned to 16, as heap.alloc_array\(uint8, 16, align=16\) has "
            "them$"
        )
        with pytest.raises(TypeError, match=words):
            out[kind]

        calling: Any = Callable[[c.int], kind]
        space = {"__annotations__": {"apply": declare[[calling, c.int], c.int]}}
        library: Any = way.bind(type("Returning", (Library,), space), c_heap)
        words = (
            f"^a callback cannot return {name} by value, for ctypes returns no more than 8 bytes; "
            "let C take what it gives at an address that it passes$"
        )
        with pytest.raises(NotSupportedError, match=words):
            library.apply(abs, 1)


class Answer(enum.Enum):
    YES = 1


def test_enumerations_and_arrays_of_them_are_refused(way: Way, c_heap: HeapManager) -> None:
    with pytest.raises(TypeError, match="Answer cannot be stored as __int128, of 16 bytes"):
        c.stored(c.int128).complete(Answer)
    if way.is_wasm or IS_SYSTEM_V:
        skip_without_big_ints(way)
        numbers: Any = way.bind(WideNumbers, c_heap)
        words = "cannot be mapped: it takes or gives more than numbers of up to 8 bytes$"
        with pytest.raises(TypeError, match=words):
            numbers.same_int128.map([1, 2])


def test_among_variable_arguments(way: Way, c_heap: HeapManager) -> None:
    class Summing(Library):
        sum_ints: Function[Concatenate[c.int, ...], c.int]

    library = way.bind(Summing, c_heap)
    for kind, name in ((c.int128, "__int128"), (c.uint128, "unsigned __int128")):
        words = (
            rf"a variable argument of sum_ints\(\) cannot be {name}: pass two of c\.uint64 to a "
            "function that takes them so$"
        )
        with pytest.raises(NotSupportedError, match=words):
            library.sum_ints(1, c.vararg(kind, 5))
    if way.is_wasm:
        words = (
            "cannot be long double: compilers for WebAssembly do not agree where it lies there; "
            "pass a double to a function that takes one$"
        )
        with pytest.raises(NotSupportedError, match=words):
            library.sum_ints(1, c.vararg(c.longdouble, 5.0))
        return

    class Printing(Library):
        snprintf: Function[Concatenate[c.buffer, c.size_t, c.string, ...], c.int]

    room = bytearray(32)
    printing = emheap.open().library(Printing)
    printing.snprintf(room, 32, "%d %.3Lf %d", 1, c.vararg(c.longdouble, 1.5), 2)
    assert room.split(b"\0")[0] == b"1 1.500 2"


def test_a_machine_whose_way_with_them_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide, "IS_SYSTEM_V", False)
    convention = Convention(False, native_abi())
    if convention.passes_as_wasm:
        skip_for_gap("numbers of 16 bytes by ctypes", "in Pyodide they go as WebAssembly's")
    words = (
        "^an __int128 cannot be passed on this machine, for ctypes does not know how C takes it "
        "here; let C take its address, and pass c.buffer$"
    )
    with pytest.raises(NotSupportedError, match=words):
        wide.wide_letters("t", convention)
    monkeypatch.setattr(ctypes, "c_longdouble", ctypes.c_double)
    assert convention.letter("g") == "d"
