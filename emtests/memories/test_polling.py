"""A heap behind a callback follows the latest buffer, and asks as often as its options say."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import HeapManager, int32, pointer53, uint8, uint128, utf8, utf16
from emheap.memories.base import Memory
from emtests.growing import ReplacedBuffer


class Source:
    """Gives out whatever buffer is put into it, and counts how often it was asked."""

    def __init__(self, buffer: Any) -> None:
        self.buffer = buffer
        self.polls = 0

    def __call__(self) -> Any:
        self.polls += 1
        return self.buffer


def open_on(source: Source, **options: Any) -> HeapManager:
    allocator = emheap.FreeListAllocator(16, 2048)
    return emheap.create_wasm_heap_manager(source, allocator.allocate, allocator.free, **options)


def grown(source: Source, size: int = 8192) -> bytearray:
    """A larger buffer that begins with the bytes of the one in `source`."""
    larger = bytearray(size)
    larger[: len(source.buffer)] = source.buffer
    return larger


def test_writing_leaves_nothing_behind() -> None:
    heap = open_on(Source(bytearray(4096)))
    numbers, number = heap.alloc_array(int32, 4), heap.alloc(int32)

    def write() -> None:
        for index in range(1000):
            numbers[index % 4] = number.value = index
            numbers[1:3] = numbers[:2]

    write()
    before = sys.getallocatedblocks()
    write()
    assert sys.getallocatedblocks() - before < 500
    assert numbers[:] == [996, 996, 996, 999]
    heap.free_all()


# always


def test_always_follows_any_replacement() -> None:
    source = Source(bytearray(4096))
    heap = open_on(source, polling_mode="always")
    ref, text = heap.alloc_array(int32, [1, 2, 3]), heap.alloc(utf8, "abc")
    number, wide = heap.alloc(pointer53, 7), heap.alloc(uint128, 9)
    for _ in range(3):
        # The same length as before: nothing but asking shows that it is another.
        other = bytearray(source.buffer)
        other[ref.address] += 1
        other[text.address] += 1
        other[number.address] += 1
        other[wide.address] += 1
        before = source.polls
        expected = other[ref.address]
        source.buffer = other
        assert ref[0] == expected
        assert source.polls > before
        assert ref.view[0] == heap.read(uint8, ref.address) == expected
        assert ref[:] == [expected, 2, 3]
        assert text.value == chr(other[text.address]) + "bc"
        assert (number.value, wide.value) == (other[number.address], other[wide.address])
        ref[1] = 2
        text.value = text.value
        assert other[ref.address + 4] == 2
    heap.free_all()


USES: dict[str, Callable[[Memory], Any]] = {
    "read_bytes": lambda memory: memory.read_bytes(64, 1),
    "elements": lambda memory: memory.elements(uint8, 64, 1)[:].tolist(),
    "lend": lambda memory: memory.lend(uint8, 64, 1).view.tobytes(),
    "reader": lambda memory: bytes([memory.reader(uint8)(64)]),
    "text_reader": lambda memory: memory.text_reader(utf8)(64),
    "find_null": lambda memory: memory.find_null(64, 1, None),
    "host_address": lambda memory: memory.host_address(64),
    "write_bytes": lambda memory: memory.write_bytes(64, b"b"),
    "fill": lambda memory: memory.fill(64, 1, ord("b")),
    "writer": lambda memory: memory.writer(uint8)(64, ord("b")),
    "text_writer": lambda memory: memory.text_writer(utf8)(64, "b"),
}


@pytest.mark.parametrize("name", USES)
def test_always_asks_at_every_use_of_the_memory(name: str) -> None:
    source = Source(bytearray(b"x" * 4096))
    memory = open_on(source, polling_mode="always").memory
    before = source.buffer
    source.buffer = latest = bytearray(64) + b"a" + bytes(4096 - 65)
    polls = source.polls
    expected: dict[str, Any] = {
        "elements": [ord("a")],
        "text_reader": "a",
        "find_null": 1,
        "host_address": ctypes.addressof(ctypes.c_char.from_buffer(latest, 64)),
    }
    found = USES[name](memory)
    assert source.polls > polls
    assert set(before) == {ord("x")}
    if "write" in name or name == "fill":
        assert latest[64:66] == b"b\0"
    else:
        assert found == expected.get(name, b"a")


def test_always_asks_for_the_size() -> None:
    source = Source(bytearray(4096))
    memory = open_on(source, polling_mode="always").memory
    for size in (8192, 16, 4096):
        source.buffer = bytearray(size)
        assert memory.size == size


# when_empty


def test_when_empty_does_not_ask_while_all_is_well() -> None:
    source = Source(bytearray(4096))
    heap = open_on(source)
    before = source.polls
    with heap.alloc_array(int32, [1, 2, 3]) as ref:
        for _ in range(20):
            ref[0] += 1
            heap.read(int32, ref.address)
        assert heap.view(int32, ref.address, 3)[0] == 21
    assert source.polls == before


def test_a_buffer_that_stays_usable_is_not_missed() -> None:
    source = Source(bytearray(4096))
    heap, always = open_on(source), open_on(source, polling_mode="always")
    old = source.buffer
    heap.write_int32(64, 5)
    source.buffer = bytearray(old)
    heap.write_int32(64, 6)
    assert (heap.read_int32(64), always.read_int32(64)) == (6, 5)
    assert old[64] == 6
    source.buffer = grown(source)
    assert heap.read_int32(64) == 6
    heap.read(uint8, 5000)  # beyond the end of the old one
    assert heap.read_int32(64) == 5


ITERATIONS: dict[str, Callable[[Any], Any]] = {
    "list": list,
    "sum": sum,
    "in": lambda array: 77 in array,
    "count": lambda array: array.count(77),
    "unpacking": lambda array: (*array,),
}


@pytest.mark.parametrize("name", ITERATIONS)
def test_iteration_does_not_end_early(name: str) -> None:
    """An address outside the memory is an IndexError, which ends an iteration by index."""
    source = Source(bytearray(4096))
    heap = open_on(source, polling_mode="always")
    numbers, whole = heap.alloc_array(int32, range(300)), source.buffer
    started = iter(numbers)
    assert [next(started), next(started)] == [0, 1]
    for shorter in (bytearray(32), memoryview(whole)[:32]):
        source.buffer = shorter
        with pytest.raises(emheap.OutOfBoundsError, match="outside the"):
            ITERATIONS[name](numbers)
    with pytest.raises(emheap.OutOfBoundsError):
        list(started)
    source.buffer = whole
    assert list(numbers) == list(range(300))
    numbers.free()

    def fail() -> None:
        raise IndexError("of get_heap itself")

    failing: Any = fail
    latest: list[Any] = [lambda: whole]
    other = emheap.create_wasm_heap_manager(lambda: latest[0](), polling_mode="always")
    wrapped = other.wrap_array(int32, 64, 3)
    latest[0] = failing
    with pytest.raises(IndexError, match="of get_heap itself"):
        ITERATIONS[name](wrapped)


ACCESSES: dict[str, Callable[[HeapManager], bool]] = {
    "read": lambda heap: heap.read(int32, 5004) == 7,
    "flat read": lambda heap: heap.read_int32(5004) == 7,
    "write": lambda heap: heap.write(int32, 5004, 8) is None and heap.read(int32, 5004) == 8,
    "view": lambda heap: heap.view(int32, 5004, 1)[0] == 7,
    "wrap": lambda heap: heap.wrap(int32, 5004).value == 7,
    "wrap array": lambda heap: heap.wrap_array(int32, 5004, 1)[0] == 7,
    "string": lambda heap: heap.read(utf8, 5000) == "hey",
    "write string": lambda heap: heap.write(utf8, 5000, "HEY") == 3,
    "wrap string": lambda heap: heap.wrap(utf8, 5000).value == "hey",
    "count": lambda heap: heap.get_element_count_of_null_terminated_string(5000, 1) == 3,
}


@pytest.mark.parametrize("polling_mode", ["when_empty", "always"])
@pytest.mark.parametrize("name", ACCESSES)
def test_growth_is_noticed_by_every_access(polling_mode: str, name: str) -> None:
    source = Source(bytearray(4096))
    heap = open_on(source, polling_mode=polling_mode)
    heap.write(int32, 100, 1)
    source.buffer = larger = grown(source)
    larger[5000:5008] = b"hey\0\7\0\0\0"
    assert ACCESSES[name](heap)
    assert heap.memory.size == 8192
    assert (larger[5000] == ord("H"), larger[5004] == 8) == (
        name == "write string",
        name == "write",
    )


@pytest.mark.needs("numpy")
def test_growth_is_noticed_by_numpys_integers(heap: HeapManager) -> None:
    import numpy

    for address in (numpy.int64(5004), numpy.uint32(5004)):
        source = Source(bytearray(4096))
        polled: Any = open_on(source)
        source.buffer = grown(source)
        source.buffer[5004] = 7
        assert polled.read(int32, address) == 7
    assert heap.total_allocated_byte_size == 0


def test_a_string_goes_on_in_the_grown_part() -> None:
    for text in (utf8, utf16):
        source = Source(bytearray(4096))
        heap = open_on(source)
        unit = "x".encode(text.codec)
        source.buffer[4000:4096] = unit * (96 // text.size)
        source.buffer = larger = grown(source)
        larger[4096:4106] = unit * (10 // text.size)
        expected = "x" * (106 // text.size)
        assert heap.read(text, 4000) == heap.wrap(text, 4000).value == expected


def test_a_released_buffer_is_asked_for_again() -> None:
    old = bytearray(4096)
    source = Source(memoryview(old))
    heap = open_on(source)
    ref = heap.alloc_array(int32, [1, 2, 3])
    number = heap.alloc(int32, 4)
    new = bytearray(old)
    source.buffer.release()
    old[:] = b"\xff" * 4096
    source.buffer = memoryview(new)
    assert ref.tolist() == [1, 2, 3]
    number.value += 1
    assert new[number.address] == 5
    assert old[number.address] == 0xFF
    heap.free_all()


def test_an_empty_buffer_is_asked_for_again() -> None:
    source = Source(bytearray())
    heap = open_on(source)
    source.buffer = bytearray(4096)
    assert heap.memory.size == 4096
    with heap.alloc(int32, 5) as ref:
        assert ref.value == 5


def test_what_is_outside_the_latest_buffer_too_raises() -> None:
    source = Source(bytearray(4096))
    heap = open_on(source)
    before = source.polls
    with pytest.raises(emheap.OutOfBoundsError, match="addresses 0x1 to 0xfff"):
        heap.read(int32, 5000)
    assert source.polls > before
    source.buffer = grown(source)
    with pytest.raises(emheap.OutOfBoundsError, match="addresses 0x1 to 0x1fff"):
        heap.read(int32, 9000)
    with pytest.raises(emheap.OutOfBoundsError, match="addresses 0x1 to 0x1fff"):
        heap.write(int32, 8189, 1)


def test_references_survive_growth_between_their_uses() -> None:
    source = ReplacedBuffer(4096, 1 << 20)
    heap = emheap.create_wasm_heap_manager(source.get_heap, source.allocate, source.free)
    with heap.arena() as scratch:
        array = scratch.alloc_array(int32, range(100))
        number, text = scratch.alloc(pointer53, 5), scratch.alloc(utf16, "h\u00e9llo")
        wrapped = heap.wrap_array(int32, array.address + 40, 10)
        for size in (8192, 16384, 65536, 1 << 19):
            source.grow(size)
            assert array.tolist() == list(range(100))
            assert wrapped[0] == 10
            assert (number.value, text.value) == (5, "h\u00e9llo")
            assert array.view[7] == 7
            array[3] = 3
            text.value = "h\u00e9llo"
            assert heap.read(int32, array.address + 12) == 3


# never


def test_never_asks_once() -> None:
    source = Source(bytearray(4096))
    heap = open_on(source, polling_mode="never")
    first = source.buffer
    with heap.alloc_array(int32, [1, 2, 3]) as ref:
        source.buffer = bytearray(8192)
        assert ref.tolist() == [1, 2, 3]
        ref[0] = 9
        assert first[ref.address] == 9
        with pytest.raises(emheap.OutOfBoundsError, match="addresses 0x1 to 0xfff"):
            heap.read(int32, 5000)
    assert source.polls == 1


# A buffer that is gone


@pytest.mark.parametrize("polling_mode", ["when_empty", "always", "never"])
def test_a_buffer_that_is_released_and_has_no_successor_is_refused(polling_mode: str) -> None:
    old = bytearray(4096)
    source = Source(memoryview(old))
    heap = open_on(source, polling_mode=polling_mode)
    number, text = heap.alloc(int32, 5), heap.alloc(utf8, "abc")
    wide, before = heap.alloc(uint128, 9), bytes(old)
    source.buffer.release()
    uses: list[Callable[[], object]] = [
        lambda: number.value,
        lambda: number.write(6),
        lambda: heap.read_int32(64),
        lambda: heap.write_int32(64, 6),
        lambda: heap.write(int32, 65, 6),
        lambda: text.value,
        lambda: text.write("x"),
        lambda: wide.value,
        lambda: heap.view(int32, 64, 4),
        lambda: heap.fill(64, 1, 4),
        lambda: heap.get_element_count_of_null_terminated_string(64, 1),
        lambda: heap.memory.size,
    ]
    cure = {
        "never": "polling_mode='never' asks for no other: open another heap",
    }.get(polling_mode, "get_heap returns it still: it must return the buffer that took its place")
    for use in uses:
        with pytest.raises(emheap.UseAfterFreeError) as caught:
            use()
        assert str(caught.value) == f"the latest buffer was released by its owner, and {cure}"
    assert old == before
    source.buffer = memoryview(old)
    if polling_mode == "never":
        with pytest.raises(emheap.UseAfterFreeError):
            _ = number.value
    else:
        assert (number.value, text.value, wide.value) == (5, "abc", 9)
    heap.free_all()


# What the callback may return


def test_a_callback_must_give_a_writable_buffer() -> None:
    wild: Any = emheap.create_wasm_heap_manager
    allocator = emheap.FreeListAllocator(16, 2048)
    for buffer, words in (
        (b"read-only", "needs a writable buffer; this bytes is read-only"),
        (memoryview(b"abc"), "this memoryview is read-only"),
        (None, "needs a writable buffer, such as a bytearray, .* not NoneType None"),
        (5, "needs a writable buffer, .* not int 5"),
        ("text", "needs a writable buffer, .* not str 'text'"),
    ):
        with pytest.raises(TypeError, match=words):
            wild(Source(buffer), allocator.allocate, allocator.free)
    for arguments, words in (
        ((None, allocator.allocate, allocator.free), "get_heap must be a function that returns "),
        ((bytearray(9), allocator.allocate, allocator.free), "get_heap must be a function"),
        ((Source(bytearray(9)), None, allocator.free), "allocate must be a function, not NoneType"),
        ((Source(bytearray(9)), allocator.allocate, 5), "free must be a function, not int 5"),
    ):
        with pytest.raises(TypeError, match=words):
            wild(*arguments)


def test_an_error_of_the_callback_comes_through() -> None:
    def fail() -> Any:
        raise LookupError("no heap today")

    with pytest.raises(LookupError, match="no heap today"):
        emheap.create_wasm_heap_manager(fail, lambda size: 0, lambda address: None)
