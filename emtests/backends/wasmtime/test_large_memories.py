"""A memory of 8 GiB, of which few pages are ever touched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from emheap import (
    HeapManager,
    OutOfBoundsError,
    ValueOutOfRangeError,
    float64,
    int32,
    pointer32,
    pointer53,
    pointer64,
    uint8,
    utf8,
    utf16,
)
from emtests.webassembly.guests import WasmtimeGuest

GIB = 1 << 30
PAGES = 8 * GIB // 65536


@pytest.fixture
def guest() -> Iterator[WasmtimeGuest]:
    guest = WasmtimeGuest("guest64")
    with guest.heap.alloc(int32, 5) as early:
        guest.call("grow", PAGES - guest.call("page_count"))
        yield guest
        assert early.value == 5


@pytest.fixture
def heap(guest: WasmtimeGuest) -> HeapManager:
    assert guest.heap.memory.size == 8 * GIB
    return guest.heap


# On both sides of the lines where addresses stop fitting 31 and 32 bits, and at the end.
PLACES = (2 * GIB - 64, 2 * GIB, 4 * GIB - 64, 4 * GIB - 4, 4 * GIB, 6 * GIB + 8, 8 * GIB - 64)


@pytest.mark.parametrize("place", PLACES)
def test_numbers_strings_and_arrays(guest: WasmtimeGuest, heap: HeapManager, place: int) -> None:
    heap.write_float64(place, -0.5)
    assert heap.read(float64, place) == -0.5
    heap.write(utf8, place, "crossing")
    assert heap.read_null_terminated_utf8_string(place) == "crossing"
    heap.write(utf16, place + 8, "€uro")
    assert heap.read(utf16, place + 8) == "€uro"
    numbers = heap.wrap_array(int32, place, 16)
    numbers[:] = range(16)
    assert numbers[15] == heap.read_int32(place + 60) == 15
    assert heap.view(int32, place, 16).tolist() == list(range(16))
    heap.write(uint8, place + 1, 77)
    assert guest.call("load_byte", place + 1) == 77
    guest.call("store_byte", place + 2, 88)
    assert heap.read_uint8(place + 2) == 88
    single = heap.wrap(int32, place + 4)
    single.value = -9
    assert single.read_atomic() == numbers[1] == -9


def test_the_end(heap: HeapManager) -> None:
    end = 8 * GIB
    for address in (end - 3, end, end + 1, 1 << 40, (1 << 64) - 4):
        with pytest.raises(OutOfBoundsError):
            heap.read_int32(address)
        with pytest.raises(OutOfBoundsError):
            heap.write_int32(address, 1)
    with pytest.raises(OutOfBoundsError):
        heap.wrap_array(uint8, 4 * GIB, 4 * GIB + 1)


def test_blocks_beyond_4_gib(guest: WasmtimeGuest, heap: HeapManager) -> None:
    filler = guest.call("malloc", 5 * GIB)
    with heap.alloc_array(int32, range(1000)) as numbers, heap.alloc(utf8, "far") as text:
        assert numbers.address > 5 * GIB
        assert guest.call("sum_int64", numbers.address, 1) == 1 << 32
        guest.call("capitalize", text.address)
        assert text.value == "FAR"
        assert numbers[-1] == 999
        with heap.alloc_array(pointer64, [numbers.address, text.address]) as pointers:
            assert heap.read(utf8, pointers[1]) == "FAR"
            assert heap.read_pointer64(pointers.address) == numbers.address
        with heap.alloc(pointer53, numbers.address) as pointer:
            assert heap.wrap_array(int32, pointer.value, 1000)[7] == 7
            pointer.value = 2**53 - 1
            assert pointer.value == 2**53 - 1
            with pytest.raises(ValueOutOfRangeError):
                pointer.value = 2**53
        with pytest.raises(ValueOutOfRangeError, match="does not fit pointer32"):
            heap.alloc(pointer32, numbers.address)
    guest.call("free", filler)


def test_one_array_of_more_than_4_gib(guest: WasmtimeGuest) -> None:
    heap = guest.open(clear_allocated_regions=False)
    with heap.alloc_array(uint8, 5 * GIB) as block:
        assert len(block) == block.allocated_byte_size == 5 * GIB
        for index in (0, 2 * GIB, 4 * GIB + 1, -1):
            block[index] = 9
            assert block[index] == block.view[index] == 9
        assert guest.call("load_byte", block.address + 4 * GIB + 1) == 9
        assert block[4 * GIB : 4 * GIB + 3] == [0, 9, 0]
        tail: Any = block.view[-3:]
        assert tail.tolist() == [0, 0, 9]
        tail.release()


def test_zeros_by_the_gibibyte_are_not_held_beside_the_memory(heap: HeapManager) -> None:
    heap.memory.fill(4 * GIB - 8, 16, 7)
    heap.memory.fill(4 * GIB - (1 << 20), 1 << 21)
    assert heap.memory.read_bytes(4 * GIB - 8, 16) == bytes(16)
