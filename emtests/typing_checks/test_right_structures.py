# pyright: strict, reportMissingModuleSource=false, reportUnnecessaryComparison=false
"""Right uses of structures: the type of each result is the one a reader expects. They are run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NewType, TypeVar

import emheap
from emheap import (
    Array,
    ArrayRef,
    Atomic,
    Field,
    HeapManager,
    Pointer,
    ScalarRef,
    StringRef,
    Struct,
    StructArrayRef,
    StructLayout,
    array,
    bits,
    boolean,
    char,
    field,
    float16,
    float32,
    float64,
    int32,
    long,
    size_t,
    stored,
    uint8,
    uint32,
    utf8,
    wchar,
)
from emtests.structures.kinds import Access, Color, Message, Number, Pixel, Vec

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:

    def assert_type(value: Any, kind: Any) -> Any:
        return value


class Node(Struct, align=16):
    id: int32
    at: Vec = field()
    pos: Array[float64] = array(2)
    corners: Array[Vec] = array(4)
    matrix: Array[float32] = array(3, 3)
    label: Array[utf8] = array(8)
    links: Array[Pointer[Node]] = array(2)
    hot: bool = bits(uint32, 1)
    level: int = bits(uint32, 5)
    access: Access = bits(uint32, 7)
    color: Color = stored(uint8, default=Color.RED)
    number: Number = field()
    next: Pointer[Node] = field()
    data: Pointer[uint8] = field()
    name: Pointer[utf8] = field()
    names: Pointer[Pointer[utf8]] = field()
    size: size_t = field()
    many: long = field()
    yes: boolean = field()
    half: float16 = field()
    letter: char = field()
    wide: wchar = field()


Metres = NewType("Metres", int32)


class Road(Struct):
    length: Metres
    parts: Array[Metres] = array(2)
    width: Annotated[float32, "in metres"] = field()


def test_fields_by_other_names() -> None:
    with emheap.open().alloc(Road, length=3, parts=[1, 2]) as road:
        assert_type(road.length, int)
        assert_type(road.parts, ArrayRef[int])
        assert_type(road.width, float)


def test_fields() -> None:
    with emheap.open().alloc(Node, id=5) as n:
        assert_type(n, Node)
        assert_type(n.id, int)
        assert_type(n.at, Vec)
        assert_type(n.at.x, float)
        assert_type(n.at.length(), float)
        assert_type(n.pos, ArrayRef[float])
        assert_type(n.pos[0], float)
        assert_type(n.pos[0:1], list[float])
        assert_type(n.matrix[1, 2], float)
        assert_type(n.corners, StructArrayRef[Vec])
        assert_type(n.corners[1], Vec)
        assert_type(n.corners[1].y, float)
        assert_type(n.corners[1:], list[Vec])
        assert_type(n.label, StringRef)
        assert_type(n.links, ArrayRef[Pointer[Node]])
        assert_type(n.hot, bool)
        assert_type(n.level, int)
        assert_type(n.access, Access)
        assert_type(n.color, Color)
        n.color = Color.BLUE
        assert_type(n.number, Number)
        assert_type(n.number.as_float, float)
        assert_type(n.size, int)
        assert_type(n.many, int)
        assert_type(n.yes, bool)
        assert_type(n.half, float)
        assert_type(n.letter, bytes)
        assert_type(n.wide, str)
        assert_type([corner.x for corner in n.corners], list[float])


def test_pointers() -> None:
    heap = emheap.open()
    with heap.arena() as scratch:
        text = scratch.alloc(utf8, "abc")
        names = scratch.alloc_array(Pointer[utf8], [text, None])
        bytes_ = scratch.alloc_array(uint8, b"xyz")
        n = scratch.alloc(Node, id=5, data=bytes_, name=text, names=names)
        n.next = n
        assert_type(n.next, Pointer[Node])
        assert_type(n.next.target, Node)
        assert_type(n.next.target.id, int)
        assert_type(n.next[0].at.y, float)
        assert_type(n.next.get(), "Node | None")
        assert_type(bool(n.next), bool)
        assert_type(n.next.address, int)
        assert_type(n.data.target, int)
        assert_type(n.data[1], int)
        assert_type(n.data.array(3), ArrayRef[int])
        assert_type(n.name.target, str)
        assert_type(n.names[0], Pointer[utf8])
        assert_type(n.names[0].target, str)
        assert_type(n.names[1].get(), "str | None")
        assert_type(n.next.array(1), StructArrayRef[Node])
        assert_type(n.next.cast(Pointer[int32]), Pointer[int32])
        assert_type(names, ArrayRef[Pointer[utf8]])
        assert_type(scratch.alloc(Pointer[Node], n), ScalarRef[Pointer[Node]])
        assert_type(scratch.alloc(Pointer[Node]).value, Pointer[Node])
        node: Node | None = n
        n.next = None
        while node is not None:
            node = node.next.get()
        n.next = n.address
        n.next = n.next
        n.data = 0


def test_allocating() -> None:
    heap = emheap.open()
    with heap.arena() as scratch:
        assert_type(scratch.alloc(Vec), Vec)
        assert_type(scratch.alloc(Vec, x=1, y=2.5), Vec)
        assert_type(scratch.alloc(Vec, Vec(x=1, y=2)), Vec)
        assert_type(scratch.alloc(Pixel, r=1, g=2, b=3), Pixel)
        assert_type(scratch.alloc(Pixel, r=1, g=2, b=3, a=4), Pixel)
        assert_type(scratch.alloc(Number, as_float=1.5), Number)
        assert_type(scratch.alloc(Message, count=2, items=[1, 2]), Message)
        assert_type(scratch.alloc_array(Vec, 100), StructArrayRef[Vec])
        assert_type(scratch.alloc_array(Vec, 100)[3].x, float)
        assert_type(scratch.alloc_array(Vec, [Vec(x=1, y=2)]), StructArrayRef[Vec])
        assert_type(scratch.alloc_array(Vec, [(1, 2), (3, 4)]), StructArrayRef[Vec])
        assert_type(scratch.alloc(size_t, 3), ScalarRef[int])
        assert_type(scratch.alloc(boolean, True), ScalarRef[bool])
        assert_type(scratch.alloc_array(char, [b"a", b"b"]), ArrayRef[bytes])
    with heap.alloc(Vec, x=1, y=2) as vec:
        assert_type(vec, Vec)
        vec.x = 2
        vec.y += 1
        vec.write((1, 2))
        vec.write(Vec(x=3, y=4))
        assert_type(vec.read(), Vec)
        assert_type(vec.to_tuple(), tuple[Any, ...])
        assert_type(vec.to_dict(), dict[str, Any])
        assert_type(vec == Vec(x=3, y=4), bool)
        assert_type(heap.read(Vec, vec.address), Vec)
        heap.write(Vec, vec.address, Vec(x=1, y=2))
        heap.write(Vec, vec.address, (1, 2))
        assert_type(heap.wrap(Vec, vec.address), Vec)
        assert_type(heap.wrap_array(Vec, vec.address, 1), StructArrayRef[Vec])
        assert_type(heap.wrap_array(Vec, vec.address, 1, stride=16), StructArrayRef[Vec])
        assert_type(vec.field_ref(Vec.x), ScalarRef[float])
        assert_type(vec.field_ref(Vec.x).value, float)
        assert_type(vec.field_ref(Vec.x).atomic, Atomic[float])
        assert_type(vec.field_ref(Vec.x).atomic.add(0.5), float)
        assert_type(vec.field_ref(Vec.x).atomic.load(), float)
    with heap.alloc_array(uint8, 64) as room:
        assert_type(heap.wrap(Message, room.address & -4, tail=3), Message)
        message = heap.adopt(Message, (room.address + 8) & -8, free=lambda address: None, tail=3)
        assert_type(message, Message)
        message.free()
        adopted = heap.adopt(Vec, (room.address + 8) & -8, free=lambda address: None)
        assert_type(adopted, Vec)
        adopted.free()
        several = heap.adopt(Vec, (room.address + 8) & -8, 2, free=lambda address: None)
        assert_type(several, StructArrayRef[Vec])
        several.free()
        link = heap.adopt(Pointer[Vec], (room.address + 8) & -8, free=lambda address: None)
        assert_type(link, ScalarRef[Pointer[Vec]])
        assert_type(link.value, Pointer[Vec])
        link.free()
        links = heap.adopt(Pointer[Vec], (room.address + 8) & -8, 2, free=lambda address: None)
        assert_type(links, ArrayRef[Pointer[Vec]])
        assert_type(links[0], Pointer[Vec])
        links.free()


def test_values_and_layouts() -> None:
    vec = Vec(x=1, y=2.5)
    assert_type(vec, Vec)
    assert_type(vec.x, float)
    assert_type(Node(id=1, at=vec, corners=[vec] * 4, pos=[1, 2]).corners[3].y, float)
    assert_type(Vec.x, Field[float])
    assert_type(Vec.x.offset, int)
    assert_type(Node.at, Field[Vec])
    assert_type(Node.next, Field[Pointer[Node]])
    assert_type(emheap.open().layout(Node), StructLayout)
    assert_type(emheap.open().layout(Node).size, int)
    # The annotation of a bit-field says what Python sees, so checkers take Node.hot for a bool.
    assert_type(Node.hot, bool)
    hot = emheap.open().layout(Node).fields["hot"]
    assert_type(hot, Field[Any])
    assert_type(hot.offset, int)
    assert_type(hot.bit_width, "int | None")


def test_arrays() -> None:
    with emheap.open().alloc_array(Pixel, [(1, 2, 3, 4)] * 3) as image:
        for pixel in image:
            assert_type(pixel, Pixel)
            pixel.r = pixel.g = pixel.b = (pixel.r * 77 + pixel.g * 150 + pixel.b * 29) >> 8
        image.column(Pixel.r)[:] = bytes(len(image))
        image[0] = Pixel(r=1, g=2, b=3)
        image[1:] = [Pixel(r=1, g=2, b=3)] * 2
        image[1:] = [(1, 2, 3, 4)] * 2
        assert_type(len(image), int)
        assert_type(image.tolist(), list[tuple[Any, ...]])


S = TypeVar("S", bound=Struct)


def fill(heap: HeapManager, kind: type[S], count: int) -> StructArrayRef[S]:
    """A program's own function over structures of any kind."""
    return heap.alloc_array(kind, count)


def copy(heap: HeapManager, kind: type[S], value: S) -> S:
    heap.write(kind, value.address, value)
    heap.alloc_array(kind, [value]).free()
    return heap.alloc(kind, value)


def test_a_programs_own_functions() -> None:
    heap = emheap.open()
    with fill(heap, Vec, 3) as vecs:
        assert_type(vecs, StructArrayRef[Vec])
    with heap.alloc(Vec, x=3, y=4) as vec, copy(heap, Vec, vec) as copied:
        assert_type(copied, Vec)
        assert copied == vec
