"""What a value's own `__index__` or `__float__` raises is what the program gets, and it is asked
once: no handler of ours takes it for a refusal that it could word better."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import (
    Array,
    HeapManager,
    OutOfMemoryError,
    Pointer,
    Struct,
    array,
    bits,
    boolean,
    clamped_uint8,
    field,
    float16,
    float32,
    float64,
    int32,
    int64,
    pointer53,
    uint8,
    uint128,
)


class OddError(ValueError):
    """One that cannot be made of a text, as ours are when they are given another."""

    def __init__(self, code: int, *, place: str) -> None:
        super().__init__(code, place)


ERRORS: dict[str, Callable[[], Exception]] = {
    "TypeError": lambda: TypeError("mine"),
    "ValueError": lambda: ValueError("mine"),
    "OverflowError": lambda: OverflowError("mine"),
    "IndexError": lambda: IndexError("mine"),
    "KeyError": lambda: KeyError("mine"),
    "ZeroDivisionError": lambda: ZeroDivisionError("mine"),
    "struct.error": lambda: struct.error("mine"),
    "RuntimeError": lambda: RuntimeError("mine"),
    "one of the library's": lambda: OutOfMemoryError("mine"),
    "one with a constructor of its own": lambda: OddError(5, place="here"),
}
HIDDEN = ("TypeError", "ValueError", "OverflowError", "one with a constructor of its own")
"""What an item of a memoryview hides, so that the value is asked again; ``struct`` hides an
OverflowError where C's long has 32 bits."""


class Number:
    """A number that cannot be had, and tells how often it was asked for."""

    def __init__(self, make: Callable[[], Exception]) -> None:
        self.make = make
        self.raised: list[Exception] = []

    def _refuse(self) -> Any:
        self.raised.append(self.make())
        raise self.raised[-1]

    def __index__(self) -> int:
        return self._refuse()  # type: ignore[no-any-return]


class Real(Number):
    """As numpy's numbers are: others are not asked for a float."""

    class dtype:  # noqa: N801 (numpy's name)
        kind = "f"

    __index__: Any = None

    def __float__(self) -> float:
        return self._refuse()  # type: ignore[no-any-return]


class Inner(Struct):
    count: int32 = field()
    share: float64 = field()


class Outer(Struct):
    count: int32 = field()
    share: float32 = field()
    flags: int = bits(int32, 5)
    swapped: int32 = field(endian="big")
    wide: uint128 = field()
    place: pointer53 = field()
    pixel: clamped_uint8 = field()
    inner: Inner = field()
    counts: Array[int32] = array(2)
    shares: Array[float32] = array(2)


Store = Callable[[Any], Any]
PLAIN = (int32, int64, uint8)
ENCODED = (clamped_uint8, boolean, pointer53, uint128)


def raw_stores(heap: HeapManager, kind: Any) -> dict[str, Store]:
    untyped: Any = heap
    ref: Any = heap.alloc(kind)
    return {
        f"value {kind.name}": lambda value: setattr(ref, "value", value),
        f"write {kind.name}": lambda value: ref.write(value),
        f"raw {kind.name}": lambda value: untyped.write(kind, ref.address, value),
        f"alloc {kind.name}": lambda value: untyped.alloc(kind, value),
    }


def item_stores(heap: HeapManager, kind: Any) -> dict[str, Store]:
    several: Any = heap.alloc_array(kind, 4)
    return {
        f"item {kind.name}": lambda value: several.__setitem__(0, value),
        f"write_at {kind.name}": lambda value: several.write_at(0, value),
    }


def array_stores(heap: HeapManager, kind: Any, usual: float) -> dict[str, Store]:
    untyped: Any = heap
    return {
        f"array of {kind.name}": lambda value: untyped.alloc_array(kind, [value]),
        f"second {kind.name}": lambda value: untyped.alloc_array(kind, (usual, value)),
        f"iterated {kind.name}": lambda value: untyped.alloc_array(kind, iter([value])),
    }


def hiding_stores(heap: HeapManager) -> dict[str, Store]:
    """Stores of an integer into one item of a memoryview, where a heap has such."""
    outer: Any = heap.alloc(Outer)
    made: dict[str, Store] = {
        "field": lambda value: setattr(outer, "count", value),
        "field of a structure inside": lambda value: setattr(outer.inner, "count", value),
    }
    for kind in PLAIN:
        made |= raw_stores(heap, kind) | item_stores(heap, kind)
    return made


def field_store(outer: Any, name: str) -> Store:
    return lambda value: setattr(outer, name, value)


def stores(heap: HeapManager) -> dict[str, Store]:
    """All other stores of an integer."""
    untyped: Any = heap
    outer: Any = heap.alloc(Outer)
    several: Any = heap.alloc_array(int32, 4)
    made: dict[str, Store] = {
        "slice": lambda value: several.__setitem__(slice(0, 1), [value]),
        "index": lambda value: several[value],
        "start of a slice": lambda value: several[value:],
        "index to store at": lambda value: several.__setitem__(value, 1),
        "read_at": lambda value: several.read_at(value),
        "count": lambda value: untyped.alloc_array(int32, value),
        "count of structures": lambda value: untyped.alloc_array(Inner, value),
        "count of pointers": lambda value: untyped.alloc_array(Pointer[int32], value),
        "another length": lambda value: several.resize(value),
        "pointer": lambda value: untyped.alloc(Pointer[int32], value),
        "array inside": lambda value: setattr(outer, "counts", [0, value]),
    }
    for kind in (*PLAIN, *ENCODED):
        made |= array_stores(heap, kind, 0)
    for kind in ENCODED:
        made |= raw_stores(heap, kind)
    for name in ("flags", "swapped", "wide", "place", "pixel"):
        made[f"field {name}"] = field_store(outer, name)
    return made


def packed_stores(heap: HeapManager) -> dict[str, Store]:
    """Stores of whole structures, which are packed in one step."""
    untyped: Any = heap
    untyped_inner: Any = Inner
    outer: Any = heap.alloc(Outer)
    inner: Any = heap.alloc(Inner)
    inners: Any = heap.alloc_array(Inner, 2)
    return {
        "fields by name": lambda value: untyped.alloc(Inner, count=value, share=1.0),
        "fields in order": lambda value: untyped.alloc(Inner, (value, 1.0)),
        "structure on no heap": lambda value: untyped_inner(count=value, share=1.0),
        "write of a structure": lambda value: inner.write((value, 1.0)),
        "raw write of a structure": lambda value: untyped.write(
            Inner, inner.address, {"count": value, "share": 1.0}
        ),
        "structures": lambda value: untyped.alloc_array(Inner, [(value, 1.0)]),
        "one of structures": lambda value: inners.__setitem__(0, (value, 1.0)),
        "structure inside": lambda value: setattr(outer, "inner", (value, 1.0)),
    }


def real_stores(heap: HeapManager) -> dict[str, Store]:
    """Stores of a float."""
    untyped: Any = heap
    outer: Any = heap.alloc(Outer)
    made: dict[str, Store] = {
        "field": lambda value: setattr(outer, "share", value),
        "array inside": lambda value: setattr(outer, "shares", [value, 1.0]),
        "fields by name": lambda value: untyped.alloc(Inner, count=1, share=value),
    }
    for kind in (float16, float32, float64, clamped_uint8):
        made |= raw_stores(heap, kind) | item_stores(heap, kind) | array_stores(heap, kind, 1.0)
    return made


def check(store: Store, value: Number, most: int, what: str) -> None:
    with pytest.raises(type(value.make())) as caught:
        store(value)
    assert any(caught.value is error for error in value.raised), f"{what}: {caught.value!r}"
    assert len(value.raised) <= most, what


@pytest.mark.parametrize("error", ERRORS)
def test_what_an_index_of_the_programs_raises_is_the_error(heap: HeapManager, error: str) -> None:
    once, packed, maybe_twice = stores(heap), packed_stores(heap), hiding_stores(heap)
    for what, store in once.items():
        check(store, Number(ERRORS[error]), 1, what)
    for what, store in packed.items():
        check(store, Number(ERRORS[error]), 3 if error == "OverflowError" else 1, what)
    for what, store in maybe_twice.items():
        check(store, Number(ERRORS[error]), 2 if error in HIDDEN else 1, what)
    heap.free_all()


@pytest.mark.parametrize("error", ERRORS)
def test_what_a_float_of_the_programs_raises_is_the_error(heap: HeapManager, error: str) -> None:
    once = real_stores(heap)
    for what, store in once.items():
        check(store, Real(ERRORS[error]), 1, what)
    heap.free_all()


def test_a_count_is_asked_once(heap: HeapManager) -> None:
    asked = []

    class Count:
        def __index__(self) -> int:
            asked.append(1)
            return 3

    count: Any = Count()
    for kind in (int32, Inner, Pointer[int32]):
        with heap.alloc_array(kind, count) as several:
            assert len(several) == 3
    assert len(asked) == 3


def test_refusals_of_python_and_of_the_library_are_worded_as_ever(heap: HeapManager) -> None:
    untyped: Any = heap
    for values, words in (
        ([1, "2"], "^element 1: int32 takes an int, not str '2'$"),
        ([1, 2**40], r"^element 1: \d+ does not fit int32"),
        ([1, 2.5], r"^element 1: int32 takes an int, not float 2\.5$"),
    ):
        with pytest.raises((TypeError, emheap.ValueOutOfRangeError), match=words):
            untyped.alloc_array(int32, values)
