"""References where addresses are taken: they mean their own bytes, and no more than those."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emheap import (
    Array,
    HeapManager,
    NotAllocatedError,
    NotSupportedError,
    OutOfBoundsError,
    Pointer,
    Struct,
    UnterminatedStringError,
    array,
    field,
    int16,
    int32,
    int64,
    pointer32,
    pointer53,
    pointer64,
    uint8,
    uint16,
    uint32,
    uint64,
    uint128,
    utf8,
    utf16,
    wrap_buffer,
)
from emtests.structures.kinds import Vec


class Pair(Struct):
    first: int16
    second: int16


class Pairs(Struct):
    head: int32
    pair: Pair = field()
    several: Array[Pair] = array(3)
    numbers: Array[int16] = array(4)
    label: Array[utf8] = array(8)


def fill(heap: HeapManager) -> Any:
    pairs = heap.alloc(Pairs, head=1, pair=Pair(first=2, second=9))
    pairs.several, pairs.numbers, pairs.label = [(3, 4), (5, 6), (7, 8)], [10, 11, 12, 13], "ab"
    return pairs


PARTS: dict[str, tuple[Callable[[Any], Any], int]] = {
    "a structure in another": (lambda pairs: pairs.pair, 2),
    "an element": (lambda pairs: pairs.several[1], 5),
    "an array of structures": (lambda pairs: pairs.several, 3),
    "an array of numbers": (lambda pairs: pairs.numbers, 10),
    "a field": (lambda pairs: pairs.pair.field_ref(Pair.second), 9),
    "a string": (lambda pairs: pairs.label, ord("a") | ord("b") << 8),
}
"""Parts of a block that do not begin where it does, and the number that each begins with."""


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_a_block_is_the_address_of_the_part(heap: HeapManager, name: str) -> None:
    take, number = PARTS[name]
    pointer = uint32 if heap.memory.pointer_size == 4 else uint64
    with fill(heap) as pairs:
        place = take(pairs)
        assert heap.read(int16, place.address) == number
        assert heap.read(int16, place) == heap.read_int16(place) == number
        assert heap.wrap(int16, place).value == heap.wrap_array(int16, place, 1)[0] == number
        assert heap.view(int16, place, 1)[0] == heap.read_many(int16, [place])[0] == number
        assert heap.find(place.address, number.to_bytes(2, "little"), 2) == place.address
        with heap.alloc(Pointer[None], place) as stored:
            assert heap.read(pointer, stored.address) == place.address
        heap.write(int16, place, -1)
        assert heap.read(int16, place.address) == -1
        assert pairs.head == 1


def test_a_structure_is_read_and_wrapped_at_an_element(heap: HeapManager) -> None:
    with heap.alloc_array(Vec, [(1, 2), (3, 4)]) as vectors:
        last: Any = vectors[1]
        assert heap.read(Vec, last).to_tuple() == heap.wrap(Vec, last).to_tuple() == (3, 4)
        heap.write(Vec, last, (5, 6))
        assert vectors.tolist() == [(1, 2), (5, 6)]


SMALL = "\0" * 3
ACCESSES: dict[str, Callable[[HeapManager, Any], Any]] = {
    "read": lambda heap, place: heap.read(int32, place),
    "read wide": lambda heap, place: heap.read(uint128, place),
    "write": lambda heap, place: heap.write(int32, place, 0),
    "write wide": lambda heap, place: heap.write(uint128, place, 0),
    "write_int64": lambda heap, place: heap.write_int64(place, 0),
    "write text": lambda heap, place: heap.write(utf8, place, "abc"),
    "write wide text": lambda heap, place: heap.write(utf16, place, "a"),
    "write_text": lambda heap, place: heap.write_text(utf8, place, SMALL),
    "read_text": lambda heap, place: heap.read_text(utf8, place, 3),
    "read_strings": lambda heap, place: heap.read_strings(utf8, place, 1),
    "read_many": lambda heap, place: heap.read_many(int32, [place]),
    "write_many": lambda heap, place: heap.write_many(int32, [place], [0]),
    "view": lambda heap, place: heap.view(int32, place, 1),
    "wrap": lambda heap, place: heap.wrap(int64, place),
    "wrap_array": lambda heap, place: heap.wrap_array(uint8, place, 3),
    "wrap text": lambda heap, place: heap.wrap(utf8, place, 2),
    "read structure": lambda heap, place: heap.read(Pair, place),
    "write structure": lambda heap, place: heap.write(Pair, place, (0, 0)),
    "wrap structure": lambda heap, place: heap.wrap(Pair, place),
    "fill": lambda heap, place: heap.fill(place, 0, 3),
    "find": lambda heap, place: heap.find(place, b"x", 3),
    "copy_to": lambda heap, place: heap.copy_to(heap, place, place, 3),
    "compare": lambda heap, place: heap.compare(heap, place, place, 3),
}


@pytest.mark.parametrize("access", ACCESSES)
def test_nothing_beyond_the_bytes_of_a_reference_is_reached(heap: HeapManager, access: str) -> None:
    with heap.arena() as scratch:
        around = scratch.alloc_array(uint8, b"\x7b" * 64, align=64)
        inner = heap.wrap_array(uint16, around.address + 32, 1)
        with pytest.raises(OutOfBoundsError, match=r"bytes: <ArrayRef uint16 of 1 .*> has 2"):
            ACCESSES[access](heap, inner)
        assert bytes(around) == b"\x7b" * 64


@pytest.mark.needs("atomics")
def test_no_atomic_access_reaches_beyond_a_reference(heap: HeapManager) -> None:
    with heap.alloc_array(uint8, 8, align=8) as around:
        inner: Any = heap.wrap_array(uint16, around.address, 1)
        with pytest.raises(
            OutOfBoundsError, match=r"write of int32 of 4 bytes: .* has 2; allocate"
        ):
            heap.write_int32_atomic(inner, -1)
        assert bytes(around) == bytes(8)


def test_a_string_ends_with_the_reference_that_it_is_read_through(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        around = scratch.alloc_array(uint8, b"abcdefg\0", align=8)
        inner: Any = heap.wrap_array(uint8, around.address, 4)
        whole: Any = around
        assert heap.read(utf8, whole) == "abcdefg"
        for read in (
            lambda: heap.read(utf8, inner),
            lambda: heap.read(utf8, inner, 100),
            lambda: heap.get_element_count_of_null_terminated_string(inner, 1),
        ):
            with pytest.raises(UnterminatedStringError, match="no null terminator"):
                read()


def set_item(array: Any, index: Any, value: Any) -> None:
    array[index] = value


POINTERS: tuple[Any, ...] = (pointer32, pointer53, pointer64)
STORES: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "alloc": lambda heap, kind, ref, value: heap.alloc(kind, value),
    "alloc_T": lambda heap, kind, ref, value: getattr(heap, f"alloc_{kind.name}")(value),
    "alloc_array": lambda heap, kind, ref, value: heap.alloc_array(kind, [value]),
    "value": lambda heap, kind, ref, value: setattr(ref, "value", value),
    "an element": lambda heap, kind, ref, value: set_item(heap.wrap_array(kind, ref, 1), 0, value),
    "a slice": lambda heap, kind, ref, value: set_item(
        heap.wrap_array(kind, ref, 1), slice(None), [value]
    ),
    "write": lambda heap, kind, ref, value: heap.write(kind, ref, value),
    "write_T": lambda heap, kind, ref, value: getattr(heap, f"write_{kind.name}")(ref, value),
    "write_T_atomic": lambda heap, kind, ref, value: getattr(heap, f"write_{kind.name}_atomic")(
        ref, value
    ),
    "write_many": lambda heap, kind, ref, value: heap.write_many(kind, [ref], [value]),
}


@pytest.mark.parametrize("store", STORES)
def test_a_pointer_takes_no_reference_of_another_heap(heap: HeapManager, store: str) -> None:
    with wrap_buffer(bytearray(64)) as other, heap.alloc(int32) as own:
        foreign = other.alloc(int32, 5)
        for kind in POINTERS:
            if kind.size == 4 and heap.pointer_size == 8:
                continue  # where an address of ours need not fit
            with heap.alloc(kind) as ref:
                refused: Any = None
                for _ in range(2):  # the first of a kind goes the long way
                    with pytest.raises((NotAllocatedError, NotSupportedError)) as caught:
                        STORES[store](heap, kind, ref, foreign)
                    refused = caught.type
                    assert store == "write_T_atomic" or refused is NotAllocatedError
                assert ref.value == 0
                if refused is NotAllocatedError:
                    made = STORES[store](heap, kind, ref, own)
                    stored = ref.value if made is None else heap.read(kind, made)
                    assert stored == own.address
                    if made is not None:
                        made.free()
