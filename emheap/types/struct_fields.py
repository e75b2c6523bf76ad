"""What stands behind the ``=`` of a structure's field, and what is known of a field once read."""

from __future__ import annotations

import math
import sys
from typing import Any, Literal

from emheap.types.scalars import Scalar

__all__ = [
    "ENDIANS",
    "REQUIRED",
    "Endian",
    "Entry",
    "Spec",
    "array",
    "bits",
    "field",
    "range_of",
    "stored",
]

Endian = Literal["native", "little", "big"]
REQUIRED = object()
"""The default of a field that constructors must be given."""
ENDIANS = ("native", "little", "big")


class Spec:
    """What stands behind the ``=`` of a field."""

    def __init__(self, what: str, default: Any = None, **options: Any) -> None:
        self.what = what
        self.default = default
        self.options = options

    def __repr__(self) -> str:
        return f"{self.what}()"


def field(*, default: Any = None, align: int | None = None, endian: Endian | None = None) -> Any:
    """A field with options; constructors may leave it out.

    `default` is its value then, 0 unless given; `align` asks for an alignment in bytes, as
    C's ``_Alignas``; `endian` is ``"big"`` or ``"little"`` for a byte order of its own.

    >>> import emheap
    >>> class Pixel(emheap.Struct):
    ...     level: emheap.uint8
    ...     alpha: emheap.uint8 = emheap.field(default=255)
    >>> Pixel(level=7).alpha
    255
    """
    return Spec("field", default, align=align, endian=endian)


def bits(kind: type[Scalar[Any]], width: int, *, default: Any = None) -> Any:
    """A bit-field: `width` bits of the integer type `kind`. The annotation, which is ``int``,
    ``bool`` or an enumeration of ints, says what Python sees.

    As in C, an unnamed one, which is called ``_``, ``_1``, ``_2`` ... here, leaves bits unused,
    and one of width 0 ends the unit.

    >>> import emheap
    >>> class Flags(emheap.Struct):
    ...     ready: bool = emheap.bits(emheap.uint32, 1)
    ...     level: int = emheap.bits(emheap.int32, 5)
    >>> Flags(ready=True, level=-16).to_dict()
    {'ready': True, 'level': -16}
    """
    return Spec("bits", default, kind=kind, width=width)


def stored(kind: type[Scalar[Any]], *, default: Any = None) -> Any:
    """A field that Python sees as the annotation says (an enumeration, ``bool``, ``int``), and
    that is stored as the integer type `kind`.

    >>> import emheap, enum
    >>> class Color(enum.Enum):
    ...     RED = 1
    ...     BLUE = 2
    >>> class Pen(emheap.Struct):
    ...     color: Color = emheap.stored(emheap.uint8)
    >>> Pen(color=Color.BLUE).color
    <Color.BLUE: 2>
    """
    return Spec("stored", default, kind=kind)


def array(*shape: int, align: int | None = None, endian: Endian | None = None) -> Any:
    """An array inside of a structure: of `shape` elements, in C's order if it has more dimensions
    than one; without a shape a flexible array at the structure's end.

    >>> import emheap
    >>> class Body(emheap.Struct):
    ...     position: emheap.Array[emheap.float64] = emheap.array(3)
    ...     spin: emheap.Array[emheap.float64] = emheap.array(2, 2)
    >>> body = Body(position=[1, 2, 3])
    >>> body.position[1], body.spin[0, 1]
    (2.0, 0.0)
    """
    return Spec("array", shape=shape, align=align, endian=endian)


class Entry:
    """One field of a declaration."""

    __slots__ = ("align", "convert", "default", "endian", "kind", "name", "shape", "width")

    def __init__(self, name: str, kind: Any, default: Any) -> None:
        self.name = name
        self.kind = kind
        """A scalar type, a text type (of an array), a structure or a `PointerTo`."""
        self.default = default
        """What a constructor takes if it is not given one: None for zeros, or `REQUIRED`."""
        self.convert: Any = None
        """``bool`` or an enumeration that values are given as, or None for plain ones."""
        self.shape: tuple[int, ...] | None = None
        """For an array its dimensions; empty for a flexible one."""
        self.width: int | None = None
        """For a bit-field its bits."""
        self.align: int | None = None
        self.endian: str = "native"

    @property
    def count(self) -> int | None:
        """The elements of an array; 0 for a flexible one, None for anything but an array."""
        if self.shape is None:
            return None
        return math.prod(self.shape) if self.shape else 0

    @property
    def flexible(self) -> bool:
        """Whether this is an array whose length only the block knows."""
        return self.shape == ()

    @property
    def swapped(self) -> bool:
        """Whether its bytes lie in the order that is not this machine's."""
        return self.endian != "native" and self.endian != sys.byteorder

    @property
    def unnamed(self) -> bool:
        """Whether this is a bit-field that only takes room."""
        return self.width is not None and not self.name.strip("_0123456789")


def range_of(entry: Entry) -> tuple[int, int]:
    """The least and the greatest integer that a converted field can store."""
    if entry.width is None:
        return entry.kind.minimum, entry.kind.maximum
    if entry.kind.minimum < 0 and entry.convert is not bool:
        half = 1 << entry.width >> 1
        return -half, half - 1
    return 0, (1 << entry.width) - 1
