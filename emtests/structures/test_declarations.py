"""What a class statement says of a structure; bad ones raise there, and name class and field."""

from __future__ import annotations

import ctypes
import enum
import sys
from typing import Any, ClassVar

import pytest

import emheap
from emheap import (
    Arena,
    Array,
    Pointer,
    Struct,
    Union,
    array,
    bits,
    field,
    float32,
    int8,
    int32,
    pointer32,
    size_t,
    stored,
    uint8,
    uint16,
    uint32,
    uint64,
    uint128,
    utf8,
)
from emtests.structures.kinds import Message, Node, Vec


class Text(enum.Enum):
    ONE = "one"


class Large(enum.IntEnum):
    BIG = 300


class Below(enum.IntEnum):
    UNDER = -1


class Edges(enum.IntEnum):
    LEAST = -128
    MOST = 127


class Memberless(enum.Enum):
    pass


class Opaque(Struct):
    pass


_STRUCT: Any = type(Struct)


def declare(note: Any, value: Any = ..., **options: Any) -> Any:
    """The class statement ``class Bad(Struct): x: note = value``."""
    space = {} if value is ... else {"x": value}
    names = {"__annotations__": {"x": note}, "__module__": __name__}
    return _STRUCT("Bad", (Struct,), {**space, **names}, **options)


BAD: tuple[tuple[str, Any, Any, dict[str, Any], type[Exception], str], ...] = (
    ("int", int, ..., {}, TypeError, "Bad.x: int is no type of memory; use int32, or another size"),
    ("float", float, ..., {}, TypeError, "Bad.x: float is no type of memory; use float32 or float"),
    ("bool", bool, ..., {}, TypeError, "use boolean, or bits(uint32, 1)"),
    ("str", str, ..., {}, TypeError, "use Array[utf8] with array(16), or Pointer[utf8]"),
    ("list", list, ..., {}, TypeError, "Bad.x: list is no type of memory"),
    ("none", None, ..., {}, TypeError, "Bad.x: None is no type of memory"),
    ("abstract", emheap.Scalar, ..., {}, TypeError, "Bad.x: Scalar is no type of memory"),
    ("pointer", Pointer, ..., {}, TypeError, "Bad.x: Pointer is no type of memory"),
    ("string", utf8, ..., {}, TypeError, "Bad.x: a string in a structure has room of a fixed size"),
    (
        "unknown",
        "Nowhere",
        ...,
        {},
        TypeError,
        "Bad.x: Nowhere is not declared; a structure inside",
    ),
    (
        "itself",
        "Bad",
        ...,
        {},
        TypeError,
        "Bad.x: a structure cannot contain itself; it can have a",
    ),
    ("opaque", Opaque, ..., {}, TypeError, "Bad.x: Opaque has no fields; only pointers to it can"),
    (
        "flexible",
        Message,
        ...,
        {},
        TypeError,
        "Bad.x: Message ends with a flexible array, so nothing can come after it",
    ),
    (
        "no count",
        Array[int32],
        ...,
        {},
        TypeError,
        "Bad.x: say how many elements there are: = array",
    ),
    (
        "count",
        int32,
        array(3),
        {},
        TypeError,
        "Bad.x: array() is for Array[...], as in Array[float",
    ),
    ("zero", Array[int32], array(0), {}, ValueError, "Bad.x: a dimension must be positive, got 0"),
    ("text", Array[int32], array("3"), {}, TypeError, "Bad.x: a dimension must be an int, not str"),  # type: ignore[arg-type]
    ("wide", int, bits(uint32, 33), {}, ValueError, "Bad.x: uint32 has 1 to 32 bits, not 33"),
    ("narrow", int, bits(uint32, -1), {}, ValueError, "Bad.x: uint32 has 1 to 32 bits, not -1"),
    ("abi", int, bits(size_t, 40), {}, ValueError, "Bad.x: size_t has 1 to 32 bits, not 40"),
    (
        "empty",
        int,
        bits(uint32, 0),
        {},
        ValueError,
        "Bad.x: a bit-field of width 0, which ends the",
    ),
    ("real bits", int, bits(float32, 3), {}, TypeError, "Bad.x: bits() takes an integer type such"),
    ("wide bits", int, bits(uint128, 3), {}, TypeError, "Bad.x: bits() takes an integer type such"),
    (
        "bits as",
        float,
        bits(uint32, 3),
        {},
        TypeError,
        "Bad.x: what bits() stores is seen as int, bool or an enumeration, not as float",
    ),
    (
        "enum",
        Text,
        stored(uint8),
        {},
        TypeError,
        "Bad.x: Text.ONE is 'one', and only ints can be s",
    ),
    ("large", Large, stored(uint8), {}, ValueError, "which does not fit 0 to 255"),
    ("below", Below, stored(uint8), {}, ValueError, "is -1, which does not fit 0 to 255"),
    ("below bits", Below, bits(uint16, 8), {}, ValueError, "is -1, which does not fit 0 to 255"),
    ("large bits", Large, bits(uint16, 8), {}, ValueError, "which does not fit 0 to 255"),
    ("align", int32, field(align=3), {}, OverflowError, "Bad.x: align must be a power of two"),
    ("endian", int32, field(endian="up"), {}, ValueError, "Bad.x: endian must be one of"),  # type: ignore[arg-type]
    ("pack", int32, ..., {"pack": 3}, ValueError, "Bad: pack must be one of 1, 2, 4, 8, 16, got 3"),
    ("aligned", int32, ..., {"align": 0}, OverflowError, "Bad: align must be a power of two"),
    (
        "order",
        int32,
        ...,
        {"endian": "mid"},
        ValueError,
        "Bad: endian must be one of 'native', 'lit",
    ),
    ("option", int32, ..., {"packed": 1}, TypeError, "packed"),
    (
        "union",
        int32,
        ...,
        {"union": True},
        TypeError,
        "Bad: a structure has no option union; its options are pack, align and endian",
    ),
    ("pointer to int", Pointer[int], ..., {}, TypeError, "Bad.x: Pointer[int]: int is no type of"),
    ("deep", Pointer[Pointer[str]], ..., {}, TypeError, "Bad.x: Pointer[str]: str is no type of"),
    ("to array", Pointer[Array[int32]], ..., {}, TypeError, "so nothing can point to one"),
    ("arrays", Array[Array[int32]], array(2), {}, TypeError, "Bad.x: Array[int32] is no type of"),
    ("of ints", Array[int], array(2), {}, TypeError, "Bad.x: int is no type of memory; use int32"),
    (
        "of itself",
        "Array[Bad]",
        array(2),
        {},
        TypeError,
        "Bad.x: a structure cannot contain itself",
    ),
    (
        "of late",
        "Array[Late]",
        array(2),
        {},
        TypeError,
        "Bad.x: Late is not declared; a structure inside of another comes before it, and one that "
        "comes later can be pointed to: Pointer[Late]",
    ),
    ("half", Array[int32], array(2.5), {}, TypeError, "a dimension must be an int, not float 2.5"),  # type: ignore[arg-type]
    ("negative", Array[int32], array(-1), {}, ValueError, "a dimension must be positive, got -1"),
    (
        "vast",
        Array[int32],
        array(2**62),
        {},
        OverflowError,
        f"Bad.x: with this field the structure has {2**64} bytes, more than a memory can have",
    ),
    ("two rows", Array[utf8], array(2, 3), {}, TypeError, "a string in a structure has room of"),
    ("pointer bits", int, bits(pointer32, 3), {}, TypeError, "bits() takes an integer type such"),
    ("half a bit", int, bits(uint8, 1.5), {}, TypeError, "Bad.x: the width must be an int, not fl"),  # type: ignore[arg-type]
    (
        "big bits",
        int,
        bits(uint16, 3),
        {"endian": "big"},
        TypeError,
        "Bad.x: the bits of a bit-field have the machine's order; put them in a structure of their "
        "own, with no endian, or read an integer and shift it",
    ),
    (
        "nobody",
        Memberless,
        stored(uint8),
        {},
        TypeError,
        "Bad.x: Memberless has no members, so nothing",
    ),
    ("default", uint8, field(default=300), {}, OverflowError, "Bad.x: 300 does not fit uint8"),
    ("plain default", uint8, 300, {}, OverflowError, "Bad.x: 300 does not fit uint8"),
    ("type as default", int32, int32, {}, TypeError, "Bad.x: int32 takes an int, not type"),
    ("default bits", int, bits(uint8, 3, default=8), {}, OverflowError, "Bad.x: 8 does not fit"),
    ("default member", Large, stored(uint16, default=9), {}, ValueError, "Bad.x: 9 is not a valid"),
    ("default vec", Vec, field(default=5), {}, TypeError, "Bad.x: Vec takes another Vec, a tuple"),
    (
        "default link",
        Pointer[Vec],
        field(default="a"),
        {},
        TypeError,
        "Bad.x: a Pointer[Vec] takes",
    ),
    (
        "ctypes",
        ctypes.c_short,
        ...,
        {},
        TypeError,
        "c_short is no type of memory; use emheap.int16",
    ),
    ("optional", int32 | None, ..., {}, TypeError, "is no type of memory"),
    ("instance", 5, ..., {}, TypeError, "Bad.x: 5 is no type of memory"),
    (
        "syntax",
        "int32 +",
        ...,
        {},
        TypeError,
        "Bad.x: the annotation 'int32 +' cannot be evaluated",
    ),
    ("number", "1/0", ..., {}, TypeError, "Bad.x: the annotation '1/0' cannot be evaluated: divis"),
    ("call", "nowhere()", ..., {}, TypeError, "Bad.x: the annotation 'nowhere()' cannot be evalua"),
    ("attribute", "nowhere.x", ..., {}, TypeError, "cannot be evaluated: there is no nowhere"),
    ("quoted twice", "'Bad'", ..., {}, TypeError, "Bad.x: a structure cannot contain itself"),
    (
        "big array",
        Array[uint16],
        array(2),
        {"endian": "big"},
        TypeError,
        "Bad.x: the elements of an array have the machine's byte order; declare bytes, or each "
        "element as a field",
    ),
)


@pytest.mark.parametrize(
    ("note", "value", "options", "error", "text"), [b[1:] for b in BAD], ids=[b[0] for b in BAD]
)
def test_a_bad_declaration_raises_at_the_class_statement(
    note: Any, value: Any, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        declare(note, value, **options)
    assert text in str(caught.value)


def test_an_array_may_have_one_element() -> None:
    class Single(Struct):
        only: Array[int32] = array(1)
        table: Array[int32] = array(1, 1)

    single = emheap.wrap_buffer(bytearray(64)).layout(Single)
    assert [place.size for place in single.fields.values()] == [4, 4]


def test_a_flexible_array_is_last() -> None:
    with pytest.raises(
        TypeError, match=r"Bad\.items: a flexible array is the last field of a struct"
    ):

        class Bad(Struct):
            items: Array[uint8] = array()
            count: int32


def test_a_pointer_to_nothing_that_can_be() -> None:
    wrong: Any = Pointer[int]
    with pytest.raises(TypeError, match=r"Pointer\[int\]: int is no type of memory"):
        emheap.open().alloc(wrong)


def test_a_structure_with_fields_is_no_base() -> None:
    """C++ would append the fields, but lays them out in ways that C has no name for."""
    with pytest.raises(
        TypeError, match="Deep cannot inherit from the structure Vec, which has fields"
    ):

        class Deep(Vec):
            z: float32

    with pytest.raises(TypeError, match="Both cannot inherit from the structure Vec, which has"):

        class Both(Opaque, Vec):
            z: float32

    class Single(Struct):
        x: int32

    class Nameless(Struct):
        _: int = bits(uint8, 3)

    for base in (Single, Nameless):
        with pytest.raises(TypeError, match=r"inherit from the structure .*: C has no inheritance"):
            _STRUCT("Deep", (base,), {"__module__": __name__})

    class Printable(Struct):
        def text(self) -> str:
            return str(self.to_tuple())

    class Point(Printable):
        x: int32
        limit: ClassVar[int] = 5

    assert Point(x=3).text() == "(3,)"
    assert Point.limit == 5
    with pytest.raises(AttributeError, match="limit"):
        Point(x=3).limit = 4  # type: ignore[misc]


def test_unnamed_bits_and_the_end_of_a_unit() -> None:
    class Flags(Struct):
        a: int = bits(uint32, 3)
        _: int = bits(uint32, 4)
        b: int = bits(uint32, 5)
        _2: int = bits(uint32, 0)
        c: int = bits(uint32, 2)

    layout = emheap.open().layout(Flags)
    assert layout.size == 8
    assert list(layout.fields) == ["a", "b", "c"]
    assert (layout.fields["b"].bit_offset, layout.fields["c"].offset) == (7, 4)
    assert Flags(a=1, b=2, c=3).to_tuple() == (1, 2, 3)


def test_fields_tell_where_they_lie() -> None:
    assert (Vec.y.offset, Vec.y.size, Vec.y.bit_width) == (4, 4, None)
    assert repr(Vec.y) == "<Field Vec.y at 4, 4 bytes>"
    level: Any = Node.level
    assert (level.bit_width, level.bit_offset) == (5, 1)
    assert str(Node.next) == "Node.next"
    size: Any = Node.size  # as the C code of this process has it
    assert size.size == ctypes.sizeof(ctypes.c_size_t)
    narrow, wide = emheap.wrap_buffer(bytearray(64)), emheap.open()
    assert narrow.layout(Node).fields["size"].size == 4
    assert wide.layout(Node).fields["size"].size == wide.pointer_size
    with pytest.raises(
        TypeError, match=r"expected a structure, a class derived from emheap\.Struct"
    ):
        narrow.layout(int32)  # type: ignore[arg-type]


def test_the_printed_layout_shows_the_holes() -> None:
    class Holes(Struct):
        tag: uint8
        value: uint64
        on: bool = bits(uint16, 1)
        mode: int = bits(uint16, 4)
        last: uint8

    text = str(emheap.wrap_buffer(bytearray(64)).layout(Holes))
    assert text.splitlines() == [
        "Holes: 24 bytes, alignment 8, wasm32",
        "   0     1  tag: uint8",
        "   1     7  padding",
        "   8     8  value: uint64",
        "  16:0  :1  on: uint16",
        "  16:1  :4  mode: uint16",
        "  16:5      3 bits of padding",
        "  17     1  last: uint8",
        "  18     6  padding",
    ]


def test_options_of_a_class() -> None:
    class Aligned(Struct, align=32):
        x: uint8

    class Shared(Union, pack=1):
        a: uint64 = field()
        b: uint8 = field()

    class Spread(Struct):
        a: uint8
        b: uint8 = field(align=8)

    class Both(Struct, pack=1, align=16):
        a: uint8
        b: uint64

    heap = emheap.open()
    both = heap.layout(Both)
    assert (both.size, both.alignment, both.fields["b"].offset) == (16, 16, 1)
    assert (heap.layout(Aligned).size, heap.layout(Aligned).alignment) == (32, 32)
    assert (heap.layout(Shared).size, heap.layout(Shared).alignment) == (8, 1)
    assert heap.layout(Spread).fields["b"].offset == 8
    with heap.alloc(Aligned, x=3) as aligned, heap.alloc_array(Aligned, 3) as several:
        assert aligned.address % 32 == 0
        assert several.address % 32 == 0
        assert several[1].address == several.address + 32


# Where annotations are read


def test_a_structure_in_a_function_names_what_is_there() -> None:
    class Local(Struct):
        x: int32

    class Outer(Struct):
        inner: Local
        later: Pointer[Late]
        own: Pointer[Outer]

    class Late(Struct):
        y: int32

    heap = emheap.wrap_buffer(bytearray(512))
    with heap.arena() as scratch:
        late = scratch.alloc(Late, y=7)
        outer = scratch.alloc(Outer, inner=Local(x=1), later=late, own=None)
        outer.own = outer
        assert (outer.own.target.inner.x, outer.later.target.y) == (1, 7)


class First(Struct):
    second: Pointer[Second] = field()


class Second(Struct):
    first: Pointer[First] = field()
    number: int32 = field()


def test_structures_that_point_to_each_other() -> None:
    heap = emheap.wrap_buffer(bytearray(512))
    with heap.arena() as scratch:
        second = scratch.alloc(Second, number=3)
        second.first = scratch.alloc(First, second=second)
        assert second.first.target.second.target.number == 3


EAGER = """
from emheap import Struct, Pointer, Array, array, int32, field
class Inner(Struct):
    x: int32
class Tree(Struct):
    value: int32
    inner: Inner = field()
    left: Pointer["Tree"] = field()
    right: "Pointer[Tree]" = field()
    far: Pointer["Far"] = field()
    many: Array[Pointer["Tree"]] = array(2)
class Far(Struct):
    y: int32
"""


def test_annotations_that_are_not_deferred() -> None:
    space: dict[str, Any] = {"__name__": __name__}
    exec(compile(EAGER, "<eager>", "exec", dont_inherit=True), space)
    heap = emheap.wrap_buffer(bytearray(2048))
    with heap.arena() as scratch:
        far = scratch.alloc(space["Far"], y=4)
        leaf = scratch.alloc(space["Tree"], value=1)
        tree = scratch.alloc(
            space["Tree"], value=2, left=leaf, right=leaf, far=far, many=[leaf, None]
        )
        assert tree.left.target.value + tree.right.target.value == 2
        assert tree.far.target.y == 4
        assert tree.many[0].target.value == 1


def test_a_name_that_never_comes_is_told_of_when_it_is_needed() -> None:
    class Lonely(Struct):
        friend: Pointer[Nobody] = field()  # type: ignore[name-defined]  # noqa: F821

    heap = emheap.wrap_buffer(bytearray(512))
    with heap.alloc(Lonely) as lonely:
        assert not lonely.friend
        lonely.friend = 16
        with pytest.raises(
            NameError, match=r"there is no type Nobody where .*Lonely in .* was declared"
        ):
            _ = lonely.friend.target


def test_a_name_stands_for_a_type_in_class_statements_only() -> None:
    named: Any = Pointer["Vec"]
    with emheap.wrap_buffer(bytearray(512)) as heap, heap.alloc(Vec, x=1, y=2) as vec:
        with heap.alloc(named, vec.address) as pointer:
            words = "^Vec is a name; outside of a class statement give the type$"
            with pytest.raises(NameError, match=words):
                _ = pointer.value.target
        with heap.alloc(Pointer[Vec], vec) as pointer:
            assert pointer.value.target == vec


def test_the_type_of_a_structure_is_a_kind_too(heap: Any) -> None:
    """It is a class made for the heap; what is meant is the one that was declared."""
    with heap.alloc(Vec, x=1, y=2) as vec:
        kinds: tuple[Any, ...] = (type(vec), type(Vec(x=1, y=2)), type(vec.read()))
        for kind in kinds:

            class Holder(Struct):
                at: kind  # type: ignore[valid-type]
                to: Pointer[kind] = field()  # type: ignore[valid-type]
                many: Array[kind] = array(2)  # type: ignore[valid-type]

            outer: Any = Holder
            assert heap.layout(kind) is heap.layout(Vec)
            with (
                heap.alloc(kind, vec) as copy,
                heap.alloc_array(kind, [vec, copy]) as several,
                heap.alloc(outer, at=vec, to=vec, many=several) as holder,
                heap.alloc(Pointer[kind], vec) as pointer,  # type: ignore[valid-type]
            ):
                assert [copy.kind, several.kind, holder.at.kind, holder.many.kind] == [Vec] * 4
                assert holder.to.target == vec
                assert pointer.value.target == several[1] == kind(x=1, y=2) == vec
                assert heap.wrap(kind, vec.address) == heap.read(kind, vec.address) == vec
                heap.write(kind, copy.address, (3, 4))
                assert copy.to_tuple() == (3, 4)
    other: Any = emheap.wrap_buffer(bytearray(64))  # of another ABI, perhaps
    with other.alloc(type(Vec(x=1, y=2)), x=1, y=2) as there:
        assert there == Vec(x=1, y=2)


def test_members_may_be_the_least_and_the_most_that_fits(scratch: Arena) -> None:
    class Stored(Struct):
        edge: Edges = stored(int8)

    stored_edges = scratch.alloc_array(Stored, [(Edges.LEAST,), (Edges.MOST,)])
    assert bytes(stored_edges) == b"\x80\x7f"
    assert [each.edge for each in stored_edges] == [Edges.LEAST, Edges.MOST]


def test_an_integer_may_be_stored_in_fewer_bytes(scratch: Arena) -> None:
    class Small(Struct):
        number: int = stored(int8)
        truth: bool = stored(uint16)

    small = scratch.alloc(Small, number=-5, truth=True)
    assert (bytes(small)[0], bytes(small)[2:]) == (251, (1).to_bytes(2, sys.byteorder))
    assert (small.number, small.truth) == (-5, True)
    assert (type(small.number), type(small.truth)) == (int, bool)
    with pytest.raises(OverflowError, match=r"Small\.number: 128 does not fit"):
        small.number = 128
