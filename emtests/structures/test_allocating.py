"""Structures, pointers and arrays of both by the verbs of a heap, once and again."""

from __future__ import annotations

from typing import Any

import pytest

import emheap
from emheap import (
    Pointer,
    ShapeError,
    Struct,
    UseAfterFreeError,
    ValueOutOfRangeError,
    bits,
    field,
    int32,
    stored,
    uint8,
    uint16,
    utf8,
)
from emtests.conftest import OpenHeap
from emtests.structures.kinds import Color, Message, Node, Number, Pixel, Vec

# The first structure of a kind finds out what the later ones know.


class Holder(Struct):
    """Two pointers: to a structure, and to bytes."""

    vec: Pointer[Vec] = field()
    data: Pointer[uint8] = field()


def test_structures_are_allocated_alike_each_time(heap: Any) -> None:
    vecs = [heap.alloc(Vec, x=number, y=0.5) for number in range(5)]
    assert [vec.to_tuple() for vec in vecs] == [(number, 0.5) for number in range(5)]
    assert len({vec.address for vec in vecs}) == 5
    assert heap.total_allocated_byte_size == 5 * 8
    for vec in vecs:
        vec.free()
    again = [heap.alloc(Vec, x=7, y=number) for number in range(5)]
    assert [vec.to_tuple() for vec in again] == [(7, number) for number in range(5)]
    with pytest.raises(UseAfterFreeError, match=r"the Vec .* allocated at .*test_allocating\.py"):
        _ = vecs[3].x
    for vec in again:
        vec.free()
    assert heap.total_allocated_byte_size == 0


def test_defaults_each_time(heap: Any) -> None:
    pixels = [heap.alloc(Pixel, r=1, g=2, b=3, **given) for given in ({}, {"a": 4}, {}, {"a": 0})]
    assert [pixel.a for pixel in pixels] == [255, 4, 255, 0]
    for pixel in pixels:
        pixel.free()


class Defaults(Struct):
    """One for each kind of field that can have one."""

    plain: uint16 = field(default=7)
    nested: Vec = field(default=(1, 2))
    low: int = bits(uint8, 3, default=5)
    on: bool = bits(uint8, 1, default=True)
    color: Color = stored(uint8, default=Color.BLUE)
    to: Pointer[Vec] = field(default=64)
    zero: uint16 = field()


def test_every_kind_of_field_may_be_left_out_that_has_a_default(heap: Any) -> None:
    defaults = {"plain": 7, "low": 5, "on": True, "color": Color.BLUE, "zero": 0}
    for number in range(3):
        with heap.alloc(Defaults, zero=number) as made:
            given = {**defaults, "zero": number}
            assert {name: getattr(made, name) for name in given} == given
            assert (made.nested.to_tuple(), made.to.address) == ((1, 2), 64)
            assert Defaults(zero=number) == made
            made.write({"plain": 8})
            assert (made.plain, made.nested.to_tuple(), made.low, made.zero) == (8, (1, 2), 5, 0)


WRONG: tuple[tuple[dict[str, Any], type[Exception], str], ...] = (
    ({"x": 1e39, "y": 2}, ValueOutOfRangeError, r"Vec\.x: 1e\+39 does not fit float32"),
    ({"x": 1, "y": "2"}, TypeError, r"Vec\.y: float32 takes a float, not str '2'"),
    ({"x": 1}, TypeError, "Vec is not given y"),
    ({"x": 1, "y": 2, "z": 3}, TypeError, "Vec has no field 'z'; its fields are x, y"),
    ({"x": 1, "y": 2, "align": 8}, TypeError, r"no field 'align'; .*: class Vec\(Struct, align="),
)


@pytest.mark.parametrize(("fields", "error", "words"), WRONG)
def test_a_wrong_value_takes_no_block(
    heap: Any, fields: dict[str, Any], error: type[Exception], words: str
) -> None:
    first = heap.alloc(Vec, x=1, y=2)
    second = heap.alloc(Vec, x=3, y=4)
    second.free()  # its block is the next one's
    for _ in range(2):
        with pytest.raises(error, match=words):
            heap.alloc(Vec, **fields)
    assert heap.total_allocated_byte_size == 8
    with heap.alloc(Vec, x=5, y=6) as third, heap.alloc(Vec, x=7, y=8) as fourth:
        assert third.address != fourth.address
        assert (third.to_tuple(), fourth.to_tuple()) == ((5, 6), (7, 8))
    assert first.to_tuple() == (1, 2)
    first.free()


def test_none_is_no_number(heap: Any) -> None:
    with heap.alloc(Node, id=1) as node, heap.alloc(Pixel, r=1, g=2, b=3) as pixel:
        for use in (
            lambda: heap.alloc(Pixel, r=1, g=2, b=3, a=None),
            lambda: Pixel(r=None, g=2, b=3),  # type: ignore[arg-type]
            lambda: pixel.write((1, 2, 3, None)),
            lambda: heap.write(Pixel, pixel.address, {"r": 1, "g": 2, "b": None}),
            lambda: heap.alloc(Node, id=2, at=None),
            lambda: heap.alloc(Node, id=2, pos=None),
            lambda: heap.alloc(Node, id=2, label=None),
        ):
            with pytest.raises(TypeError, match="None"):
                use()
        assert pixel.to_tuple() == (1, 2, 3, 255)
        node.next = None  # a null pointer
        with heap.alloc(Node, id=2, next=None) as other:
            assert other.next.get() is None


def test_an_array_in_a_structure_has_its_length(heap: Any) -> None:
    with heap.alloc(Node, id=1, pos=[1, 2]) as node:
        with pytest.raises(
            ShapeError, match=r"Node.pos: an array of 2 elements takes as many, not 3"
        ):
            node.pos = [1, 2, 3]
        with pytest.raises(
            ShapeError, match=r"Node.pos: an array of 2 elements takes as many, not 1"
        ):
            heap.alloc(Node, id=1, pos=[1])
        assert node.pos[:] == [1, 2]


def test_numbers_of_every_kind_are_taken_each_time(heap: Any) -> None:
    for given, expected in ((True, 1.0), (3, 3.0), (2.5, 2.5)):
        with heap.alloc(Vec, x=given, y=given) as vec:
            assert vec.to_tuple() == (expected, expected)
        with heap.alloc(Vec, x=given, y=given) as vec:
            assert vec.to_tuple() == (expected, expected)


def test_structures_where_garbage_is_collected(open_heap: OpenHeap) -> None:
    heap = open_heap(enable_garbage_collection=True)
    vecs = [heap.alloc(Vec, x=number, y=0) for number in range(3)]
    assert heap.total_allocated_byte_size == 24
    found: Any
    [found] = [ref for ref in heap.allocated_heap_refs if ref.address == vecs[1].address]
    address = vecs[1].address
    del vecs
    assert found.x == 1
    assert heap.total_allocated_byte_size == 8
    assert found.address == address
    del found
    assert heap.total_allocated_byte_size == 0


def test_the_site_of_a_call_far_down_in_a_long_function(heap: Any) -> None:
    lines = [f"    x{number} = number + {number}" for number in range(300)]
    source = "\n".join(["def make(heap, number):", *lines, "    return heap.alloc(Vec, x=1, y=2)"])
    space: dict[str, Any] = {"Vec": Vec}
    exec(compile(source, "long.py", "exec"), space)
    for _ in range(3):
        made = space["make"](heap, 0)
        made.free()
        with pytest.raises(UseAfterFreeError, match=r"allocated at long\.py:302 in make"):
            _ = made.x


# Unions and flexible arrays


def test_unions_each_time(heap: Any) -> None:
    for number in range(3):
        with heap.alloc(Number, as_int=number) as made:
            assert made.as_int == number


def test_flexible_arrays_each_time(heap: Any) -> None:
    for count in range(4):
        with heap.alloc(Message, count=count, items=range(count)) as message:
            assert list(message.items) == list(range(count))
            assert message.allocated_byte_size == 2 + 2 * count


# Pointers


class Painted(Struct):
    color: Color = stored(uint8)
    to: Pointer[int32] = field()


def test_what_c_has_put_into_an_enumeration_is_copied_as_it_is(heap: Any) -> None:
    with heap.alloc(Painted) as painted, heap.alloc_array(Painted, 2) as row:
        painted.to = row.address
        with pytest.raises(ValueError, match=r"Painted\.color holds 0, which is no Color"):
            _ = painted.color
        row[1] = painted
        row[:1] = [painted]
        assert bytes(row) == bytes(painted) * 2
        assert row[1].to.address == row.address


def test_a_pointer_of_its_own(heap: Any) -> None:
    with heap.alloc(Vec, x=1, y=2) as vec, heap.alloc(Pointer[Vec], vec) as place:
        assert heap.read(Pointer[Vec], place.address).target.y == 2
        heap.write(Pointer[Vec], place.address, None)
        assert not place.value
        heap.write(Pointer[Vec], place.address, vec)
        assert place.value.target == vec
        borrowed = heap.wrap(Pointer[Vec], place.address)
        borrowed.value = None
        assert not place.value
        with pytest.raises(TypeError, match=r"Pointer\[Vec\].* takes a reference"):
            heap.write(Pointer[Vec], place.address, 1.5)
        with pytest.raises(TypeError, match=r"a new Pointer\[Vec\] takes no x besides"):
            heap.alloc(Pointer[Vec], vec, x=1)


def test_arrays_of_pointers(heap: Any) -> None:
    with heap.alloc(Vec, x=1, y=2) as vec, heap.alloc_array(Pointer[Vec], 3) as places:
        assert [bool(pointer) for pointer in places] == [False] * 3
        places[1] = vec
        places[2:] = [vec]
        borrowed = heap.wrap_array(Pointer[Vec], places.address, 3)
        assert [pointer.address for pointer in borrowed] == [0, vec.address, vec.address]
        with pytest.raises(TypeError, match="stride is for arrays of structures"):
            heap.wrap_array(Pointer[Vec], places.address, 3, stride=16)


def test_an_array_of_structures_has_the_alignment_of_its_class(heap: Any) -> None:
    words = (
        r"align is an option of the class statement of a structure: class Vec\(Struct, align=16\)"
    )
    with pytest.raises(TypeError, match=words):
        heap.alloc_array(Vec, 2, align=16)


def test_a_pointer_to_anything_says_so(scratch: Any) -> None:
    holder = scratch.alloc(Holder, vec=scratch.alloc(Vec, x=1, y=2))
    anything = holder.vec.cast(Pointer[Any])
    uses: tuple[Any, ...] = (
        lambda: anything.target,
        lambda: anything[1],
        lambda: anything.array(2),
        lambda: anything.__setitem__(0, 5),
    )
    for use in uses:
        with pytest.raises(TypeError, match=r"a pointer to anything: say what it points to, by p"):
            use()
    with pytest.raises(TypeError, match=r"cast\(\) takes a kind such as Pointer\[uint8\], not Vec"):
        anything.cast(Vec)


def test_what_a_pointer_points_to_is_stored(scratch: Any) -> None:
    vecs = scratch.alloc_array(Vec, 3)
    holder = scratch.alloc(Holder, vec=vecs[0], data=scratch.alloc_array(uint8, 4))
    holder.vec[2] = (5, 6)
    assert vecs[2].to_tuple() == (5, 6)
    holder.data[3] = 77
    assert holder.data.array(4)[3] == 77
    chain = scratch.alloc(Pointer[Pointer[Vec]], scratch.alloc(Pointer[Vec])).value
    chain[0] = vecs[1]
    assert chain.target.address == vecs[1].address
    chain[0] = None
    assert not chain.target


def test_a_text_behind_a_pointer_is_read_and_not_replaced(scratch: Any) -> None:
    class Named(Struct):
        name: Pointer[utf8] = field()

    named = scratch.alloc(Named, name=scratch.alloc(utf8, "hello"))
    assert named.name.target == "hello"
    assert named.name[1] == "ello"
    with pytest.raises(
        TypeError, match=r"what a Pointer\[utf8\] points to is not replaced in place"
    ):
        named.name[0] = "other"


def test_structures_that_c_allocated(heap: Any) -> None:
    one = heap.adopt(Vec, heap.alloc(Vec, x=1, y=2).detach())
    assert one.to_tuple() == (1, 2)
    place = heap.adopt(Pointer[Vec], heap.alloc(Pointer[Vec], one).detach())
    assert place.value.target == one
    several = heap.adopt(Vec, heap.alloc_array(Vec, [(1, 2), (3, 4)]).detach(), 2)
    assert several.tolist() == [(1, 2), (3, 4)]
    links = heap.adopt(Pointer[Vec], heap.alloc_array(Pointer[Vec], [one, None]).detach(), 2)
    assert (links[0].target, links[1].get(), len(links)) == (one, None, 2)
    for ref in (one, place, several, links):
        ref.free()
    assert heap.total_allocated_byte_size == 0


def test_hash_and_equality_of_pointers(scratch: Any) -> None:
    vec = scratch.alloc(Vec, x=1, y=2)
    first, second = scratch.alloc(Holder, vec=vec), scratch.alloc(Holder, vec=vec)
    assert first.vec == second.vec == vec
    assert first.vec != vec.address
    assert first.vec == first.vec.cast(Pointer[uint8])  # of whatever kind
    assert len({first.vec, second.vec, first.vec.cast(Pointer[uint8])}) == 1
    assert [bool(pointer) for pointer in (first.vec, scratch.alloc(Holder).vec)] == [True, False]
    assert first.vec != "text"
    assert first.vec != scratch.alloc(Vec)


def test_a_value_is_on_no_heap(heap: Any) -> None:
    value = Holder()
    assert not value.vec
    with heap.alloc(Vec) as vec:
        value.vec = vec.address
        with pytest.raises(
            emheap.NotAllocatedError, match="is in a structure on no heap, so what it"
        ):
            _ = value.vec.target
        value.vec = 0


def test_numbers_take_no_fields(heap: Any) -> None:
    with pytest.raises(TypeError, match="a new int32 takes no x, y"):
        heap.alloc(int32, x=1, y=2)
