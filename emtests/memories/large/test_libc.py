"""Blocks of more than 4 GiB from libc, of which few pages are ever touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import emheap
from emheap import (
    ArrayRef,
    HeapManager,
    NotSupportedError,
    OutOfBoundsError,
    OutOfMemoryError,
    ValueOutOfRangeError,
    float64,
    int32,
    int64,
    pointer32,
    pointer53,
    pointer64,
    uint8,
    utf8,
    utf16,
    utf32,
)
from emtests.conftest import skip_for_gap

GIB = 1 << 30
SIZE = 5 * GIB
# Around the lines where an offset stops fitting 31 and 32 bits, and at the ends.
OFFSETS = (0, 2 * GIB - 4, 2 * GIB, 4 * GIB - 4, 4 * GIB, 4 * GIB + 8, SIZE - 8)


@pytest.fixture(scope="module")
def heap() -> HeapManager:
    if os.environ.get("MALLOC_PERTURB_"):
        skip_for_gap("5 GiB of zeros", "MALLOC_PERTURB_ makes libc write all of them")
    return emheap.open()


@pytest.fixture(scope="module")
def block(heap: HeapManager) -> Iterator[ArrayRef[int]]:
    before = resident_bytes()
    try:
        block = heap.alloc_array(uint8, SIZE)
    except OutOfMemoryError as error:
        skip_for_gap("5 GiB of zeros", f"this machine does not give them: {error}")
    assert resident_bytes() - before < 100 << 20, "allocating touched the bytes"
    yield block
    assert resident_bytes() - before < 100 << 20, "the tests touched the bytes"
    block.free()


def resident_bytes() -> int:
    """The memory that the process takes; 0 where the system does not tell in this way."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return 0
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_it_is_as_large_as_asked_for(heap: HeapManager, block: ArrayRef[int]) -> None:
    assert len(block) == block.element_count == block.allocated_byte_size == SIZE
    assert heap.total_allocated_byte_size >= SIZE
    assert len(block.view) == SIZE
    assert repr(block).startswith(f"<ArrayRef uint8 of {SIZE} elements at 0x")


@pytest.mark.parametrize("offset", OFFSETS)
def test_elements(heap: HeapManager, block: ArrayRef[int], offset: int) -> None:
    address = block.address + offset
    assert block[offset] == 0
    block[offset] = 7
    block[offset - SIZE + 1] = 8
    assert block[offset : offset + 3] == [7, 8, 0]
    assert heap.read_uint8(address) == block.view[offset] == block.read_at(offset) == 7
    block[offset : offset + 4] = b"\1\2\3\4"
    assert heap.read_int32(address) == 0x04030201
    heap.write_int64(address, -2)
    assert block[offset : offset + 8] == [254, *[255] * 7]
    heap.write_uint64(address, 0)


@pytest.mark.parametrize("offset", OFFSETS)
def test_atomic_elements(heap: HeapManager, block: ArrayRef[int], offset: int) -> None:
    try:
        block.write_atomic_at(offset, 9)
    except NotSupportedError as error:
        skip_for_gap("atomics", str(error))
    assert block.read_atomic_at(offset) == block[offset] == 9
    heap.write_uint64(block.address + offset, 0)


@pytest.mark.parametrize("offset", [2 * GIB - 8, 4 * GIB - 8, 4 * GIB + 64])
def test_what_crosses_a_line(heap: HeapManager, block: ArrayRef[int], offset: int) -> None:
    address = block.address + offset
    numbers = heap.wrap_array(int32, address, 100)
    numbers[:] = range(100)
    assert numbers[99] == heap.view(int32, address, 100)[99] == 99
    assert sum(numbers) == 4950
    for text in (utf8, utf16, utf32):
        heap.write(text, address, "crossing the líne")
        assert heap.read(text, address) == "crossing the líne"
        assert heap.wrap(text, address).encoded_element_count >= 17
    block[offset : offset + 400] = bytes(400)


def test_indices_that_lie_outside(block: ArrayRef[int]) -> None:
    for index in (SIZE, -SIZE - 1, SIZE + (1 << 32), 1 << 63):
        with pytest.raises(OutOfBoundsError, match=f"index {index} is outside the {SIZE} elements"):
            block[index]
        with pytest.raises(OutOfBoundsError):
            block[index] = 1


def test_numpy_arrays(block: ArrayRef[int]) -> None:
    import numpy

    array = numpy.asarray(block)
    assert array.nbytes == SIZE
    array[4 * GIB + 100 : 4 * GIB + 104] = 3
    assert block[4 * GIB + 99 : 4 * GIB + 105] == [0, 3, 3, 3, 3, 0]
    with pytest.raises(emheap.BufferInUseError):
        block.free()
    block[4 * GIB + 100 : 4 * GIB + 104] = bytes(4)


def test_elements_of_8_bytes(heap: HeapManager) -> None:
    count = SIZE // 8
    with heap.alloc_array(float64, count) as numbers:
        numbers[count - 1] = 0.5
        view: Any = numbers.view
        view[GIB // 2] = 1.5
        del view
        assert heap.read(float64, numbers.address + SIZE - 8) == numbers[-1] == 0.5
        assert heap.read(float64, numbers.address + 4 * GIB) == numbers[GIB // 2] == 1.5
        assert numbers[-3::2] == [0.0, 0.5]


def test_pointers(heap: HeapManager, block: ArrayRef[int]) -> None:
    far = block.address + 4 * GIB + 3
    assert far >= 1 << 32
    block[4 * GIB + 3] = 77
    with heap.alloc(pointer64, far) as wide, heap.alloc(pointer53, far) as exact:
        assert wide.value == exact.value == far
        assert heap.read_uint8(wide.value) == heap.read_uint8(exact.value) == 77
        wide.value = 2**64 - 1
        assert wide.value == 2**64 - 1
        exact.value = 2**53 - 1
        assert heap.read_pointer53(exact.address) == 2**53 - 1
        with pytest.raises(ValueOutOfRangeError, match="pointer53"):
            exact.value = 2**53
        assert exact.value == 2**53 - 1
    with pytest.raises(ValueOutOfRangeError, match="does not fit pointer32"):
        heap.alloc(pointer32, far)
    block[4 * GIB + 3] = 0


def test_sizes_that_no_memory_has(heap: HeapManager) -> None:
    for scalar, count in ((uint8, 1 << 62), (int64, 1 << 58), (uint8, 1 << 56)):
        with pytest.raises(OutOfMemoryError, match=f"no room for {count * scalar.size} bytes"):
            heap.alloc_array(scalar, count)
    wild: Any = heap
    for scalar, count in ((uint8, 1 << 63), (int64, 1 << 60), (int64, 1 << 70)):
        with pytest.raises(ValueOutOfRangeError, match="more than the"):
            wild.alloc_array(scalar, count)
