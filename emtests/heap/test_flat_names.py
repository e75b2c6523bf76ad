"""The flat names as attributes of the classes: for `help()`, documentation tools and mocks."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import emheap
from emheap import Arena, HeapManager, int32
from emheap.heap.flat_names import ALLOC_NAMES, FLAT_NAMES
from emheap.types import c_types, scalar_types, text_types, wide_types
from emtests.conftest import OpenHeap

SIGNATURES = {
    "read_int32": "(address: int) -> int",
    "write_float64": "(address: int, value: float) -> None",
    "alloc_uint8": "(initial: int | None = None) -> ScalarRef[int]",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    described: Any = getattr(HeapManager, name)
    shown = str(inspect.signature(described)).replace("'", "")
    assert shown == SIGNATURES[name]
    assert (described.__name__, described.__qualname__) == (name, f"HeapManager.{name}")
    assert described.__doc__


def test_every_name_has_a_signature_and_a_text() -> None:
    for owner, names in ((HeapManager, FLAT_NAMES), (Arena, ALLOC_NAMES)):
        for name in names:
            described: Any = getattr(owner, name)
            first = next(iter(inspect.signature(described).parameters))
            assert (first == "address") != name.startswith("alloc_")
            assert described.__doc__


def names(kinds: Any, *forms: str) -> set[str]:
    return {form.format(kind.name) for kind in kinds for form in forms}


def test_which_types_have_which_names() -> None:
    numbers = names((*scalar_types, *wide_types), "read_{}", "write_{}", "wrap_{}", "alloc_{}")
    arrays = names(scalar_types, "view_{}_array", "wrap_{}_array", "alloc_{}_array")
    atomic = names(scalar_types, "read_{}_atomic", "write_{}_atomic")
    verbs = ("read", "write", "wrap", "alloc")
    texts = names(text_types, *(f"{verb}_null_terminated_{{}}_string" for verb in verbs))
    assert FLAT_NAMES.keys() == numbers | arrays | atomic | texts
    assert ALLOC_NAMES.keys() == {name for name in FLAT_NAMES if name.startswith("alloc_")}
    none = names(c_types, "read_{}", "alloc_{}", "alloc_{}_array") | {"read_uint128_atomic"}
    assert not any(hasattr(HeapManager, name) for name in none)


def test_a_function_of_the_class_is_called_with_a_heap(heap: HeapManager) -> None:
    functions: Any = HeapManager
    with heap.alloc(int32, 5) as number:
        assert functions.read_int32(heap, number.address) == 5
        functions.write_int32(heap, number.address, -7)
        assert number.value == -7
    with functions.alloc_int32(heap, 3) as other:
        assert other.value == 3


def test_a_heap_makes_each_function_when_its_name_is_first_used(open_heap: OpenHeap) -> None:
    heap = open_heap()
    assert not vars(heap).keys() & set(FLAT_NAMES)
    read = heap.read_int32
    assert vars(heap).keys() & set(FLAT_NAMES) == {"read_int32"}
    assert heap.read_int32 is read


def test_a_name_that_is_none() -> None:
    names: Any = (HeapManager, Arena, emheap.open())
    for owner in names:
        assert not hasattr(owner, "read_int33")
    assert not hasattr(Arena, "read_int32")
