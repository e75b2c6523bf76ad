"""Reading and storing the fields of structures, on every heap."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

import emheap
from emheap import (
    Arena,
    Array,
    HeapManager,
    NotSupportedError,
    OutOfBoundsError,
    Struct,
    Union,
    ValueOutOfRangeError,
    array,
    bits,
    field,
    float16,
    float32,
    float64,
    int32,
    uint8,
    uint32,
    utf8,
)
from emtests.structures.kinds import (
    Access,
    Color,
    Everything,
    Node,
    Number,
    Packed,
    Pixel,
    Vec,
)


def test_a_new_structure_is_zeros_or_has_the_fields_given(scratch: Arena) -> None:
    assert scratch.alloc(Vec).to_tuple() == (0, 0)
    assert scratch.alloc(Vec, x=1, y=2.5).to_dict() == {"x": 1, "y": 2.5}
    assert scratch.alloc(Vec, Vec(x=3, y=4)).to_tuple() == (3, 4)
    assert scratch.alloc(Pixel, r=1, g=2, b=3).a == 255
    assert scratch.alloc(Pixel).a == 0


def test_a_structure_that_takes_the_place_of_a_freed_one(heap: HeapManager) -> None:
    first = [heap.alloc(Vec, x=number, y=-number) for number in range(3)]
    assert [vec.to_tuple() for vec in first] == [(0, 0), (1, -1), (2, -2)]
    heap.free_all()
    again = [heap.alloc(Vec, x=number, y=7) for number in range(5)]
    assert [vec.to_tuple() for vec in again] == [(number, 7) for number in range(5)]
    heap.free_all()
    heap.alloc(Pixel, r=1, g=2, b=3, a=4).free()
    with pytest.raises(ValueOutOfRangeError, match=r"Pixel\.b: 256 does not fit uint8"):
        heap.alloc(Pixel, r=9, g=9, b=256)
    pixels = [heap.alloc(Pixel, r=1, g=2, b=number) for number in range(3)]
    assert [pixel.to_tuple() for pixel in pixels] == [(1, 2, number, 255) for number in range(3)]
    assert len({pixel.address for pixel in pixels}) == 3
    heap.free_all()


def test_every_kind_of_field_reads_what_was_stored(scratch: Arena) -> None:
    node = scratch.alloc(Node, id=7)
    node.at.x = 1.5
    node.pos[:] = [2.0, 3.0]
    node.corners[3].y = -4
    node.grid[1, 2] = 5
    node.label = "abc"
    node.hot = True
    node.level = -16
    node.access = Access.READ | Access.WRITE
    node.color = Color.BLUE
    node.number.as_float = 1.0
    node.big = 2**40
    node.size = 12
    assert node.to_dict() == {
        "id": 7,
        "at": {"x": 1.5, "y": 0},
        "pos": [2, 3],
        "corners": [{"x": 0, "y": 0}] * 3 + [{"x": 0, "y": -4}],
        "grid": [0, 0, 0, 0, 0, 5],
        "label": "abc",
        "hot": True,
        "level": -16,
        "access": Access.READ | Access.WRITE,
        "color": Color.BLUE,
        "number": {"as_int": 0x3F800000, "as_float": 1.0},
        "next": node.next,
        "data": node.data,
        "big": 2**40,
        "size": 12,
    }
    corners = [(0, 0), (0, 0), (0, 0), (0, -4)]
    assert node.to_tuple()[:6] == (7, (1.5, 0), [2, 3], corners, [0, 0, 0, 0, 0, 5], "abc")
    assert type(node.hot) is bool
    assert not node.next
    assert node.next.get() is None


class Turned:
    """Makes a float of itself, which is not all that it is: as a complex number of numpy's."""

    imag = 2.0

    def __float__(self) -> float:
        return 1.0


def test_no_way_to_store_takes_the_real_part_alone(heap: HeapManager, scratch: Arena) -> None:
    class Plain(Struct):  # one that no other test has used
        x: float32
        y: float32

    vec, array, turned = scratch.alloc(Plain, x=3, y=4), scratch.alloc_array(Plain, 2), Turned()
    ways: list[Callable[[Any], Any]] = [
        lambda value: scratch.alloc(Plain, x=value, y=5),
        lambda value: Plain(x=value, y=5),
        lambda value: setattr(vec, "x", value),
        lambda value: vec.write((value, 5)),
        lambda value: heap.write(Plain, vec.address, (value, 5)),
        lambda value: array.__setitem__(0, (value, 5)),
        lambda value: array.__setitem__(slice(2), [(value, 5), (6, 7)]),
        lambda value: scratch.alloc_array(Plain, [(value, 5)]),
    ]
    for store in ways:
        with pytest.raises(TypeError, match=r"Plain\.x: float32 takes a float, not Turned"):
            store(turned)
        assert (vec.to_tuple(), array[0].to_tuple()) == ((3, 4), (0, 0))
        store(1.5)
        vec.write((3, 4))
        array[0] = (0, 0)


def test_whole_parts_are_stored_at_once(scratch: Arena) -> None:
    node = scratch.alloc(Node, id=1, pos=[1, 2], grid=[[1, 2, 3], [4, 5, 6]], label="ü")
    assert (list(node.pos), node.grid[1, 0], node.label.value) == ([1, 2], 4, "ü")
    assert (node.label.capacity, node.label.allocated_byte_size) == (7, 8)
    node.at = Vec(x=1, y=2)
    node.corners = [Vec(x=index, y=0) for index in range(4)]
    node.grid = range(6)
    assert node.at == Vec(x=1, y=2)
    assert [corner.x for corner in node.corners] == [0, 1, 2, 3]
    assert node.grid[1, 2] == 5
    node.pos = [0, 0]
    assert list(node.pos) == [0, 0]
    node.corners[1] = node.at
    assert node.corners[1].y == 2
    node.corners[2:] = [(8, 9), {"x": 6, "y": 7}]
    assert [corner.to_tuple() for corner in node.corners[1:]] == [(1, 2), (8, 9), (6, 7)]


def test_a_text_and_its_terminator_fill_a_field(scratch: Arena) -> None:
    node: Any = scratch.alloc(Node, id=1, label="1234567")
    assert (node.label.value, node.label.capacity) == ("1234567", 7)
    for store in (lambda text: setattr(node, "label", text), lambda text: node.label.write(text)):
        for text in ("7654321", "grüße"):  # of as many bytes
            store(text)
            assert node.to_dict()["label"] == text


class Reals(Struct):
    half: float16 = field()
    single: float32 = field()
    double: float64 = field()


def test_zeros_have_a_sign_and_infinities_are_values(scratch: Arena) -> None:
    made = scratch.alloc(Reals)
    row = scratch.alloc_array(Reals, 1)
    for value in (-0.0, math.inf, -math.inf, math.nan):
        expected = bytes(Reals(half=value, single=value, double=value))
        for place in (made, row[0]):
            for name, code in (("half", "e"), ("single", "f"), ("double", "d")):
                setattr(place, name, value)
                assert struct.pack(code, getattr(place, name)) == struct.pack(code, value)
            assert bytes(place) == expected
        assert bytes(scratch.alloc(Reals, half=value, single=value, double=value)) == expected
        made.clear()
        made.write((value, value, value))
        assert bytes(made) == expected
        assert list(map(str, made.to_tuple())) == [str(value)] * 3


def test_scalars_of_every_type(scratch: Arena) -> None:
    values: dict[str, Any] = {
        "a": -128,
        "b": 2**64 - 1,
        "c": True,
        "d": 0.5,
        "e": b"x",
        "f": -(2**31),
        "g": 1e300,
        "h": 65535,
    }
    made = scratch.alloc(Everything, **values)
    assert made.to_dict() == values
    for name, value in values.items():
        setattr(made, name, {bytes: b"\0"}.get(type(value), type(value)()))
        setattr(made, name, value)
    assert made.to_dict() == values
    assert made == Everything(**values)


WRONG: tuple[tuple[str, Any, type[Exception], str], ...] = (
    ("id", 2**31, ValueOutOfRangeError, r"Node\.id: 2147483648 does not fit int32"),
    ("id", "7", TypeError, r"Node\.id: int32 takes an int, not str '7'"),
    (
        "level",
        16,
        ValueOutOfRangeError,
        r"Node\.level: 16 does not fit its 5 bits, which hold -16 to 15",
    ),
    ("level", 1.5, TypeError, r"Node\.level: int32 takes an int"),
    ("hot", 2, TypeError, r"Node\.hot: it takes a bool, not int 2"),
    ("access", 8, ValueOutOfRangeError, r"Node\.access: .* does not fit"),
    ("color", 9, ValueError, r"Node\.color: 9 is not a valid Color"),
    (
        "at",
        5,
        TypeError,
        r"Node\.at: Vec takes another Vec, a tuple of its fields or a mapping, not int 5",
    ),
    ("at", (1, 2, 3), TypeError, r"Node\.at: Vec has 2 fields, not 3"),
    ("at", (1, 1e39), ValueOutOfRangeError, r"Vec\.y: 1e\+39 does not fit float32"),
    ("pos", [1, 2, 3], ValueError, r"Node\.pos: an array of 2 elements takes as many, not 3"),
    ("pos", ["a", 2], TypeError, r"Node\.pos: element 0: float64 takes a float"),
    ("grid", [2**15] * 6, ValueOutOfRangeError, r"Node\.grid: element 0: 32768 does not fit"),
    ("label", "12345678", emheap.CapacityError, r"Node\.label: 8 elements do not fit"),
    ("label", "\ud800", UnicodeEncodeError, r"Node\.label: surrogates not allowed"),
    ("label", "a\0b", emheap.EmbeddedNullError, r"Node\.label: a null-terminated string cannot"),
    ("next", 3.5, TypeError, r"Node\.next: a Pointer\[Node\] takes a reference.* not float 3\.5"),
    ("next", -1, ValueOutOfRangeError, r"Node\.next: -1 does not fit a pointer"),
    ("nextt", 1, AttributeError, "nextt"),
)


@pytest.mark.parametrize(("name", "value", "error", "text"), WRONG)
def test_what_does_not_fit_raises_naming_the_field_and_changes_nothing(
    scratch: Arena, name: str, value: Any, error: type[Exception], text: str
) -> None:
    node = scratch.alloc(Node, id=3, at=Vec(x=1, y=2), pos=[4, 5], level=-3, label="abc")
    before = bytes(node)
    with pytest.raises(error, match=text):
        setattr(node, name, value)
    assert bytes(node) == before


def test_a_failed_allocation_leaks_nothing_and_names_what_is_wrong(heap: HeapManager) -> None:
    with pytest.raises(TypeError, match="Vec is not given y; only fields with a default"):
        heap.alloc(Vec, x=1)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="Vec has no field 'z'; its fields are x, y"):
        heap.alloc(Vec, x=1, y=2, z=3)  # type: ignore[call-overload]
    with pytest.raises(ValueOutOfRangeError, match=r"Pixel\.g: 256 does not fit uint8"):
        heap.alloc(Pixel, r=1, g=256, b=3)
    with pytest.raises(TypeError, match="a new Vec takes no x besides the value given"):
        heap.alloc(Vec, Vec(x=1, y=2), x=1)  # type: ignore[misc, arg-type, call-arg]
    assert heap.total_allocated_byte_size == 0


class Named(Struct):
    number: int32 = field()
    names: Array[utf8] = array(8)
    nodes: Array[Node] = array(2)


@pytest.mark.parametrize("wrong", ["\ud800", b"text", "a\0b", "12345678"])
def test_a_text_that_does_not_fit_raises_naming_the_field(heap: HeapManager, wrong: Any) -> None:
    error = {"\ud800": UnicodeEncodeError, b"text": TypeError}.get(wrong, ValueError)
    wild: Any = heap
    with heap.alloc(Named) as named, heap.alloc_array(Named, 2) as several:
        uses: dict[Callable[[], Any], str] = {
            lambda: setattr(named, "names", wrong): "",
            lambda: named.write((1, wrong, [])): "",
            lambda: Named(names=wrong): "",
            lambda: heap.alloc(Named, names=wrong): "",
            lambda: wild.write(Named, named.address, {"names": wrong}): "",
            lambda: several.__setitem__(1, {"names": wrong}): "",
            lambda: several.__setitem__(slice(0, 2), [{}, {"names": wrong}]): "element 1: ",
            lambda: heap.alloc_array(Named, [{"names": wrong}]): "element 0: ",
        }
        for use, where in uses.items():
            with pytest.raises(error, match=rf"{where}Named\.names: "):
                use()
            assert not any(bytes(named) + bytes(several))


def test_fields_that_are_not_aligned(scratch: Arena) -> None:
    made = scratch.alloc(Packed, tag=1, value=-5, inner=Vec(x=1, y=2), bits=2047, last=2**64 - 1)
    assert bytes(made)[1:5] == (-5).to_bytes(4, "little", signed=True)
    assert made.allocated_byte_size == 23
    assert (made.value, made.inner.y, made.bits, made.last) == (-5, 2, 2047, 2**64 - 1)
    made.value, made.inner.x, made.bits, made.last = 70000, -1.5, 5, 1
    assert (made.value, made.inner.x, made.bits, made.last) == (70000, -1.5, 5, 1)
    assert (made.tag, made.inner.y) == (1, 2)
    many = scratch.alloc_array(Packed, 3)
    for index, each in enumerate(many):
        each.value, each.last, each.bits = index, 2**40 + index, 1000 + index
    assert [(each.value, each.last, each.bits) for each in many] == [
        (index, 2**40 + index, 1000 + index) for index in range(3)
    ]


def test_a_union_shares_its_bytes(scratch: Arena) -> None:
    number = scratch.alloc(Number, as_float=1.0)
    assert hex(number.as_int) == "0x3f800000"
    number.as_int = 0x40000000
    assert number.as_float == 2.0
    assert number == Number(as_float=2.0)


class Word(Union):
    whole: uint32
    low: uint8


def test_a_union_is_given_any_of_its_fields(scratch: Arena) -> None:
    for make in (Word, lambda **given: scratch.alloc(Word, **given)):
        wild: Any = make
        given: list[dict[str, int]] = [{"whole": 0x102}, {"low": 7}, {}]
        assert [wild(**fields).whole for fields in given] == [0x102, 7, 0]
        assert wild(whole=0x102, low=7).whole == 0x107
        with pytest.raises(TypeError, match="Word has no field 'high'; its fields are whole, low"):
            wild(high=1)


def test_many_bytes_of_a_part_are_those_of_the_part(heap: HeapManager, scratch: Any) -> None:
    """A nested structure, a text and an element are places of their own: not the whole block."""
    node = scratch.alloc(Node, id=1, at=(1, 2), pos=[1, 2], label="abc")
    other = scratch.alloc_array(uint8, 200)
    parts: dict[str, Any] = {"at": node.at, "label": node.label, "corner": node.corners[1]}
    for part in parts.values():
        begin, size = part.address - node.address, part.allocated_byte_size
        before = bytes(node)
        heap.fill(part, 0x41)
        assert bytes(node) == before[:begin] + b"A" * size + before[begin + size :]
        assert heap.find(part, b"A") == part.address
        assert heap.find(part, 0) is None
        heap.copy_to(heap, part, other)
        assert bytes(other)[: size + 1] == b"A" * size + b"\0"
        assert heap.compare(heap, part, other) == 0
        other.clear()
        heap.copy_to(heap, other, part, size)
        assert bytes(node) == before[:begin] + b"\0" * size + before[begin + size :]
        with pytest.raises(OutOfBoundsError, match=f"fill of {size + 1} bytes: .* has {size}"):
            heap.fill(part, 0, size + 1)


def test_structures_at_an_address_are_read_and_written_whole(heap: HeapManager) -> None:
    with heap.alloc(Vec, x=1, y=2) as vec:
        copy = heap.read(Vec, vec.address)
        vec.x = 5
        assert copy.to_tuple() == (1, 2)
        heap.write(Vec, vec.address, (7, 8))
        assert vec.to_tuple() == (7, 8)
        heap.write(Vec, vec.address, copy)
        assert vec == copy
        vec.write((3, 4))
        assert vec.read() == Vec(x=3, y=4)
        vec.write({"x": 9, "y": 10})
        assert tuple(vec) == (9, 10)
        vec.write(MappingProxyType({"y": 12, "x": 11}))
        assert tuple(vec) == (11, 12)
        wild: Any = vec
        for wrong, error, words in (
            ((1, 1e39), ValueOutOfRangeError, r"Vec\.y: 1e\+39"),
            ((1,), TypeError, "Vec has 2 fields, not 1"),
            ({"x": 1}, TypeError, "Vec is not given y"),
            ({"x": 1, "y": 2, "z": 3}, TypeError, "Vec has no field 'z'"),
            (Pixel(r=1, g=2, b=3), TypeError, "Vec takes another Vec"),
        ):
            with pytest.raises(error, match=words):
                wild.write(wrong)
            assert tuple(vec) == (11, 12)
        borrowed = heap.wrap(Vec, vec.address)
        borrowed.x = 6
        assert vec.x == 6
        with pytest.raises(emheap.NotAllocatedError, match="wrapped reference"):
            borrowed.free()
    with heap.alloc_array(uint8, 16) as block:
        place = block.address + 1
        for use in (
            lambda: heap.wrap(Vec, place),
            lambda: heap.read(Vec, place),
            lambda: heap.write(Vec, place, (1, 2)),
        ):
            with pytest.raises(emheap.MisalignedError, match=r"^a (wrapped )?Vec needs an address"):
                use()
        assert not any(block)
    with pytest.raises(emheap.NullPointerError):
        heap.read(Vec, 0)


def describe(value: object) -> str:
    match value:
        case Vec(x=0.0, y=found):
            return f"above by {found}"
        case Vec():
            return "elsewhere"
        case _:
            return "no Vec"


def test_structures_are_matched(scratch: Arena) -> None:
    assert describe(scratch.alloc(Vec, x=0, y=2)) == "above by 2.0"
    assert describe(Vec(x=1, y=2)) == "elsewhere"
    assert describe(scratch.alloc(Number)) == "no Vec"
    assert getattr(Vec, "__match_args__") == ("x", "y")  # noqa: B009 (checkers think otherwise)


def test_what_has_no_name_is_not_matched() -> None:
    class Switches(Struct):
        low: int = bits(uint8, 3)
        _: int = bits(uint8, 2)
        high: int = bits(uint8, 3)

    assert getattr(Switches, "__match_args__") == ("low", "high")  # noqa: B009 (as above)


def test_what_a_reader_sees(heap: HeapManager) -> None:
    with heap.alloc(Pixel, r=1, g=2, b=3) as pixel:
        assert repr(pixel) == f"<Pixel r=1 g=2 b=3 a=255 at {pixel.address:#x} owned>"
        assert repr(Pixel(r=1, g=2, b=3)) == "Pixel(r=1, g=2, b=3, a=255)"
    assert repr(pixel) == f"<Pixel at {pixel.address:#x} freed>"
    with pytest.raises(
        emheap.UseAfterFreeError, match=r"use after free: the Pixel of 4 bytes at .*test_fields"
    ):
        _ = pixel.r


class Swapped(Struct, endian="big" if sys.byteorder == "little" else "little"):
    number: int32 = field()


def test_a_reference_to_one_field(heap: HeapManager) -> None:
    node = heap.alloc(Node, id=5)
    ref = node.field_ref(Node.id)
    assert (ref.value, ref.address) == (5, node.address)
    ref.value = 6
    assert node.id == 6
    inner = node.at.field_ref(Vec.y)
    inner.value = 2.5
    assert node.at.y == 2.5
    for wrong in ("at", "pos", "hot", "color"):
        with pytest.raises(
            TypeError, match="is no number of its own; a reference is to a plain one"
        ):
            node.field_ref(heap.layout(Node).fields[wrong])
    with pytest.raises(TypeError, match=r"Node has no field Vec\.x"):
        node.field_ref(Vec.x)
    with (
        heap.alloc(Swapped) as swapped,
        pytest.raises(TypeError, match=r"Swapped\.number is no number of its own"),
    ):
        swapped.field_ref(Swapped.number)
    wild: Any = node
    for nothing in ("id", None, 0, Node):
        with pytest.raises(TypeError, match=r"^field_ref\(\) takes a field as Node has it, "):
            wild.field_ref(nothing)
    node.free()
    for freed in (ref, inner):
        with pytest.raises(emheap.UseAfterFreeError):
            _ = freed.value


@pytest.mark.needs("atomics")
def test_atomic_access_to_a_field(scratch: Arena) -> None:
    node = scratch.alloc(Node, id=5, big=7)
    count = node.field_ref(Node.id)
    assert count.read_atomic() == 5
    count.write_atomic(-9)
    assert node.id == -9
    with pytest.raises(ValueOutOfRangeError):
        count.write_atomic(2**31)
    assert node.field_ref(Node.big).read_atomic() == 7
    assert count.atomic.add(10) == -9
    assert node.field_ref(Node.big).atomic.exchange(2**40) == 7
    assert (node.id, node.big) == (1, 2**40)
    assert node.at.field_ref(Vec.y).atomic.add(1.5) == 0
    link: Any = node.field_ref(Node.next)
    assert not link.atomic.compare_exchange(None, node)
    assert node.next.target.id == 1
    many = scratch.alloc_array(Vec, 3)
    many[2].field_ref(Vec.x).atomic.add(2)
    assert many.tolist() == [(0, 0), (0, 0), (2, 0)]


@pytest.mark.needs("js_view")
def test_javascript_sees_the_bytes_of_structures(scratch: Arena) -> None:
    vecs = scratch.alloc_array(Vec, [(1, 2), (3, 4)])
    shared: Any = vecs.js_view
    assert (shared.length, bytes(shared.to_py())) == (16, bytes(vecs))
    shared[3] = 0x40
    assert vecs[0].x == 4.0  # 0x40800000
    node = scratch.alloc(Node, id=1, pos=[1.5, 2.5])
    parts: list[Any] = [vecs, vecs[1], node, node.at, node.corners]
    for part in parts:
        assert part.js_view.constructor.name == "Uint8Array"
        assert bytes(part.js_view.to_py()) == bytes(part)
    pos: Any = node.pos.js_view
    assert list(pos.to_py()) == [1.5, 2.5]


@pytest.mark.needs("js_view")
def test_javascript_sees_columns(scratch: Arena) -> None:
    vecs = scratch.alloc_array(Vec, [(1, 2), (3, 4), (5, 6)])
    view, step = vecs.js_column(Vec.y)
    assert (view.constructor.name, len(view), step) == ("Float32Array", 5, 2)
    assert [view[index * step] for index in range(3)] == [2, 4, 6]
    view[1 * step] = 9
    assert vecs[1].y == 9
    nodes = scratch.alloc_array(Node, 2)
    nodes[1].at.x, nodes[1].color = 1.5, Color.BLUE
    view, step = nodes.js_column(Node.at, Vec.x)
    assert (len(view), view[step]) == (step + 1, 1.5)
    view, step = nodes.js_column("color")
    assert (view.constructor.name, view[step]) == ("Uint8Array", 2)
    assert step == nodes.bytes_per_element
    view, step = nodes[1].corners.js_column(Vec.y)
    nodes[1].corners[3].y = 7
    assert view[3 * step] == 7
    assert len(scratch.alloc_array(Vec, 0).js_column(Vec.x)[0]) == 0
    packed = scratch.alloc_array(Packed, 2)
    with pytest.raises(
        NotSupportedError, match=r"Packed\.value does not lie at multiples of its 4"
    ):
        packed.js_column(Packed.value)


def test_only_an_array_of_several_dimensions_has_a_shape(heap: HeapManager) -> None:
    with heap.alloc(Node) as node:
        assert ["shape" in dir(each) for each in (node.grid, node.pos, node.corners)] == [
            True,
            False,
            False,
        ]
        assert type(node.pos) is type(heap.wrap_array(float64, node.pos.address, 2))


def test_columns_where_javascript_is_not_or_the_block_is_gone(heap: HeapManager) -> None:
    vecs = heap.alloc_array(Vec, 3)
    for wrong in (Node.id, "z"):
        with pytest.raises(TypeError, match="Vec has no field"):
            vecs.js_column(wrong)
    vecs.free()
    with pytest.raises(emheap.UseAfterFreeError):
        vecs.js_column(Vec.x)
    if sys.platform != "emscripten":
        words = (
            "^js_view needs a memory that JavaScript shares, and this heap is in "
            rf"{heap.memory.name}; in Pyodide, open the heap with emheap.open\(\)$"
        )
        with (
            heap.alloc_array(Vec, 3) as others,
            pytest.raises(NotSupportedError, match=words),
        ):
            others.js_column(Vec.x)
