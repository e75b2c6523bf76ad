"""Red zones, fill patterns and the quarantine of the debug allocator."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import (
    Allocator,
    DebugAllocator,
    FreeListAllocator,
    HeapCorruptionError,
    HeapManager,
    OutOfBoundsError,
    PoolAllocator,
    WrappingAllocator,
    int32,
    uint8,
    utf8,
)
from emtests.blocks.consistency import check_consistent
from emtests.conftest import OpenHeap


def guarded_heap(heap: HeapManager) -> tuple[HeapManager, DebugAllocator]:
    allocator = DebugAllocator(heap.allocator, heap.memory)
    return HeapManager(heap.memory, allocator, heap.options), allocator


SITE = r"allocated at .*test_debug_allocator.py:\d+ in test_"


def test_overruns_are_found_when_the_block_is_freed(heap: HeapManager) -> None:
    guarded, _ = guarded_heap(heap)
    ref = guarded.alloc_array(uint8, 10)
    heap.memory.write_bytes(ref.address + 12, b"\1")
    with pytest.raises(HeapCorruptionError, match=SITE) as caught:
        ref.free()
    assert "was overrun: byte 2 after its end was written" in str(caught.value)
    ref.free()  # it was reported once
    low = guarded.alloc(int32, 5)
    heap.memory.write_bytes(low.address - 1, b"\0")
    with pytest.raises(HeapCorruptionError, match="byte 1 before its start was written"):
        low.free()
    assert low.value == 5
    low.free()


@pytest.mark.parametrize("zone", [16, 64])
def test_a_red_zone_is_as_large_as_it_is_asked_to_be(zone: int) -> None:
    plain = emheap.wrap_buffer(bytearray(4096), debug=False)
    allocator = DebugAllocator(plain.allocator, plain.memory, zone=zone)
    address = allocator.allocate(16)
    for place in (address - zone - 1, address + 16 + zone):
        plain.memory.write_bytes(place, b"\1")
    allocator.verify()
    for place in (address - zone, address - 1, address + 16, address + 16 + zone - 1):
        plain.memory.write_bytes(place, b"\1")
        with pytest.raises(HeapCorruptionError, match=f"the block of 16 bytes at 0x{address:x}"):
            allocator.verify()


def test_every_damaged_block_is_named_once() -> None:
    plain = emheap.wrap_buffer(bytearray(1 << 13), debug=False)
    allocator = DebugAllocator(plain.allocator, plain.memory)
    blocks = [allocator.allocate(16) for _ in range(10)]
    for address in blocks[6:]:
        allocator.free(address)
    damaged = [*blocks[:3], *blocks[7:]]
    around_live = (blocks[0] - 1, blocks[1] + 16, blocks[2] + 47)
    of_freed = (blocks[7] - 32, blocks[8] + 16, blocks[9] + 5)
    for place in around_live + of_freed:
        plain.memory.write_bytes(place, b"\1")
    with pytest.raises(HeapCorruptionError) as caught:
        allocator.verify()
    assert re.findall(r"the block of 16 bytes at (0x\w+)", str(caught.value)) == [
        hex(address) for address in damaged
    ]
    allocator.verify()
    for address in blocks[:6]:
        allocator.free(address)
    allocator.trim()


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_places_are_named_with_as_many_frames_as_asked_for(depth: int) -> None:
    def outer(act: Callable[[], Any]) -> Any:
        return inner(act)

    def inner(act: Callable[[], Any]) -> Any:
        return act()

    plain = emheap.wrap_buffer(bytearray(4096), debug=False)
    allocator = DebugAllocator(plain.allocator, plain.memory, site_depth=depth)
    address = outer(lambda: allocator.allocate(16))
    outer(lambda: allocator.free(address))
    plain.memory.write_bytes(address, b"\1")
    with pytest.raises(HeapCorruptionError) as caught:
        outer(lambda: allocator.verify())
    frames = [
        rf"\S+test_debug_allocator.py:\d+ in {name}" for name in ("<lambda>", "inner", "outer")
    ]
    stack = r"\n    from ".join(frames[:depth])
    words = (
        rf"^the block of .*, allocated at {stack}, freed at {stack}, was .*\nnoticed at {stack}$"
    )
    assert re.search(words, str(caught.value))


def test_a_place_is_told_by_the_block_that_is_there() -> None:
    plain = emheap.wrap_buffer(bytearray(4096), debug=False)
    allocator = DebugAllocator(plain.allocator, plain.memory, zone=32)
    address = allocator.allocate(16)
    told = allocator.describe_at(address, 1)
    assert told.startswith(f"the block of 16 bytes at 0x{address:x}, allocated at ")
    for place, size in ((address - 32, 1), (address + 47, 1), (address - 40, 9), (address, 999)):
        assert allocator.describe_at(place, size) == told
    for place, size in ((address - 33, 1), (address + 48, 1), (address - 40, 8)):
        assert allocator.describe_at(place, size) == ""
    allocator.free(address)
    assert allocator.describe_at(address, 1).startswith(f"{told}, freed at ")
    allocator.trim()
    assert allocator.describe_at(address, 1) == ""


def test_what_an_alignment_adds_is_a_part_of_the_block(heap: HeapManager) -> None:
    guarded, allocator = guarded_heap(heap)
    ref = guarded.alloc_array(uint8, 8, align=1 << 10)
    (record,) = allocator._live.values()
    before, after = ref.address - record.address, record.size - (ref.address - record.address) - 8
    assert before + after >= (1 << 10) - allocator.alignment
    for place in (record.address, record.address + record.size - 1):
        if not ref.address <= place < ref.address + 8:
            heap.memory.write_bytes(place, b"\1")
    guarded.verify()
    heap.memory.write_bytes(record.address + record.size, b"\1")
    with pytest.raises(HeapCorruptionError, match="byte 0 after its end was written"):
        ref.free()
    ref.free()


def test_writes_after_free_are_found(heap: HeapManager) -> None:
    guarded, allocator = guarded_heap(heap)
    ref = guarded.alloc(utf8, "some text")
    ref.free()
    allocator.verify()
    heap.memory.write_bytes(ref.address + 3, b"\7")
    with pytest.raises(HeapCorruptionError, match=rf"{SITE}.*, freed at .*: byte 3"):
        allocator.verify()
    allocator.verify()
    heap.memory.write_bytes(ref.address + 8, bytes(3))
    words = "was overrun: byte 0 after its end was written; it was written to after it was freed: "
    with pytest.raises(HeapCorruptionError, match=f"{words}bytes 8 to 9"):
        allocator.verify()
    allocator.verify()


def test_a_debug_heap_keeps_a_mebibyte_of_freed_blocks() -> None:
    heap = emheap.wrap_buffer(bytearray(4 << 20), debug=True)

    def use() -> int:
        with heap.alloc_array(uint8, 1024 - 2 * 32) as block:
            return block.address

    addresses = [use() for _ in range(1025)]
    assert len(set(addresses)) == 1025
    assert use() == addresses[0]


def test_fresh_and_freed_bytes_have_a_pattern(open_heap: OpenHeap) -> None:
    heap = open_heap(clear_allocated_regions=False)
    guarded, _ = guarded_heap(heap)
    ref = guarded.alloc_array(uint8, 5)
    assert ref[:] == [0xCD] * 5
    ref.free()
    assert heap.memory.read_bytes(ref.address, 5) == b"\xdd" * 5


def test_the_quarantine_gives_way_where_memory_is_short(heap: HeapManager) -> None:
    allocator = DebugAllocator(heap.allocator, heap.memory, quarantine=1000)
    guarded = HeapManager(heap.memory, allocator, heap.options)
    for _ in range(300):
        guarded.alloc_array(uint8, 500).free()
    assert allocator._waiting_bytes < 2000
    check_consistent(guarded)


@pytest.mark.parametrize(
    ("options", "size", "waiting"),
    [({"zone": 32, "quarantine": 400}, 36, 4), ({}, 100_000 - 64, 10)],
    ids=["400 bytes", "a mebibyte by default"],
)
def test_as_many_freed_bytes_wait_as_the_quarantine_has(
    options: dict[str, int], size: int, waiting: int
) -> None:
    plain = emheap.wrap_buffer(bytearray(1 << 21), debug=False)
    allocator = DebugAllocator(plain.allocator, plain.memory, **options)
    blocks = [allocator.allocate(size) for _ in range(waiting + 3)]
    for address in blocks[:waiting]:
        allocator.free(address)

    def are_waiting() -> list[bool]:
        assert allocator.allocate(8)  # where there are too many, the oldest go first
        return ["freed at" in allocator.describe_at(address, 1) for address in blocks]

    assert are_waiting() == [True] * waiting + [False] * 3
    allocator.free(blocks[waiting])
    assert are_waiting()[: waiting + 1] == [False] + [True] * waiting


def test_trimming_lets_all_go_to_the_last_allocator_beneath() -> None:
    plain = emheap.wrap_buffer(bytearray(1 << 16), debug=False)
    beneath = FreeListAllocator(16, 1 << 16)
    allocator = DebugAllocator(PoolAllocator(beneath), plain.memory)
    for address in [allocator.allocate(size) for size in (1, 20, 20, 3000)]:
        allocator.free(address)
    assert beneath.available_byte_size < (1 << 16) - 16
    allocator.trim()
    assert beneath.available_byte_size == (1 << 16) - 16


def test_a_detached_block_leaves_its_red_zones(heap: HeapManager) -> None:
    guarded, _ = guarded_heap(heap)
    address = guarded.alloc_array(int32, [1, 2, 3]).detach()
    with heap.adopt(int32, address, 3) as plain:
        assert plain[:] == [1, 2, 3]


def test_the_quarantine_finds_writes_after_free_when_it_gives_way(heap: HeapManager) -> None:
    allocator = DebugAllocator(heap.allocator, heap.memory, quarantine=200)
    guarded = HeapManager(heap.memory, allocator, heap.options)
    ref = guarded.alloc_array(uint8, 50)
    ref.free()
    guarded.alloc_array(uint8, 50).free()
    heap.memory.write_bytes(ref.address + 3, b"\7")
    with pytest.raises(HeapCorruptionError, match=rf"{SITE}.*, freed at .*: byte 3"):
        guarded.alloc_array(uint8, 50)
    assert guarded.total_allocated_byte_size == 0
    guarded.alloc_array(uint8, 50).free()  # it was reported once
    check_consistent(guarded)


def test_a_block_that_the_allocator_beneath_does_not_take_back() -> None:
    class Refusing(WrappingAllocator):
        refuses = False

        def free_sized(self, address: int, size: int) -> None:
            if self.refuses:
                raise ValueError("not now")
            super().free_sized(address, size)

    plain = emheap.wrap_buffer(bytearray(4096))
    refusing = Refusing(plain.allocator)
    refusing.refusals = (ValueError,)
    allocator = DebugAllocator(refusing, plain.memory, quarantine=0)
    address = allocator.allocate(20)
    allocator.free(address)
    refusing.refuses = True
    with pytest.raises(ValueError, match="not now"):
        allocator.allocate(20)
    refusing.refuses = False
    plain.memory.write_bytes(address, b"\7")
    with pytest.raises(HeapCorruptionError, match="byte 0"):
        allocator.verify()  # it waits still
    assert allocator.allocate(20)


def test_a_block_larger_than_the_address_space(heap: HeapManager) -> None:
    """With its red zones it would have few bytes again, where sizes are taken modulo 2**32."""
    allocator = DebugAllocator(heap.allocator, heap.memory)
    assert allocator.allocate((1 << 8 * heap.pointer_size) - 8) == 0


def test_an_address_that_is_not_in_the_memory_goes_back() -> None:
    class Elsewhere(Allocator):
        def __init__(self) -> None:
            self.freed: list[int] = []

        def allocate(self, size: int) -> int:
            return 1 << 20

        def free(self, address: int) -> None:
            self.freed.append(address)

    elsewhere = Elsewhere()
    allocator = DebugAllocator(elsewhere, emheap.wrap_buffer(bytearray(4096)).memory)
    with pytest.raises(OutOfBoundsError, match="at address 0x100020 lies outside"):
        allocator.allocate(8)
    assert elsewhere.freed == [1 << 20]


def test_what_with_its_zones_is_more_than_addresses_reach_is_not_allocated(
    heap: HeapManager,
) -> None:
    _, allocator = guarded_heap(heap)
    reach = 1 << 8 * heap.memory.pointer_size
    for size in (reach, reach - 1, reach - 2):
        assert allocator.allocate(size) == 0
