"""The number that a memory stores for a value: all that may run the user's code comes first."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

import emheap
from emheap import (
    HeapManager,
    NotAllocatedError,
    OutOfBoundsError,
    ValueOutOfRangeError,
    boolean,
    clamped_uint8,
    float16,
    float64,
    int32,
    pointer32,
    pointer64,
    uint8,
    uint16,
    uint64,
)


class Seven:
    """What is an integer after a call."""

    def __index__(self) -> int:
        return 7

    def __float__(self) -> float:
        return 7.0


def test_what_is_encoded_runs_no_code_when_it_is_stored(heap: HeapManager) -> None:
    expected: tuple[tuple[Any, Any, Any, Any], ...] = (
        (int32, Seven(), int32, 7),
        (uint64, Seven(), uint64, 7),
        (float64, Seven(), float64, 7.0),
        (clamped_uint8, Seven(), clamped_uint8, 7),
        (boolean, True, uint8, 1),
        (float16, Seven(), uint16, 0x4700),
    )
    for scalar, value, kind, stored in expected:
        found = heap.memory.encoded(scalar, value)
        assert found == (kind, stored)
        assert type(found[1]) is type(stored)
        with heap.alloc(scalar) as ref:
            heap.memory.writer(found[0])(ref.address, found[1])
            assert ref.value == (True if scalar is boolean else 7)


def test_what_does_not_fit_is_refused_before_or_by_the_writer(heap: HeapManager) -> None:
    memory: Any = heap.memory
    with pytest.raises(TypeError, match="int32 takes an int, not str 'x'"):
        memory.encoded(int32, "x")
    with heap.alloc(int32, 5) as ref:
        kind, number = memory.encoded(int32, 2**31)
        with pytest.raises(ValueOutOfRangeError, match=f"{2**31} does not fit int32"):
            memory.writer(kind)(ref.address, number)
        assert ref.value == 5


def test_a_reference_is_encoded_as_its_address_in_its_own_memory_only(heap: HeapManager) -> None:
    pointer: Any = pointer32 if heap.pointer_size == 4 else pointer64
    other = emheap.wrap_buffer(bytearray(4096))
    assert heap.memory.space != other.memory.space
    with heap.alloc(int32) as here, other.alloc(int32) as there:
        assert heap.memory.encode(pointer, here) == here.address
        assert heap.memory.encoded(pointer, here) == (pointer, here.address)
        for encode in (heap.memory.encode, heap.memory.encoded):
            with pytest.raises(NotAllocatedError):
                encode(pointer, there)


@pytest.mark.needs("host address")
def test_a_byte_has_the_address_in_the_process_at_which_it_lies(heap: HeapManager) -> None:
    with heap.alloc_array(uint8, b"abcd") as block:
        for offset, byte in enumerate(b"abcd"):
            host = heap.memory.host_address(block.address + offset)
            assert ctypes.c_uint8.from_address(host).value == byte


@pytest.mark.needs("host address")
def test_a_pointer_of_ctypes_is_encoded_as_the_address_that_it_has_here(heap: HeapManager) -> None:
    pointer: Any = pointer32 if heap.pointer_size == 4 else pointer64
    memory = heap.memory
    with heap.alloc_array(uint8, 4) as block:
        host = memory.host_address(block.address)
        for value, address in (
            (ctypes.c_void_p(host + 1), block.address + 1),
            (ctypes.cast(host + 3, ctypes.POINTER(ctypes.c_int8)), block.address + 3),
            (ctypes.c_void_p(), 0),
            (ctypes.POINTER(ctypes.c_int8)(), 0),
        ):
            assert memory.pointed(value) == memory.encode(pointer, value) == address
            assert memory.encoded(pointer, value) == (pointer, address)
        for other in (5, "x", None, object()):
            assert memory.pointed(other) is None


@pytest.mark.needs("host address", "bounds")
def test_a_pointer_of_ctypes_to_another_place_is_no_address_here(heap: HeapManager) -> None:
    pointer: Any = pointer32 if heap.pointer_size == 4 else pointer64
    wild: Any = heap
    with heap.alloc(pointer, 8) as cell:
        first = heap.memory.host_address(cell.address) - cell.address
        if not first:
            return  # it is the memory of the process: every pointer is an address here
        before, behind = ctypes.c_void_p(first - 8), ctypes.c_void_p(first + heap.memory.size)
        for place in (before, behind):
            with pytest.raises(OutOfBoundsError, match="lies outside"):
                wild.read(uint8, place)
        with pytest.raises(ValueOutOfRangeError, match="-8 does not fit pointer"):
            cell.value = before
        assert cell.value == 8


def test_two_heaps_of_the_process_share_its_addresses() -> None:
    assert emheap.open().memory.space == emheap.open(debug=True).memory.space
