"""Many bytes at once, on one heap and between every two."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import emheap
from emheap import (
    Arena,
    HeapManager,
    NotAllocatedError,
    NotSupportedError,
    NullPointerError,
    OutOfBoundsError,
    Struct,
    UseAfterFreeError,
    float64,
    int32,
    uint8,
    utf8,
)
from emheap.memories.buffer import BufferMemory
from emtests.conftest import skip_for_gap
from emtests.heaps import RUNNING, HeapKind
from emtests.structures.kinds import Vec
from emtests.webassembly.guests import open_guest, why_missing

EDGE = 1 << 18
LONG = EDGE + 12345
"""More than one piece of what is done in pieces."""


@pytest.fixture(scope="module")
def others() -> Iterator[list[HeapManager]]:
    """A heap of each kind."""
    with ExitStack() as stack:
        yield [stack.enter_context(kind.open()) for kind in RUNNING]


# Copying


def test_bytes_move_to_every_other_heap_and_back(
    heap: HeapManager, scratch: Arena, others: list[HeapManager]
) -> None:
    data = random.Random(7).randbytes(5000)
    source = scratch.alloc_array(uint8, data)
    back = scratch.alloc_array(uint8, len(data))
    for other in others:
        with other.alloc_array(uint8, len(data)) as there:
            heap.copy_to(other, source, there)
            assert bytes(there) == data
            assert heap.compare(other, source, there) == 0
            other.copy_to(heap, there.address + 10, back.address + 3, 100)
            assert bytes(back) == bytes(3) + data[10:110] + bytes(len(data) - 103)
            heap.fill(back, 0)
            heap.copy_to(other, source, there, 0)


@pytest.mark.parametrize("shift", [-3000, -1, 0, 1, 3000])
def test_source_and_destination_may_overlap(heap: HeapManager, scratch: Arena, shift: int) -> None:
    data = random.Random(7).randbytes(LONG)
    ref = scratch.alloc_array(uint8, data)
    start, size = 3500, EDGE + 3000
    heap.copy_to(heap, ref.address + start, ref.address + start + shift, size)
    expected = bytearray(data)
    expected[start + shift : start + shift + size] = data[start : start + size]
    assert bytes(ref) == expected


class OnlyBytes(BufferMemory):
    """A memory whose bytes have no address that Python could know."""

    def host_address(self, address: int) -> int:
        raise NotSupportedError("no address in this process")


@pytest.mark.parametrize("shift", [-LONG + 5, -100, 100, LONG - 5])
def test_a_memory_with_nothing_but_bytes_is_copied_in_pieces(shift: int) -> None:
    memory = OnlyBytes(bytearray(3 * LONG))
    heap = HeapManager(memory, emheap.BumpAllocator(16, memory.size), emheap.open().options)
    data = random.Random(7).randbytes(LONG)
    memory.write_bytes(LONG, data)
    heap.copy_to(heap, LONG, LONG + shift, LONG)
    assert memory.read_bytes(LONG + shift, LONG) == data
    own = emheap.open()
    with own.alloc_array(uint8, LONG) as there:
        heap.copy_to(own, LONG + shift, there, LONG)
        assert bytes(there) == data
        there[5] ^= 1
        own.copy_to(heap, there, 16)
        assert memory.read_bytes(16, LONG) == bytes(there)
        assert own.find(there, data[-3:]) is not None


# Filling, finding, comparing


def test_fill(heap: HeapManager, scratch: Arena) -> None:
    ref = scratch.alloc_array(int32, 100)
    heap.fill(ref, 0xFF)
    assert ref == [-1] * 100
    heap.fill(ref, 0, 4)
    heap.fill(ref.address + 9, 7, 2)
    assert bytes(ref)[:12] == b"\0\0\0\0\xff\xff\xff\xff\xff\7\7\xff"
    heap.fill(ref, 1, 0)
    assert ref[0] == 0
    heap.fill(ref, 5, 1)
    assert ref[0] == 5
    room = scratch.alloc_array(uint8, LONG)
    for size in (1, 3, 4095, LONG - 2):
        room.clear()
        heap.fill(room.address + 1, 9, size)
        assert bytes(room) == b"\0" + b"\t" * size + bytes(LONG - 1 - size)


def test_find(heap: HeapManager, scratch: Arena) -> None:
    data = bytearray(LONG)
    data[EDGE - 2 : EDGE + 2] = b"edge"
    data[-3:] = b"end"
    ref = scratch.alloc_array(uint8, data)
    assert heap.find(ref, b"edge") == ref.address + EDGE - 2
    assert heap.find(ref, b"end") == ref.address + LONG - 3
    for before in range(1, 4):
        ref[EDGE - 4 : EDGE + 4] = bytes(8)
        ref[EDGE - before : EDGE - before + 4] = b"edge"
        assert heap.find(ref, b"edge") == ref.address + EDGE - before
    ref[EDGE - 2 : EDGE + 2] = b"edge"
    assert heap.find(ref, ord("g")) == ref.address + EDGE
    ref[7], ref[9] = 0x7F, 0xFF
    assert heap.find(ref, 0xFF) == ref.address + 9
    assert heap.find(ref, memoryview(b"\0\0\x7f\0").cast("H")) == ref.address + 5
    ref[7] = ref[9] = 0
    assert heap.find(ref.address, bytearray(b"end"), LONG - 1) is None
    assert heap.find(ref, b"nowhere") is heap.find(ref, b"edge of") is None
    assert heap.find(ref.address + 5, b"", 0) == heap.find(ref.address + 5, b"", 3)
    assert heap.find(ref, b"") == heap.find(ref, b"", 1) == ref.address
    assert heap.find(ref, b"edge", EDGE + 1) is None
    assert heap.find(ref, b"edge", EDGE + 2) is not None
    ref[100:104] = ref[EDGE + 100 : EDGE + 104] = b"edge"
    assert heap.find(ref, b"edge") == ref.address + 100


def test_compare(heap: HeapManager, scratch: Arena) -> None:
    first = scratch.alloc_array(uint8, LONG)
    second = scratch.alloc_array(uint8, LONG)
    assert heap.compare(heap, first, second) == 0
    second[LONG - 1] = 200
    assert heap.compare(heap, first, second) == -1
    assert heap.compare(heap, second, first) == 1
    assert heap.compare(heap, first, second, LONG - 1) == 0
    first[LONG - 2], second[5], first[EDGE + 5] = 9, 1, 1
    assert (heap.compare(heap, first, second), heap.compare(heap, second, first)) == (-1, 1)
    first[5] = 2  # the first that differs decides
    assert (heap.compare(heap, first, second), heap.compare(heap, second, first)) == (1, -1)
    assert heap.compare(heap, first.address + 100, first.address + 101, 100) == 0


# What is refused


def test_what_is_refused_changes_nothing(kind: HeapKind, heap: HeapManager, scratch: Arena) -> None:
    source = scratch.alloc_array(uint8, b"source")
    target = scratch.alloc_array(uint8, b"target")
    gone = heap.alloc(float64)
    gone.free()
    with kind.open() as other:
        foreign = other.alloc_array(uint8, b"foreign")
        wild: Any = heap
        elsewhere = "<ArrayRef uint8 .* belongs to another heap than the one named"
        cases: list[tuple[Any, Any, str]] = [
            (lambda: heap.copy_to(heap, source, target, 7), OutOfBoundsError, "copy of 7 bytes: "),
            (
                lambda: heap.copy_to(heap, source.address, target, 9),
                OutOfBoundsError,
                "has 6|beyond the end",
            ),
            (lambda: heap.copy_to(heap, source.address, target), TypeError, "size must be given"),
            (lambda: heap.copy_to(heap, source, 0), NullPointerError, "copy of 6 bytes"),
            (lambda: heap.copy_to(heap, source, gone), UseAfterFreeError, "use after free"),
            (lambda: heap.copy_to(heap, gone, target), UseAfterFreeError, "use after free"),
            (lambda: heap.copy_to(heap, foreign, target, 2), NotAllocatedError, elsewhere),
            (lambda: heap.copy_to(other, source, target), NotAllocatedError, elsewhere),
            (
                lambda: wild.copy_to(5, source, target),
                TypeError,
                "the other heap must be a HeapMan",
            ),
            (lambda: heap.copy_to(heap, source, target, -1), OverflowError, "must not be negative"),
            (
                lambda: heap.copy_to(heap, source.address, target.address, 1 << 70),
                OverflowError,
                "^size 1180591620717411303424 of 1 byte each is",
            ),
            (lambda: wild.copy_to(heap, source, 1.5), TypeError, "address must be an int"),
            (lambda: heap.fill(target, 256), OverflowError, "byte must be 0 to 255, got 256"),
            (lambda: heap.fill(target, -1), OverflowError, "byte must be 0 to 255"),
            (lambda: wild.fill(target, "x"), TypeError, "byte must be an int"),
            (lambda: wild.find(target, True), TypeError, "byte must be an int, not the bool True"),
            (lambda: heap.fill(target, 1, 7), OutOfBoundsError, "fill of 7 bytes"),
            (lambda: heap.find(target, 300), OverflowError, "byte must be"),
            (lambda: wild.find(target, "text"), TypeError, "bytes-like"),
            (lambda: heap.find(0, b"x", 4), NullPointerError, "search"),
            (lambda: heap.compare(heap, source, target, 8), OutOfBoundsError, "comparison"),
            (lambda: wild.compare(None, source, target), TypeError, "must be a HeapManager"),
        ]
        for action, error, words in cases:
            with pytest.raises(error, match=words):
                action()
        assert (bytes(source), bytes(target)) == (b"source", b"target")
        foreign.free()


@pytest.mark.needs("bounds", "raw addresses")
def test_what_reaches_beyond_the_memory_is_refused_whole(heap: HeapManager, scratch: Arena) -> None:
    source = scratch.alloc_array(uint8, b"source")
    bytearray(1 << 24)  # where Python lives in this memory: room for what it allocates meanwhile
    end = heap.memory.size
    last = end - 5
    before = heap.memory.read_bytes(last, 5)
    uses: dict[str, Callable[[], Any]] = {
        "copy": lambda: heap.copy_to(heap, source, last),
        "copy of": lambda: heap.copy_to(heap, last, source, 6),
        "fill": lambda: heap.fill(last, 0x5A, 6),
        "search": lambda: heap.find(last, b"nowhere", 6),
        "comparison": lambda: heap.compare(heap, source, last),
        "comparison of": lambda: heap.compare(heap, last, source, 6),
    }
    for what, use in uses.items():
        with pytest.raises(OutOfBoundsError, match=f"^{what.split()[0]} of 6 bytes at .*{last:x} "):
            use()
    assert (heap.memory.read_bytes(last, 5), bytes(source)) == (before, b"source")


def test_strings_and_numbers_are_places_too(heap: HeapManager, scratch: Arena) -> None:
    text = scratch.alloc(utf8, "text")
    room = scratch.alloc(utf8, 10)
    heap.copy_to(heap, text, room)
    assert room.value == "text"
    number = scratch.alloc(int32, 0x01020304)
    assert heap.find(number, 3) == number.address + 1


class Line(Struct):
    start: Vec
    end: Vec


def test_the_size_of_a_part_is_its_own(heap: HeapManager, scratch: Arena) -> None:
    lines = scratch.alloc_array(Line, [((1, 2), (3, 4)), ((5, 6), (7, 8))])
    heap.fill(lines[0].start, 0)
    assert lines.tolist() == [((0, 0), (3, 4)), ((5, 6), (7, 8))]
    heap.copy_to(heap, lines[1].start, lines[0].end)
    assert lines.tolist() == [((0, 0), (5, 6)), ((5, 6), (7, 8))]
    assert heap.compare(heap, lines[0].end, lines[1].start) == 0
    assert heap.find(lines[0].start, b"\xa0\x40") is None
    with pytest.raises(OutOfBoundsError, match="fill of 9 bytes"):
        heap.fill(lines[0].start, 0, 9)


MANY = 1 << 24


def open_polled() -> HeapManager:
    buffer, allocator = bytearray(MANY + 4096), emheap.FreeListAllocator(16, MANY + 4096)
    return emheap.create_wasm_heap_manager(lambda: buffer, allocator.allocate, allocator.free)


LARGE: dict[str, Callable[[], HeapManager]] = {
    "own": emheap.open,
    "buffer": lambda: emheap.wrap_buffer(bytearray(MANY + 4096)),
    "polled": open_polled,
    "guest": lambda: open_guest("guest32").heap,
}


@pytest.mark.parametrize("name", LARGE)
def test_little_is_held_beside_what_is_filled_or_searched(name: str) -> None:
    if name == "guest" and why_missing("guest32"):
        skip_for_gap("WebAssembly", why_missing("guest32"))
    with LARGE[name]() as heap, heap.alloc_array(uint8, MANY) as room:
        tracemalloc.start()
        try:
            heap.fill(room.address, 0x41, MANY)
            _, filling = tracemalloc.get_traced_memory()
            assert filling < MANY // 4
            for width in (1, 2, 4):
                heap.fill(room.address + 1000, 0, width)
                tracemalloc.reset_peak()
                before, _ = tracemalloc.get_traced_memory()
                count = heap.get_element_count_of_null_terminated_string(room.address, width)
                assert count == 1000 // width
                _, searching = tracemalloc.get_traced_memory()
                assert searching - before < MANY // 64
                heap.fill(room.address + 1000, 0x41, width)
        finally:
            tracemalloc.stop()
