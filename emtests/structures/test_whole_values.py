"""Structures that are stored whole: as values, tuples and mappings, with pointers and text in them,
and from one kind of heap to another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import (
    Arena,
    Array,
    CapacityError,
    Pointer,
    Struct,
    Union,
    UseAfterFreeError,
    ValueOutOfRangeError,
    array,
    bits,
    boolean,
    char,
    clamped_uint8,
    field,
    float64,
    int32,
    long,
    stored,
    uint8,
    uint32,
    uint128,
    uint256,
)
from emtests.conftest import OpenHeap
from emtests.structures.kinds import Color, Message, Node, Packed, Pixel, Vec


class Wide(Struct):
    little: uint128 = field()
    big: uint256 = field(endian="big")
    several: Array[uint128] = array(2)


class Tagged(Struct):
    tag: Array[char] = array(4)
    on: bool = stored(uint8)
    level: clamped_uint8 = field()
    flag: bool = bits(boolean, 1)


class Gray(Struct):
    level: clamped_uint8 = field()
    alpha: uint8 = field()


class Row(Struct):
    small: Array[uint8] = array(4)
    links: Array[Pointer[int32]] = array(2)


class Switch(Struct):
    color: Color = stored(uint8)
    on: bool = stored(uint8)


class Link(Struct):
    to: Pointer[int32] = field()


class Links(Struct):
    first: Link = field()
    several: Array[Pointer[int32]] = array(2)
    nested: Array[Link] = array(2)


class Swapped(Struct, endian="big"):
    """As a machine of the other byte order has it; this one can still follow its pointers."""

    link: Pointer[int32] = field()
    inner: Link = field()


class Machine(Struct):
    """Its layout differs from machine to machine."""

    count: long = field()
    vec: Vec = field()
    link: Pointer[Vec] = field()


class Either(Union):
    count: long = field()
    byte: uint8 = field()


class Same(Union):
    number: uint32 = field()
    byte: uint8 = field()


class Crowded(Struct, pack=1):
    tag: uint8 = field()
    link: Pointer[int32] = field()
    vecs: Array[Vec] = array(2)


def test_fields_that_are_converted_are_so_in_whole_values(scratch: Arena) -> None:
    switches = scratch.alloc_array(Switch, [(Color.BLUE, True), Switch(color=Color.RED, on=False)])
    assert bytes(switches) == b"\2\1\1\0"
    assert switches[0].to_tuple() == (Color.BLUE, True)
    assert switches.tolist() == [(Color.BLUE, True), (Color.RED, False)]
    assert type(switches[1].to_tuple()[1]) is bool


# Numbers of other kinds


def test_integers_of_16_and_32_bytes(scratch: Any) -> None:
    wide = scratch.alloc(Wide, little=2**127 + 1, big=5, several=[1, 2**128 - 1])
    assert (wide.little, wide.big, list(wide.several)) == (2**127 + 1, 5, [1, 2**128 - 1])
    assert bytes(wide)[:16] == (2**127 + 1).to_bytes(16, "little")
    assert bytes(wide)[16:48] == (5).to_bytes(32, "big")
    wide.little, wide.big = 3, 2**255
    assert wide.to_tuple() == (3, 2**255, [1, 2**128 - 1])
    assert wide == Wide(little=3, big=2**255, several=[1, 2**128 - 1])
    before = bytes(wide)
    with pytest.raises(ValueOutOfRangeError, match=r"Wide\.big: .* does not fit uint256"):
        wide.big = 2**256
    with pytest.raises(ValueOutOfRangeError, match=r"Wide\.little: -1 does not fit uint128"):
        scratch.alloc(Wide, little=-1)
    assert bytes(wide) == before


@pytest.mark.needs("numpy")
def test_bools_of_numpy_are_bools(scratch: Any) -> None:
    import numpy

    tagged = scratch.alloc(Tagged, tag=b"ab", on=numpy.True_, level=3, flag=numpy.True_)
    assert (tagged.on, tagged.flag) == (True, True)
    tagged.on = tagged.flag = numpy.array(False)
    assert (tagged.on, tagged.flag) == (False, False)
    with pytest.raises(TypeError, match=r"Tagged\.flag: it takes a bool, not int64"):
        tagged.flag = numpy.int64(2)


def test_clamped_numbers_beside_plain_ones(scratch: Any) -> None:
    gray = scratch.alloc(Gray, level=300, alpha=7)
    assert (bytes(gray), gray.to_tuple()) == (b"\xff\7", (255, 7))
    gray.write((-5, 8))
    assert bytes(gray) == b"\0\x08"
    assert bytes(scratch.alloc_array(Gray, [(1.5, 2), (2.5, 3)])) == b"\2\2\2\3"
    assert Gray(level=1000, alpha=1).level == 255


@pytest.mark.parametrize(
    ("name", "values", "count"),
    [("small", [1] * 3, 4), ("small", b"12345", 4), ("links", [None], 2), ("links", [None] * 3, 2)],
)
def test_an_array_takes_as_many_elements_as_it_has(
    scratch: Any, name: str, values: Any, count: int
) -> None:
    message = rf"Row\.{name}: an array of {count} elements takes as many, not {len(values)}"
    row = scratch.alloc(Row, small=[1, 2, 3, 4])
    before = bytes(row)
    with pytest.raises(emheap.ShapeError, match=message):
        scratch.alloc(Row, **{name: values})
    with pytest.raises(emheap.ShapeError, match=message):
        setattr(row, name, values)
    assert bytes(row) == before


def test_bytes_bools_and_clamped_numbers(scratch: Any) -> None:
    tagged = scratch.alloc(Tagged, tag=b"ab", on=True, level=300, flag=True)
    assert bytes(tagged)[:6] == b"ab\0\0\1\xff"
    assert (tagged.on, tagged.level, tagged.flag) == (True, 255, True)
    tagged.on, tagged.level, tagged.flag = False, -5, False
    assert (tagged.on, tagged.level, tagged.flag) == (False, 0, False)
    tagged.tag = b"wxyz"
    assert list(tagged.tag) == [b"w", b"x", b"y", b"z"]
    for wrong in (b"abcde", "ab"):
        with pytest.raises((TypeError, ValueError), match=r"Tagged\.tag: "):
            tagged.tag = wrong
    for name in ("on", "flag"):
        with pytest.raises(TypeError, match=rf"Tagged\.{name}: it takes a bool, not int 2"):
            setattr(tagged, name, 2)
    assert type(tagged.on) is bool


# Text


def test_a_text_that_does_not_fit_its_field(heap: Any) -> None:
    words = r"Node\.label: a string of 9 bytes with its terminator does not fit its 8 bytes"
    with pytest.raises(CapacityError, match=words):
        heap.alloc(Node, id=1, label="12345678")
    assert heap.total_allocated_byte_size == 0


def test_a_string_of_another_structure_is_copied(scratch: Any) -> None:
    first = scratch.alloc(Node, id=1, label="first")
    second = scratch.alloc(Node, id=2, label=first.label)
    first.label = "other"
    assert second.label.value == "first"


# What is taken for a structure


def test_another_kind_of_structure_is_refused(heap: Any) -> None:
    with heap.alloc(Pixel, r=1, g=2, b=3) as pixel:
        uses: tuple[Any, ...] = (
            lambda: heap.alloc(Vec, pixel),
            lambda: heap.alloc(Vec, Pixel(r=1, g=2, b=3)),
            lambda: heap.alloc_array(Vec, [pixel]),
        )
        for use in uses:
            with pytest.raises(TypeError, match=r"Vec takes another Vec, a tuple .*, not Pixel"):
                use()


def test_arrays_compare_with_sequences_of_structures(scratch: Any) -> None:
    vecs = scratch.alloc_array(Vec, [(1, 2), (3, 4)])
    assert vecs == [Vec(x=1, y=2), Vec(x=3, y=4)]
    assert vecs == vecs[:]
    assert vecs != vecs[:1]
    assert vecs != [Vec(x=1, y=2), Vec(x=3, y=5)]
    assert (vecs == "xy", vecs == b"xy", vecs == 5) == (False, False, False)
    assert vecs.element_count == len(vecs) == 2
    assert bytes(vecs.view) == bytes(vecs)


# Pointers in what is stored whole


def check_links(heap: Any, links: Any, number: Any) -> None:
    """All five pointers lead to a number, and remember it."""
    pointers = [links.first.to, *links.several, *(each.to for each in links.nested)]
    assert [pointer.target for pointer in pointers] == [7] * 5
    number.free()
    for pointer in pointers:
        with pytest.raises(UseAfterFreeError, match="use after free: the int32"):
            _ = pointer.target


def links_to(number: Any) -> dict[str, Any]:
    return {"first": (number,), "several": [number] * 2, "nested": [(number,), {"to": number}]}


def test_a_new_structure_remembers_what_its_pointers_lead_to(heap: Any) -> None:
    number = heap.alloc(int32, 7)
    with heap.alloc(Links, **links_to(number)) as links:
        check_links(heap, links, number)


def test_an_element_remembers_what_its_pointers_lead_to(heap: Any) -> None:
    number = heap.alloc(int32, 7)
    with heap.alloc_array(Links, 3) as row:
        row[1] = links_to(number)
        check_links(heap, row[1], number)
        assert not row[0].first.to


def test_a_new_array_remembers_what_its_pointers_lead_to(heap: Any) -> None:
    number = heap.alloc(int32, 7)
    with heap.alloc_array(Links, [Links(), links_to(number)]) as row:
        row.resize(5)
        assert not row[0].first.to
        check_links(heap, row[1], number)


@pytest.mark.parametrize("step", [1, 2])
def test_a_slice_remembers_what_its_pointers_lead_to(heap: Any, step: int) -> None:
    number = heap.alloc(int32, 7)
    with heap.alloc_array(Links, 4) as row:
        row[1::step] = [links_to(number)] * len(range(1, 4, step))
        assert not row[0].first.to
        check_links(heap, row[3], number)


def test_fields_remember_what_their_pointers_lead_to(heap: Any) -> None:
    number = heap.alloc(int32, 7)
    with heap.alloc(Links) as links:
        links.first = (number,)
        links.several = [number] * 2
        links.nested = [(number,)] * 2
        check_links(heap, links, number)


def test_a_whole_structure_written_in_place_remembers_too(heap: Any) -> None:
    number = heap.alloc(int32, 7)
    with heap.alloc(Links) as links:
        links.write(links_to(number))
        check_links(heap, links, number)


def test_what_is_written_at_an_address_is_remembered_by_the_block_around_it(heap: Any) -> None:
    number = heap.alloc(int32, 7)
    with heap.alloc_array(Links, 3) as row:
        heap.write(Links, row[1].address, links_to(number))
        assert not row[0].first.to
        check_links(heap, row[1], number)


STORES: dict[str, Callable[[Any, Any, int], None]] = {
    "a field": lambda heap, row, to: setattr(row[1], "first", (to,)),
    "an array field": lambda heap, row, to: setattr(row[1], "several", [to, to]),
    "structures in an array field": lambda heap, row, to: setattr(row[1], "nested", [(to,)] * 2),
    "all fields": lambda heap, row, to: row[1].write(links_to(to)),
    "an element": lambda heap, row, to: row.__setitem__(1, links_to(to)),
    "a slice": lambda heap, row, to: row.__setitem__(slice(1, 3), [links_to(to)] * 2),
    "every second": lambda heap, row, to: row.__setitem__(slice(1, 9, 2), [links_to(to)]),
    "at an address": lambda heap, row, to: heap.write(Links, row[1].address, links_to(to)),
}


@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
def test_an_address_that_is_stored_says_nothing_of_the_block_that_was_there_before(
    store: Callable[[Any, Any, int], None],
) -> None:
    """A block that was freed is at an address no more, once another one is and is stored."""
    with emheap.wrap_buffer(bytearray(8192)) as heap:
        old = heap.alloc(int32, 7)
        row: Any = heap.alloc_array(Links, [links_to(old)] * 3)
        old.free()
        new = heap.alloc(int32, 8)
        assert new.address == old.address
        store(heap, row, new.address)
        found = [row[1].first.to, *row[1].several, row[1].nested[0].to, row[1].nested[1].to]
        assert {pointer.target for pointer in found if not is_stale(pointer)} == {8}
        assert is_stale(row[0].first.to)


def is_stale(pointer: Any) -> bool:
    try:
        return pointer.target is None
    except UseAfterFreeError:
        return True


def test_what_many_pointers_mean_is_forgotten_one_structure_at_a_time(heap: Any) -> None:
    number = heap.alloc(int32, 7)
    with heap.alloc_array(Links, [links_to(number)] * 100) as row:
        row[50] = Links()
        number.free()
        assert not row[50].first.to
        assert is_stale(row[49].nested[1].to)
        assert is_stale(row[51].first.to)


def test_pointers_that_are_not_aligned(heap: Any) -> None:
    number = heap.alloc(int32, 7)
    with heap.alloc(Crowded, link=number, vecs=[(1, 2), (3, 4)]) as crowded:
        assert crowded.link.target == 7
        assert [vec.to_tuple() for vec in crowded.vecs] == [(1, 2), (3, 4)]
        crowded.vecs[1].x = 9
        crowded.vecs[0] = (5, 6)
        assert crowded.to_dict()["vecs"] == [{"x": 5, "y": 6}, {"x": 9, "y": 4}]
        crowded.link = None
        assert not crowded.link
        crowded.link = number
        number.free()
        with pytest.raises(UseAfterFreeError):
            _ = crowded.link.target


def test_pointers_in_the_other_byte_order(heap: Any) -> None:
    number = heap.alloc(int32, 7)
    with heap.alloc(Swapped, link=number, inner=(number,)) as swapped:
        assert (swapped.link.target, swapped.inner.to.target) == (7, 7)
        size = heap.pointer_size
        assert bytes(swapped)[:size] == bytes(swapped)[size:][::-1]
        before = bytes(swapped)
        swapped.link = number
        assert bytes(swapped) == before
        number.free()
        with pytest.raises(UseAfterFreeError):
            _ = swapped.link.target


@pytest.mark.parametrize("structure", [Swapped, Crowded])
def test_pointers_in_any_place_take_any_address_that_fits(heap: Any, structure: Any) -> None:
    """In the other byte order, or where no machine has one, a pointer is stored byte by byte."""
    most = (1 << 8 * heap.pointer_size) - 1
    fitting: tuple[Any, ...] = (0, 3, most)
    others: tuple[Any, ...] = (most + 1, -1)
    with heap.alloc(structure) as ref:
        for address in fitting:
            ref.link = address
            assert ref.link.address == address
        for wrong in others:
            message = rf"{structure.__name__}\.link: {wrong} does not fit a pointer: 0 to {most}"
            with pytest.raises(ValueOutOfRangeError, match=message):
                ref.link = wrong
        assert ref.link.address == most


@pytest.mark.needs("numpy")
def test_numpy_reads_pointers_in_either_byte_order(scratch: Any) -> None:
    number = scratch.alloc(int32, 7)
    shared = scratch.alloc_array(Swapped, [{"link": number, "inner": (number,)}]).numpy()
    assert shared["link"][0] == shared["inner"]["to"][0] == number.address


# From heap to heap


def test_a_structure_is_copied_between_machines(heap: Any) -> None:
    """The other heap is one of WebAssembly's: natively its `long` has half the bytes."""
    other = emheap.wrap_buffer(bytearray(1024))
    with (
        other.alloc(Machine, count=-5, vec=Vec(x=1, y=2)) as there,
        heap.alloc(Machine, there) as here,
    ):
        assert (here.count, here.vec.to_tuple(), bool(here.link)) == (-5, (1, 2), False)
        here.count = 9
        there.write(here)
        assert there.count == 9
        if heap.layout(Machine).size > other.layout(Machine).size:
            here.count = 2**40
            with pytest.raises(
                ValueOutOfRangeError, match=r"Machine\.count: 1099511627776 does no"
            ):
                there.write(here)
        assert there.count == 9


def test_a_pointer_does_not_leave_its_heap(heap: Any) -> None:
    other = emheap.wrap_buffer(bytearray(1024))
    with other.alloc(Vec) as vec, other.alloc(Machine, link=vec) as there:
        words = r"Machine\.link: .* is in another heap|of another heap|on another heap"
        with pytest.raises((emheap.NotAllocatedError, TypeError), match=words):
            heap.alloc(Machine, there)
    assert heap.total_allocated_byte_size == 0


def test_a_union_is_copied_where_its_bytes_mean_the_same(heap: Any) -> None:
    other = emheap.wrap_buffer(bytearray(1024))
    with other.alloc(Same, number=5) as there, heap.alloc(Same, there) as here:
        assert here.number == 5
    with other.alloc(Either, count=5) as there_too:
        if heap.layout(Either).size == other.layout(Either).size:
            with heap.alloc(Either, there_too) as here_too:
                assert here_too.count == 5
        else:
            words = (
                "the union Either differs between the two heaps, and which of its fields is mean"
            )
            with pytest.raises(TypeError, match=words):
                heap.alloc(Either, there_too)


class Inner(Struct, align=16):
    tag: int32
    value: float64


class Outer(Struct):
    inner: Inner
    last: int32


def test_what_lies_otherwise_inside_of_a_structure_is_copied_field_by_field() -> None:
    """Both are as large on either machine, and only the double inside of the inner one moves."""
    wasm, i386 = (
        emheap.wrap_buffer(bytearray(256), abi=abi)
        for abi in ("wasm32-unknown-unknown", "i386-linux-gnu")
    )
    layouts = [heap.layout(Outer) for heap in (wasm, i386)]
    assert layouts[0].size == layouts[1].size == 32
    assert layouts[0].signature != layouts[1].signature
    same = emheap.wrap_buffer(bytearray(256), abi="armv7-linux-gnueabihf").layout(Outer)
    assert same.signature == layouts[0].signature
    inner = Inner(tag=1, value=2.5)
    with i386.alloc(Outer, inner=inner, last=3) as there, wasm.alloc(Outer, there) as here:
        assert here.to_tuple() == there.to_tuple() == ((1, 2.5), 3)
        assert bytes(here) != bytes(there)


# Freed blocks


def test_freed_structures_refuse_to_be_stored_in_and_read_whole(heap: Any) -> None:
    vec, row = heap.alloc(Vec, x=1, y=2), heap.alloc_array(Vec, 2)
    message = heap.alloc(Message, count=1, items=[5])
    crowded = heap.alloc(Crowded)
    for each in (vec, row, message, crowded):
        each.free()
    uses: tuple[Any, ...] = (
        lambda: vec.to_tuple(),
        lambda: vec.write((1, 2)),
        lambda: vec == Vec(x=1, y=2),
        lambda: row.__setitem__(0, (1, 2)),
        lambda: row.__setitem__(slice(0, 2), [(1, 2), (3, 4)]),
        lambda: row.tolist(),
        lambda: list(row),
        lambda: row.view,
        lambda: message.to_tuple(),
        lambda: setattr(message, "items", [6]),
        lambda: setattr(crowded, "link", None),
        lambda: setattr(crowded, "vecs", [(1, 2), (3, 4)]),
        lambda: crowded.link,
    )
    for use in uses:
        with pytest.raises(UseAfterFreeError, match="use after free: the "):
            use()


def test_what_a_pointer_leads_to_lives_where_garbage_is_collected(open_heap: OpenHeap) -> None:
    heap = open_heap(enable_garbage_collection=True)
    number = heap.alloc(Vec, x=7, y=8)
    with heap.alloc(Machine, link=number) as machine:
        target = machine.link.target
        del number
        assert target.to_tuple() == (7, 8)
        assert heap.total_allocated_byte_size == 8 + machine.allocated_byte_size
        del target
    assert heap.total_allocated_byte_size == 0


# Several dimensions


def test_indices_of_an_array_of_several_dimensions(scratch: Any) -> None:
    node = scratch.alloc(Node, id=1, grid=range(6))
    assert node.grid.shape == (2, 3)
    assert (node.grid[1, 2], node.grid[-1, -3], node.grid[0, 1]) == (5, 3, 1)
    for index, dimension in (((2, 0), 2), ((0, 3), 3), ((-3, 0), 2), ((0, -4), 3)):
        with pytest.raises(emheap.OutOfBoundsError, match=f"outside of a dimension of {dimension}"):
            _ = node.grid[index]
        with pytest.raises(emheap.OutOfBoundsError, match=f"outside of a dimension of {dimension}"):
            node.grid[index] = 5
    wrong: Any
    for wrong in ((0,), (0, 0, 0)):
        with pytest.raises(TypeError, match="an array of 2 dimensions takes as many indices"):
            _ = node.grid[wrong]


def test_packed_structures_in_arrays(scratch: Any) -> None:
    row = scratch.alloc_array(Packed, [(1, -5, (1, 2), 7, 9)] * 2)
    row[1].inner = (3, 4)
    assert row[1].to_tuple() == (1, -5, (3, 4), 7, 9)
    assert row[0].to_tuple() == (1, -5, (1, 2), 7, 9)


class Two(Struct):
    first: int32
    second: int32


class Sparse(Struct):
    first: uint8
    to: Pointer[int32]


class Overlaid(Union):
    two: Two
    sparse: Sparse


def test_a_union_with_pointers_is_copied_with_every_byte(heap: Any) -> None:
    """Also with those that are padding in the field that has the pointer."""
    with (
        heap.alloc(Overlaid) as union,
        heap.alloc(Overlaid) as other,
        heap.alloc(int32, 7) as seven,
    ):
        union.two = (0x12345678, -9)
        heap.write(Overlaid, other.address, union)
        assert other.two.to_tuple() == (0x12345678, -9)
        union.sparse.to = seven
        heap.write(Overlaid, other.address, union)
        assert other.sparse.to.target == 7
        seven_too = heap.alloc(int32, 7)
        union.sparse.to = seven_too
        heap.write(Overlaid, other.address, union)
        seven_too.free()
        with pytest.raises(UseAfterFreeError):
            other.sparse.to.target  # noqa: B018


def test_unions_are_equal_if_their_bytes_are(scratch: Any) -> None:
    assert Same(number=7) == Same(number=7)
    assert Same(number=7) != Same(number=263)
    assert scratch.alloc(Same, number=7) == Same(number=7)
    assert scratch.alloc(Same, number=7) != Same(number=263)


def test_a_value_that_is_given_no_fields_has_its_defaults() -> None:
    class Opaque(Struct):
        level: int32 = field()
        alpha: int32 = field(default=255)

    made = Opaque()
    assert (made.level, made.alpha) == (0, 255)
