"""Allocators that fail or lie: nothing is leaked, nothing changes, and the error says why."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import (
    FreeListAllocator,
    HeapManager,
    Pointer,
    UseAfterFreeError,
    int32,
    uint8,
    uint64,
    utf8,
    utf16,
)
from emtests.structures.kinds import Vec
from emtests.threads import need_threads, run_in_threads

SIZE = 1 << 16


class Scripted:
    """An honest allocator, until a test makes it return, or raise, something else."""

    def __init__(self) -> None:
        self.buffer = bytearray(SIZE)
        self.honest = FreeListAllocator(16, SIZE)
        self.asked: list[int] = []
        self.freed: list[int] = []
        self.answers: list[Any] = []
        self.refusals: list[BaseException] = []

    def allocate(self, size: int) -> Any:
        self.asked.append(size)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, BaseException):
                raise answer
            return answer
        return self.honest.allocate(size)

    def free(self, address: int) -> None:
        self.freed.append(address)
        if self.refusals:
            raise self.refusals.pop(0)
        self.honest.free(address)

    def open(self, **options: Any) -> HeapManager:
        return emheap.create_wasm_heap_manager(
            lambda: self.buffer, self.allocate, self.free, **options
        )


ALLOCATIONS: dict[str, Callable[[Any], Any]] = {
    "number": lambda heap: heap.alloc(int32, 5),
    "flat number": lambda heap: heap.alloc_int32(5),
    "array": lambda heap: heap.alloc_array(int32, [1, 2, 3]),
    "zeros": lambda heap: heap.alloc_array(uint64, 40),
    "string": lambda heap: heap.alloc(utf8, "abc"),
    "wide string": lambda heap: heap.alloc(utf16, 10),
    "text": lambda heap: heap.alloc_text(utf8, "abc"),
    "strings": lambda heap: heap.alloc_strings(utf8, ["a", "bc"]),
    "structure": lambda heap: heap.alloc(Vec, x=1, y=2),
    "structures": lambda heap: heap.alloc_array(Vec, 3),
    "pointer": lambda heap: heap.alloc(Pointer[Vec]),
    "pointers": lambda heap: heap.alloc_array(Pointer[Vec], [None, None]),
}


@pytest.mark.parametrize("name", ALLOCATIONS)
def test_no_room(name: str) -> None:
    script = Scripted()
    heap = script.open()
    with heap.alloc_array(uint8, b"kept") as kept:
        before = bytes(script.buffer)
        for answer in (0, None, False):
            script.answers.append(answer)
            with pytest.raises(
                emheap.OutOfMemoryError,
                match=r"^no room for \d+ bytes: 4 bytes are live in 1 block of the latest buffer$",
            ) as caught:
                ALLOCATIONS[name](heap)
            assert isinstance(caught.value, MemoryError)
            assert bytes(script.buffer) == before
            assert heap.total_allocated_byte_size == 4
        assert script.freed == []
        assert kept.tolist() == list(b"kept")


@pytest.mark.parametrize("name", ALLOCATIONS)
def test_answers_that_are_no_address(name: str) -> None:
    script = Scripted()
    heap = script.open()
    before = bytes(script.buffer)
    for answer in (16.0, float("nan"), "16", b"16", [16], object(), True):
        script.answers.append(answer)
        words = r"the allocate function must return an address, an int, or 0; for \d+ bytes it ret"
        with pytest.raises(TypeError, match=words):
            ALLOCATIONS[name](heap)
    # -1 is how sbrk() and mmap() say that there is no room, and -12 how a system call does.
    for answer in (-1, -(2**31) - 1, -(2**63)):
        script.answers.append(answer)
        words = rf"returned {answer} for \d+ bytes?, which is no address; where there is no room"
        with pytest.raises(ValueError, match=words):
            ALLOCATIONS[name](heap)
    assert bytes(script.buffer) == before
    assert heap.total_allocated_byte_size == 0
    assert script.freed == []


def test_a_small_negative_answer_is_an_error_number() -> None:
    """A block there would reach beyond 4 GiB, where WebAssembly has no address."""
    script = Scripted()
    heap = script.open()
    script.answers.append(-12)
    with pytest.raises(ValueError, match=r"returned -12 for 13 bytes, which is no address"):
        heap.alloc_array(uint8, 13)
    script.answers.append(-16)
    script.honest.free = lambda address: None  # type: ignore[method-assign]
    words = (
        r"block of 16 bytes at address 0xfffffff0 lies outside .*; as the signed number that "
        r"WebAssembly returns it is -16$"
    )
    with pytest.raises(emheap.OutOfBoundsError, match=words):
        heap.alloc_array(uint8, 16)
    assert script.freed == [2**32 - 16]


@pytest.mark.parametrize("name", ALLOCATIONS)
def test_an_address_outside_the_memory_is_given_back(name: str) -> None:
    script = Scripted()
    heap = script.open()
    before = bytes(script.buffer)
    freed = []
    script.honest.free = lambda address: freed.append(address)  # type: ignore[method-assign]
    for answer, address in ((SIZE, SIZE), (SIZE + 1, SIZE + 1), (2**33, 2**33), (-(2**31), 2**31)):
        script.answers[:] = [answer, answer]
        with pytest.raises(emheap.OutOfBoundsError, match=r"allocator's block of .* lies outside"):
            ALLOCATIONS[name](heap)
        assert bytes(script.buffer) == before
        assert heap.total_allocated_byte_size == 0
        assert freed[-1] == address
    assert len(freed) == len(script.asked)


@pytest.mark.parametrize("name", ALLOCATIONS)
def test_the_address_of_a_live_block_is_corruption(name: str) -> None:
    script = Scripted()
    heap = script.open()
    kept = heap.alloc_array(uint64, [7] * 40)
    before = bytes(script.buffer)
    script.answers.append(kept.address)
    words = rf"the allocator returned 0x{kept.address:x} for \d+ bytes, but the uint64 array of 320"
    with pytest.raises(emheap.HeapCorruptionError, match=words):
        ALLOCATIONS[name](heap)
    assert script.freed == []
    assert bytes(script.buffer) == before
    assert heap.total_allocated_byte_size == 320
    kept.free()
    assert script.freed == [kept.address]


def test_the_odd_address_of_a_live_block_is_corruption_too() -> None:
    script = Scripted()
    heap = script.open()
    script.answers += [101, 101]
    kept = heap.alloc(uint8, 9)
    with pytest.raises(emheap.HeapCorruptionError, match="is still live there"):
        heap.alloc(int32, 5)
    assert script.freed == []
    assert (kept.address, kept.value) == (101, 9)
    script.honest.free = lambda address: None  # type: ignore[method-assign]
    kept.free()


def test_a_misaligned_address_is_asked_for_again_with_room() -> None:
    script = Scripted()
    heap = script.open()
    odd = script.honest.allocate(64) + 4
    real = script.honest.free
    script.honest.free = lambda address: real(address & -8)  # type: ignore[method-assign]
    script.answers.append(odd)
    with heap.alloc(uint64, 5) as ref:
        assert ref.address % 8 == 0
        assert script.asked == [8, 8 + 7]
        assert script.freed == [odd]
        assert ref.value == 5
    assert script.honest.available_byte_size == SIZE - 16


def test_always_misaligned_addresses_will_do() -> None:
    buffer = bytearray(SIZE)
    allocator = FreeListAllocator(16, SIZE)
    heap = emheap.create_wasm_heap_manager(
        lambda: buffer,
        lambda size: allocator.allocate(size + 8) + 1,
        lambda address: allocator.free(address - 1),
    )
    with heap.arena() as scratch:
        for scalar in (uint8, int32, uint64):
            for count in (1, 2, 9):
                assert scratch.alloc_array(scalar, count).address % scalar.size == 0
            assert scratch.alloc(scalar, 7).value == 7
        assert scratch.alloc(utf16, "abc").value == "abc"
    assert allocator.available_byte_size == SIZE - 16


class Whimsy(Exception):  # noqa: N818
    """Raised by a program's own functions."""


@pytest.mark.parametrize("name", ALLOCATIONS)
def test_an_error_of_the_allocate_function_comes_through(name: str) -> None:
    script = Scripted()
    heap = script.open()
    before = bytes(script.buffer)
    for error in (Whimsy("today"), KeyboardInterrupt()):
        script.answers.append(error)
        with pytest.raises(type(error)):
            ALLOCATIONS[name](heap)
    assert bytes(script.buffer) == before
    assert (heap.total_allocated_byte_size, script.freed) == (0, [])


@pytest.mark.parametrize("align", [None, 256])
def test_an_error_of_the_free_function_leaves_the_block(align: int | None) -> None:
    script = Scripted()
    heap = script.open()
    heap.alloc(uint8, align=None).free()
    for free in (
        lambda ref: ref.free(),
        heap.free,
        lambda ref: heap.free(ref.address),
        lambda ref: heap.free_all(),
        lambda ref: ref.__exit__(None, None, None),
    ):
        spacer = script.honest.allocate(8)  # so that an aligned block begins behind a gap
        ref = heap.alloc_array(uint8, b"abcd", align=align)
        script.freed.clear()
        script.refusals += [Whimsy("not now"), Whimsy("nor now")]
        for _ in range(2):
            with pytest.raises(Whimsy, match="now"):
                free(ref)
            assert ref.is_not_freed
            assert (ref.tolist(), heap.total_allocated_byte_size) == (list(b"abcd"), 4)
        free(ref)
        assert ref.is_freed
        # The same address each time, and the one that was allocated.
        assert len(set(script.freed)) == 1
        assert len(script.freed) == 3
        script.honest.free(spacer)
        assert script.honest.available_byte_size == SIZE - 16


@pytest.mark.parametrize("align", [None, 256])
def test_a_block_is_freed_while_its_allocator_is_asked(align: int | None) -> None:
    need_threads()
    script = Scripted()
    refused: list[BaseException] = []

    def use() -> None:
        for each in (lambda: ref[0], lambda: ref.view, lambda: ref.__setitem__(0, 7)):
            with pytest.raises(UseAfterFreeError) as caught:
                each()
            refused.append(caught.value)

    def free(address: int) -> None:
        run_in_threads([use])
        script.free(address)

    heap = emheap.create_wasm_heap_manager(lambda: script.buffer, script.allocate, free)
    ref = heap.alloc_array(uint8, b"abcd", align=align)
    script.refusals.append(Whimsy("not now"))
    with pytest.raises(Whimsy, match="not now"):
        ref.free()
    assert len(refused) == 3
    run_in_threads([lambda: ref.__setitem__(1, ref[0])])
    assert bytes(ref) == b"aacd"
    ref.free()
    assert len(refused) == 6


def test_an_error_in_an_arena_leaves_nothing_unreachable() -> None:
    script = Scripted()
    heap = script.open()
    scratch = heap.arena()
    refs = [scratch.alloc(int32, number) for number in range(3)]
    script.refusals.append(Whimsy("not now"))
    with pytest.raises(Whimsy, match="not now"), scratch:
        pass
    heap.free_all()
    assert heap.total_allocated_byte_size == 0
    assert all(ref.is_freed for ref in refs)


def test_an_error_while_a_block_is_filled_gives_it_back() -> None:
    script = Scripted()
    heap = script.open()

    class Vanishing(bytearray):
        pass

    # The buffer gets too short between the allocation and the first use of it.
    def allocate(size: int) -> int:
        address = script.allocate(size)
        script.buffer = bytearray(32)
        return int(address)

    heap = emheap.create_wasm_heap_manager(
        lambda: script.buffer, allocate, script.free, polling_mode="always"
    )
    for name, make in ALLOCATIONS.items():
        script.buffer = bytearray(SIZE)
        spacer = script.honest.allocate(64)
        with pytest.raises(emheap.OutOfBoundsError, match="allocator's block"):
            make(heap)
        assert heap.total_allocated_byte_size == 0, name
        script.honest.free(spacer)
        assert script.honest.available_byte_size == SIZE - 16


# Sizes


def limits(heap: HeapManager) -> tuple[int, ...]:
    end = 1 << 8 * heap.pointer_size
    return (end, end + 16, 2**53, 2**64, 2**100) if heap.pointer_size == 4 else (end, 2**100)


def test_a_size_beyond_the_address_space_never_reaches_the_allocator() -> None:
    script = Scripted()
    heap = script.open()
    wild: Any = heap
    for size in limits(heap):
        for call in (
            lambda size=size: heap.alloc_array(uint8, size),
            lambda size=size: heap.alloc_array(uint64, size // 8),
            lambda size=size: heap.alloc(utf8, size),
            lambda size=size: heap.alloc(utf8, size - 1),
            lambda size=size: heap.alloc(utf16, size // 2 - 1),
            lambda size=size: heap.alloc_array(uint8, size - 8, align=4096),
            lambda size=size: heap.alloc_array(uint8, size - 8, align=2**30),
            lambda size=size: wild.alloc_null_terminated_utf8_string(size),
            lambda size=size: wild.alloc_uint8_array(size),
        ):
            with pytest.raises((emheap.ValueOutOfRangeError, emheap.OutOfMemoryError), match="byt"):
                call()
    assert script.asked == []
    words = (
        "^count 4294967312 of 1 byte each is 4294967312 bytes, more than the 4294967296 bytes that "
        "a block can have on this heap$"
    )
    with pytest.raises(emheap.ValueOutOfRangeError, match=words):
        heap.alloc_array(uint8, 2**32 + 16)
    with pytest.raises(emheap.ValueOutOfRangeError, match="count must not be negative, got -1"):
        heap.alloc_array(uint8, -1)
    assert script.asked == []


def test_a_block_of_the_process_has_no_more_bytes_than_python_counts() -> None:
    heap = emheap.open()
    words = f"more than the {sys.maxsize} bytes that a block can have on this heap$"
    for make in (
        heap.alloc_array,
        lambda kind, count: heap.view(kind, 1 << 16, count),
        lambda kind, count: heap.wrap_array(kind, 1 << 16, count),
    ):
        with pytest.raises(emheap.ValueOutOfRangeError, match=words):
            make(uint8, sys.maxsize + 1)


def test_a_size_that_could_be_is_asked_for() -> None:
    script = Scripted()
    heap = script.open()
    for size in (2**31, 2**32 - 1):
        with pytest.raises(emheap.OutOfMemoryError, match=f"^no room for {size} bytes: "):
            heap.alloc_array(uint8, size)
    assert script.asked == [2**31, 2**32 - 1]


def test_views_and_wraps_are_limited_likewise(heap: HeapManager) -> None:
    with heap.alloc_array(uint8, 16) as ref:
        content = bytes(ref)
        for count in (2**62, 2**64, 2**100, -1, -(2**40)):
            for call in (heap.view, heap.wrap_array):
                with pytest.raises((emheap.ValueOutOfRangeError, emheap.OutOfBoundsError)):
                    call(uint64, ref.address & -8, count)
            with pytest.raises((emheap.ValueOutOfRangeError, emheap.OutOfBoundsError)):
                heap.wrap(utf8, ref.address, count)
            if count < 0:
                with pytest.raises(emheap.ValueOutOfRangeError, match="must not be negative"):
                    heap.read(utf8, ref.address, count)
        assert bytes(ref) == content


@pytest.mark.needs("bounds")
def test_counts_that_overrun_the_memory_are_refused(heap: HeapManager) -> None:
    with heap.alloc_array(uint8, 16) as ref:
        for count in (heap.memory.size, 2**32, 2**31, heap.memory.size - ref.address + 1):
            for call in (heap.view, heap.wrap_array):
                with pytest.raises((emheap.ValueOutOfRangeError, emheap.OutOfBoundsError)):
                    call(uint8, ref.address, count)
