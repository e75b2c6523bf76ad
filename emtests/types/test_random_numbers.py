"""Random values, at every alignment, agree with ``struct`` and with ``int.to_bytes``."""

from __future__ import annotations

import math
import random
import struct
from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import emheap
from emheap import Arena, HeapManager, Scalar, clamped_uint8, float32, float64, uint8
from emtests.types.values import ALL_NUMBERS, FLOATS, INTEGERS, WIDE, boundary_values, packed


@cache
def random_values(name: str) -> list[Any]:
    """Forty values of a type, of all magnitudes, besides those at its edges."""
    scalar: Any = next(kind for kind in ALL_NUMBERS if kind.name == name)
    source = random.Random(name)
    values = list(boundary_values(scalar))
    while len(values) < 40:
        if scalar in FLOATS:
            # Any bits: subnormal numbers, infinities and negative zeros are among them.
            (value,) = struct.unpack(FLOATS[scalar], source.randbytes(scalar.size))
            values += [value] if value == value else []
        else:
            bits = source.randrange(8 * scalar.size + 1)
            value = source.getrandbits(bits) if bits else 0
            least, greatest = boundary_values(scalar)[0], boundary_values(scalar)[-1]
            values += [each for each in (value, -value) if least <= each <= greatest]
    return values


def test_numbers_agree_with_struct_at_every_alignment(heap: HeapManager, scratch: Arena) -> None:
    room = scratch.alloc_array(uint8, 64, align=8)
    for scalar in ALL_NUMBERS:
        for number, value in enumerate(random_values(scalar.name)):
            address = room.address + number % 8
            expected = packed(scalar, value)
            heap.write(scalar, address, value)
            assert heap.memory.read_bytes(address, scalar.size) == expected
            # Bytes that were not written by the library are read as the same value.
            heap.memory.write_bytes(address, bytes(scalar.size))
            heap.memory.write_bytes(address, expected)
            assert packed(scalar, heap.read(scalar, address)) == expected
            ref = heap.wrap(scalar, address)
            assert packed(scalar, ref.value) == expected
            ref.value = value
            assert heap.memory.read_bytes(address, scalar.size) == expected


def test_arrays_agree_with_struct(heap: HeapManager) -> None:
    for scalar in ALL_NUMBERS:
        values = random_values(scalar.name)
        expected = b"".join(packed(scalar, value) for value in values)
        with heap.alloc_array(scalar, values) as ref:
            assert bytes(ref) == expected
            assert b"".join(packed(scalar, value) for value in ref) == expected
            assert b"".join(packed(scalar, value) for value in ref[:]) == expected
            ref.clear()
            ref[::-1] = values
            assert b"".join(packed(scalar, value) for value in ref[::-1]) == expected
            for index, value in enumerate(values):
                ref[index] = value
            assert bytes(ref) == expected


@given(data=st.data())
def test_any_value_that_fits_comes_back(data: st.DataObject) -> None:
    heap = emheap.open()
    scalar = data.draw(st.sampled_from(ALL_NUMBERS))
    value = data.draw(any_value(scalar))
    with heap.alloc(scalar, value) as ref, heap.alloc_array(scalar, [value]) as array:
        for found in (ref.value, array[0], heap.read(scalar, ref.address)):
            assert packed(scalar, found) == packed(scalar, value)


def any_value(scalar: type[Scalar[Any]]) -> st.SearchStrategy[Any]:
    if scalar in FLOATS:
        return st.floats(width=32 if scalar is float32 else 64, allow_nan=False)
    if scalar in WIDE:
        return st.integers(0, 2 ** (8 * WIDE[scalar]) - 1)
    if scalar is clamped_uint8:
        return st.integers(0, 255)
    return st.integers(*INTEGERS[scalar][1:])


def test_doubles_become_the_nearest_float32(heap: HeapManager, scratch: Arena) -> None:
    source = random.Random(1)
    ref, exact = scratch.alloc(float32), scratch.alloc(float64)
    for _ in range(300):
        value = math.ldexp(source.uniform(-1, 1), source.randrange(-150, 128))
        ref.value = exact.value = value
        assert struct.pack("f", ref.value) == struct.pack("f", value)
        assert exact.value == value
