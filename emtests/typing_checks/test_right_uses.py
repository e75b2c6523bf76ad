# pyright: strict, reportMissingModuleSource=false
"""Right uses: the type of each result is the one a reader expects. They are run, too."""

from __future__ import annotations

import array
import importlib.util
from typing import TYPE_CHECKING, Any, TypeVar

import emheap
from emheap import Arena, ArrayRef, HeapManager, HeapRef, ScalarRef, StringRef
from emtests.conftest import skip_for_gap

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:

    def assert_type(value: Any, kind: Any) -> Any:
        return value


T = TypeVar("T")


def test_opening() -> None:
    assert_type(emheap.open(), HeapManager)
    assert_type(emheap.open(clear_allocated_regions=False), HeapManager)
    assert_type(emheap.wrap_buffer(bytearray(64)), HeapManager)
    allocator = emheap.BumpAllocator(16, 64)
    assert_type(emheap.wrap_buffer(bytearray(64), allocator=allocator), HeapManager)
    assert_type(emheap.wrap_buffer(bytearray(64), allocator=emheap.BumpAllocator), HeapManager)
    buffer = bytearray(64)
    made = emheap.create_wasm_heap_manager(lambda: buffer, allocator.allocate, allocator.free)
    assert_type(made, HeapManager)


def test_allocating() -> None:
    heap = emheap.open()
    with heap.arena() as scratch:
        assert_type(scratch, Arena)
        assert_type(scratch.alloc(emheap.int32), ScalarRef[int])
        assert_type(scratch.alloc(emheap.int32, 7), ScalarRef[int])
        assert_type(scratch.alloc(emheap.float64, 0.5, align=64), ScalarRef[float])
        assert_type(scratch.alloc(emheap.uint128, 2**127), ScalarRef[int])
        assert_type(scratch.alloc(emheap.utf8, "text"), StringRef)
        assert_type(scratch.alloc(emheap.utf16, 40, align=16), StringRef)
        assert_type(scratch.alloc_array(emheap.float32, 16), ArrayRef[float])
        assert_type(scratch.alloc_array(emheap.int16, [1, 2, 3]), ArrayRef[int])
        assert_type(scratch.alloc_array(emheap.uint8, b"bytes"), ArrayRef[int])
        assert_type(scratch.alloc_int32(5), ScalarRef[int])
        assert_type(scratch.alloc_float64_array([0.5, 1]), ArrayRef[float])
        assert_type(scratch.alloc_null_terminated_utf8_string("x"), StringRef)
    with heap.alloc(emheap.float32, 1.5) as number:
        assert_type(number, ScalarRef[float])
        assert_type(number.value, float)
        assert_type(number.read(), float)
        number.value = 2
        number.value += 1


def test_raw_addresses() -> None:
    heap = emheap.open()
    with heap.alloc_array(emheap.uint8, 64) as room:
        address = room.address
        assert_type(address, int)
        assert_type(heap.read(emheap.int32, address), int)
        assert_type(heap.read(emheap.float64, address), float)
        assert_type(heap.read_float32(address), float)
        assert_type(heap.read_uint256(address), int)
        heap.write(emheap.int32, address, 5)
        heap.write_float64(address, 5)
        assert_type(heap.write(emheap.utf8, address, "abc"), int)
        assert_type(heap.write_null_terminated_utf8_string(address, "abc", capacity=9), int)
        assert_type(heap.read(emheap.utf8, address), str)
        assert_type(heap.read(emheap.utf8, address, 9, errors="replace"), str)
        assert_type(heap.read_null_terminated_utf16_string(address & -2), str)
        assert_type(heap.wrap(emheap.pointer53, address), ScalarRef[int])
        assert_type(heap.wrap(emheap.utf8, address), StringRef)
        assert_type(heap.wrap_array(emheap.float32, address & -4, 2), ArrayRef[float])
        assert_type(heap.wrap_uint16_array(address & -2, 2), ArrayRef[int])


def test_arrays() -> None:
    heap = emheap.open()
    with heap.alloc_array(emheap.float64, [0.5, 1.5, 2.5]) as samples:
        assert_type(samples[0], float)
        assert_type(samples[0:2], list[float])
        assert_type(samples.tolist(), list[float])
        assert_type([each for each in samples], list[float])  # noqa: C416
        assert_type(sum(samples, start=0.0), float)
        samples[0] = 1
        samples[1:3] = [0.5, 0.25]
        samples[:] = samples
        assert_type(len(samples), int)
        assert_type(0.5 in samples, bool)
        assert_type(bytes(samples), bytes)
        assert_type(samples.read_at(0), float)
        samples.free(free_elements=False)
    other = heap.alloc_array(emheap.int32, samples.element_count)
    other.free()


def test_views_hold_what_their_array_holds() -> None:
    heap = emheap.open()
    with (
        heap.alloc_array(emheap.float64, 4) as samples,
        heap.alloc_array(emheap.int16, 4) as numbers,
        heap.alloc(emheap.float32) as number,
        heap.alloc(emheap.utf8, "text") as name,
    ):
        samples.view[0] = 0.5
        assert_type(samples.view, "memoryview[float]")
        assert_type(numbers.view[0], int)
        heap.view(emheap.float64, samples.address, 4)[1] = 1.5
        assert_type(heap.view_float32_array(number.address, 1), "memoryview[float]")
        with samples.edit() as buffer, number.edit() as cell, name.edit() as letters:
            buffer[2] = cell[0] = 2.5
            letters[0] = ord("T")
        assert samples == [0.5, 1.5, 2.5, 0]
        assert (name.value, number.value) == ("Text", 2.5)


def test_numpy_arrays_hold_numbers_of_their_kind() -> None:
    if importlib.util.find_spec("numpy") is None:
        skip_for_gap("numpy", "it is not installed here")
    heap = emheap.open()
    with (
        heap.alloc_array(emheap.float32, [0.5]) as floats,
        heap.alloc_array(emheap.int8, 1) as ints,
    ):
        floats.numpy()[0] *= 3
        ints.numpy()[0] = 7
        assert (floats[0], ints[0]) == (1.5, 7)


def test_arrays_are_made_of_numpy_arrays_and_buffers() -> None:
    if importlib.util.find_spec("numpy") is None:
        skip_for_gap("numpy", "it is not installed here")
    import numpy

    heap = emheap.open()
    with heap.arena() as scratch:
        floats = scratch.alloc_array(emheap.float32, numpy.ones(3, numpy.float32))
        assert_type(floats, "emheap.ArrayRef[float]")
        floats[1:] = numpy.zeros(2, numpy.float32)
        ints = scratch.alloc_array(emheap.int32, array.array("i", [1, 2]))
        assert_type(ints, "emheap.ArrayRef[int]")
        ints[:] = numpy.array([3, 4], numpy.int32)
        assert (floats[:], ints[:]) == ([1, 0, 0], [3, 4])
        assert scratch.alloc_float32_array(numpy.ones(2, numpy.float32))[1] == 1
        assert scratch.alloc_uint8_array(memoryview(b"ab"))[:] == [97, 98]


def test_strings_and_what_all_references_have() -> None:
    heap = emheap.open()
    name = heap.alloc(emheap.utf8, "héllo")
    assert_type(name.value, str)
    assert_type(name.capacity, "int | None")
    assert_type(name.encoded_byte_length, int)
    name.value = "shorter"[:3]
    refs: list[HeapRef[Any]] = [name, heap.alloc(emheap.int8), heap.alloc_array(emheap.int8, 2)]
    for ref in refs:
        assert_type(ref.address, int)
        assert_type(ref.allocated_byte_size, int)
        assert_type(ref.is_freed, bool)
        heap.free(ref)
    assert_type(heap.allocated_heap_refs, list[HeapRef[Any]])
    assert_type(heap.total_allocated_byte_size, int)


def test_a_reference_is_an_address() -> None:
    heap = emheap.open()
    with heap.arena() as scratch:
        numbers = scratch.alloc_array(emheap.int32, [7, 8])
        name = scratch.alloc(emheap.utf8, "name")
        assert_type(heap.read(emheap.int32, numbers), int)
        heap.write(emheap.int32, numbers, 9)
        assert_type(heap.read(emheap.utf8, name), str)
        heap.write(emheap.utf8, name, "same")
        assert_type(heap.read_text(emheap.utf8, name, 2), str)
        heap.write_text(emheap.utf8, name, "to")
        assert_type(heap.wrap(emheap.int32, numbers).value, int)
        assert_type(heap.wrap(emheap.utf8, name).value, str)
        assert_type(heap.wrap_array(emheap.int32, numbers, 2)[:], list[int])
        assert_type(heap.view(emheap.int32, numbers, 2)[0], int)
        assert (numbers[:], name.value) == ([9, 8], "tome")


def double(ref: ScalarRef[T], value: T) -> T:
    """A program's own function that takes a reference to anything."""
    ref.value = value
    return ref.value


def largest(values: ArrayRef[float]) -> float:
    return max(values)


def test_references_in_a_programs_own_functions() -> None:
    heap = emheap.open()
    with heap.alloc(emheap.float32) as number, heap.alloc_array(emheap.float32, [1, 3, 2]) as all_:
        assert_type(double(number, 0.5), float)
        assert_type(largest(all_), float)


def test_errors_are_those_of_python_too() -> None:
    caught: list[BaseException] = []
    heap = emheap.open()
    try:
        heap.read_int32(0)
    except IndexError as error:
        caught.append(error)
    try:
        heap.alloc(emheap.int8, 200)
    except OverflowError as error:
        caught.append(error)
    assert all(isinstance(error, emheap.HeapError) for error in caught)
    assert len(caught) == 2
