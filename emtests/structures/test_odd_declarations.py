"""Structures that nobody expects: of odd names, of no bytes, deep, of arrays of bit-fields."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Generic, TypeVar

import pytest

import emheap
from emheap import (
    Arena,
    Array,
    HeapManager,
    MisalignedError,
    Pointer,
    Struct,
    array,
    bits,
    field,
    int32,
    int64,
    uint8,
    uint32,
)

T = TypeVar("T")
_STRUCT: Any = type(Struct)


def declare(name: str, /, **notes: Any) -> Any:
    return _STRUCT(name, (Struct,), {"__annotations__": notes, "__module__": __name__})


class Level(enum.Enum):
    LOW = 1


def test_what_an_annotation_adds_is_for_others() -> None:
    class Measured(Struct):
        length: Annotated[int32, "in metres"]
        width: Annotated[uint8, "in metres", 5] = field(default=2)

    assert Measured(length=3).to_tuple() == (3, 2)


def test_a_pointer_is_not_declared_to_be_none() -> None:
    kind: Any = Pointer[int32]
    for note in (kind | None, None | kind):
        with pytest.raises(
            TypeError,
            match=r"^Bad\.x: (Pointer\[int32\]|None) \| (None|Pointer\[int32\]) is no type of "
            r"memory; a pointer may be null, and its get\(\) gives None then$",
        ):
            declare("Bad", x=note)
    with pytest.raises(TypeError, match=r"^Bad\.x: Array\[int32\] \| None is no type of memory"):
        declare("Bad", x="Array[int32] | None")
    assert repr(kind | None) == "Pointer[int32] | None"


def test_an_enumeration_needs_a_size() -> None:
    with pytest.raises(
        TypeError, match=r"^Bad\.x: Level is no type of memory; say what its values are stored as"
    ):
        declare("Bad", x=Level)


# fmt: off
_USED = (
    "self", "cls", "value", "name", "get", "set", "new", "inner", "cells", "index", "unpack",
    "pack", "encode", "decode", "codec", "stored", "type", "float", "window", "at", "items",
    "count", "data", "match",
)
# fmt: on


@pytest.mark.parametrize("name", _USED)
def test_a_name_that_the_code_for_fields_uses_too(scratch: Arena, name: str) -> None:
    """Those of variables and parameters, of which none may be taken for the field."""
    kind = declare("Odd", **{name: int32, f"{name}_2": emheap.float64})
    made: Any = scratch.alloc(kind, **{name: 4, f"{name}_2": 0.5})
    setattr(made, name, getattr(made, name) + 1)
    setattr(made, f"{name}_2", 2.5)
    assert made == kind(**{name: 5, f"{name}_2": 2.5})
    assert made.to_dict() == {name: 5, f"{name}_2": 2.5}
    assert f"{name}=5" in repr(made.read())


class Empty(Struct):
    _: int = bits(uint32, 0)


class Around(Struct):
    number: int32
    nothing: Array[Empty] = array(3)


def test_structures_of_no_bytes(scratch: Arena) -> None:
    made: Any = scratch.alloc(Empty)
    assert made.to_tuple() == ()
    assert made == Empty()
    assert made.read().to_dict() == {}
    assert scratch.alloc(Around, number=1).to_tuple() == (1, [(), (), ()])
    for values in (3, [made], b""):
        with pytest.raises(TypeError, match="Empty has no bytes, so its elements would have one"):
            scratch.alloc_array(Empty, values)


def test_structures_in_structures_many_times(scratch: Arena, heap: HeapManager) -> None:
    kind: Any = int32
    for depth in range(50):
        kind = declare(f"Level{depth}", inner=kind)
    made: Any = scratch.alloc(kind)
    innermost = made
    for _ in range(49):
        innermost = innermost.inner
    innermost.inner = 7
    value: Any = heap.read(kind, made.address).to_tuple()
    for _ in range(50):
        (value,) = value
    assert value == 7
    assert "inner." * 49 + "inner=7" in emheap.hexdump(made)


class Flags(Struct):
    low: int = bits(uint8, 3)
    high: int = bits(uint8, 5)


class Board(Struct):
    cells: Array[Flags] = array(2, 3)
    last: Array[Flags] = array(2)


def test_bit_fields_in_arrays_of_two_dimensions(scratch: Arena) -> None:
    board = scratch.alloc(Board, cells=[[(0, n) for n in range(3)]] * 2)
    board.cells[1, 2].high = 31
    board.cells[0, 0].low = 7
    board.last = [(1, 2), {"low": 3, "high": 4}]
    expected = ([(7, 0), (0, 1), (0, 2), (0, 0), (0, 1), (0, 31)], [(1, 2), (3, 4)])
    assert board.to_tuple() == expected
    boards = scratch.alloc_array(Board, [board, board])
    boards[0].cells[0, 0].low = 0
    assert boards[1].read().to_tuple() == expected


class Tight(Struct, pack=1):
    tag: uint8
    count: int32
    total: int64 = field()


@pytest.mark.needs("atomics")
def test_a_packed_field_is_no_place_for_atomics(scratch: Arena) -> None:
    tight = scratch.alloc(Tight, tag=1, count=5)
    assert tight.field_ref(Tight.tag).atomic.add(1) == 1
    for each in (Tight.count, Tight.total):
        with pytest.raises(
            MisalignedError, match=r"an atomic change of int(32|64) needs an address"
        ):
            tight.field_ref(each).atomic.add(1)
    assert tight.to_tuple() == (2, 5, 0)


class Chain(Struct, Generic[T]):
    """One that is generic to type checkers alone."""

    number: int32
    next: Pointer[Chain[T]] = field()


class Owner(Struct):
    chain: Chain[int]


def test_a_generic_structure_is_one_at_run_time(scratch: Arena) -> None:
    chain: Any = scratch.alloc(Chain, number=1)
    chain.next = chain
    assert chain.next.target.number == 1
    assert Owner(chain=chain.read()).chain.number == 1
    pointer: Any = Pointer[Chain[str]]
    assert scratch.alloc(pointer, chain).value.target == chain
