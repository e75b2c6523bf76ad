"""Blocks that change hands, or their size."""

from __future__ import annotations

import ctypes
import gc
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import (
    AlreadyOwnedError,
    BufferInUseError,
    CapacityError,
    DoubleFreeError,
    FreeListAllocator,
    HeapManager,
    LibcAllocator,
    NotAllocatedError,
    NotSupportedError,
    NullPointerError,
    UseAfterFreeError,
    ValueOutOfRangeError,
    int32,
    uint8,
    uint128,
    utf8,
    utf16,
    wrap_buffer,
)
from emheap.blocks.options import check_options
from emheap.memories.buffer import BufferMemory
from emtests.conftest import OpenHeap
from emtests.structures.kinds import Vec

# Handing over, and taking


@pytest.mark.needs("plain blocks")
def test_a_detached_block_is_no_longer_ours(heap: HeapManager) -> None:
    ref = heap.alloc_array(uint8, [1, 2, 3])
    address = ref.detach()
    assert address == ref.address
    assert ref.is_freed
    assert heap.total_allocated_byte_size == 0
    assert [heap.read_uint8(address + index) for index in range(3)] == [1, 2, 3]
    with pytest.raises(UseAfterFreeError, match=r"detached at .*test_transfer.py:\d+"):
        ref[0]
    for again in (ref, address):
        with pytest.raises(NotAllocatedError, match=r"detached at .*heap.adopt\(\) it back"):
            heap.free(again)
    with pytest.raises(NotAllocatedError, match="adopt"):
        ref.detach()
    others = [heap.alloc_array(uint8, [9] * 3) for _ in range(50)]
    assert address not in {other.address for other in others}
    for other in others:
        other.free()
    heap.adopt(uint8, address, 3).free()


def test_no_warning_for_a_detached_block(heap: HeapManager) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        address = heap.alloc(int32, 5).detach()
        gc.collect()
    owned = heap.adopt(int32, address)
    assert owned.value == 5
    owned.free()


def test_what_is_not_detached(heap: HeapManager) -> None:
    ref = heap.alloc_array(int32, 4)
    part = ref.view[1:]
    with pytest.raises(BufferInUseError, match="still in use"):
        ref.detach()
    part.release()
    with pytest.raises(NotAllocatedError, match="wrapped reference"):
        heap.wrap(int32, ref.address).detach()
    ref.free()
    with pytest.raises(UseAfterFreeError, match="freed at"):
        ref.detach()


def test_an_alignment_of_ours_cannot_be_handed_over(heap: HeapManager) -> None:
    refs = [heap.alloc(int32, align=4096) for _ in range(3)]
    padded = [ref for ref in refs if heap._table.padding(ref.address)[0]]
    assert padded, "the blocks of malloc lie at multiples of 4096 by chance only"
    for ref in padded:
        padding = heap._table.padding(ref.address)[0]
        words = (
            rf"^the int32 of 4 bytes at 0x{ref.address:x}, .* to be aligned to 4096 bytes it lies "
            rf"{padding} bytes inside the allocator's block, which another program's free would not"
        )
        with pytest.raises(NotSupportedError, match=words):
            ref.detach()
    heap.free_all()


@pytest.mark.needs("plain blocks")
def test_a_block_of_an_arena_is_copied_out(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        ref = scratch.alloc_array(int32, [1, 2, 3])
        scratch.alloc(int32, 4)
        address = ref.detach()
        assert address != ref.address
        assert ref.is_freed
    owned = heap.adopt(int32, address, 3)
    assert owned[:] == [1, 2, 3]
    owned.free()


class Interrupted(BufferMemory):
    """A memory in which the next write may fail."""

    fails = False

    def write_bytes(self, address: int, data: bytes | memoryview) -> None:
        if self.fails:
            raise KeyboardInterrupt
        super().write_bytes(address, data)


def test_the_copy_is_freed_where_the_block_was_not_copied() -> None:
    memory, allocator = Interrupted(bytearray(1 << 16)), FreeListAllocator(16, 1 << 16)
    heap = HeapManager(memory, allocator, check_options({"debug": False}))
    with heap.arena() as scratch:
        ref = scratch.alloc_array(int32, [1, 2, 3])
        room = allocator.available_byte_size
        memory.fails = True
        with pytest.raises(KeyboardInterrupt):
            ref.detach()
        memory.fails = False
        assert allocator.available_byte_size == room
        assert ref[:] == [1, 2, 3]
        address = ref.detach()
        assert allocator.available_byte_size < room
    heap.adopt(int32, address, 3, free=allocator.free).free()


def test_adopted_blocks_are_freed_by_the_function_given(heap: HeapManager) -> None:
    freed: list[int] = []
    base = heap.alloc_array(uint8, b"text\0" + bytes(11), align=16)
    number = heap.adopt(int32, base.address + 8, free=freed.append)
    text = heap.adopt(utf8, base.address + 1, free=freed.append)
    array = heap.adopt(uint8, base.address + 12, 4, free=freed.append)
    assert (text.value, text.capacity) == ("ext", 3)
    array[:] = [4, 3, 2, 1]
    number.value = -1
    assert base[8:16] == [255, 255, 255, 255, 4, 3, 2, 1]
    assert heap.total_allocated_byte_size == 16 + 4 + 4 + 4
    assert [len(ref.allocated_bytes_view) for ref in (number, text, array)] == [4, 4, 4]
    for ref in (number, text, array):
        ref.free()
        assert ref.is_freed
    assert freed == [base.address + offset for offset in (8, 1, 12)]
    base.free()


def test_an_adopted_string_has_the_room_that_is_given(heap: HeapManager) -> None:
    freed: list[int] = []
    base = heap.alloc_array(uint8, 32, align=16)
    texts: tuple[Any, ...] = (utf8, utf16)
    for text in texts:
        heap.write(text, base.address + 4, "ab")
        ref = heap.adopt(text, base.address + 4, 4, free=freed.append)
        assert (ref.value, ref.capacity, ref.allocated_byte_size) == ("ab", 4, 5 * text.size)
        ref.value = "abcd"
        with pytest.raises(emheap.CapacityError, match="room for 4 and the terminator"):
            ref.value = "abcde"
        ref.free()
    assert freed == [base.address + 4] * 2
    base.free()


def test_an_adopted_block_is_tracked_like_any_other(heap: HeapManager) -> None:
    block = heap.alloc_array(int32, 2)
    freed: list[int] = []
    ref = heap.adopt(int32, block.address + 4, free=freed.append)
    words = rf"^0x{block.address:x} cannot be adopted: the int32 array of 8 bytes .* is live there"
    with pytest.raises(AlreadyOwnedError, match=words):
        heap.adopt(int32, block.address, free=freed.append)
    with pytest.raises(AlreadyOwnedError):
        heap.adopt(int32, block.address + 4, free=freed.append)
    with pytest.warns(ResourceWarning, match=r"dropped.*test_transfer.py"):  # noqa: PT031
        del ref
        gc.collect()
    heap.free(block.address + 4)
    assert freed == [block.address + 4]
    block.free()


def test_what_cannot_be_adopted(heap: HeapManager) -> None:
    block = heap.alloc_array(int32, 4)
    arguments: list[tuple[tuple[Any, ...], type[Exception], str]] = [
        ((int32, 0), NullPointerError, "null"),
        ((int32, "8"), TypeError, "not str '8'"),
        ((int32, block.address + 1, 2), emheap.MisalignedError, "multiple of 4"),
        ((int32, block.address + 4, -1), ValueOutOfRangeError, "must not be negative"),
        (
            (int32, block.address + 4, 1, 7),
            TypeError,
            "free must be a function that takes an address, not int 7",
        ),
        ((None, block.address + 4), TypeError, "expected an emheap type .*, got None"),
        ((int, block.address + 4), TypeError, "got <class 'int'>; use emheap.int64"),
    ]
    for given, error, words in arguments:
        with pytest.raises(error, match=words):
            heap.adopt(*given)
    assert heap.total_allocated_byte_size == 16
    block.free()


def test_what_the_heap_has_already_is_not_adopted(heap: HeapManager) -> None:
    block = heap.alloc_array(uint8, 100)
    with pytest.raises(AlreadyOwnedError, match=r"lies 16 bytes inside the uint8 array of 100"):
        heap.adopt(uint8, block.address + 16, 10)
    for start, count in (
        (block.address + 92, 16),
        (block.address - 8, 16),
        (block.address - 15, 16),
        (block.address + 99, 16),
    ):
        with pytest.raises(AlreadyOwnedError, match="16 bytes reach across the end or the start"):
            heap.adopt(uint8, start, count, free=lambda address: None)
    assert heap.total_allocated_byte_size == 100
    address = block.address
    block.free()
    if block._block[2].spare is not None:
        # Nor a part of it, nor what reaches into it from either side.
        for start, count in (
            (address, 100),
            (address + 1, 1),
            (address + 16, 10),
            (address + 99, 1),
            (address - 8, 9),
            (address + 99, 5000),
        ):
            with pytest.raises(
                AlreadyOwnedError,
                match=r"freed at .*, and the heap keeps its bytes for the next block",
            ):
                heap.adopt(uint8, start, count, free=lambda address: None)


def test_what_a_debug_heap_keeps_from_use_is_not_adopted(open_heap: OpenHeap) -> None:
    heap = open_heap(debug=True)
    for size in (100, 5000):
        block = heap.alloc_array(uint8, size)
        address = block.address
        for start in (address - 16, address + size):
            with pytest.raises(
                AlreadyOwnedError, match="its bytes are those, or in a red zone, of the block"
            ):
                heap.adopt(uint8, start, 1)
        block.free()
        for start in (address - 16, address, address + 16, address + size - 1, address + size):
            with pytest.raises(
                AlreadyOwnedError, match=rf"(?s)block of {size} bytes at .* freed at"
            ):
                heap.adopt(uint8, start, 1)
    heap.verify()


def test_what_lies_beside_the_red_zones_is_adopted(open_heap: OpenHeap) -> None:
    heap = open_heap(debug=True)
    with heap.alloc_array(uint8, 100) as block:
        start, end = block.address - 32, block.address + 100 + 32
        for inside in (start, end - 1):
            with pytest.raises(AlreadyOwnedError, match="in a red zone"):
                heap.adopt(uint8, inside, 1)
        for beside in (start - 1, end):
            heap.adopt(uint8, beside, 1, free=lambda address: None).free()


def test_a_failing_free_function_leaves_the_block(heap: HeapManager) -> None:
    def refuse(address: int) -> None:
        if refusing:
            raise RuntimeError("busy")

    refusing = [True]
    block = heap.alloc_array(int32, 2)
    ref = heap.adopt(int32, block.address + 4, free=refuse)
    for free in (ref.free, lambda: heap.free(ref), lambda: heap.free(ref.address)):
        with pytest.raises(RuntimeError, match="busy"):
            free()
        assert (ref.is_not_freed, ref.is_freed) == (True, False)
    ref.value = 3
    refusing.clear()
    ref.free()
    assert block[1] == 3
    block.free()


def test_what_was_adopted_inside_of_a_block_ends_with_it(heap: HeapManager) -> None:
    freed: list[int] = []
    outer = heap.alloc_array(uint8, 64)
    number = heap.adopt(int32, outer.address + 8, free=freed.append)
    array = heap.adopt(int32, outer.address + 16, 8, free=freed.append)
    innermost = heap.adopt(int32, array.address + 4, free=freed.append)
    beside = heap.alloc_array(uint8, 64)
    part = array.view[2:]
    if heap.memory.zero_copy:
        with pytest.raises(BufferInUseError, match=r"of (32|64) bytes .*freed: still in use"):
            outer.free()
        array[3] = 7
        assert outer.is_not_freed
        assert outer[28] + outer[31] == 7  # in either byte order
    del part
    outer.free()
    for ref in (number, array, innermost):
        assert ref.is_freed
        with pytest.raises(UseAfterFreeError, match=r"allocated at .*freed at "):
            ref.clear()
        with pytest.raises(DoubleFreeError):
            ref.free()
    assert freed == []
    assert heap.total_allocated_byte_size == 64
    beside.free()


def test_a_block_adopted_inside_of_another_is_freed_first_where_all_are(heap: HeapManager) -> None:
    freed: list[int] = []
    outer = heap.alloc_array(uint8, 64)
    inner = heap.adopt(int32, outer.address + 8, free=freed.append)
    heap.free_all()
    assert freed == [inner.address]
    assert inner.is_freed
    assert outer.is_freed


def test_c_and_we_free_what_the_other_allocated() -> None:
    libc = LibcAllocator()
    heap = emheap.open()
    for _ in range(1000):
        address = libc.allocate(7)
        heap.write(utf8, address, "héllo")
        text = heap.adopt(utf8, address)
        assert (text.value, text.capacity) == ("héllo", 6)
        text.free()
        libc.free(heap.alloc_array(int32, [1, 2, 3]).detach())
    # A block of C's is smaller than the pool's: had the pool taken one, this would overrun it.
    assert heap.total_allocated_byte_size == 0


def test_an_adopted_block_goes_back_to_the_allocator_that_gave_it() -> None:
    data, allocator = bytearray(4096), FreeListAllocator(16, 4096)
    heap = emheap.create_wasm_heap_manager(lambda: data, allocator.allocate, allocator.free)
    room = allocator.available_byte_size
    for adopt in (
        lambda address: heap.adopt(int32, address),
        lambda address: heap.adopt(uint8, address, 100),
        lambda address: heap.adopt(utf8, address, 20),
        lambda address: heap.adopt(Vec, address),
        lambda address: heap.adopt(Vec, address, 3),
    ):
        with adopt(allocator.allocate(100)):
            assert allocator.available_byte_size < room
        assert allocator.available_byte_size == room


def test_what_c_frees_by_itself_looks_live_until_it_is_given_away() -> None:
    free = ctypes.CDLL(None).free
    free.argtypes, free.restype = [ctypes.c_void_p], None
    heap = emheap.open()
    array = heap.alloc_array(int32, [1, 2, 3])
    free(array.address)
    assert [block.address for block in heap.live()] == [array.address]
    known = [array.is_freed]
    array.detach()  # and not `free`, which would give the bytes back twice
    assert heap.live() == []
    assert [*known, array.is_freed] == [False, True]
    given_away = heap.alloc_array(int32, [1, 2, 3])
    free(given_away.detach())
    assert heap.live() == []


# Another size


def test_an_array_keeps_what_fits_and_the_rest_is_zero(open_heap: OpenHeap) -> None:
    for clear in (True, False):
        heap = open_heap(clear_allocated_regions=clear)
        ref = heap.alloc_array(int32, range(10))
        for count in (25, 3, 100, 0, 7, 20_000, 7):
            kept = ref[:count]
            ref.resize(count)
            assert len(ref) == count
            assert ref[:] == kept + [0] * (count - len(kept))
            assert heap.total_allocated_byte_size == 4 * count
            ref[:] = [value + 1 for value in ref]
            assert heap.read(int32, ref.address) == ref[0] if count else True
        ref.free()
        assert heap.total_allocated_byte_size == 0


def test_a_string_gets_more_room_or_less(heap: HeapManager) -> None:
    for text in (utf8, utf16):
        ref = heap.alloc(text, "abc")
        with pytest.raises(CapacityError):
            ref.value = "abcd"
        ref.resize(100)
        assert (ref.value, ref.capacity) == ("abc", 100)
        ref.value = "x" * 100
        with pytest.raises(CapacityError, match="its text has 100; shorten that first"):
            ref.resize(99)
        assert ref.value == "x" * 100
        ref.value = "xy"
        ref.resize(2)
        assert (ref.value, ref.capacity) == ("xy", 2)
        ref.free()


def test_views_forbid_it(heap: HeapManager) -> None:
    ref = heap.alloc_array(int32, [1, 2, 3])
    part = ref.view[1:]
    with pytest.raises(BufferInUseError, match="still in use"):
        ref.resize(1000)
    assert ref[:] == [1, 2, 3]
    assert heap.total_allocated_byte_size == 12
    part.release()
    ref.resize(4)
    assert ref[:] == [1, 2, 3, 0]
    ref.free()


def test_a_failed_resize_changes_nothing(heap: HeapManager) -> None:
    ref = heap.alloc_array(int32, [1, 2, 3])
    address = ref.address
    count: Any
    for count, error, words in (
        (-1, OverflowError, "must not be negative"),
        (1 << 70, OverflowError, f"{1 << 70}"),
        ("4", TypeError, "must be an int, not str '4'"),
    ):
        with pytest.raises(error, match=words):
            ref.resize(count)
    assert (ref.address, ref[:]) == (address, [1, 2, 3])
    ref.free()
    with pytest.raises(UseAfterFreeError, match="freed at"):
        ref.resize(4)
    other = heap.alloc_array(int32, 3)
    with pytest.raises(NotAllocatedError, match="wrapped reference"):
        heap.wrap_array(int32, other.address, 3).resize(4)
    other.free()


RESIZED: dict[str, Callable[[HeapManager], Any]] = {
    "array": lambda heap: heap.alloc_array(int32, [1, 2, 3]),
    "wide array": lambda heap: heap.alloc_array(uint128, [1, 2, 3]),
    "string": lambda heap: heap.alloc(utf16, "text"),
    "structures": lambda heap: heap.alloc_array(Vec, [(1, 2), (3, 4)]),
}


@pytest.mark.parametrize("name", RESIZED)
def test_a_resize_that_is_refused_changes_nothing(name: str) -> None:
    heap = wrap_buffer(bytearray(4096))
    ref = RESIZED[name](heap)
    other = heap.wrap_array(uint8, ref.address, ref.allocated_byte_size)
    before = ref.address, bytes(ref), heap.total_allocated_byte_size

    def check(error: type[Exception], words: str, count: int) -> None:
        with pytest.raises(error, match=words):
            ref.resize(count)
        assert (ref.address, bytes(ref), heap.total_allocated_byte_size) == before
        assert bytes(other) == before[1]

    check(emheap.OutOfMemoryError, "^no room for ", 4000)
    part = ref.allocated_bytes_view[1:]
    check(BufferInUseError, "still in use: a slice or cast of a view", 9)
    part.release()
    ref.resize(9)
    assert bytes(ref).startswith(before[1])
    assert not any(bytes(ref)[len(before[1]) :])
    assert other.is_freed
    ref.free()


class Meddling(FreeListAllocator):
    """Frees a block of the heap before it allocates the next one, as another thread may."""

    victim: Any = None

    def allocate(self, size: int) -> int:
        victim, self.victim = self.victim, None
        if victim is not None:
            victim.free()
        return super().allocate(size)


def test_a_resize_whose_old_block_is_not_taken_back_changes_nothing(heap: HeapManager) -> None:
    def refuse(address: int) -> None:
        if refusing:
            raise RuntimeError("busy")

    refusing = [True]
    with heap.alloc_array(int32, [1, 2, 3, 4]) as block:
        ref = heap.adopt(int32, block.address + 4, 2, free=refuse)
        with pytest.raises(RuntimeError, match="busy"):
            ref.resize(100)
        assert (ref.address, ref[:]) == (block.address + 4, [2, 3])
        assert heap.total_allocated_byte_size == 16 + 8
        ref[0] = 7
        assert block[1] == 7
        refusing.clear()
        ref.resize(3)
        assert ref[:] == [7, 3, 0]
        ref.free()


def test_a_block_that_is_freed_while_it_is_resized_leaves_nothing() -> None:
    meddling = Meddling(16, 4096)
    heap = wrap_buffer(bytearray(4096), allocator=meddling)
    ref = meddling.victim = heap.alloc_array(int32, [1, 2, 3])
    with pytest.raises(UseAfterFreeError, match="use after free: the int32 array of 12 bytes"):
        ref.resize(100)
    assert ref.is_freed
    assert heap.total_allocated_byte_size == 0


class Watched(BufferMemory):
    """Notes whether bytes are read of a block that was freed: they might be mapped no more."""

    watched: Any = None
    read_late = False

    def read_bytes(self, address: int, size: int) -> bytes:
        self.read_late |= self.watched is not None and self.watched.is_freed
        return super().read_bytes(address, size)


def test_nothing_is_read_of_a_block_that_is_freed_while_it_is_resized() -> None:
    memory, meddling = Watched(bytearray(4096)), Meddling(16, 4096)
    heap = HeapManager(memory, meddling, check_options({}))
    ref = memory.watched = meddling.victim = heap.alloc_array(int32, [1, 2, 3])
    with pytest.raises(UseAfterFreeError):
        ref.resize(100)
    assert not memory.read_late


def test_the_alignment_stays(heap: HeapManager) -> None:
    refs = [heap.alloc_array(uint8, [1, 2, 3], align=256) for _ in range(4)]
    for ref in refs:
        ref.resize(1000)
        assert ref.address % 256 == 0
        assert ref[:3] == [1, 2, 3]
        ref.free()


def test_other_references_end_at_a_resize(heap: HeapManager) -> None:
    ref = heap.alloc_array(int32, [1, 2, 3])
    for count in (5000, 5000, 2):
        wrapped = heap.wrap(int32, ref.address)
        ref.resize(count)
        with pytest.raises(UseAfterFreeError, match=r"freed at .*test_transfer.py"):
            wrapped.value = 5
        assert ref[0] == 1
    ref.free()


def test_a_resized_block_in_an_arena_goes_with_it(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        ref = scratch.alloc_array(int32, [1, 2])
        ref.resize(10_000)
        assert ref[:3] == [1, 2, 0]
    assert ref.is_freed


def test_an_adopted_block_can_grow(heap: HeapManager) -> None:
    block = heap.alloc_array(int32, [1, 2])
    freed: list[int] = []
    ref = heap.adopt(int32, block.address + 4, 1, free=freed.append)
    ref.resize(3)
    assert ref[:] == [2, 0, 0]
    assert freed == [block.address + 4]
    ref.free()
    assert len(freed) == 1
    block.free()


def test_a_resized_block_is_collected(open_heap: OpenHeap) -> None:
    heap = open_heap(enable_garbage_collection=True)
    ref = heap.alloc_array(int32, [1, 2])
    ref.resize(10)
    gc.collect()
    assert ref[:2] == [1, 2]
    part = ref.view[1:2]
    del ref
    gc.collect()
    assert part[0] == 2
    del part
    gc.collect()
    assert heap.total_allocated_byte_size == 0
