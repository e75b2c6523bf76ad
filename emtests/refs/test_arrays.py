"""Arrays are mutable sequences of fixed length."""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

import emheap
from emheap import (
    Arena,
    ArrayRef,
    HeapManager,
    OutOfBoundsError,
    Pointer,
    Scalar,
    clamped_uint8,
    float64,
    int32,
    uint8,
)
from emtests.heaps import HeapKind
from emtests.structures.kinds import Vec
from emtests.types.values import ALL_NUMBERS, FLOATS, SCALARS, boundary_values, packed


def test_elements_lie_one_after_the_other(heap: HeapManager) -> None:
    for scalar in ALL_NUMBERS:
        values = [*boundary_values(scalar), 0, 1]
        with heap.alloc_array(scalar, values) as ref:
            assert bytes(ref) == b"".join(packed(scalar, value) for value in values)
            assert list(ref) == ref.tolist() == ref[:] == values
            assert len(ref) == ref.element_count == len(values)
            assert ref.bytes_per_element == scalar.size
            assert ref.allocated_byte_size == len(values) * scalar.size
            assert ref.kind is scalar
            for index, value in enumerate(values):
                for place in (index, index - len(values)):
                    assert ref[place] == ref.read_at(place) == value
                assert heap.read(scalar, ref.address + index * scalar.size) == value
            assert type(ref[0]) is (float if scalar in FLOATS else int)


def test_a_count_gives_zeros(heap: HeapManager) -> None:
    for scalar in ALL_NUMBERS:
        for count in (0, 1, 5, 300):
            with heap.alloc_array(scalar, count) as ref:
                assert ref.tolist() == [0] * count
                assert bytes(ref) == bytes(count * scalar.size)
                assert ref.address % scalar.alignment == 0


def test_a_count_is_asked_for_once(heap: HeapManager) -> None:
    class Changing:
        """A number that is another one each time."""

        asked = 0

        def __index__(self) -> int:
            self.asked += 1
            return self.asked

    untyped: Any = heap
    for kind in (int32, Vec, Pointer[int32]):
        with untyped.alloc_array(kind, Changing()) as ref:
            assert len(ref) == 1


def test_the_flat_names_allocate_and_wrap_the_same(heap: HeapManager) -> None:
    flat: Any = heap
    for scalar in SCALARS:
        with getattr(flat, f"alloc_{scalar.name}_array")([1, 2, 3]) as ref:
            assert ref.kind is scalar
            assert ref.tolist() == [1, 2, 3]
            wrapped = getattr(flat, f"wrap_{scalar.name}_array")(ref.address, 2)
            assert wrapped.tolist() == heap.wrap_array(scalar, ref.address, 2).tolist() == [1, 2]
            with getattr(flat, f"view_{scalar.name}_array")(ref.address, 3) as view:
                assert view.tolist() == [1, 2, 3]
        with getattr(flat, f"alloc_{scalar.name}_array")(4) as ref:
            assert ref.tolist() == [0, 0, 0, 0]


def test_items_are_set_by_index(scratch: Arena) -> None:
    for scalar in ALL_NUMBERS:
        ref = scratch.alloc_array(scalar, 4)
        expected: list[Any] = [0, 0, 0, 0]
        for value in boundary_values(scalar):
            for index in (0, 3, -1, -4, 1):
                ref[index] = value
                expected[index] = value
                ref.write_at(index, value)
                assert ref.tolist() == expected
                assert bytes(ref) == b"".join(packed(scalar, each) for each in expected)


class Index:
    """What stands for an integer, as numpy's do: an index of this kind is checked by us."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


def test_an_index_may_be_anything_that_stands_for_an_integer(scratch: Arena) -> None:
    ref: Any = scratch.alloc_array(int32, [10, 20, 30])
    for value in range(-3, 3):
        ref.write_at(Index(value), 5)
        assert ref.tolist()[value] == ref[Index(value)] == ref.read_at(Index(value)) == 5
        ref[Index(value)] = 7 + value
        assert ref.tolist()[value] == ref.read_at(Index(value)) == 7 + value
    before = ref.tolist()
    for value in (-4, 3, 1 << 70, -(1 << 70)):
        for use in (ref.read_at, ref.__getitem__, partial(ref.write_at, value=1)):
            with pytest.raises(OutOfBoundsError, match=f"index {value} is outside the 3 elements"):
                use(Index(value))
    assert ref.tolist() == before


def test_one_element_is_not_read_or_written_by_a_slice(heap: HeapManager) -> None:
    with heap.alloc_array(int32, [1, 2, 3]) as ref:
        wild: Any = ref
        for index in (slice(0, 2), slice(None), (0, 1), 1.0, None, [0]):
            with pytest.raises(TypeError, match="index must be an int, not"):
                wild.read_at(index)
            for value in (7, array("i", [7, 7]), [7, 7]):
                with pytest.raises(TypeError, match="index must be an int, not"):
                    wild.write_at(index, value)
        assert ref.tolist() == [1, 2, 3]


def test_indices_do_not_leave_the_block(heap: HeapManager, scratch: Arena) -> None:
    room = scratch.alloc_array(uint8, 128, align=16)
    for scalar in ALL_NUMBERS:
        wild: Any = heap.wrap_array(scalar, room.address + 32, 2)
        for index in (2, -3, 100, -100, 2**31, 2**32, -(2**63), 2**64):
            words = rf"index {index} is outside the 2 elements of the {scalar.name} array of "
            for access in (wild.__getitem__, wild.read_at):
                with pytest.raises(emheap.OutOfBoundsError, match=words):
                    access(index)
            for store in (wild.__setitem__, wild.write_at):
                with pytest.raises(emheap.OutOfBoundsError, match=words):
                    store(index, 1)
        wrong: tuple[Any, ...] = (None, 1.0, "1", [0], (0, 1), object(), float("nan"))
        for index in wrong:
            for call in (
                partial(wild.__getitem__, index),
                partial(wild.read_at, index),
                partial(wild.__setitem__, index, 1),
                partial(wild.write_at, index, 1),
            ):
                with pytest.raises(TypeError, match="index must be an int, not "):
                    call()
    assert not any(room)


# Slices


@pytest.mark.parametrize(
    "scalar", [uint8, int32, clamped_uint8, float64, emheap.uint128], ids=lambda kind: kind.name
)
def test_slices_are_those_of_a_list(scratch: Arena, scalar: type[Scalar[Any]]) -> None:
    source = random.Random(7)
    length = 13
    model = [source.randrange(256) for _ in range(length)]
    ref = scratch.alloc_array(scalar, model)
    bounds = (None, 0, 1, 5, 12, 13, 99, -1, -5, -13, -99, 2**70, -(2**70))
    for _ in range(600):
        step = source.choice((None, None, 1, 2, 3, -1, -2, -13, 14, 2**65))
        index = slice(source.choice(bounds), source.choice(bounds), step)
        assert ref[index] == model[index]
        values = [source.randrange(256) for _ in model[index]]
        if index.step in (None, 1):
            start, stop, _ = index.indices(length)
            model[start : max(start, stop)] = values
        else:
            model[index] = values
        ref[index] = source.choice((list, bytes, bytearray))(values)
        assert ref.tolist() == model


@pytest.mark.parametrize("scalar", [uint8, int32], ids=lambda kind: kind.name)
def test_a_slice_takes_as_many_elements_as_it_has(
    scratch: Arena, scalar: type[Scalar[Any]]
) -> None:
    ref = scratch.alloc_array(scalar, range(8))
    for index in (slice(0, 4), slice(None, None, 2), slice(7, 3, -1)):
        for values in ([1, 2, 3], [1, 2, 3, 4, 5], [], b"12345", range(40)):
            words = rf"a slice of 4 elements takes as many, not {len(values)}: "
            with pytest.raises(ValueError, match=words):
                ref[index] = values
            assert ref.tolist() == list(range(8))
    with pytest.raises(ValueError, match="slice step cannot be zero"):
        _ = ref[::0]
    wild: Any = "a"
    with pytest.raises(TypeError, match="slice indices must be integers"):
        _ = ref[wild:]
    ref[3:3] = []
    ref[5:2] = ()
    assert ref.tolist() == list(range(8))


def test_a_failed_slice_assignment_changes_nothing(scratch: Arena) -> None:
    ref = scratch.alloc_array(uint8, range(6))
    for index in (slice(None), slice(None, None, -1), slice(0, 6, 1)):
        for values, words in (
            ([9, 9, 9, 9, 9, 256], "element 5: 256 does not fit uint8, which holds 0 to 255"),
            ([9, -1, 9, 9, 9, 300], "element 1: -1 does not fit uint8"),
            ([9, 9, 9, 1.5, 9, 9], "element 3: uint8 takes an int, not float 1.5"),
            ([9, None, 9, 9, 9, 9], "element 1: uint8 takes an int, not NoneType None"),
        ):
            wild: Any = values
            with pytest.raises((OverflowError, TypeError), match=words):
                ref[index] = wild
            assert ref.tolist() == list(range(6))

    def raising() -> Any:
        yield from (9, 9, 9)
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        ref[:] = raising()
    assert ref.tolist() == list(range(6))


def test_overlapping_slices_of_itself(heap: HeapManager, scratch: Arena) -> None:
    scalars: tuple[type[Scalar[int]], ...] = (uint8, int32, clamped_uint8, emheap.pointer53)
    for scalar in scalars:
        ref = scratch.alloc_array(scalar, range(10))
        ref[2:10] = ref[0:8]
        assert ref.tolist() == [0, 1, 0, 1, 2, 3, 4, 5, 6, 7]
        ref[:] = range(10)
        with heap.view(scalar, ref.address, 8) as view:
            ref[2:10] = view
        assert ref.tolist() == [0, 1, 0, 1, 2, 3, 4, 5, 6, 7]
        ref[:] = range(10)
        ref[0:8] = heap.wrap_array(scalar, ref.address + 2 * scalar.size, 8)
        assert ref.tolist() == [2, 3, 4, 5, 6, 7, 8, 9, 8, 9]
        ref[:] = range(10)
        ref[:] = ref
        ref[::-1] = ref
        assert ref.tolist() == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]


# As objects


def test_it_is_a_sequence(scratch: Arena) -> None:
    ref = scratch.alloc_array(int32, [3, 1, 4, 1, 5])
    assert isinstance(ref, Sequence)
    assert (4 in ref, 9 in ref, ref.index(4), ref.count(1)) == (True, False, 2, 2)
    assert (ref.index(1), ref.index(1, 2), ref.index(1, -4, -1)) == (1, 3, 1)
    for bounds in ((2, 3), (4,)):
        words = r"^1 is not in the int32 array of 20 bytes at 0x.*allocated at "
        with pytest.raises(ValueError, match=words):
            ref.index(1, *bounds)
    assert list(reversed(ref)) == [5, 1, 4, 1, 3]
    assert sum(ref) == 14
    assert (min(ref), max(ref), sorted(ref)) == (1, 5, [1, 1, 3, 4, 5])
    assert 9 not in ref


def test_no_array_equals_a_view_of_no_dimensions(heap: HeapManager, scratch: Arena) -> None:
    view = memoryview(bytearray(4)).cast("i", ())
    for ref in (scratch.alloc_array(int32, 1), scratch.alloc_array(int32, 0)):
        assert ref != view


def test_no_array_equals_a_view_that_was_released(heap: HeapManager, scratch: Arena) -> None:
    view = memoryview(bytearray(12)).cast("i")
    array = heap.alloc_array(int32, 3)
    assert array == view
    view.release()
    assert array != view
    assert scratch.alloc_array(Vec, 3) != view
    array.free()
    with pytest.raises(emheap.UseAfterFreeError):
        assert array != view


def test_equality_is_that_of_the_elements(kind: HeapKind, scratch: Arena) -> None:
    ref = scratch.alloc_array(int32, [1, 2, 3])
    with kind.open() as other_heap, other_heap.alloc_array(uint8, b"\1\2\3") as other:
        assert ref == other
        other[0] = 9
        assert ref != other
    for equal in ([1, 2, 3], (1, 2, 3), range(1, 4)):
        assert ref == equal
        assert equal == ref
    for equal_bytes in (b"\1\2\3", bytearray(b"\1\2\3"), memoryview(b"\1\2\3")):
        assert ref == equal_bytes
    for different in ([1, 2], [1, 2, 4], [1, 2, 3, 4], b"", "123", None, 5, {1, 2, 3}):
        assert ref != different
    with pytest.raises(TypeError, match="unhashable"):
        hash(ref)


def test_clear_sets_all_bytes_to_zero(heap: HeapManager, scratch: Arena) -> None:
    room = scratch.alloc_array(uint8, b"\xff" * 64, align=8)
    middle = heap.wrap_array(float64, room.address + 16, 3)
    middle.clear()
    assert bytes(room) == b"\xff" * 16 + bytes(24) + b"\xff" * 24
    heap.wrap_array(float64, room.address, 0).clear()
    assert bytes(room) == b"\xff" * 16 + bytes(24) + b"\xff" * 24


@pytest.mark.needs("bounds", "raw addresses")
def test_no_elements_at_the_very_end_of_the_memory(heap: HeapManager) -> None:
    nothing = heap.wrap_array(uint8, heap.memory.size, 0)
    nothing.clear()
    assert (nothing.tolist(), bytes(nothing), len(nothing.view)) == ([], b"", 0)


def test_an_empty_array_lives_and_dies(heap: HeapManager) -> None:
    for scalar in ALL_NUMBERS:
        ref = heap.alloc_array(scalar, [])
        assert (len(ref), ref.tolist(), ref[:], bytes(ref), ref == []) == (0, [], [], b"", True)
        assert ref.allocated_byte_size == 0
        assert len(ref.view) == len(ref.allocated_bytes_view) == 0
        ref[:] = []
        ref.clear()
        for index in (0, -1):
            with pytest.raises(emheap.OutOfBoundsError, match="outside the 0 elements"):
                _ = ref[index]
        assert ref.is_not_freed
        ref.free()
        assert ref.is_freed


def test_repr_tells_type_length_address_and_owner(heap: HeapManager) -> None:
    ref = heap.alloc_array(float64, 12)
    assert repr(ref) == f"<ArrayRef float64 of 12 elements at 0x{ref.address:x} owned>"
    wrapped: ArrayRef[float] = heap.wrap_array(float64, ref.address, 3)
    assert repr(wrapped) == f"<ArrayRef float64 of 3 elements at 0x{ref.address:x} borrowed>"
    ref.free()
    assert repr(ref) == f"<ArrayRef float64 at 0x{ref.address:x} freed>"


def test_what_resizing_adds_is_0_where_blocks_are_not_cleared(open_heap: Any) -> None:
    heap = open_heap(clear_allocated_regions=False)
    heap.alloc_array(uint8, b"\xff" * 64).free()
    with heap.alloc_array(uint8, b"\1" * 4) as array:
        array.resize(64)
        assert bytes(array) == b"\1" * 4 + bytes(60)
