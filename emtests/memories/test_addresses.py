"""Addresses: what is none, what lies outside, and the null pointer."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import emheap
from emheap import (
    Arena,
    Array,
    HeapManager,
    Pointer,
    Scalar,
    Struct,
    Text,
    array,
    field,
    int32,
    uint8,
    uint64,
    utf8,
    utf16,
    utf32,
)
from emheap.types import text_types
from emtests.types.values import ALL_NUMBERS, SCALARS

Access = Callable[[Any], Any]
NEVER_SET = "an allocation failed unnoticed, or a pointer was never set"


def accesses(heap: HeapManager, scalar: type[Scalar[Any]]) -> dict[str, Access]:
    """Every way to reach a number by its address alone."""
    name = scalar.name
    flat: Any = heap
    ways: dict[str, Access] = {
        "read": lambda address: heap.read(scalar, address),
        "write": lambda address: heap.write(scalar, address, 1),
        "view": lambda address: heap.view(scalar, address, 1),
        "wrap": lambda address: heap.wrap(scalar, address),
        "wrap_array": lambda address: heap.wrap_array(scalar, address, 1),
        f"read_{name}": getattr(flat, f"read_{name}"),
        f"write_{name}": lambda address: getattr(flat, f"write_{name}")(address, 1),
        f"wrap_{name}": getattr(flat, f"wrap_{name}"),
    }
    if scalar in SCALARS:
        ways |= {
            f"view_{name}_array": lambda address: getattr(flat, f"view_{name}_array")(address, 1),
            f"wrap_{name}_array": lambda address: getattr(flat, f"wrap_{name}_array")(address, 1),
        }
    return ways


def string_accesses(heap: HeapManager, text: type[Text]) -> dict[str, Access]:
    """Every way to reach a string by its address alone."""
    flat: Any = heap
    name = f"null_terminated_{text.name}_string"
    return {
        "read": lambda address: heap.read(text, address),
        "write": lambda address: heap.write(text, address, "abc"),
        "wrap": lambda address: heap.wrap(text, address, 3),
        "count": lambda address: heap.get_element_count_of_null_terminated_string(
            address, text.size
        ),
        f"read_{name}": getattr(flat, f"read_{name}"),
        f"write_{name}": lambda address: getattr(flat, f"write_{name}")(address, "abc"),
        f"wrap_{name}": getattr(flat, f"wrap_{name}"),
    }


def all_accesses(heap: HeapManager) -> dict[str, Access]:
    ways = {}
    for scalar in ALL_NUMBERS:
        for name, access in accesses(heap, scalar).items():
            ways[f"{name} of {scalar.name}"] = access
    for text in text_types:
        for name, access in string_accesses(heap, text).items():
            ways[f"{name} of {text.name}"] = access
    return ways


def test_the_null_pointer_is_refused_everywhere(heap: HeapManager) -> None:
    null_pointer = f"null pointer: .* at address 0; {NEVER_SET}$"
    for name, access in all_accesses(heap).items():
        with pytest.raises(emheap.NullPointerError, match=null_pointer):
            pytest.fail(f"{name} returned {access(0)!r}")


def test_the_null_pointer_is_refused_for_nothing_too(heap: HeapManager) -> None:
    uses: dict[str, Callable[[], object]] = {
        "view": lambda: heap.view(int32, 0, 0),
        "wrap_array": lambda: heap.wrap_array(int32, 0, 0),
        "read_text": lambda: heap.read_text(utf8, 0, 0),
        "write_text": lambda: heap.write_text(utf8, 0, ""),
        "read_strings": lambda: heap.read_strings(utf8, 0, 0),
        "fill": lambda: heap.fill(0, 7, 0),
        "find": lambda: heap.find(0, b"x", 0),
        "read_bytes": lambda: heap.memory.read_bytes(0, 0),
        "write_bytes": lambda: heap.memory.write_bytes(0, b""),
    }
    for name, use in uses.items():
        with pytest.raises(emheap.NullPointerError, match=r"null pointer: .* of 0 bytes at"):
            pytest.fail(f"{name} returned {use()!r}")


def test_an_address_must_be_an_integer(heap: HeapManager, scratch: Arena) -> None:
    none = f"^null pointer: .* is None, which is how ctypes spells the address 0; {NEVER_SET}$"
    for name, access in all_accesses(heap).items():
        for value in (16.0, float("nan"), "16", b"16", [16], True, False, object()):
            with pytest.raises(TypeError, match="address must be an int, not "):
                pytest.fail(f"{name} took {value!r} and returned {access(value)!r}")
        with pytest.raises(emheap.NullPointerError, match=none):
            pytest.fail(f"{name} returned {access(None)!r}")


def test_an_address_below_zero_is_outside(heap: HeapManager) -> None:
    for name, access in all_accesses(heap).items():
        for address in (-1, -8, -(2**31), -(2**63), -(2**64)):
            with pytest.raises(emheap.OutOfBoundsError, match=f"at address -0x{-address:x} "):
                pytest.fail(f"{name} took {address} and returned {access(address)!r}")


def test_a_negative_address_is_explained_where_addresses_have_32_bits(heap: HeapManager) -> None:
    explained = "returns addresses above 2 GiB as negative numbers: add 2**32, which gives 0x"
    for address, of_32_bits in ((-8, True), (-(2**31), True), (-(2**31) - 1, False)):
        with pytest.raises(emheap.OutOfBoundsError) as caught:
            heap.read(uint8, address)
        told = f"{explained}{address + 2**32:x}" in str(caught.value)
        assert told is (of_32_bits and heap.pointer_size == 4)


@pytest.mark.needs("bounds")
def test_a_great_address_is_explained_where_addresses_have_32_bits(heap: HeapManager) -> None:
    for address, signed in ((2**31 - 1, False), (2**31, True), (2**32 - 1, True), (2**32, False)):
        with pytest.raises(emheap.OutOfBoundsError) as caught:
            heap.read(uint8, address)
        words = f"as the signed number that WebAssembly returns it is {address - 2**32}"
        assert str(caught.value).endswith(words) is (signed and heap.pointer_size == 4)


def test_an_address_beyond_any_memory_is_outside(heap: HeapManager) -> None:
    for name, access in all_accesses(heap).items():
        for address in (2**63, 2**64, 2**64 + 64, 2**100):
            with pytest.raises(emheap.OutOfBoundsError, match=f"at address 0x{address:x} lies"):
                pytest.fail(f"{name} took {address} and returned {access(address)!r}")


@pytest.mark.needs("bounds")
def test_an_access_must_lie_inside_with_its_whole_extent(heap: HeapManager) -> None:
    bytearray(1 << 24)  # where Python lives in this memory: room for what it allocates meanwhile
    end = heap.memory.size
    for scalar in ALL_NUMBERS:
        for name, access in accesses(heap, scalar).items():
            first_outside = end - scalar.size + 1
            if "view" in name or "array" in name:
                first_outside = end - scalar.size + scalar.alignment
            for address in (first_outside, end, end + 4096, 2**32 + 64):
                with pytest.raises(emheap.OutOfBoundsError, match=f"0x{end - 1:x}$"):
                    pytest.fail(f"{name} at {address - end} from the end: {access(address)!r}")


@pytest.mark.needs("bounds")
def test_a_failed_access_at_the_end_changes_nothing(heap: HeapManager) -> None:
    bytearray(1 << 24)
    end = heap.memory.size
    before = heap.memory.read_bytes(end - 64, 64)
    for scalar in ALL_NUMBERS:
        for address in range(end - scalar.size + 1, end + 1):
            with pytest.raises(emheap.OutOfBoundsError):
                heap.write(scalar, address, 1)
    for text in text_types:
        for address in range(end - 4 * text.size + text.size, end + 1, text.size):
            with pytest.raises(emheap.OutOfBoundsError):
                heap.write(text, address, "abc")
    assert heap.memory.read_bytes(end - 64, 64) == before


@pytest.mark.needs("bounds", "raw addresses")
def test_the_last_bytes_can_be_reached(heap: HeapManager) -> None:
    end = heap.memory.size
    saved = heap.memory.read_bytes(end - 32, 32)
    for scalar in ALL_NUMBERS:
        address = end - scalar.size
        heap.write(scalar, address, 5)
        assert heap.read(scalar, address) == heap.wrap(scalar, address).value == 5
        aligned = address - address % scalar.alignment
        assert len(heap.view(scalar, aligned, 1)) > 0
        assert len(heap.wrap_array(scalar, aligned, 1)) == 1
    for text in text_types:
        address = (end - 4 * text.size) & -text.size
        assert heap.write(text, address, "abc") == 3
        assert heap.read(text, address) == "abc"
    heap.memory.write_bytes(end - 32, saved)


def test_the_message_of_an_address_outside_tells_all(heap: HeapManager) -> None:
    size = heap.memory.size
    low = heap.memory.lowest_address
    for call, what in (
        (lambda: heap.read(uint64, 2**100), "read of uint64 of 8 bytes"),
        (lambda: heap.write(uint64, 2**100, 1), "write of uint64 of 8 bytes"),
        (lambda: heap.view(uint64, 2**100, 10), "view of uint64 of 80 bytes"),
        (lambda: heap.wrap(uint64, 2**100), "wrap of uint64 of 8 bytes"),
        (lambda: heap.wrap_array(uint64, 2**100, 10), "wrap of uint64 array of 80 bytes"),
        (lambda: heap.wrap(utf16, 2**100, 4), "wrap of utf16 string of 10 bytes"),
        (lambda: heap.read(utf16, 2**100), "read of a null-terminated string of 2 bytes"),
        (lambda: heap.write(utf16, 2**100, "abc"), "write of utf16 of 8 bytes"),
        (lambda: heap.read_uint64(2**100), "read of uint64 of 8 bytes"),
        (lambda: heap.write_uint64(2**100, 1), "write of uint64 of 8 bytes"),
    ):
        with pytest.raises(
            emheap.OutOfBoundsError,
            match=rf"^{what} at address 0x{2**100:x} lies outside .*, which holds addresses "
            rf"0x{low:x} to 0x{size - 1:x}$",
        ):
            call()


def test_the_null_page_is_out_of_reach_where_there_is_one(heap: HeapManager) -> None:
    low = heap.memory.lowest_address
    for address in {1, low // 2, low - 1} - {0}:
        if address < low:
            with pytest.raises(emheap.OutOfBoundsError, match="in the null page of"):
                heap.read(uint8, address)


def test_wide_strings_must_be_aligned(heap: HeapManager, scratch: Arena) -> None:
    room = scratch.alloc_array(uint8, 64, align=8)
    for text in (utf16, utf32):
        for offset in range(1, text.size):
            address = room.address + offset
            words = f"multiple of {text.size} bytes; 0x{address:x} is {offset} too high"
            for name, access in string_accesses(heap, text).items():
                with pytest.raises(emheap.MisalignedError, match=words):
                    pytest.fail(f"{name} returned {access(address)!r}")
    assert not any(room)


def test_views_and_arrays_must_be_aligned(heap: HeapManager, scratch: Arena) -> None:
    room = scratch.alloc_array(uint8, 128, align=8)
    for scalar in ALL_NUMBERS:
        for offset in range(8):
            address = room.address + offset
            excess = offset % scalar.alignment
            if not excess:
                assert len(heap.wrap_array(scalar, address, 2)) == 2
                heap.view(scalar, address, 2).release()
                continue
            words = f"multiple of {scalar.alignment} bytes; 0x{address:x} is {excess} too high"
            for access in (heap.view, heap.wrap_array):
                with pytest.raises(emheap.MisalignedError, match=words):
                    access(scalar, address, 2)


def test_only_types_are_types(heap: HeapManager, scratch: Arena) -> None:
    wild: Any = heap
    ref = scratch.alloc(int32, 5)
    kind: Any
    for kind in (None, 5, "int32", int, float, str, emheap.Scalar, emheap.Text, emheap.Type, ref):
        for call in (
            partial(wild.read, kind, ref.address),
            partial(wild.write, kind, ref.address, 1),
            partial(wild.view, kind, ref.address, 1),
            partial(wild.wrap, kind, ref.address),
            partial(wild.wrap_array, kind, ref.address, 1),
            partial(wild.alloc, kind),
            partial(wild.alloc_array, kind, 1),
            partial(scratch.alloc, kind),
            partial(scratch.alloc_array, kind, 1),
        ):
            with pytest.raises(TypeError, match="expected an emheap type such as "):
                call()
    assert ref.value == 5
    for call in (wild.view, wild.wrap_array):
        with pytest.raises(TypeError, match="the elements of an array have one size, and texts "):
            call(utf8, ref.address, 1)
    with pytest.raises(
        TypeError, match="the elements of an array have one size, and texts have not"
    ):
        wild.alloc_array(utf8, 4)


def test_a_type_makes_no_objects() -> None:
    kind: Any
    for kind in (*ALL_NUMBERS, *text_types):
        with pytest.raises(
            TypeError, match=rf"pass the type itself, as in heap.alloc\({kind.name}"
        ):
            kind()


class Pair(Struct):
    first: int32
    second: int32 = field()


class Row(Struct):
    count: int32
    items: Array[int32] = array()


to: Any = Pointer


@pytest.mark.parametrize(
    ("type_", "value", "takes"),
    [
        (int32, 4, "an address"),
        (Pair, (1, 2), "an address"),
        (Row, (1, [2]), "an address, tail="),
        (to[Pair], None, "an address"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_only_strings_take_limits(
    heap: HeapManager, scratch: Arena, type_: Any, value: Any, takes: str
) -> None:
    wild: Any = heap
    address = scratch.alloc_array(int32, [5, 6], align=8).address
    calls: tuple[tuple[Callable[[], Any], str, str], ...] = (
        (lambda: wild.read(type_, address, 4), "reading", takes),
        (lambda: wild.read(type_, address, errors="strict"), "reading", takes),
        (lambda: wild.write(type_, address, value, 4), "writing", "an address, a value"),
        (lambda: wild.write(type_, address, value, capacity=4), "writing", "an address, a value"),
        (lambda: wild.wrap(type_, address, 4), "wrapping", takes),
        (lambda: wild.wrap(type_, address, capacity=4), "wrapping", takes),
    )
    for call, doing, allowed in calls:
        words = re.escape(f"{doing} {type_.__name__} takes {allowed} and nothing else")
        with pytest.raises(TypeError, match=f"^{words}$"):
            call()
    assert heap.read_many(int32, [address, address + 4]) == [5, 6]
