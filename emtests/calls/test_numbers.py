"""Each type of C: its limits pass unchanged, what is beyond them raises, the wrong kind too."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from emheap import HeapManager, Pointer, ValueOutOfRangeError, int32, uint32, uint64
from emtests.calls.declared import (
    Bits,
    Calls,
    FixedSizes,
    Flags,
    Limits,
    Members,
    Pointers,
    Small,
)
from emtests.calls.ways import Way, skip_without_big_ints
from emtests.conftest import skip_for_gap

_SIZES = {"char": 1, "short": 2, "int": 4, "longlong": 8}


def _limits(name: str, way: Way) -> tuple[int, int]:
    unsigned = name.startswith("u") or name == "size"
    base = name.removeprefix("u")
    sizes = {**_SIZES, "long": way.abi.long_size}
    bits = 8 * sizes.get(base, way.abi.pointer_size)
    return (0, (1 << bits) - 1) if unsigned else (-(1 << bits - 1), (1 << bits - 1) - 1)


_NAMES = {
    "char": "char", "uchar": "unsigned char", "short": "short", "ushort": "unsigned short",
    "int": "int", "uint": "unsigned int", "long": "long", "ulong": "unsigned long",
    "longlong": "long long", "ulonglong": "unsigned long long", "size": "size_t",
    "ssize": "ssize_t",
}  # fmt: skip
_FIXED_NAMES = {
    "char": "int8_t", "uchar": "uint8_t", "short": "int16_t", "ushort": "uint16_t",
    "int": "int32_t", "uint": "uint32_t", "longlong": "int64_t", "ulonglong": "uint64_t",
    "size": "uintptr_t",
}  # fmt: skip


@dataclass(frozen=True)
class Integer:
    """One integer type: the function that takes and gives it, and its limits."""

    same: Callable[[Any], int]
    c_name: str
    low: int
    high: int


@pytest.fixture(params=[*_NAMES.values(), *_FIXED_NAMES.values()])
def integer(request: pytest.FixtureRequest, calls: Calls, way: Way, c_heap: HeapManager) -> Integer:
    fixed = request.param in _FIXED_NAMES.values()
    names = _FIXED_NAMES if fixed else _NAMES
    (name,) = (key for key, value in names.items() if value == request.param)
    if name.endswith("longlong"):
        skip_without_big_ints(way)
    same = getattr(way.bind(FixedSizes, c_heap), name) if fixed else getattr(calls, f"same_{name}")
    return Integer(same, request.param, *_limits(name, way))


def test_integers_pass_unchanged_up_to_their_limits(integer: Integer) -> None:
    low, high = integer.low, integer.high
    for value in (low, low + 1, -1 if low else 1, 0, 1, high // 2 + 1, high - 1, high):
        result = integer.same(value)
        assert (type(result), result) == (int, value)


def test_integers_beyond_the_limits_raise(integer: Integer) -> None:
    words = (
        rf"parameter 1 of \w+\(\) \({integer.c_name}\) takes {integer.low} to {integer.high}, and"
    )
    for value in (integer.low - 1, integer.high + 1, 1 << 200, -(1 << 200)):
        with pytest.raises(ValueOutOfRangeError, match=f"{words} {value} does not fit"):
            integer.same(value)
    with pytest.raises(OverflowError, match="an int of 2001 bits does not fit"):
        integer.same(1 << 2000)
    with pytest.raises(OverflowError, match="an int of 512 bits does not fit"):
        integer.same(1 << 511)
    with pytest.raises(OverflowError, match=f"and {(1 << 511) - 1} does not fit"):
        integer.same((1 << 511) - 1)


class Index:
    """What stands for an integer, as numpy's do."""

    def __index__(self) -> int:
        return 7


def test_integers_of_the_wrong_kind_raise(integer: Integer) -> None:
    for value in ("5", b"5", None, 2.0, 2.7, [5], Flags):
        words = rf"parameter 1 of \w+\(\) \({integer.c_name}\) takes an int, not"
        with pytest.raises(TypeError, match=words):
            integer.same(value)
    assert integer.same(Index()) == 7
    assert integer.same(True) == 1


def test_floats(calls: Calls) -> None:
    for same in (calls.same_double, calls.same_float):
        for value in (0.0, -0.0, 1.0, -1.0, 0.5, 2.0**100, math.inf, -math.inf, 2.0**-126):
            result = same(value)
            assert type(result) is float
            assert result == value
            assert math.copysign(1, result) == math.copysign(1, value)
        assert math.isnan(same(math.nan))
        assert type(same(3)) is float
        assert same(True) == 1.0
        for wrong in ("1.5", b"1", None, 1j, [1.0]):
            with pytest.raises(TypeError, match="takes a float, not"):
                same(wrong)  # type: ignore[arg-type]
    assert calls.same_double(1.7976931348623157e308) == 1.7976931348623157e308
    assert calls.same_double(5e-324) == 5e-324
    assert calls.same_float(3.4028234663852886e38) == 3.4028234663852886e38
    with pytest.raises(OverflowError, match=r"takes a float of 4 bytes, whose largest is 3\.40"):
        calls.same_float(3.5e38)
    with pytest.raises(OverflowError, match="beyond any float"):
        calls.same_double(10**400)
    assert calls.half(3) == 1.5
    assert math.copysign(1, calls.negative_zero()) == -1


class Scalar:
    """What a scalar of numpy's is to Python."""

    def __init__(self, kind: str, value: Any, **more: Any) -> None:
        self._kind = kind
        self._value = value
        vars(self).update(more)

    @property
    def dtype(self) -> Any:
        return SimpleNamespace(kind=self._kind)

    def __float__(self) -> float:
        return float(self._value.real)

    def __bool__(self) -> bool:
        return bool(self._value)


class Masked(Scalar):
    """An element of an array of numpy's that hides its value."""

    mask = True

    def filled(self) -> Any:
        return self._value


def test_numbers_of_numpy(calls: Calls) -> None:
    wild: Any = calls
    for same in (wild.same_double, wild.same_float):
        assert same(Scalar("f", 1.5)) == 1.5
        assert same(Scalar("b", True)) == 1.0
        for wrong in (
            Scalar("c", 1 + 2j, imag=2),
            Scalar("m", 5),
            Masked("f", 1.5),
        ):
            with pytest.raises(TypeError, match=r"takes a float, not (Scalar|Masked)"):
                same(wrong)


@pytest.mark.parametrize("name", ["int", "longlong", "uchar"])
def test_integers_of_numpy(calls: Calls, way: Way, name: str) -> None:
    if name == "longlong":
        skip_without_big_ints(way)
    same = getattr(calls, f"same_{name}")
    assert (same(Scalar("b", True)), same(Scalar("b", False))) == (1, 0)
    with pytest.raises(TypeError, match="takes an int, not Scalar"):
        same(Scalar("f", 1.5))


class BytesLike(Scalar, bytes):
    """And numpy's are bytes-like."""

    def __new__(cls, *_: Any, **__: Any) -> Any:
        return bytes.__new__(cls, 16)


def test_numbers_of_numpy_are_no_bytes(calls: Calls) -> None:
    if importlib.util.find_spec("numpy") is None:
        skip_for_gap("numpy", "numpy is not installed here")
    import numpy

    wild: Any = calls
    for number in (numpy.uint64(64), numpy.float64(1.5), numpy.bool_(True)):
        with pytest.raises(TypeError, match="takes a bytes-like object, a reference, or None, not"):
            wild.sum_bytes(number, 1)
    assert wild.sum_bytes(numpy.array(7, "u1"), 1) == 7


def test_numbers_of_numpy_among_variable_arguments(calls: Calls) -> None:
    assert calls.sum_all("did", BytesLike("f", 1.5), BytesLike("b", True), 2.0) == 4.5
    for wrong in (BytesLike("c", 1j, imag=1), BytesLike("M", 5)):
        with pytest.raises(TypeError, match=r"argument of sum_all\(\) takes a float, not"):
            calls.sum_all("d", wrong)


def test_a_finite_number_beyond_the_largest_float_is_refused(calls: Calls) -> None:
    wild: Any = calls
    for same in (wild.same_double, wild.same_float):
        for infinite in (Decimal("Infinity"), Decimal("-Infinity")):
            assert same(infinite) == infinite
        for huge in (Decimal("1e400"), Decimal("-1e400"), Fraction(10**400), 10**400):
            with pytest.raises(ValueOutOfRangeError, match="is beyond any float"):
                same(huge)


def test_bools(calls: Calls) -> None:
    for value in (True, False):
        assert calls.same_bool(value) is value
    assert calls.same_bool(1) is True  # type: ignore[arg-type]
    assert calls.same_bool(0) is False  # type: ignore[arg-type]
    wild: Any = calls
    assert wild.same_bool(Scalar("b", True)) is True
    assert wild.same_bool(Scalar("b", False)) is False
    named_so = type("bool", (), {})()
    for wrong in (2, -1, "x", None, 1.0, named_so, Scalar("f", 1.0)):
        with pytest.raises(TypeError, match="takes a bool, not"):
            calls.same_bool(wrong)  # type: ignore[arg-type]


# Members


def test_members_pass_up_to_the_limits_of_their_type(way: Way, c_heap: HeapManager) -> None:
    members = way.bind(Members, c_heap)
    for limit in (Limits.LOW, Limits.NONE, Limits.HIGH):
        assert members.int(limit) is limit
    for bits in (Bits(0), Bits.LOW, Bits.HIGH, Bits.LOW | Bits.HIGH):
        assert members.uint(bits) is bits
    for small in (Small.LOW, Small.HIGH):
        assert members.uchar(small) is small


def test_members_beyond_the_limits_raise(way: Way, c_heap: HeapManager) -> None:
    members = way.bind(Members, c_heap)
    wrong: tuple[Callable[[], Any], ...] = (
        lambda: members.int(Limits.BEYOND),
        lambda: members.uint(Bits.BEYOND),
        lambda: members.uchar(Small.BEYOND),
    )
    words = ("enum Limits.* takes -2147483648 to", "enum Bits.* 4294967296 does", "takes 0 to 255")
    for call, message in zip(wrong, words, strict=True):
        with pytest.raises(ValueOutOfRangeError, match=message):
            call()


def test_members_of_the_wrong_kind_raise(way: Way, c_heap: HeapManager) -> None:
    members = way.bind(Members, c_heap)
    for wrong in (0, 1, "LOW", None, Small.LOW, 1.0):
        with pytest.raises(TypeError, match="takes a Limits, not"):
            members.int(wrong)  # type: ignore[arg-type]


# Pointers


def test_pointers(way: Way, c_heap: HeapManager) -> None:
    same = way.bind(Pointers, c_heap).pointer
    assert not same(None)  # type: ignore[arg-type]
    with c_heap.alloc(int32, 5) as number, c_heap.alloc(Pointer[int32], number) as place:
        assert same(place.value).address == number.address
        assert same(place.value).target == 5
        assert same(number).address == number.address  # type: ignore[arg-type]
        highest = way.abi.pointer_size * 8
        c_heap.write(uint64 if highest == 64 else uint32, place.address, (1 << highest) - 1)
        assert same(place.value).address == (1 << highest) - 1
    for wrong in (4096, "text", 1.5, object()):
        with pytest.raises(TypeError, match=r"of pointer\(\) \(int32 \*\) takes a reference to"):
            same(wrong)  # type: ignore[arg-type]


def test_several_of_different_sizes(calls: Calls, way: Way) -> None:
    skip_without_big_ints(way)
    assert calls.mix(-1, 2**32 - 1, -(2**40), 0.5, 0.25) == -1 + 2**32 - 1 - 2**40 + 0.75


def test_the_number_of_arguments(calls: Calls) -> None:
    wrong: tuple[Any, ...]
    for wrong in ((), (1,), (1, 2, 3)):
        with pytest.raises(TypeError, match=r"add\(\) (missing|takes)"):
            calls.add(*wrong)
    assert calls.nothing() is None
