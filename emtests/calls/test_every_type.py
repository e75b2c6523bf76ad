"""Each type of C where it is not an argument or a result: behind a pointer, and in a callback."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

import emheap
from emheap import Function, HeapManager, Library, ValueOutOfRangeError, c
from emtests.calls.ways import Way, skip_without_big_ints

declare: Any = Function
out: Any = c.out
callback: Any = c.callback
"""For signatures that are made when the test runs, which no checker reads."""

TYPES: dict[str, tuple[Any, Any]] = {
    "bool": (c.bool, emheap.boolean),
    "char": (c.char, emheap.int8),
    "uchar": (c.uchar, emheap.uint8),
    "short": (c.short, emheap.int16),
    "ushort": (c.ushort, emheap.uint16),
    "int": (c.int, emheap.int32),
    "uint": (c.uint, emheap.uint32),
    "long": (c.long, emheap.long),
    "ulong": (c.ulong, emheap.ulong),
    "longlong": (c.longlong, emheap.int64),
    "ulonglong": (c.ulonglong, emheap.uint64),
    "size": (c.size_t, emheap.size_t),
    "ssize": (c.ssize_t, emheap.ssize_t),
    "float": (c.float, emheap.float32),
    "double": (c.double, emheap.float64),
}
"""C's name in signatures, and the type of memory."""
LARGEST = {"float": 3.4028234663852886e38, "double": 1.7976931348623157e308}


class Passing(NamedTuple):
    """One type: its functions, and values of it."""

    name: str
    kind: Any
    call: Callable[..., Any]
    store: Callable[..., None]
    values: list[Any]
    beyond: list[Any]


@pytest.fixture(params=TYPES)
def passing(request: pytest.FixtureRequest, way: Way, c_heap: HeapManager) -> Passing:
    name = request.param
    if "longlong" in name:
        skip_without_big_ints(way)
    number, kind = TYPES[name]
    calling: Any = Callable[[number], number]
    declared = {
        f"call_{name}": declare[[callback[calling], number], number],
        f"store_{name}": declare[[out[number], number], None],
    }
    library: Any = way.bind(type("Calls", (Library,), {"__annotations__": declared}), c_heap)
    call, store = (getattr(library, each) for each in declared)
    return Passing(name, kind, call, store, *values_of(name, kind.for_abi(way.abi)))


def values_of(name: str, kind: Any) -> tuple[list[Any], list[Any]]:
    """What a type has, its limits among it, and what is beyond them."""
    if name == "bool":
        return [True, False], []
    if name in LARGEST:
        large = LARGEST[name]
        beyond = [10**400, 3.5e38] if name == "float" else [10**400]
        return [0.0, -0.0, 1.5, -large, large, math.inf], beyond
    low, high = kind.minimum, kind.maximum
    return [low, low + 1, 0, 1, high - 1, high], [low - 1, high + 1, 1 << 200]


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)


def test_callbacks_take_and_give_each_type(passing: Passing) -> None:
    got: list[Any] = []

    def called(value: Any) -> Any:
        got.append(value)
        return value

    for value in passing.values:
        assert same(passing.call(called, value), value)
        assert same(got.pop(), value)


def test_what_a_callback_gives_is_checked(passing: Passing) -> None:
    given: list[Any] = []
    first = passing.values[0]

    def called(_: Any) -> Any:
        return given.pop()

    for value in passing.beyond:
        given.append(value)
        with pytest.raises(ValueOutOfRangeError, match="the result of the callback <"):
            passing.call(called, first)
    for value in ("1", None, [1], 1j):
        given.append(value)
        with pytest.raises(TypeError, match=r"the result of the callback .* takes a"):
            passing.call(called, first)


def test_each_type_is_stored_behind_a_pointer(passing: Passing, c_heap: HeapManager) -> None:
    with c_heap.alloc(passing.kind) as place, c_heap.alloc_array(passing.kind, 2) as row:
        for value in passing.values:
            passing.store(place, value)
            assert same(place.value, value)
            passing.store(row, value)
            assert same(row[0], value)
        for value in passing.beyond:
            with pytest.raises(ValueOutOfRangeError):
                passing.store(place, value)


def test_a_place_for_another_type_is_refused(passing: Passing, c_heap: HeapManager) -> None:
    other = emheap.float64 if passing.name != "double" else emheap.float32
    with c_heap.alloc(other) as place, c_heap.alloc(emheap.uint128) as wide:
        for wrong in (place, wide):
            with pytest.raises(TypeError, match=r"parameter 1 of store_\w+\(\) .* does not take"):
                passing.store(wrong, passing.values[0])
    for nowhere in (5, "text", object()):
        with pytest.raises(TypeError, match=r"parameter 1 of store_\w+\(\) .* takes a reference"):
            passing.store(nowhere, passing.values[0])


def test_a_place_for_a_wide_integer(way: Way, c_heap: HeapManager) -> None:
    """One of another width would be written beyond its end."""
    declared = {"add_one": declare[[out[emheap.uint128], c.size_t], None]}
    library: Any = way.bind(type("Wide", (Library,), {"__annotations__": declared}), c_heap)
    with c_heap.alloc(emheap.uint128, 255) as place, c_heap.alloc(emheap.uint256) as other:
        library.add_one(place, 16)
        assert place.value == int.from_bytes(b"\0" + bytes([1] * 15), "little")
        with pytest.raises(TypeError, match=r"\(uint128 \*\) does not take"):
            library.add_one(other, 16)


# Pointers in callbacks


def test_a_callback_gets_pointers_to_numbers(
    passing: Passing, way: Way, c_heap: HeapManager
) -> None:
    """Those declared by C's names, too: they read and write what C has there."""
    number = TYPES[passing.name][0]
    calling: Any = Callable[[out[number]], c.size_t]
    declared = {"call_size": declare[[callback[calling], out[number]], c.size_t]}
    # To this function an address is a number, which it passes on.
    library: Any = way.bind(type("Calls", (Library,), {"__annotations__": declared}), c_heap)
    first, last = passing.values[0], passing.values[-1]

    def called(place: Any) -> int:
        assert same(place[0], first)
        place[0] = last
        return 0

    with c_heap.alloc(passing.kind, first) as place:
        library.call_size(called, place)
        assert same(place.value, last)


def test_a_callback_returns_addresses_of_what_stays(way: Way, c_heap: HeapManager) -> None:
    """C has the address when the callback is over, and a copy for the call is gone then."""
    for kind in (c.string, c.buffer, c.data, out[c.char]):
        calling: Any = Callable[[c.size_t], kind]
        declared = {"call_size": declare[[callback[calling], c.size_t], c.address]}
        library: Any = way.bind(type("Calls", (Library,), {"__annotations__": declared}), c_heap)
        given: list[Any] = []

        def called(_: int, given: list[Any] = given) -> Any:
            return given.pop()

        with c_heap.alloc_array(emheap.int8, 4) as place:
            given.append(place)
            assert library.call_size(called, 0) == place.address
            given.append(None)
            assert library.call_size(called, 0) == 0
        for wrong in ("text", b"text", bytearray(4)):
            given.append(wrong)
            words = (
                "takes a reference, a pointer or None, not .*: C has the address when the callback "
                "is over, so allocate on the heap what lies there$"
            )
            with pytest.raises(TypeError, match=words):
                library.call_size(called, 0)
