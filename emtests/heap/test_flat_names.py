"""The flat names as attributes of the classes: for `help()`, documentation tools and mocks."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import emheap
from emheap import Arena, HeapManager, int32
from emheap.heap.flat_names import ALLOC_NAMES, FLAT_NAMES
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
