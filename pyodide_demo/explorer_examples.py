"""The declarations that the structure explorer offers to begin with."""

from __future__ import annotations

from typing import TypedDict

__all__ = ["EXAMPLES"]


class Example(TypedDict):
    """A declaration to begin with."""

    name: str
    title: str
    code: str


EXAMPLES: list[Example] = [
    {
        "name": "node",
        "title": "A list node",
        "code": """\
class Node(Struct):
    tag: uint8
    weight: float64
    count: long
    next: Pointer["Node"] = field()

Node(tag=7, weight=0.5, count=-1)
""",
    },
    {
        "name": "pixel",
        "title": "A pixel",
        "code": """\
class Pixel(Struct):
    red: uint8
    green: uint8
    blue: uint8
    alpha: uint8 = field(default=255)

Pixel(red=255, green=128, blue=0)
""",
    },
    {
        "name": "glyph",
        "title": "A glyph",
        "code": """\
class Vector(Struct):
    x: float32
    y: float32

class Glyph(Struct):
    letter: Array[utf8] = array(8)
    code: uint32 = field()
    offset: Vector = field()
    kerning: Array[int16] = array(2, 2)
    name: Pointer[utf8] = field()

Glyph(letter="é", code=0xE9, offset=(0.5, -1), kerning=[1, 2, 3, 4])
""",
    },
    {
        "name": "flags",
        "title": "Bit-fields",
        "code": """\
class Style(Enum):
    SOLID = 0
    DASHED = 1
    DOTTED = 2

class Pen(Struct):
    visible: bool = bits(uint8, 1)
    style: Style = bits(uint8, 2)
    width: int = bits(uint16, 12)
    angle: int = bits(int32, 10)
    layer: uint8 = field()

Pen(visible=True, style=Style.DOTTED, width=300, angle=-45)
""",
    },
    {
        "name": "union",
        "title": "A union",
        "code": """\
class Number(Union):
    as_float: float32 = field()
    as_int: uint32 = field()
    as_bytes: Array[uint8] = array(4)

Number(as_float=1.0)
""",
    },
    {
        "name": "header",
        "title": "A packet, packed and big-endian",
        "code": """\
class Header(Struct, pack=1, endian="big"):
    version: uint8
    length: uint16
    sequence: uint32
    sent: float64

Header(version=1, length=15, sequence=0x01020304, sent=1.0)
""",
    },
]
