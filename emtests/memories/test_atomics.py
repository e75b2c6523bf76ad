"""Indivisible reads and writes: the same bytes as ordinary ones, at aligned addresses."""

from __future__ import annotations

import ctypes
import math
from functools import partial
from typing import Any

import pytest

import emheap
from emheap import (
    Arena,
    HeapManager,
    Pointer,
    boolean,
    char,
    clamped_uint8,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
    uint128,
    wchar,
)
from emheap.memories.atomics.base import MODIFICATIONS
from emheap.memories.atomics.libatomic import LibatomicAtomics
from emtests.conftest import skip_for_gap
from emtests.heaps import HeapKind
from emtests.types.values import CLAMPED, SCALARS, boundary_values, packed

pytestmark = pytest.mark.needs("atomics")


def test_they_store_and_read_what_ordinary_ones_do(heap: HeapManager, scratch: Arena) -> None:
    flat: Any = heap
    for scalar in SCALARS:
        ref, array = scratch.alloc(scalar), scratch.alloc_array(scalar, 3)
        read = getattr(flat, f"read_{scalar.name}_atomic")
        write = getattr(flat, f"write_{scalar.name}_atomic")
        for value in boundary_values(scalar):
            for atomic_write, ordinary_read in (
                (partial(write, ref.address), partial(heap.read, scalar, ref.address)),
                (ref.write_atomic, ref.read),
                (partial(array.write_atomic_at, 1), partial(array.read_at, 1)),
                (partial(array.write_atomic_at, -2), partial(array.read_at, 1)),
            ):
                ref.clear()
                array.clear()
                assert atomic_write(value) is None
                assert packed(scalar, ordinary_read()) == packed(scalar, value)
            ref.value = value
            array[1] = value
            for found in (
                read(ref.address),
                ref.read_atomic(),
                array.read_atomic_at(1),
                array.read_atomic_at(-2),
            ):
                assert packed(scalar, found) == packed(scalar, value)
                assert type(found) is type(heap.read(scalar, ref.address))
        assert (array[0], array[2]) == (0, 0)


def test_numbers_and_elements_are_read_and_written_in_one_step(
    heap: HeapManager, scratch: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref, array = scratch.alloc(int16, 5), scratch.alloc_array(int16, [6, 7])
    atomics = heap._table.atomics
    steps: list[tuple[Any, ...]] = []

    def record(name: str) -> None:
        step = getattr(atomics, name)

        def recorded(*given: Any) -> Any:
            steps.append((name, *given))
            return step(*given)

        monkeypatch.setattr(atomics, name, recorded)

    record("load")
    record("store")
    assert (ref.read_atomic(), array.read_atomic_at(1), array.atomic[0].load()) == (5, 7, 6)
    ref.write_atomic(8)
    array.write_atomic_at(1, 9)
    places = [(ref.address, 2), (array.address + 2, 2), (array.address, 2)]
    assert steps == [
        *(("load", *place) for place in places),
        ("store", *places[0], 8),
        ("store", *places[1], 9),
    ]


def test_every_step_is_sequentially_consistent(
    kind: HeapKind, heap: HeapManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    atomics = heap._table.atomics
    if not isinstance(atomics, LibatomicAtomics):
        skip_for_gap(f"{kind.name} without libatomic", "JavaScript and one thread have no other")
    orders: dict[str, list[int]] = {}
    opened = LibatomicAtomics._open

    def open_recorded(self: Any, name: str, *given: Any, **options: Any) -> dict[int, Any]:
        functions = opened(self, name, *given, **options)

        def call(*values: Any) -> Any:
            types = functions[4].argtypes
            orders[name] = [values[at] for at, each in enumerate(types) if each is ctypes.c_int]
            return functions[4](*values)

        return {4: call}

    monkeypatch.setattr(LibatomicAtomics, "_open", open_recorded)
    again = LibatomicAtomics(atomics.memory)
    with heap.alloc(int32, 5) as ref:
        again.store(ref.address, 4, 6)
        again.load(ref.address, 4)
        again.exchange(ref.address, 4, 7)
        again.compare_exchange(ref.address, 4, 7, 8)
        for name in MODIFICATIONS:
            again.modify(name, ref.address, 4, 0)
    in_c = 5  # __ATOMIC_SEQ_CST
    names = ["store", "load", "exchange", *(f"fetch_{name}" for name in MODIFICATIONS)]
    assert orders == {name: [in_c] for name in names} | {"compare_exchange": [in_c, in_c]}


def test_neighbours_are_left_alone(heap: HeapManager, scratch: Arena) -> None:
    for scalar in SCALARS:
        room = scratch.alloc_array(uint8, b"\xaa" * 24, align=8)
        array = heap.wrap_array(scalar, room.address + 8, 1)
        array.write_atomic_at(0, 0)
        assert bytes(room) == b"\xaa" * 8 + bytes(scalar.size) + b"\xaa" * (16 - scalar.size)


def test_values_are_checked_and_converted_likewise(heap: HeapManager, scratch: Arena) -> None:
    pixel = scratch.alloc(clamped_uint8)
    value: Any
    for value, stored in CLAMPED:
        pixel.write_atomic(value)
        assert pixel.read_atomic() == stored
    number: Any = scratch.alloc(int32, 5)
    for value, error in ((2**31, OverflowError), (1.5, TypeError), ("5", TypeError)):
        for write in (number.write_atomic, partial(heap.write_int32_atomic, number.address)):
            with pytest.raises(error, match="int32"):
                write(value)
    assert number.value == 5
    single = scratch.alloc(float32)
    for value in (math.inf, -math.inf, -0.0):
        single.write_atomic(value)
        assert packed(float32, single.read_atomic()) == packed(float32, value)
    single.write_atomic(math.nan)
    assert math.isnan(single.read_atomic())
    with pytest.raises(emheap.ValueOutOfRangeError):
        single.write_atomic(1e39)
    heap.write(uint64, scratch.alloc(uint64).address, 2**60)


def test_a_pointer53_is_checked_when_it_is_read(heap: HeapManager, scratch: Arena) -> None:
    room = scratch.alloc(uint64, 2**60)
    with pytest.raises(emheap.ValueOutOfRangeError, match="read them as pointer64"):
        heap.read_pointer53_atomic(room.address)


def test_they_need_their_natural_alignment(heap: HeapManager, scratch: Arena) -> None:
    flat: Any = heap
    room = scratch.alloc_array(uint8, 32, align=8)
    for scalar in SCALARS:
        for offset in range(1, scalar.size):
            address = room.address + offset
            ref: Any = heap.wrap(scalar, address)
            words = f"atomic .* of {scalar.name} needs an address that is a multiple of "
            for call in (
                partial(getattr(flat, f"read_{scalar.name}_atomic"), address),
                partial(getattr(flat, f"write_{scalar.name}_atomic"), address, 1),
                ref.read_atomic,
                partial(ref.write_atomic, 1),
            ):
                with pytest.raises(emheap.MisalignedError, match=words):
                    call()
    assert not any(room)


def test_addresses_and_indices_are_checked(heap: HeapManager, scratch: Arena) -> None:
    wild: Any = heap
    array: Any = scratch.alloc_array(int32, 2)
    with pytest.raises(emheap.NullPointerError, match="atomic read of int32"):
        heap.read_int32_atomic(0)
    with pytest.raises(emheap.NullPointerError, match="atomic write of int32"):
        heap.write_int32_atomic(0, 1)
    for address in (-8, 2**64, 2**100):
        with pytest.raises(emheap.OutOfBoundsError, match="lies outside"):
            heap.read_int32_atomic(address)
    with pytest.raises(emheap.NullPointerError, match="address is None"):
        wild.read_int32_atomic(None)
    for wrong in (1.5, "8", True):
        with pytest.raises(TypeError, match="address must be an int"):
            wild.read_int32_atomic(wrong)
    for index in (2, -3, 2**40):
        with pytest.raises(emheap.OutOfBoundsError, match="outside the 2 elements"):
            array.read_atomic_at(index)
        with pytest.raises(emheap.OutOfBoundsError, match="outside the 2 elements"):
            array.write_atomic_at(index, 1)
        with pytest.raises(TypeError, match="index must be an int"):
            array.write_atomic_at(wrong, 1)
    assert array.tolist() == [0, 0]


def test_wide_integers_have_none(heap: HeapManager, scratch: Arena) -> None:
    ref, array = scratch.alloc(uint128, 5), scratch.alloc_array(uint128, 2)
    for call in (
        ref.read_atomic,
        partial(ref.write_atomic, 1),
        partial(array.read_atomic_at, 0),
        partial(array.write_atomic_at, 0, 1),
    ):
        with pytest.raises(emheap.NotSupportedError, match="no processor reads 16 bytes at once"):
            call()
    assert not hasattr(heap, "read_uint128_atomic")


# Changes in one step: each gives what was there before


INTEGERS = (int8, uint8, int16, uint16, int32, uint32, int64, uint64)


def test_integers_are_changed_in_one_step(scratch: Arena) -> None:
    for scalar in INTEGERS:
        ref, array = scratch.alloc(scalar, 7), scratch.alloc_array(scalar, [1, 7, 2])
        for number, value in ((ref.atomic, ref.read), (array.atomic[1], lambda: array[1])):  # noqa: B023
            assert (number.add(5), value()) == (7, 12)
            assert (number.sub(4), value()) == (12, 8)
            assert (number.or_(0b101), value()) == (8, 0b1101)
            assert (number.and_(0b111), value()) == (0b1101, 0b101)
            assert (number.xor(0b110), value()) == (0b101, 0b011)
            assert (number.exchange(100), value()) == (3, 100)
            assert (number.compare_exchange(100, 9), value()) == (100, 9)
            assert (number.compare_exchange(100, 5), value()) == (9, 9)
            number.store(41)
            assert (value(), number.load()) == (41, 41)
        assert (array[0], array[2], len(array.atomic)) == (1, 2, 3)


def test_as_many_are_iterated_over_as_there_are(heap: HeapManager) -> None:
    array, pointers = heap.alloc_array(int32, [1, 7, 2]), heap.alloc_array(Pointer[int32], 2)
    assert [number.add(1) for number in array.atomic] == [1, 7, 2]
    assert [number.load() for number in reversed(array.atomic)] == [3, 8, 2]
    assert [bool(pointer.load()) for pointer in pointers.atomic] == [False, False]
    atomics: Any = array.atomic
    assert 5 not in atomics
    array.free()
    pointers.free()
    with pytest.raises(emheap.UseAfterFreeError):
        _ = [number.load() for number in atomics]


def test_integers_wrap_around(scratch: Arena) -> None:
    for scalar in INTEGERS:
        lowest, highest = scalar.minimum, scalar.maximum
        ref = scratch.alloc(scalar, highest)
        assert (ref.atomic.add(1), ref.value) == (highest, lowest)
        assert (ref.atomic.sub(1), ref.value) == (lowest, highest)
        assert (ref.atomic.xor(highest), ref.value) == (highest, 0)
        ref.value = lowest
        assert ref.atomic.compare_exchange(lowest, highest) == lowest
        assert ref.atomic.exchange(lowest) == highest
        if lowest:
            assert (ref.atomic.add(-1), ref.value) == (lowest, highest)
            assert (ref.atomic.and_(-2), ref.value) == (highest, highest - 1)
        for wrong in (highest + 1, lowest - 1):
            with pytest.raises(OverflowError, match=f"does not fit {scalar.name}"):
                ref.atomic.add(wrong)


def test_what_is_no_plain_integer_is_changed_likewise(scratch: Arena) -> None:
    for scalar in (float32, float64, float16):
        ref: Any = scratch.alloc(scalar, 1.5)
        assert (ref.atomic.add(0.25), ref.value) == (1.5, 1.75)
        assert (ref.atomic.sub(2), ref.value) == (1.75, -0.25)
        ref.atomic.store(2.5)
        assert (ref.value, ref.atomic.load()) == (2.5, 2.5)
        assert (ref.atomic.exchange(-0.0), ref.value) == (2.5, 0)
        assert (ref.atomic.compare_exchange(0.0, 5), ref.value) == (0, 0)  # not the same bits
        assert (ref.atomic.compare_exchange(-0.0, 5), ref.value) == (0, 5)
        for name in ("and_", "or_", "xor"):
            with pytest.raises(TypeError, match=f"{scalar.name} is no integer, so its bits have"):
                getattr(ref.atomic, name)(1.0)
        assert ref.value == 5
    pixel: Any = scratch.alloc(clamped_uint8, 200)
    assert (pixel.atomic.add(100), pixel.value) == (200, 255)
    assert (pixel.atomic.and_(15), pixel.value) == (255, 15)
    flag: Any = scratch.alloc(boolean, True)
    assert (flag.atomic.xor(True), flag.value) == (True, False)
    with pytest.raises(TypeError, match="boolean takes a bool"):
        flag.atomic.sub(True)
    letter: Any = scratch.alloc(char, b"x")
    assert (letter.atomic.exchange(b"y"), letter.value) == (b"x", b"y")
    with pytest.raises(TypeError, match="char is no number, so it has no atomic add"):
        letter.atomic.add(b"a")
    wide: Any = scratch.alloc(wchar, "a")
    wide.write_atomic("\xe4")
    assert wide.read_atomic() == wide.value == "\xe4"


STEPS: dict[str, tuple[int, ...]] = {
    "load": (),
    "store": (1,),
    "exchange": (1,),
    "compare_exchange": (1, 2),
    "add": (1,),
    "sub": (1,),
    "and_": (1,),
    "or_": (1,),
    "xor": (1,),
}
"""What an atomic number does in one step, with as many numbers as it takes."""


def test_every_step_is_refused_as_reads_are(heap: HeapManager, scratch: Arena) -> None:
    room = scratch.alloc_array(uint8, 32, align=8)
    crooked: Any = heap.wrap(int32, room.address + 2)
    array: Any = scratch.alloc_array(int32, 2)
    wide: Any = scratch.alloc(uint128, 5)
    freed: Any = heap.alloc(int32, 5)
    freed.free()
    for step, given in STEPS.items():
        with pytest.raises(emheap.MisalignedError, match=r"atomic .* needs an address that is a m"):
            getattr(crooked.atomic, step)(*given)
        for index in (2, -3):
            with pytest.raises(emheap.OutOfBoundsError, match="outside the 2 elements"):
                getattr(array.atomic[index], step)(*given)
        with pytest.raises(emheap.NotSupportedError, match="no processor reads 16 bytes at once"):
            getattr(wide.atomic, step)(*given)
        with pytest.raises(emheap.UseAfterFreeError):
            getattr(freed.atomic, step)(*given)
        for position in range(len(given)):
            for wrong, error in ((2**31, OverflowError), (1.5, TypeError), (None, TypeError)):
                values = [*given[:position], wrong, *given[position + 1 :]]
                with pytest.raises(error, match="int32"):
                    getattr(array.atomic[0], step)(*values)
    with pytest.raises(TypeError, match="index must be an int"):
        _ = array.atomic["1"]
    assert not any(room)
    assert array.tolist() == [0, 0]


def test_atomic_elements_end(scratch: Arena) -> None:
    array = scratch.alloc_array(int32, [1, 2, 3])
    assert [each.load() for each in array.atomic] == [1, 2, 3]
    assert len(array.atomic) == 3
