"""The library of the tests, fixtures/calls.c, as Python declares it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Annotated, Any, Concatenate

from emheap import (
    Array,
    Function,
    Library,
    Pointer,
    StringRef,
    Struct,
    Union,
    array,
    bits,
    c,
    float32,
    float64,
    int8,
    int32,
    int64,
    uint8,
    uint32,
)


class Color(enum.Enum):
    RED = 0
    GREEN = 1
    BLUE = 2


class Flags(enum.IntFlag):
    ONE = 1
    TWO = 2
    HIGH = 1 << 31


OnInt = c.callback[Callable[[c.int], c.int]]
Compare = c.callback[Callable[[c.address, c.address], c.int]]


class Calls(Library):
    same_bool: Function[[c.bool], c.bool]
    same_char: Function[[c.char], c.char]
    same_uchar: Function[[c.uchar], c.uchar]
    same_short: Function[[c.short], c.short]
    same_ushort: Function[[c.ushort], c.ushort]
    same_int: Function[[c.int], c.int]
    same_uint: Function[[c.uint], c.uint]
    same_long: Function[[c.long], c.long]
    same_ulong: Function[[c.ulong], c.ulong]
    same_longlong: Function[[c.longlong], c.longlong]
    same_ulonglong: Function[[c.ulonglong], c.ulonglong]
    same_size: Function[[c.size_t], c.size_t]
    same_ssize: Function[[c.ssize_t], c.ssize_t]
    same_float: Function[[c.float], c.float]
    same_double: Function[[c.double], c.double]
    same_pointer: Function[[c.buffer], c.address]
    add: Function[[c.int, c.int], c.int]
    mix: Function[[c.char, c.uint, c.longlong, c.float, c.double], c.double]
    half: Function[[c.float], c.float]
    negative_zero: Function[[], c.double]
    nothing: Function[[], None]

    length: Function[[c.string], c.size_t]
    version: Function[[], c.text]
    no_text: Function[[], c.text | None]
    duplicate: Function[[c.string], Annotated[StringRef, c.owned("release")] | None]
    release: Function[[c.address], None]
    releases: Function[[], c.int]
    sum_bytes: Function[[c.data, c.size_t], c.uint]
    add_one: Function[[c.buffer, c.size_t], None]
    scale: Function[[c.pointer[c.float], c.size_t, c.float], None]

    divide: Function[[c.int, c.int, c.out[c.int]], c.int]
    split: Function[[c.double, c.out[c.int], c.out[c.double]], None]
    increment: Function[[c.out[c.longlong]], None]

    sum_ints: Function[Concatenate[c.int, ...], c.int]
    sum_all: Function[Concatenate[c.string, ...], c.double]

    next_color: Function[[Color], Color]
    both: Function[[Flags, Flags], Flags]

    apply: Function[[OnInt, c.int], c.int]
    apply_twice: Function[[OnInt, c.int], c.int]
    apply_deep: Function[[OnInt, c.int], c.int]
    apply_wide: Function[
        [c.callback[Callable[[c.longlong, c.double], c.longlong]], c.longlong], c.longlong
    ]
    apply_all: Function[
        [c.callback[Callable[[c.bool, c.char, c.ushort, c.uint, c.ulonglong, c.float], c.double]]],
        c.double,
    ]
    apply_text: Function[[c.callback[Callable[[c.text], c.int]], c.string], c.int]
    apply_void: Function[[c.callback[Callable[[], None]]], None]
    keep: Function[[OnInt], None]
    call_kept: Function[[c.int], c.int]
    sort: Function[[c.pointer[c.int], c.size_t, Compare], None]
    search: Function[[c.pointer[c.int], c.pointer[c.int], c.size_t, Compare], c.address]


class FixedSizes(Library, prefix="same_"):
    """The same functions, by C's names of fixed size."""

    char: Function[[c.int8], c.int8]
    uchar: Function[[c.uint8], c.uint8]
    short: Function[[c.int16], c.int16]
    ushort: Function[[c.uint16], c.uint16]
    int: Function[[c.int32], c.int32]
    uint: Function[[c.uint32], c.uint32]
    longlong: Function[[c.int64], c.int64]
    ulonglong: Function[[c.uint64], c.uint64]
    size: Function[[c.address], c.address]


OnNumbers = c.callback[
    Callable[[c.int, c.int128, c.longdouble, c.uint128, c.int, c.int128, c.double], c.int]
]


class WideNumbers(Library):
    """Numbers of 16 bytes."""

    same_longdouble: Function[[c.longdouble], c.longdouble]
    same_int128: Function[[c.int128], c.int128]
    same_uint128: Function[[c.uint128], c.uint128]
    huge: Function[[], c.longdouble]
    tiny: Function[[], c.longdouble]
    third: Function[[], c.longdouble]
    pick: Function[[c.int, c.longdouble, c.double, c.longdouble, c.int, c.longdouble], c.longdouble]
    sum_wide: Function[
        [
            c.int,
            c.int128,
            c.int,
            c.int128,
            c.longlong,
            c.int128,
            c.int,
            c.uint128,
            c.int,
            c.int128,
        ],
        c.int128,
    ]
    apply_huge: Function[[c.callback[Callable[[c.longdouble], c.int]]], c.int]
    apply_numbers: Function[[OnNumbers, c.int, c.int128, c.longdouble], c.int]


class Limits(enum.Enum):
    LOW = -(1 << 31)
    NONE = 0
    HIGH = (1 << 31) - 1
    BEYOND = 1 << 31


class Bits(enum.IntFlag):
    LOW = 1
    HIGH = 1 << 31
    BEYOND = 1 << 32


class Small(enum.Enum):
    LOW = 0
    HIGH = 255
    BEYOND = 256


class Members(Library, prefix="same_"):
    """The same functions, of what Python has as members."""

    int: Function[[Limits], Limits]
    uint: Function[[Bits], Bits]
    uchar: Function[[Annotated[Small, c.stored(c.uint8)]], Annotated[Small, c.stored(c.uint8)]]


class Pointers(Library, prefix="same_"):
    pointer: Function[[Pointer[int32]], Pointer[int32]]


class Traps(Library):
    """What natively would end the process."""

    boom: Function[[], None]
    recurse: Function[[c.int], c.int]
    load: Function[[c.address], c.int]
    spin: Function[[], None]
    trap_deep: Function[[c.int], c.int]
    stack_address: Function[[], c.address]


class Vec(Struct):
    x: float32
    y: float32


class Big(Struct):
    a: float64
    b: int32
    c: int64


class One(Struct):
    only: int32


class Segment(Struct):
    start: Vec
    end: Vec


class Machine(Struct):
    state: int32
    step: Pointer[Any]


class Value(Struct):
    value: float32


class Wrapped(Struct):
    inner: Value


class RowOfOne(Struct):
    row: Array[int32] = array(1)


class RowOfTwo(Struct):
    row: Array[int32] = array(2)


class Pointing(Struct):
    place: Pointer[int32]


class Padded(Struct, align=4):
    value: int8


class FewBits(Struct):
    low: int = bits(uint32, 5)


class Either(Union):
    number: int32
    real: float32


class Only(Union):
    real: float64


class Shapes(Library, prefix="of_"):
    """Structures that travel in different ways: as a number, by address, in registers."""

    wrapped: Function[[Wrapped], Wrapped]
    row_of_one: Function[[RowOfOne], RowOfOne]
    row_of_two: Function[[RowOfTwo], RowOfTwo]
    pointing: Function[[Pointing], Pointing]


class UnlikeShapes(Library, prefix="of_"):
    """What ctypes has no structures like."""

    few_bits: Function[[FewBits], FewBits]
    either: Function[[Either], Either]
    only: Function[[Only], Only]


class PaddedShapes(Library, prefix="of_"):
    padded: Function[[Padded], Padded]


class Structures(Library):
    length_squared: Function[[Vec], c.float]
    turned: Function[[c.value[Vec]], Vec]
    make_big: Function[[c.double, c.int], Big]
    sum_big: Function[[Big], c.double]
    unwrap: Function[[One], c.int]
    wrap_one: Function[[c.int], One]
    reversed: Function[[Segment], Segment]
    move: Function[[c.ref[Vec], c.float, c.float], None]
    run_machine: Function[[c.ref[Machine], c.int], c.int]
    doubler: Function[[], Pointer[Any]]
    duplicate: Function[[c.string], Pointer[uint8]]
    release: Function[[Pointer[Any]], None]
    search: Function[
        [
            c.pointer[c.int],
            c.pointer[c.int],
            c.size_t,
            c.callback[Callable[[Pointer[int32], Pointer[int32]], c.int]],
        ],
        Pointer[int32],
    ]
