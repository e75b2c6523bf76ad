"""What the scalar types hold, written down apart from the library's own table."""

from __future__ import annotations

import math
import struct
import sys
from typing import Any

from emheap import (
    Scalar,
    clamped_uint8,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    pointer32,
    pointer53,
    pointer64,
    uint8,
    uint16,
    uint32,
    uint64,
    uint128,
    uint256,
)

INTEGERS: dict[type[Scalar[int]], tuple[str, int, int]] = {
    int8: ("b", -(2**7), 2**7 - 1),
    uint8: ("B", 0, 2**8 - 1),
    int16: ("h", -(2**15), 2**15 - 1),
    uint16: ("H", 0, 2**16 - 1),
    int32: ("i", -(2**31), 2**31 - 1),
    uint32: ("I", 0, 2**32 - 1),
    int64: ("q", -(2**63), 2**63 - 1),
    uint64: ("Q", 0, 2**64 - 1),
    pointer32: ("I", 0, 2**32 - 1),
    pointer53: ("Q", 0, 2**53 - 1),
    pointer64: ("Q", 0, 2**64 - 1),
}
"""Format code, least and greatest value of the integers that neither convert nor are wide."""

FLOATS: dict[type[Scalar[float]], str] = {float32: "f", float64: "d"}
WIDE: dict[type[Scalar[int]], int] = {uint128: 16, uint256: 32}
"""The wide integers and their bytes."""

SCALARS: tuple[type[Scalar[Any]], ...] = (*INTEGERS, clamped_uint8, *FLOATS)
"""The fourteen types with all the flat names."""
ALL_NUMBERS: tuple[type[Scalar[Any]], ...] = (*SCALARS, *WIDE)

LARGEST_FLOAT32 = 3.4028234663852886e38
INFINITE_AS_FLOAT32 = 3.4028235677973366e38
"""The smallest number that rounds to infinity as a float32."""

FLOAT_VALUES: dict[type[Scalar[Any]], tuple[float, ...]] = {
    float32: (0.0, -0.0, 1.0, -1.5, 2.0**-149, 2.0**-126, LARGEST_FLOAT32, -LARGEST_FLOAT32),
    float64: (0.0, -0.0, 0.1, -1.5, 5e-324, 2.0**-1022, sys.float_info.max, -sys.float_info.max),
}
"""Finite values that the types hold exactly."""

CLAMPED = (
    (0, 0),
    (255, 255),
    (256, 255),
    (-1, 0),
    (10**30, 255),
    (-(10**30), 0),
    (True, 1),
    (0.5, 0),
    (0.6, 1),
    (1.5, 2),
    (2.5, 2),
    (3.5, 4),
    (254.5, 254),
    (254.50001, 255),
    (255.5, 255),
    (-0.5, 0),
    (-5.0, 0),
    (260.0, 255),
    (1e300, 255),
    (math.inf, 255),
    (-math.inf, 0),
    (math.nan, 0),
)
"""What is written to a clamped_uint8, and what is then there: as in a Uint8ClampedArray."""


def boundary_values(scalar: type[Scalar[Any]]) -> tuple[Any, ...]:
    """Values at the edges of a type, and some between."""
    if scalar in INTEGERS:
        _, least, greatest = INTEGERS[scalar]
        middle = (0, 1, greatest // 3) if least == 0 else (-1, 0, 1, greatest // 3)
        return (least, *middle, greatest)
    if scalar in WIDE:
        bits = 8 * WIDE[scalar]
        return (0, 1, 2**64 - 1, 2**64, int.from_bytes(bytes(range(bits // 8)), "big"), 2**bits - 1)
    if scalar is clamped_uint8:
        return (0, 1, 127, 255)
    return FLOAT_VALUES[scalar]


def packed(scalar: type[Scalar[Any]], value: Any) -> bytes:
    """The bytes of a value, made by ``struct`` or ``int.to_bytes``."""
    if scalar in WIDE:
        return int(value).to_bytes(WIDE[scalar], "little")
    code = "B" if scalar is clamped_uint8 else FLOATS.get(scalar) or INTEGERS[scalar][0]
    return struct.pack(f"={code}", value)
