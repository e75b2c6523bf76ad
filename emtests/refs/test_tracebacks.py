"""Errors come alone: what the library tried first is no part of a user's traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import (
    HeapManager,
    OutOfMemoryError,
    Struct,
    clamped_uint8,
    float32,
    float64,
    int32,
    utf8,
)
from emtests.contexts import is_alone


class Pair(Struct):
    x: int32
    y: float32


MAKERS: dict[str, Callable[[HeapManager], Any]] = {
    "number": lambda heap: heap.alloc(int32, 5),
    "float": lambda heap: heap.alloc(float64, 1.5),
    "array": lambda heap: heap.alloc_array(int32, [1, 2]),
    "floats": lambda heap: heap.alloc_array(float32, 2),
    "clamped": lambda heap: heap.alloc_array(clamped_uint8, 2),
    "string": lambda heap: heap.alloc(utf8, "x"),
    "structure": lambda heap: heap.alloc(Pair, x=1, y=2),
    "structures": lambda heap: heap.alloc_array(Pair, 2),
}

Use = Callable[[Any], Any]

WRONG: dict[str, list[Use]] = {
    "number": [
        lambda ref: setattr(ref, "value", 2**40),
        lambda ref: setattr(ref, "value", "x"),
        lambda ref: ref.write(2**40),
    ],
    "float": [lambda ref: setattr(ref, "value", "x"), lambda ref: ref.write("x")],
    "array": [
        lambda ref: ref[5],
        lambda ref: ref["x"],
        lambda ref: ref.__setitem__(5, 1),
        lambda ref: ref.__setitem__(0, 2**40),
        lambda ref: ref.__setitem__(slice(None), ["x", 1]),
        lambda ref: ref.__setitem__(slice(None), [1, 2, 3]),
        lambda ref: ref.read_at(5),
        lambda ref: ref.write_at(5, 1),
        lambda ref: ref.write_at(0, 2**40),
    ],
    "floats": [
        lambda ref: ref.__setitem__(0, 1e300),
        lambda ref: ref.__setitem__(slice(None), [1, 1e300]),
    ],
    "clamped": [lambda ref: ref.__setitem__(0, "x"), lambda ref: ref.__setitem__(9, 1)],
    "string": [lambda ref: setattr(ref, "value", "much too long a text")],
    "structure": [lambda ref: setattr(ref, "x", 2**40), lambda ref: setattr(ref, "x", "x")],
    "structures": [lambda ref: ref[5], lambda ref: setattr(ref[0], "y", 1e300)],
}

FREED: dict[str, list[Use]] = {
    "number": [lambda ref: ref.value, lambda ref: setattr(ref, "value", 1), lambda ref: ref.free()],
    "float": [lambda ref: ref.read(), lambda ref: ref.write(1.0)],
    "array": [
        lambda ref: ref[0],
        lambda ref: ref[:],
        lambda ref: ref.__setitem__(0, 1),
        lambda ref: ref.__setitem__(slice(0, 1), [1]),
        lambda ref: ref.view,
        list,
        bytes,
        lambda ref: ref.clear(),
        lambda ref: ref.free(),
    ],
    "floats": [lambda ref: ref.__setitem__(0, 1.0), lambda ref: ref.tolist()],
    "clamped": [lambda ref: ref.__setitem__(0, 1), lambda ref: ref[0]],
    "string": [lambda ref: ref.value, lambda ref: setattr(ref, "value", "y")],
    "structure": [lambda ref: ref.x, lambda ref: setattr(ref, "x", 1), lambda ref: ref.to_dict()],
    "structures": [lambda ref: ref[0].x, lambda ref: ref.column(Pair.x)[0]],
}


def raises_alone(use: Use, ref: Any) -> None:
    around = sys.exc_info()[1]
    with pytest.raises((TypeError, ValueError, IndexError, OverflowError)) as raised:
        use(ref)
    assert is_alone(raised.value, around), repr(raised.value.__context__)


@pytest.mark.parametrize("name", MAKERS)
def test_a_wrong_use_raises_one_error(heap: HeapManager, name: str) -> None:
    with MAKERS[name](heap) as ref:
        for use in WRONG[name]:
            raises_alone(use, ref)


@pytest.mark.parametrize("name", MAKERS)
def test_a_use_after_free_raises_one_error(heap: HeapManager, name: str) -> None:
    ref = MAKERS[name](heap)
    ref.free()
    for use in FREED[name]:
        raises_alone(use, ref)


@pytest.mark.parametrize("options", [{}, {"enable_garbage_collection": True}], ids=str)
def test_a_heap_that_is_full_says_so_alone(options: Any) -> None:
    heap = emheap.wrap_buffer(bytearray(256), **options)
    with heap.arena() as scratch:
        kept: list[Any] = []
        for allocate in (heap.alloc, scratch.alloc):
            around = sys.exc_info()[1]
            with pytest.raises(OutOfMemoryError) as caught:
                kept.extend(allocate(int32) for _ in range(1000))
            assert is_alone(caught.value, around), repr(caught.value.__context__)
        for number in reversed(kept):
            number.free()
