"""The scalars that C's structures bring: truth values, half floats, characters, and C's sizes."""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Callable
from typing import Any

import pytest

from emheap import (
    Arena,
    HeapManager,
    ValueOutOfRangeError,
    boolean,
    char,
    float16,
    intptr,
    long,
    short,
    size_t,
    ssize_t,
    uintptr,
    ulong,
    ushort,
    wchar,
)
from emheap.types.abi import ABIS, WASM32

VALUES: tuple[tuple[Any, list[Any]], ...] = (
    (boolean, [True, False, True]),
    (float16, [0.5, -2.0, 65504.0]),
    (char, [b"a", b"\0", b"\xff"]),
    (wchar, ["a", "é", "\0"]),
    (short, [-32768, 0, 32767]),
    (ushort, [0, 1, 65535]),
    (long, [-(2**31), 0, 2**31 - 1]),
    (ulong, [0, 1, 2**32 - 1]),
    (size_t, [0, 1, 2**32 - 1]),
    (ssize_t, [-1, 0, 2**31 - 1]),
    (intptr, [-1, 0, 5]),
    (uintptr, [0, 5, 2**32 - 1]),
)


@pytest.mark.parametrize(("scalar", "values"), VALUES, ids=[each[0].__name__ for each in VALUES])
def test_values_go_in_and_come_out(scratch: Arena, scalar: Any, values: list[Any]) -> None:
    array = scratch.alloc_array(scalar, values)
    assert array[:] == values
    assert [type(each) for each in array] == [type(each) for each in values]
    for value in values:
        ref = scratch.alloc(scalar, value)
        assert ref.value == value
        array[1] = value
        assert array[1] == value
        ref.value = values[0]
        assert ref.value == values[0]


class Index:
    """What is an integer and no bool, no character."""

    def __index__(self) -> int:
        return 5


@pytest.mark.parametrize("scalar", [boolean, char], ids=lambda scalar: scalar.name)
def test_an_array_takes_what_a_number_alone_takes(heap: HeapManager, scalar: Any) -> None:
    wrong: list[Any] = [Index()] if scalar is char else [Index(), 5]
    with heap.alloc_array(scalar, 1) as array, heap.alloc(scalar) as number:
        for value in wrong:
            uses: tuple[Callable[[Any], Any], ...] = (
                number.write,
                lambda value: array.write_at(0, value),
                lambda value: array.__setitem__(slice(None), [value]),
                lambda value: heap.alloc_array(scalar, [value]),
                lambda value: heap.alloc_array(scalar, iter([value])),
                lambda value: heap.write_many(scalar, [array.address], [value]),
            )
            for use in uses:
                with pytest.raises(TypeError, match=f"{scalar.name} takes a"):
                    use(value)
        assert bytes(array) == bytes(number) == b"\0"


def test_bytes_are_bools_only_where_they_are_0_or_1(heap: Any) -> None:
    with pytest.raises(TypeError, match="element 1: boolean takes a bool, not int 2"):
        heap.alloc_array(boolean, b"\1\2")
    with heap.alloc_array(boolean, b"\1\0") as array:
        assert array[:] == [True, False]


@pytest.mark.parametrize(("scalar", "values"), VALUES, ids=[each[0].__name__ for each in VALUES])
def test_values_at_an_address(heap: HeapManager, scalar: Any, values: list[Any]) -> None:
    with heap.alloc_array(scalar, 2) as room:
        for value in values:
            heap.write(scalar, room.address, value)
            assert heap.read(scalar, room.address) == value
            assert heap.wrap(scalar, room.address).value == value
        assert heap.wrap_array(scalar, room.address, 2)[0] == values[-1]


def test_a_type_itself_has_the_size_of_the_programs_own_c() -> None:
    names: dict[Any, Any] = {
        short: ctypes.c_short,
        long: ctypes.c_long,
        ulong: ctypes.c_ulong,
        size_t: ctypes.c_size_t,
        ssize_t: ctypes.c_ssize_t,
        wchar: ctypes.c_wchar,
    }
    for scalar, of_ctypes in names.items():
        assert scalar.size == ctypes.sizeof(of_ctypes), scalar.name


def test_c_sizes_are_those_of_the_heap(heap: HeapManager) -> None:
    abi = heap.memory.abi
    assert abi.pointer_size == heap.pointer_size
    with heap.alloc(long) as number, heap.alloc(size_t) as size:
        assert number.allocated_byte_size == abi.long_size
        assert size.allocated_byte_size == abi.pointer_size
        assert repr(size).startswith("<ScalarRef size_t 0 ")
        with pytest.raises(ValueOutOfRangeError, match="does not fit size_t"):
            size.value = 1 << 8 * abi.pointer_size
    assert long.for_abi(ABIS["x86_64-pc-windows-msvc"]).size == 4
    assert wchar.for_abi(ABIS["x86_64-pc-windows-msvc"]).size == 2
    assert size_t.for_abi(WASM32) is size_t.for_abi(WASM32)
    assert issubclass(size_t.for_abi(WASM32), size_t)


@pytest.mark.parametrize("target", ABIS)
def test_integers_of_c_are_as_wide_as_each_machine_has_them(target: str) -> None:
    abi = ABIS[target]
    widths: dict[Any, tuple[int, bool]] = {
        short: (2, True),
        ushort: (2, False),
        long: (abi.long_size, True),
        ulong: (abi.long_size, False),
        size_t: (abi.pointer_size, False),
        ssize_t: (abi.pointer_size, True),
        intptr: (abi.pointer_size, True),
        uintptr: (abi.pointer_size, False),
    }
    for scalar, (size, signed) in widths.items():
        kind = scalar.for_abi(abi)
        bits = 8 * size - signed
        assert (kind.name, kind.size) == (scalar.__name__, size)
        assert (kind.minimum, kind.maximum) == (-(1 << bits) if signed else 0, (1 << bits) - 1)


@pytest.mark.parametrize(
    ("scalar", "value", "error", "text"),
    [
        (boolean, 2, TypeError, "boolean takes a bool, not int 2"),
        (boolean, "yes", TypeError, "boolean takes a bool, not str 'yes'"),
        (boolean, 1.0, TypeError, "boolean takes a bool, not float 1.0"),
        (float16, 65520.0, ValueOutOfRangeError, "65520.0 does not fit float16, whose largest"),
        (float16, "1", TypeError, "float16 takes a float, not str '1'"),
        (char, b"ab", TypeError, "char takes a bytes of length 1, not bytes b'ab'"),
        (char, "a", TypeError, "char takes a bytes of length 1, not str 'a'"),
        (wchar, "ab", TypeError, "wchar takes a str of length 1, not str 'ab'"),
        (wchar, 97, TypeError, "wchar takes a str of length 1, not int 97"),
        (wchar, b"a", TypeError, "wchar takes a str of length 1, not bytes b'a'"),
        (short, 1.0, TypeError, "short takes an int, not float 1.0"),
        (short, 32768, ValueOutOfRangeError, "32768 does not fit short"),
    ],
)
def test_what_does_not_fit(
    scratch: Arena, scalar: Any, value: Any, error: type[Exception], text: str
) -> None:
    ref = scratch.alloc(scalar)
    before = ref.value
    with pytest.raises(error, match=text):
        ref.value = value
    assert ref.value == before
    with pytest.raises(error, match=text):
        scratch.alloc(scalar, value)


def test_a_half_float_is_what_struct_makes_of_it(heap: HeapManager) -> None:
    values = [-0.0, 2.0**-24, -1000 * 2.0**-24, 2.0**-14, math.inf, -math.inf, math.nan]
    expected = b"".join(struct.pack("=e", value) for value in values)
    with heap.alloc_array(float16, values) as many, heap.alloc(float16) as one:
        assert bytes(many) == expected
        for index, value in enumerate(values):
            many[index] = 1.0
            many[index] = one.value = value
            assert bytes(one) == bytes(many)[2 * index : 2 * index + 2]
            assert struct.pack("=e", one.value) == bytes(one)
        assert bytes(many) == expected


def test_a_view_of_half_floats_holds_their_bits(heap: HeapManager) -> None:
    with heap.alloc_array(float16, [0.5, -2.0]) as halves:
        for view in (halves.view, heap.view(float16, halves.address, 2)):
            assert (view.format, list(view)) == ("H", [0x3800, 0xC000])
            view[0] = 0x3C00
            assert halves[0] == 1.0
            view[0] = 0x3800
            del view


def test_a_byte_that_is_neither_0_nor_1_is_true(heap: HeapManager) -> None:
    with heap.alloc(boolean) as ref:
        heap.memory.write_bytes(ref.address, b"\x80")
        assert ref.value is True
