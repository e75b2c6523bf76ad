"""Each number of C: its limits pass unchanged, what is beyond them raises, the wrong kind too."""

from __future__ import annotations

import math
from typing import Any

import pytest

from emheap import ValueOutOfRangeError
from emtests.calls.declared import Calls
from emtests.calls.ways import Way, skip_without_big_ints

_SIZES = {"char": 1, "short": 2, "int": 4, "longlong": 8}


def _limits(name: str, way: Way) -> tuple[int, int]:
    unsigned = name.startswith("u") or name == "size"
    base = name.removeprefix("u")
    sizes = {**_SIZES, "long": way.abi.long_size}
    bits = 8 * sizes.get(base, way.abi.pointer_size)
    return (0, (1 << bits) - 1) if unsigned else (-(1 << bits - 1), (1 << bits - 1) - 1)


INTEGERS = (
    "char",
    "uchar",
    "short",
    "ushort",
    "int",
    "uint",
    "long",
    "ulong",
    "longlong",
    "ulonglong",
    "size",
    "ssize",
)


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_pass_unchanged_up_to_their_limits(calls: Calls, way: Way, name: str) -> None:
    if name.endswith("longlong"):
        skip_without_big_ints(way)
    same = getattr(calls, f"same_{name}")
    low, high = _limits(name, way)
    for value in (low, low + 1, -1 if low else 1, 0, 1, high // 2 + 1, high - 1, high):
        result = same(value)
        assert (type(result), result) == (int, value)


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_beyond_the_limits_raise(calls: Calls, way: Way, name: str) -> None:
    same = getattr(calls, f"same_{name}")
    low, high = _limits(name, way)
    for value in (low - 1, high + 1, 1 << 200, -(1 << 200)):
        with pytest.raises(ValueOutOfRangeError, match=rf"of same_{name}\(\) .* takes {low} to"):
            same(value)
    with pytest.raises(OverflowError, match="an int of 2001 bits does not fit"):
        same(1 << 2000)


class Index:
    """What stands for an integer, as numpy's do."""

    def __index__(self) -> int:
        return 7


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_of_the_wrong_kind_raise(calls: Calls, way: Way, name: str) -> None:
    if name.endswith("longlong"):
        skip_without_big_ints(way)
    same = getattr(calls, f"same_{name}")
    for value in ("5", b"5", None, 2.0, 2.7, [5], calls):
        with pytest.raises(
            TypeError, match=rf"parameter 1 of same_{name}\(\) .* takes an int, not"
        ):
            same(value)
    assert same(Index()) == 7
    assert same(True) == 1


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


def test_bools(calls: Calls) -> None:
    for value in (True, False):
        assert calls.same_bool(value) is value
    assert calls.same_bool(1) is True  # type: ignore[arg-type]
    assert calls.same_bool(0) is False  # type: ignore[arg-type]
    for wrong in (2, -1, "x", None, 1.0):
        with pytest.raises(TypeError, match="takes a bool, not"):
            calls.same_bool(wrong)  # type: ignore[arg-type]


def test_several_of_different_sizes(calls: Calls, way: Way) -> None:
    skip_without_big_ints(way)
    assert calls.mix(-1, 2**32 - 1, -(2**40), 0.5, 0.25) == -1 + 2**32 - 1 - 2**40 + 0.75


def test_the_number_of_arguments(calls: Calls) -> None:
    wrong: tuple[Any, ...]
    for wrong in ((), (1,), (1, 2, 3)):
        with pytest.raises(TypeError, match=r"add\(\) (missing|takes)"):
            calls.add(*wrong)
    assert calls.nothing() is None
