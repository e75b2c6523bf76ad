"""Numbers: their bytes, their limits, and what is refused."""

from __future__ import annotations

import math
import sys
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import emheap
from emheap import (
    Arena,
    HeapManager,
    clamped_uint8,
    float16,
    float32,
    float64,
    int16,
    int32,
    pointer53,
    uint8,
    uint64,
)
from emheap.types import FloatingPoint, Integer, Scalar, Text, Type, c_types, text_types
from emtests.types.values import (
    ALL_NUMBERS,
    CLAMPED,
    FLOATS,
    INFINITE_AS_FLOAT32,
    INTEGERS,
    SCALARS,
    WIDE,
    boundary_values,
    packed,
)

# The types themselves


def test_a_type_is_passed_and_never_called() -> None:
    wild: Any
    for wild in (*ALL_NUMBERS, *c_types, *text_types):
        for arguments in ((), (5,)):
            with pytest.raises(TypeError, match=rf"pass the type itself, as in .*\({wild.name}\)$"):
                wild(*arguments)


def test_what_types_have_in_common_is_no_type_of_its_own(heap: HeapManager) -> None:
    wild: Any = heap
    for kind in (Type, Scalar, Integer, FloatingPoint, Text):
        for use in (wild.alloc, wild.alloc_array, wild.read, wild.wrap):
            with pytest.raises(TypeError, match=r"^expected an emheap type such as "):
                use(kind, 4)


# Bytes


def test_bytes_are_those_of_struct_at_any_alignment(heap: HeapManager, scratch: Arena) -> None:
    for scalar in ALL_NUMBERS:
        room = scratch.alloc_array(uint8, 48, align=8)
        for offset in range(8):
            for value in boundary_values(scalar):
                expected = bytes(offset) + packed(scalar, value)
                expected += bytes(48 - len(expected))
                room.clear()
                heap.write(scalar, room.address + offset, value)
                assert bytes(room) == expected
                found = heap.read(scalar, room.address + offset)
                assert type(found) is (float if scalar in FLOATS else int)
                assert packed(scalar, found) == packed(scalar, value)


def test_wrapped_numbers_lie_at_any_alignment(heap: HeapManager, scratch: Arena) -> None:
    for scalar in ALL_NUMBERS:
        room = scratch.alloc_array(uint8, 48, align=8)
        for offset in range(8):
            ref = heap.wrap(scalar, room.address + offset)
            for value in boundary_values(scalar):
                ref.value = value
                assert bytes(room)[offset : offset + scalar.size] == packed(scalar, value)
                assert packed(scalar, ref.value) == packed(scalar, value)


def test_an_allocated_number_is_zero_or_what_was_asked_for(heap: HeapManager) -> None:
    for scalar in ALL_NUMBERS:
        allocate = getattr(heap, f"alloc_{scalar.name}")
        for value in boundary_values(scalar):
            with heap.alloc(scalar, value) as generic, allocate(value) as flat:
                assert bytes(generic) == bytes(flat) == packed(scalar, value)
        with heap.alloc(scalar) as generic, allocate() as flat:
            assert bytes(generic) == bytes(flat) == bytes(scalar.size)
        with heap.alloc(scalar, None) as generic, allocate(None) as flat:
            assert generic.value == flat.value == 0


def test_both_spellings_read_and_write_the_same(heap: HeapManager, scratch: Arena) -> None:
    for scalar in ALL_NUMBERS:
        ref = scratch.alloc(scalar)
        read = getattr(heap, f"read_{scalar.name}")
        write = getattr(heap, f"write_{scalar.name}")
        wrap = getattr(heap, f"wrap_{scalar.name}")
        for value in boundary_values(scalar):
            assert write(ref.address, value) is None
            assert heap.read(scalar, ref.address) == read(ref.address) == value
            assert heap.write(scalar, ref.address, 1) is None
            assert ref.read() == ref.value == wrap(ref.address).value == 1
            ref.write(value)
            assert read(ref.address) == value


def test_size_and_kind(scratch: Arena) -> None:
    for scalar in ALL_NUMBERS:
        ref = scratch.alloc(scalar)
        assert ref.kind is scalar
        assert ref.allocated_byte_size == scalar.size == len(packed(scalar, 0))
        assert ref.address % scalar.alignment == 0
        assert scalar.alignment == min(scalar.size, 8)


# What does not fit


def writes_in_place(heap: HeapManager, ref: Any) -> list[Any]:
    """Functions that write a value to a reference's place, by every path."""
    scalar = ref.kind

    def by_value(value: Any) -> None:
        ref.value = value

    def by_wrapped_value(value: Any) -> None:
        heap.wrap(scalar, ref.address).value = value

    def by_item(value: Any) -> None:
        heap.wrap_array(scalar, ref.address, 1)[0] = value

    def by_slice(value: Any) -> None:
        heap.wrap_array(scalar, ref.address, 1)[:] = [value]

    return [
        by_value,
        by_wrapped_value,
        by_item,
        by_slice,
        ref.write,
        lambda value: heap.wrap_array(scalar, ref.address, 1).write_at(0, value),
        lambda value: heap.write(scalar, ref.address, value),
        lambda value: getattr(heap, f"write_{scalar.name}")(ref.address, value),
    ]


def allocations(heap: HeapManager, scalar: Any) -> list[Any]:
    """Functions that allocate a value, by every path."""
    return [
        lambda value: heap.alloc(scalar, value),
        getattr(heap, f"alloc_{scalar.name}"),
        lambda value: heap.alloc_array(scalar, [value]),
    ]


def check_refused(
    heap: HeapManager, scratch: Arena, scalar: Any, value: Any, error: Any, words: str
) -> None:
    before = boundary_values(scalar)[1]
    ref = scratch.alloc(scalar, before)
    live = heap.total_allocated_byte_size
    for write in writes_in_place(heap, ref) + allocations(heap, scalar):
        with pytest.raises(error, match=words):
            write(value)
        assert bytes(ref) == packed(scalar, before)
        assert heap.total_allocated_byte_size == live


def test_an_integer_out_of_range_is_refused_with_limits(heap: HeapManager, scratch: Arena) -> None:
    for scalar in (*INTEGERS, *WIDE):
        least, greatest = boundary_values(scalar)[0], boundary_values(scalar)[-1]
        for value in (least - 1, greatest + 1, -(10**40), 10**90):
            words = rf"{value} does not fit {scalar.name}, which holds {least} to {greatest}"
            check_refused(heap, scratch, scalar, value, emheap.ValueOutOfRangeError, words)


def test_a_gigantic_integer_is_named_by_its_bits(heap: HeapManager, scratch: Arena) -> None:
    words = "an int of 100001 bits does not fit"
    for scalar in (int32, float64, float32):
        check_refused(heap, scratch, scalar, 1 << 100000, OverflowError, words)
    check_refused(heap, scratch, int32, 1 << 511, OverflowError, "an int of 512 bits does not fit")
    check_refused(
        heap, scratch, int32, (1 << 511) - 1, OverflowError, f"{(1 << 511) - 1!s:.160} does not fit"
    )


def test_what_is_no_integer_is_refused(heap: HeapManager, scratch: Arena) -> None:
    for scalar in (*INTEGERS, *WIDE):
        for value in (1.0, 2.5, math.nan, "5", b"5", Fraction(5), [5], object()):
            words = rf"{scalar.name} takes an int, not {type(value).__name__} "
            check_refused(heap, scratch, scalar, value, TypeError, words)


def test_what_is_no_number_is_refused(heap: HeapManager, scratch: Arena) -> None:
    for scalar in FLOATS:
        for value in ("1.5", b"1.5", 1j, [1.5], object()):
            words = rf"{scalar.name} takes a float, not {type(value).__name__} "
            check_refused(heap, scratch, scalar, value, TypeError, words)


def test_a_value_is_what_it_is_and_not_what_it_says(heap: HeapManager, scratch: Arena) -> None:
    class Modest(int):
        def bit_length(self) -> int:
            return 0

    class Disguised:
        def __init__(self, kind: type[Any]) -> None:
            self.kind = kind

        def __le__(self, other: object) -> bool:
            return True

        __ge__ = __le__

        @property  # type: ignore[misc]
        def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            return self.kind

    for scalar in (*INTEGERS, *WIDE):
        value = Modest(boundary_values(scalar)[-1] + 1)
        words = f"{int(value)} does not fit {scalar.name}"
        check_refused(heap, scratch, scalar, value, emheap.ValueOutOfRangeError, words)
        words = f"{scalar.name} takes an int, not Disguised "
        check_refused(heap, scratch, scalar, Disguised(int), TypeError, words)
        ref = scratch.alloc(scalar)
        heap.write(scalar, ref.address, Modest(7))
        assert ref.value == 7
    for kind in FLOATS:
        words = f"{kind.name} takes a float, not Disguised "
        check_refused(heap, scratch, kind, Disguised(float), TypeError, words)


def test_nothing_is_no_number_to_write(heap: HeapManager, scratch: Arena) -> None:
    for scalar in ALL_NUMBERS:
        ref: Any = scratch.alloc(scalar, 1)
        for write in (ref.write, lambda value, ref=ref: heap.write(ref.kind, ref.address, value)):
            with pytest.raises(TypeError, match=f"{scalar.name} takes an? .*, not NoneType None"):
                write(None)
        assert ref.value == 1


def test_integers_that_are_no_int_are_taken(scratch: Arena) -> None:
    class Seven:
        def __index__(self) -> int:
            return 7

    for scalar in ALL_NUMBERS:
        if scalar not in FLOATS and scalar is not clamped_uint8:
            ref: Any = scratch.alloc(scalar, Seven())
            assert ref.value == 7
            ref.value = True
            assert ref.value == 1


# Floats


def test_infinities_and_nan_are_values(heap: HeapManager, scratch: Arena) -> None:
    for scalar in FLOATS:
        ref = scratch.alloc(scalar)
        for write in writes_in_place(heap, ref):
            for value in (math.inf, -math.inf):
                write(value)
                assert ref.value == value
            write(math.nan)
            assert math.isnan(ref.value)
        for value in (math.inf, -math.inf):
            with heap.alloc(scalar, value) as single, heap.alloc_array(scalar, [value]) as array:
                assert single.value == array[0] == value


def test_integers_and_fractions_are_written_as_floats(scratch: Arena) -> None:
    for scalar in FLOATS:
        ref = scratch.alloc(scalar)
        for value in (3, True, Fraction(5, 2)):
            ref.value = value  # type: ignore[assignment]
            assert type(ref.value) is float
            assert ref.value == value


def test_a_finite_number_beyond_the_largest_float_does_not_become_infinite(
    heap: HeapManager, scratch: Arena
) -> None:
    huge: tuple[Any, ...] = (
        Decimal("1e400"),
        Decimal("-1e400"),
        Fraction(10**400),
    )  # float() of two is infinite
    for scalar in FLOATS:
        for value in huge:
            words = f" does not fit {scalar.name}: it is beyond the largest float"
            check_refused(heap, scratch, scalar, value, emheap.ValueOutOfRangeError, words)
        ref: Any = scratch.alloc(scalar)
        for write in writes_in_place(heap, ref):
            for infinite in (Decimal("Infinity"), Decimal("-Infinity")):
                write(infinite)
                assert ref.value == infinite
            write(Decimal("NaN"))
            assert math.isnan(ref.value)
    clamped: Any = scratch.alloc(clamped_uint8)
    for write in writes_in_place(heap, clamped):
        for value, stored in zip(huge, (255, 0, 255), strict=True):
            write(value)
            assert clamped.value == stored


def test_float32_rounds_to_even_and_refuses_what_would_become_infinite(
    heap: HeapManager, scratch: Arena
) -> None:
    ref = scratch.alloc(float32)
    ref.value = 0.1
    assert ref.value == 0.10000000149011612
    ref.value = math.nextafter(INFINITE_AS_FLOAT32, 0)
    assert ref.value == 3.4028234663852886e38
    ref.value = 1e-46
    assert ref.value == 0.0
    # So do the other two, of which one has fewer digits, and one fewer than an integer.
    assert scratch.alloc(float16, 0.1).value == 0.0999755859375
    assert scratch.alloc(float64, 2**53 + 1).value == 2.0**53
    assert scratch.alloc(float64, 2**53 + 3).value == 2.0**53 + 4
    for value in (INFINITE_AS_FLOAT32, -INFINITE_AS_FLOAT32, 1e39, -1e300, 10**39):
        words = "does not fit float32, whose largest value is 3.4028234663852886e"
        check_refused(heap, scratch, float32, value, emheap.ValueOutOfRangeError, words)
    words = "does not fit float64: it is beyond the largest float"
    check_refused(heap, scratch, float64, 10**309, emheap.ValueOutOfRangeError, words)


# The one type that converts


def test_clamped_uint8_rounds_half_to_even_and_clamps(heap: HeapManager, scratch: Arena) -> None:
    ref = scratch.alloc(clamped_uint8)
    value: Any
    for value, stored in CLAMPED:
        for write in writes_in_place(heap, ref):
            ref.value = 77
            write(value)
            assert ref.value == stored
        with heap.alloc_clamped_uint8(value) as one, heap.alloc(clamped_uint8, value) as other:
            assert one.value == other.value == stored
        with heap.alloc_array(clamped_uint8, [value]) as array:
            assert array[0] == stored


def test_clamped_uint8_takes_numbers_only(heap: HeapManager, scratch: Arena) -> None:
    for value in ("5", b"5", 1j, [5], object()):
        words = f"clamped_uint8 takes an int or a float, not {type(value).__name__} "
        check_refused(heap, scratch, clamped_uint8, value, TypeError, words)


def test_a_signalling_nan_is_kept_where_its_bytes_are_copied(heap: HeapManager) -> None:
    for scalar, bits in ((float32, 0x7FA00001), (float64, 0x7FF4000000000001)):
        data = bits.to_bytes(scalar.size, sys.byteorder)
        with heap.alloc_array(scalar, 2) as numbers, heap.alloc_array(scalar, 2) as others:
            numbers.allocated_bytes_view[: scalar.size] = data
            assert math.isnan(numbers[0])
            heap.copy_to(heap, numbers.address, others.address, 2 * scalar.size)
            assert bytes(others) == bytes(numbers) == data + bytes(scalar.size)


# Pointers of 53 bits


def test_pointer53_is_checked_at_the_write_and_at_the_read(
    heap: HeapManager, scratch: Arena
) -> None:
    array = scratch.alloc_array(pointer53, [2**53 - 1, 5])
    assert array.tolist() == [2**53 - 1, 5]
    words = f"{2**53} does not fit pointer53, which holds 0 to {2**53 - 1}"
    check_refused(heap, scratch, pointer53, 2**53, emheap.ValueOutOfRangeError, words)
    heap.write(uint64, array.address + 8, 2**53)
    ref = heap.wrap(pointer53, array.address + 8)
    words = (
        f"the bytes read as pointer53 hold {2**53}, more than 2\\*\\*53 - 1; read them as pointer64"
    )
    for read in (
        lambda: heap.read(pointer53, array.address + 8),
        lambda: heap.read_pointer53(array.address + 8),
        lambda: ref.value,
        ref.read,
        lambda: array[1],
        lambda: array[-1],
        lambda: array[:],
        lambda: array[::-1],
        lambda: array.read_at(1),
        array.tolist,
    ):
        with pytest.raises(emheap.ValueOutOfRangeError, match=words):
            read()
    assert array[0] == 2**53 - 1


def test_a_repr_shows_even_what_cannot_be_decoded(heap: HeapManager, scratch: Arena) -> None:
    ref = scratch.alloc(pointer53)
    heap.write(uint64, ref.address, 2**60)
    assert repr(ref).startswith("<ScalarRef pointer53 ")


# numpy's scalars


@pytest.mark.needs("numpy")
def test_numpy_scalars_are_values_addresses_and_counts(heap: HeapManager, scratch: Arena) -> None:
    import numpy

    wild: Any = heap
    for scalar in SCALARS:
        ref: Any = scratch.alloc(scalar)
        values = [numpy.uint8(5), numpy.int64(7)]
        if scalar in FLOATS or scalar is clamped_uint8:
            values += [numpy.float32(3.0), numpy.float64(4.0)]
        for write in writes_in_place(heap, ref):
            for value in values:
                write(value)
                assert ref.value == value
    with pytest.raises(TypeError, match="int16 takes an int, not float32 "):
        wild.write(int16, scratch.alloc(int16).address, numpy.float32(5))
    with wild.alloc_array(int32, numpy.int64(3)) as array:
        assert array.tolist() == [0, 0, 0]
        array[numpy.int64(1)] = numpy.int16(6)
        assert wild.read(int32, numpy.int64(array.address + 4)) == 6
