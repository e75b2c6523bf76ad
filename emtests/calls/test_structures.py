"""Structures by value and by address, pointers, and function pointers in structures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import emheap
from emheap import (
    BufferInUseError,
    Function,
    HeapManager,
    Library,
    NotAllocatedError,
    NotSupportedError,
    NullPointerError,
    Pointer,
    Struct,
    UseAfterFreeError,
    c,
    int32,
)
from emheap.calls.system_v import IS_SYSTEM_V
from emtests.calls.declared import (
    Big,
    Either,
    FewBits,
    Machine,
    One,
    Only,
    Padded,
    PaddedShapes,
    Pointing,
    RowOfOne,
    RowOfTwo,
    Segment,
    Shapes,
    Structures,
    UnlikeShapes,
    Value,
    Vec,
    Wrapped,
)
from emtests.calls.ways import Way
from emtests.conftest import skip_for_gap


@pytest.fixture
def library(way: Way, c_heap: HeapManager) -> Structures:
    return way.bind(Structures, c_heap)


def test_structures_by_value(library: Structures, c_heap: HeapManager) -> None:
    assert library.length_squared(Vec(x=3, y=4)) == 25
    with c_heap.alloc(Vec, x=1, y=2) as vec:
        turned = library.turned(vec)
        assert turned == Vec(x=-2, y=1)
        assert vec == Vec(x=1, y=2)  # the function wrote to its copy
        turned.x = 5  # a value, which nobody has to free
    assert library.sum_big(Big(a=0.5, b=-1, c=2**40)) == 0.5 - 1 + 2**40
    assert library.make_big(1.5, 7) == Big(a=1.5, b=7, c=2**40)
    there = Segment(start=Vec(x=1, y=2), end=Vec(x=3, y=4))
    back = library.reversed(there)
    assert (back.start, back.end) == (there.end, there.start)
    assert c_heap.total_allocated_byte_size == 0


def test_a_structure_of_one_number(library: Structures, c_heap: HeapManager) -> None:
    assert library.unwrap(One(only=41)) == 41
    assert library.wrap_one(41) == One(only=42)
    with c_heap.alloc(One, only=-7) as one:
        assert library.unwrap(one) == -7


def test_structures_of_every_shape(way: Way, c_heap: HeapManager) -> None:
    """As the compiler passes them: one that is a single number goes as that number in
    WebAssembly, however deep it lies, and any other by the address of a copy."""
    shapes = way.bind(Shapes, c_heap)
    assert shapes.wrapped(Wrapped(inner=Value(value=1.5))).inner.value == 3
    assert shapes.row_of_one(RowOfOne(row=[21])).row[:] == [42]
    assert shapes.row_of_two(RowOfTwo(row=[1, 2])).row[:] == [2, 1]
    with c_heap.alloc_array(int32, [5, 6]) as numbers:
        there = shapes.pointing(Pointing(place=numbers))
        assert there.place.address == numbers.address + 4
    assert c_heap.total_allocated_byte_size == 0


def test_shapes_that_ctypes_takes_for_others(way: Way, c_heap: HeapManager) -> None:
    if not way.is_wasm and not IS_SYSTEM_V:
        skip_for_gap("unions and bit-fields by value", "ctypes has them on no such machine")
    assert way.bind(PaddedShapes, c_heap).padded(Padded(value=-3)).value == -2
    shapes = way.bind(UnlikeShapes, c_heap)
    assert shapes.few_bits(FewBits(low=6)).low == 7
    with c_heap.alloc(Either) as either:
        either.number = 41
        assert shapes.either(either).number == 42
    assert shapes.only(Only(real=3.0)).real == 1.5


def test_what_is_no_such_structure(library: Structures, c_heap: HeapManager) -> None:
    for wrong in (One(only=1), (3.0, 4.0), None, 5):
        with pytest.raises(TypeError, match=r"of length_squared\(\) \(Vec\) takes a Vec, not"):
            library.length_squared(wrong)  # type: ignore[arg-type]
    freed = c_heap.alloc(Vec, x=1, y=2)
    freed.free()
    with pytest.raises(UseAfterFreeError):
        library.length_squared(freed)


class Opaque(Struct):
    """Known by its address alone."""


class OfOpaque(Library):
    length_squared: Function[[Opaque], c.float]


def test_a_structure_without_fields_is_passed_by_address_only(
    way: Way, c_heap: HeapManager
) -> None:
    words = r"Opaque cannot be passed by value, for it has no fields; pass its address"
    with pytest.raises(NotSupportedError, match=words):
        way.bind(OfOpaque, c_heap)


def test_structures_by_address(library: Structures, c_heap: HeapManager) -> None:
    with c_heap.alloc(Vec, x=1, y=2) as vec:
        library.move(vec, 1, 1)
        assert vec.to_tuple() == (2, 3)
    with c_heap.alloc_array(Vec, [Vec(x=n, y=n) for n in range(3)]) as row:
        library.move(row[2], 1, 1)
        library.move(row, -1, -1)
        assert [each.x for each in row] == [-1, 1, 3]
    with c_heap.alloc(Segment) as segment:
        library.move(segment.end, 5, 6)
        assert segment.end.to_tuple() == (5, 6)
    with c_heap.alloc(One) as one, pytest.raises(TypeError, match=r"\(Vec \*\) does not take"):
        library.move(one, 1, 1)  # type: ignore[arg-type]
    with c_heap.alloc(Vec) as vec, c_heap.alloc(Pointer[Vec], vec) as pointer:
        library.move(pointer.value, 2, 3)
        assert vec.to_tuple() == (2, 3)
    freed = c_heap.alloc(Vec)
    freed.free()
    with pytest.raises(UseAfterFreeError):
        library.move(freed, 1, 1)


def test_pointers_that_c_hands_out(library: Structures, c_heap: HeapManager) -> None:
    def compare(a: Pointer[int32], b: Pointer[int32]) -> int:
        return a.target - b.target

    with c_heap.alloc_array(int32, [1, 3, 5, 7]) as values, c_heap.alloc(int32, 5) as key:
        found = library.search(key, values, len(values), compare)
        assert found.target == 5
        assert found[-1] == 3
        key.value = 6
        missing = library.search(key, values, len(values), compare)
        assert not missing
        with pytest.raises(NullPointerError):
            missing.target  # noqa: B018
    copy = library.duplicate("abc")
    assert bytes(copy.array(4)) == b"abc\0"
    assert library.search(None, None, 0, compare).get() is None
    with pytest.raises(TypeError, match=r"\(int \*\) does not take <Pointer\[uint8\].*its cast"):
        library.search(copy, None, 0, compare)
    library.release(copy)


def test_pointers_of_another_heap(library: Structures) -> None:
    other = emheap.wrap_buffer(bytearray(256))
    with other.alloc(Vec) as vec, pytest.raises(NotAllocatedError, match="of this library's heap"):
        library.move(vec, 1, 1)


def test_a_structure_cannot_be_freed_while_c_has_it(way: Way, c_heap: HeapManager) -> None:
    class Sorting(Library):
        sort: Function[
            [c.ref[One], c.size_t, c.callback[Callable[[Pointer[One], Pointer[One]], c.int]]],
            None,
        ]

    sorting = way.bind(Sorting, c_heap)
    row = c_heap.alloc_array(One, [One(only=n) for n in (3, 1, 2)])
    refused = []

    def compare(a: Pointer[One], b: Pointer[One]) -> int:
        try:
            row.free()
        except BufferInUseError as error:
            refused.append(error)
        return a.target.only - b.target.only

    sorting.sort(row, 3, compare)
    assert refused
    assert [one.only for one in row] == [1, 2, 3]
    row.free()


def test_function_pointers_in_structures(library: Structures, c_heap: HeapManager) -> None:
    step = library.function_pointer(Function[[c.int], c.int], lambda value: value + 3)
    with c_heap.alloc(Machine, state=1, step=step) as machine:
        assert library.run_machine(machine, 4) == 13
        machine.step = library.doubler()
        assert library.run_machine(machine, 2) == 52
        double = library.function_at(Function[[c.int], c.int], machine.step)
        assert double(21) == 42
    with pytest.raises(NullPointerError, match=r"^a null pointer is no function: C never set it$"):
        library.function_at(Function[[c.int], c.int], 0)
