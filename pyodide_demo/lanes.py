"""Arithmetic on all pixels of a picture at once, with nothing but Python's integers.

A plane, one colour of a picture, becomes one big integer with 16 bits for every pixel, its lanes:
adding two of them adds all pixels, and shifting one by 16 bits moves the picture by a pixel. That
is right while no lane leaves 0 ... 65535, and about ten times as fast as a loop over the pixels,
natively and in Pyodide alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emheap import uint16

if TYPE_CHECKING:
    from emheap import ArrayRef
    from pyodide_demo.picture import Picture, Scratch

LANE_BITS = 16
MIDDLE = 1 << (LANE_BITS - 1)


def fill_lanes(value: int, count: int) -> int:
    """The same value in every lane."""
    return int.from_bytes(value.to_bytes(LANE_BITS // 8, "little") * count, "little")


def widen(plane: bytes) -> bytearray:
    """A plane with 16 bits a pixel, low byte first."""
    wide = bytearray(2 * len(plane))
    wide[::2] = plane
    return wide


def subtract(lanes: int, minus: int, count: int) -> int:
    """The difference, 0 where it would be negative; all lanes must be below MIDDLE."""
    ones = fill_lanes(1, count)
    difference = lanes + ones * MIDDLE - minus
    not_negative = (difference >> (LANE_BITS - 1)) & ones
    return difference & (not_negative * (MIDDLE - 1))


def saturate(lanes: int, count: int) -> int:
    """The lanes, 255 where they are larger; all lanes must be below MIDDLE."""
    ones = fill_lanes(1, count)
    too_large = ((lanes + ones * (MIDDLE - 256)) >> (LANE_BITS - 1)) & ones
    return (lanes | too_large * 255) & (ones * 255)


class Neighbourhood:
    """A plane with its edge pixels repeated outwards, in 16-bit cells on the heap.

    The lanes it gives out are counted from the top left corner of that margin.
    """

    def __init__(self, picture: Picture, margin: int, scratch: Scratch) -> None:
        self.width = picture.width
        self.height = picture.height
        self.margin = margin
        self.stride = picture.width + 2 * margin
        self.count = self.stride * (picture.height + 2 * margin)
        self.cells: ArrayRef[int] = scratch.array(uint16, self.count)

    def load(self, plane: bytes) -> int:
        """Put a plane on the heap, a cell a pixel; return its lanes."""
        starts = range(0, len(plane), self.width)
        lines = [plane[start : start + self.width] for start in starts]
        lines = [line[:1] * self.margin + line + line[-1:] * self.margin for line in lines]
        lines = lines[:1] * self.margin + lines + lines[-1:] * self.margin
        octets = self.cells.allocated_bytes_view
        octets[:] = widen(b"".join(lines))
        return int.from_bytes(octets, "little")

    def move(self, lanes: int, right: int, down: int) -> int:
        """The lanes that lie so far to the right and down of every lane."""
        return lanes >> LANE_BITS * (down * self.stride + right)

    def weigh(self, lanes: int, weights: Sequence[int]) -> int:
        """The weighted sum of neighbours in a square, for weights that are the same in x and y."""
        rows = sum(weight * self.move(lanes, i, 0) for i, weight in enumerate(weights))
        return sum(weight * self.move(rows, 0, i) for i, weight in enumerate(weights))

    def plane(self, lanes: int, *, high_bytes: bool = False) -> bytes:
        """The low or the high bytes of the lanes, without the margin."""
        octets = lanes.to_bytes(2 * self.count, "little")[int(high_bytes) :: 2]
        starts = range(0, self.height * self.stride, self.stride)
        return b"".join([octets[start : start + self.width] for start in starts])
