"""The structures that the tests use."""

from __future__ import annotations

import enum

from emheap import (
    Array,
    Pointer,
    Struct,
    Union,
    array,
    bits,
    boolean,
    char,
    field,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    long,
    size_t,
    stored,
    uint8,
    uint16,
    uint32,
    uint64,
    utf8,
)


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Access(enum.IntFlag):
    READ = 1
    WRITE = 2


class Vec(Struct):
    x: float32
    y: float32

    def length(self) -> float:
        return abs(self.x) + abs(self.y)


class Pixel(Struct):
    r: uint8
    g: uint8
    b: uint8
    a: uint8 = field(default=255)


class Number(Union):
    as_int: uint32 = field()
    as_float: float32 = field()


class Node(Struct):
    id: int32
    at: Vec = field()
    pos: Array[float64] = array(2)
    corners: Array[Vec] = array(4)
    grid: Array[int16] = array(2, 3)
    label: Array[utf8] = array(8)
    hot: bool = bits(uint32, 1)
    level: int = bits(int32, 5)
    access: Access = bits(uint32, 2)
    color: Color = stored(uint8, default=Color.RED)
    number: Number = field()
    next: Pointer[Node] = field()
    data: Pointer[uint8] = field()
    big: int64 = field()
    size: size_t = field()


class Everything(Struct):
    """Every scalar type, and those whose size the ABI decides."""

    a: int8 = field()
    b: uint64 = field()
    c: boolean = field()
    d: float16 = field()
    e: char = field()
    f: long = field()
    g: float64 = field()
    h: uint16 = field()


class Packed(Struct, pack=1):
    tag: uint8
    value: int32
    inner: Vec = field()
    bits: int = bits(uint16, 11)
    last: uint64 = field()


class Message(Struct):
    """It ends with a flexible array."""

    count: uint16
    items: Array[uint16] = array()
