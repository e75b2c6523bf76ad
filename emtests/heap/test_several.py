"""Several strings, and several numbers, in one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import Arena, HeapManager, float32, int32, pointer32, pointer64, uint128, utf8, utf16

NAMES = ["", "a", "h\u00e9llo", "x" * 300]


def test_strings_and_back(heap: HeapManager, scratch: Arena) -> None:
    for kind in (utf8, utf16):
        for maker in (heap, scratch):
            with maker.alloc_strings(kind, NAMES) as names:
                assert len(names) == 4
                assert names.kind is (pointer32 if heap.pointer_size == 4 else pointer64)
                assert heap.read_strings(kind, names.address) == NAMES
                assert heap.read_strings(kind, names.address, 2) == NAMES[:2]
                assert [heap.read(kind, pointer) for pointer in names] == NAMES
    nothing: tuple[Any, ...] = ([], iter(()))
    for empty in nothing:
        with heap.alloc_strings(utf8, empty) as names:
            assert heap.read_strings(utf8, names.address) == []
    assert heap.total_allocated_byte_size == 0


def test_strings_are_one_block_with_a_site(heap: HeapManager) -> None:
    names = heap.alloc_strings(utf8, (name for name in NAMES))
    assert [ref.address for ref in heap.allocated_heap_refs] == [names.address]
    with pytest.raises(emheap.NotSupportedError, match=r"test_several\.py:\d+ in test_strings_are"):
        names.resize(9)
    names.free()
    with pytest.raises(emheap.UseAfterFreeError, match="use after free"):
        names[0]


def test_errors_name_the_string(heap: HeapManager) -> None:
    wild: Any = heap
    for texts, error, words in (
        (["a", 5], TypeError, "^element 1: utf8 takes a str, not int 5"),
        (["a", "b\0"], emheap.EmbeddedNullError, "^element 1: .* null character at index 1"),
        (["\ud800"], UnicodeEncodeError, "element 0: surrogates not allowed"),
        ("abc", TypeError, "^several strings are an iterable of str, not a str"),
        (5, TypeError, "not iterable"),
    ):
        with pytest.raises(error, match=words):
            wild.alloc_strings(utf8, texts)
    assert heap.total_allocated_byte_size == 0
    with heap.alloc_strings(utf8, ["a", "b"]) as names:
        with pytest.raises(emheap.NullPointerError, match=r"^element 2: null pointer"):
            heap.read_strings(utf8, names.address, 3)
        heap.memory.write_bytes(names[1], b"\xff")
        with pytest.raises(UnicodeDecodeError, match="element 1: invalid start byte"):
            heap.read_strings(utf8, names.address)
        assert heap.read_strings(utf8, names.address, errors="replace") == ["a", "\ufffd"]
    with pytest.raises(emheap.NullPointerError):
        heap.read_strings(utf8, 0)


def test_strings_here_and_there(heap: HeapManager, scratch: Arena) -> None:
    kind = pointer32 if heap.pointer_size == 4 else pointer64
    first = scratch.alloc(utf8, "first")
    scratch.alloc_array(int32, 5000)
    last = scratch.alloc(utf8, "l\u00e4st" * 50)
    for texts in ([first, last], [last, first, first], [last]):
        pointers = scratch.alloc_array(kind, [text.address for text in texts])
        values = [text.value for text in texts]
        assert heap.read_strings(utf8, pointers.address, len(texts)) == values


@pytest.mark.needs("bounds")
def test_a_pointer_outside_is_named(heap: HeapManager, scratch: Arena) -> None:
    kind = pointer32 if heap.pointer_size == 4 else pointer64
    name = scratch.alloc(utf8, "name")
    for wild in (2**32 - 8, heap.memory.size, heap.memory.size + 8):
        pointers = scratch.alloc_array(kind, [name.address, wild])
        with pytest.raises(emheap.OutOfBoundsError, match=r"^element 1: read of"):
            heap.read_strings(utf8, pointers.address, 2)
    beyond = heap.memory.size - 8
    words = (
        f"^read of pointers of {3 * heap.pointer_size} bytes at address {beyond:#x} lies outside"
    )
    with pytest.raises(emheap.OutOfBoundsError, match=words):
        heap.read_strings(utf8, beyond, 3)


@pytest.mark.needs("raw addresses")
def test_detached_strings_point_to_themselves(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        names = scratch.alloc_strings(utf8, NAMES)
        address = names.detach()
        kind = pointer32 if heap.pointer_size == 4 else pointer64
        pointers = heap.adopt(kind, address, len(NAMES))
        assert heap.read_strings(utf8, address) == NAMES
        assert all(address < pointer for pointer in pointers)
        pointers.free()


def test_many_numbers(heap: HeapManager) -> None:
    kinds: tuple[Any, ...] = (int32, float32, uint128)
    for kind in kinds:
        with heap.alloc_array(kind, range(10)) as array:
            places = [array.address + kind.size * index for index in (3, 1, 7)]
            assert heap.read_many(kind, places) == [3, 1, 7]
            assert heap.read_many(kind, iter(places)) == [3, 1, 7]
            assert heap.read_many(kind, []) == []
            heap.write_many(kind, places, [30, 10, 70])
            assert array == [0, 10, 2, 30, 4, 5, 6, 70, 8, 9]
    with heap.alloc_array(emheap.uint8, range(16)) as room:
        odd = room.address + 1
        assert heap.read_many(int32, [odd, odd]) == [heap.read_int32(odd)] * 2
        places = [room.address, odd, room.address + 4]
        assert heap.read_many(int32, places) == [heap.read_int32(place) for place in places]


def test_errors_name_the_number(heap: HeapManager) -> None:
    wild: Any = heap
    with heap.alloc_array(int32, [1, 2]) as array:
        good = array.address
        too_many = "^1 address takes as many values, not 2: nothing was written"
        too_few = "^2 addresses take as many values, not 1: nothing was written"
        for call, error, words in (
            (lambda: heap.read_many(int32, [good, 0]), emheap.NullPointerError, "^element 1: "),
            (lambda: heap.write_many(int32, [good, 0], [5, 6]), IndexError, "^element 1: "),
            (lambda: heap.write_many(int32, [good], [2**40]), OverflowError, "^element 0: "),
            (lambda: heap.write_many(int32, [good], [5, 6]), emheap.ShapeError, too_many),
            (lambda: heap.write_many(int32, [good, good], [5]), emheap.ShapeError, too_few),
            (lambda: wild.read_many(int32, [good, "x"]), TypeError, "^element 1: address must"),
            (lambda: wild.read_many(utf8, [good]), TypeError, "such as int32"),
        ):
            with pytest.raises(error, match=words):
                call()
        assert array == [1, 2]


class Meddling:
    """An address that runs a program of the user's when it is asked for."""

    def __init__(self, address: int, run: Callable[[], None]) -> None:
        self._address = address
        self._run = [run]

    def __index__(self) -> int:
        while self._run:
            self._run.pop()()
        return self._address


def test_nothing_is_written_where_an_address_frees_the_block_of_another(heap: HeapManager) -> None:
    refs: list[Any] = [heap.alloc(int32, 1), heap.alloc(int32, 2), heap.alloc(int32, 3)]
    last: Any = Meddling(refs[2].address, refs[1].free)
    with pytest.raises(emheap.UseAfterFreeError, match=r"^element 1: use after free"):
        heap.write_many(int32, [refs[0], refs[1], last], [7, 8, 9])
    assert (refs[0].value, refs[2].value) == (1, 3)
    refs[0].free()
    refs[2].free()


def test_numbers_go_to_where_a_block_is_after_the_addresses_were_asked_for(
    heap: HeapManager,
) -> None:
    numbers, other = heap.alloc_array(int32, [1, 2]), heap.alloc(int32, 3)
    address: Any = Meddling(other.address, lambda: numbers.resize(5000))
    places: Any = [numbers, address]
    heap.write_many(int32, places, [7, 8])
    assert (numbers[:2], other.value) == ([7, 2], 8)
    numbers.free()
    other.free()
