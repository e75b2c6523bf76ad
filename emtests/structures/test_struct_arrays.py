"""Arrays of structures: elements, slices, columns, strides, numpy."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from struct import pack
from typing import Any

import pytest

import emheap
from emheap import (
    Arena,
    HeapManager,
    NotSupportedError,
    Pointer,
    Struct,
    field,
    float64,
    int32,
    stored,
    uint8,
    uint16,
    uint32,
    uint128,
)
from emtests.conftest import OpenHeap
from emtests.structures.kinds import Color, Everything, Node, Packed, Pixel, Vec


def test_elements_are_references_to_their_places(scratch: Arena) -> None:
    points = scratch.alloc_array(Vec, 5)
    assert (len(points), points.bytes_per_element) == (5, 8)
    for index, point in enumerate(points):
        point.x, point.y = index, -index
    assert [point.x for point in points] == [0, 1, 2, 3, 4]
    assert [points[index].x for index in range(-5, 0)] == [0, 1, 2, 3, 4]
    assert points[2].address == points.address + 16
    assert [point.x for point in points[1:4:2]] == [1, 3]
    points[1] = points[4]
    points[0] = (7, 8)
    points[2:4] = [Vec(x=1, y=2), {"x": 3, "y": 4}]
    assert points.tolist() == [(7, 8), (4, -4), (1, 2), (3, 4), (4, -4)]
    for point in points[1:4:2]:
        point.y = 9
    assert [point.y for point in points] == [8, 9, 2, 9, -4]
    assert points == [Vec(x=x, y=y) for x, y in points.tolist()]
    assert points[2] in points
    with points.view as view:
        assert (view.format, view.nbytes, view.readonly) == ("B", 40, False)
        view[16:24] = bytes(8)
    assert points[2] == Vec(x=0, y=0)
    for wrong in (5, -6):
        with pytest.raises(
            emheap.OutOfBoundsError, match=f"index {wrong} is outside the 5 element"
        ):
            _ = points[wrong]
    with pytest.raises(TypeError, match="index must be an int, not str"):
        _ = points["x"]  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="an array of 2 elements takes as many, not 1"):
        points[0:2] = [(1, 2)]


def test_it_is_a_sequence(scratch: Arena) -> None:
    points = scratch.alloc_array(Vec, [(0, 1), (2, 3), (0, 1)])
    assert isinstance(points, Sequence)
    assert [point.x for point in reversed(points)] == [0, 2, 0]
    assert [point.to_tuple() for point in points[:0:-1]] == [(0, 1), (2, 3)]
    assert (points.index(points[1]), points.count(points[2])) == (1, 2)
    assert (points.index(Vec(x=0, y=1)), points.index(Vec(x=0, y=1), 1)) == (0, 2)
    assert scratch.alloc_array(Vec, [(5, 6), (0, 1), (0, 1)]).index(Vec(x=0, y=1)) == 1
    assert Vec(x=2, y=1) not in points
    words = r"is not in the Vec array of 24 bytes at 0x.*allocated at "
    with pytest.raises(ValueError, match=words):
        points.index(Vec(x=0, y=1), 1, 2)
    for wrong in ([], [(5, 6)], [(5, 6)] * 4):
        with pytest.raises(emheap.ShapeError, match="an array of 3 elements takes as many, not"):
            points[:] = wrong
    assert points.tolist() == [(0, 1), (2, 3), (0, 1)]


def test_arrays_of_values(heap: HeapManager) -> None:
    with heap.alloc_array(
        Pixel, [(1, 2, 3, 4), Pixel(r=5, g=6, b=7), {"r": 1, "g": 1, "b": 1}]
    ) as a:
        assert bytes(a) == bytes([1, 2, 3, 4, 5, 6, 7, 255, 1, 1, 1, 255])
        with heap.alloc_array(Pixel, bytes(a)) as copy:
            assert copy == a
    with pytest.raises(emheap.ValueOutOfRangeError, match=r"element 1: Pixel\.g: 256 does not fit"):
        heap.alloc_array(Pixel, [(1, 2, 3, 4), (1, 256, 3, 4)])
    with pytest.raises(
        ValueError, match="a buffer of 7 bytes is no whole number of Pixel, of 4 bytes"
    ):
        heap.alloc_array(Pixel, bytes(7))
    with pytest.raises(TypeError, match="element 0: Pixel takes another Pixel, a tuple"):
        heap.alloc_array(Pixel, [5])  # type: ignore[arg-type]
    assert heap.total_allocated_byte_size == 0
    with heap.alloc_array(Pixel, 0) as empty:
        assert (len(empty), list(empty), bytes(empty), empty.column("r").tolist()) == (
            0,
            [],
            b"",
            [],
        )


def test_columns_are_views(scratch: Arena) -> None:
    pixels = scratch.alloc_array(Pixel, [(i, 2 * i, 3 * i, 255) for i in range(20)])
    red: Any = pixels.column(Pixel.r)
    assert red.tolist() == list(range(20))
    red[:] = bytes(20)
    assert sum(pixel.r for pixel in pixels) == 0
    pixels.column(Pixel.g)[3] = 77
    assert pixels[3].g == 77
    points = scratch.alloc_array(Vec, 4)
    points.column(Vec.y)[:] = memoryview(array("f", [1, 2, 3, 4]))
    assert [point.y for point in points] == [1, 2, 3, 4]


def test_columns_of_nested_structures_and_pointers(scratch: Arena) -> None:
    nodes = scratch.alloc_array(Node, 3)
    nodes[1].at.y = 6
    assert nodes.column(Node.at, Vec.y).tolist() == [0, 6, 0]
    assert nodes[1].corners.column(Vec.y).tolist() == [0, 0, 0, 0]
    nodes[2].next = nodes[0]
    assert nodes.column(Node.next).tolist() == [0, 0, nodes.address]
    assert nodes.column("color").tolist() == [0, 0, 0]
    words = r"so it has no column; take the elements one by one, or numpy\(\)"
    for wrong in ("hot", "at", "pos"):
        with pytest.raises(NotSupportedError, match=words):
            nodes.column(wrong)
    with pytest.raises(TypeError, match="Node has no field nothing"):
        nodes.column("nothing")
    with pytest.raises(TypeError, match=r"Node has no field Vec\.x"):
        nodes.column(Vec.x)


class Wide(Struct):
    number: uint128


def test_no_view_has_integers_of_16_bytes(scratch: Arena) -> None:
    wide = scratch.alloc_array(Wide, [(1,), (2**127,)])
    for take in (wide.column, wide.js_column):
        with pytest.raises(NotSupportedError, match=r"Wide\.number is no number of its own"):
            take("number")


class Odd(Struct, pack=1):
    tag: uint8
    count: uint16
    end: uint8


class Uneven(Struct, pack=1):
    count: uint16
    tag: uint8


def test_a_column_needs_fields_at_multiples_of_their_size(scratch: Arena) -> None:
    packed = scratch.alloc_array(Packed, 2)
    assert packed.column(Packed.tag).tolist() == [0, 0]
    odd = scratch.alloc_array(Odd, 2)
    assert odd.bytes_per_element == 4  # a step between multiples, but the first is at none
    uneven = scratch.alloc_array(Uneven, 2)
    assert uneven.address % 2 == 0  # the first is at a multiple, but the second is not
    for array_, name, size in ((packed, "value", 4), (odd, "count", 2), (uneven, "count", 2)):
        words = (
            rf"{array_.kind.__name__}\.{name} does not lie at multiples of its {size} bytes, so no "
            r"view can have it; take numpy\(\), or the elements one by one"
        )
        for take in (array_.column, array_.js_column):
            with pytest.raises(NotSupportedError, match=words):
                take(name)


def test_slices_are_stored_where_they_lie(scratch: Arena) -> None:
    points = scratch.alloc_array(Vec, 5)
    points[1:3] = [(1, 2), (3, 4)]
    assert points.tolist() == [(0, 0), (1, 2), (3, 4), (0, 0), (0, 0)]
    points[::2] = [(5, 6), (7, 8), (9, 9)]
    assert points.tolist() == [(5, 6), (1, 2), (7, 8), (0, 0), (9, 9)]
    points[1::-1] = [(1, 1), (2, 2)]
    stored = [(2, 2), (1, 1), (7, 8), (0, 0), (9, 9)]
    assert points.tolist() == stored
    wrong: Any = [(3, 3), ("x", 4), (5, 5)]
    for part in (slice(0, 3), slice(0, 5, 2)):
        with pytest.raises(TypeError, match=r"^element 1: Vec\.x: float32 takes a float"):
            points[part] = wrong
        with pytest.raises(emheap.ShapeError):
            points[part] = wrong[::2]
    assert points.tolist() == stored


class Link(Struct):
    target: Pointer[int32] = field()


def test_a_slice_leaves_what_is_known_of_the_elements_between(heap: HeapManager) -> None:
    with heap.alloc_array(Link, 3) as links, heap.alloc(int32, 5) as kept:
        freed = heap.alloc(int32, 6)
        links[1].target = freed
        links[::2] = [Link(target=kept), Link(target=kept)]
        assert [link.target.target for link in links] == [5, 6, 5]
        freed.free()
        with pytest.raises(emheap.UseAfterFreeError):
            _ = links[1].target.target


def test_an_array_inside_of_a_structure_says_what_it_is(heap: HeapManager) -> None:
    with heap.alloc_array(Node, 2) as nodes:
        corners = nodes[1].corners
        place = f"{corners.address:#x}"
        assert repr(corners) == f"<StructArrayRef Vec of 4 elements at {place} inside a block>"
        assert (corners.element_count, len(corners), corners.allocated_byte_size) == (4, 4, 32)
        text = f"index 4 is outside the 4 elements of the Vec array at {place} in the Node array"
        with pytest.raises(emheap.OutOfBoundsError, match=text):
            _ = corners[4]
        assert repr(nodes).endswith(" owned>")
    assert repr(corners) == f"<StructArrayRef Vec at {corners.address:#x} freed>"


def test_strides(heap: HeapManager) -> None:
    """A C program that puts twelve bytes of its own behind each but the last."""
    with heap.alloc_array(uint8, 48) as room:
        points = heap.wrap_array(Vec, room, 3, stride=20)
        for index, point in enumerate(points):
            point.x = index + 1
        assert points[1].address == room.address + 20
        assert heap.read_float32(room.address + 40) == 3
        assert points.column(Vec.x).tolist() == [1, 2, 3]
        points[1:] = [(8, 9), (6, 7)]
        assert points.tolist() == [(1, 0), (8, 9), (6, 7)]
        assert (points.bytes_per_element, points.allocated_byte_size) == (20, 48)
        for stride in (10, 4, -20):
            with pytest.raises(
                ValueError,
                match="stride must be at least the 8 bytes of Vec and a multiple of its alignment, "
                f"4; got {stride}",
            ):
                heap.wrap_array(Vec, room.address, 3, stride=stride)
        with pytest.raises(TypeError, match="stride is for arrays of structures"):
            heap.wrap_array(uint8, room.address, 3, stride=2)  # type: ignore[type-var]
        if heap.memory.zero_copy and _has_numpy():
            assert points.numpy()["y"].tolist() == [0, 9, 7]


def _has_numpy() -> bool:
    import importlib.util

    return importlib.util.find_spec("numpy") is not None


class Ordered(Struct, endian="big"):
    big: uint32
    real: float64
    own: uint16 = field(endian="little")


@pytest.mark.needs("numpy")
def test_numpy_shares_the_bytes(heap: HeapManager) -> None:
    import numpy

    with heap.alloc_array(Pixel, [(10, 20, 30, 40)] * 3) as pixels:
        shared = pixels.numpy()
        shared["g"] //= 2
        assert [pixel.g for pixel in pixels] == [10, 10, 10]
        pixels[1].b = 99
        assert shared["b"].tolist() == [30, 99, 30]
        with pytest.raises(emheap.BufferInUseError, match="numpy array"):
            pixels.free()
        part = shared["r"][1:]
        del shared
        with pytest.raises(emheap.BufferInUseError):
            pixels.free()
        assert part.sum() == 20
        del part
    with heap.alloc_array(Node, 2) as nodes:
        nodes[1].pos[:] = [1.5, 2.5]
        nodes[1].at = (3, 4)  # type: ignore[assignment]
        nodes[1].label = "abc"
        shared = nodes.numpy()
        assert shared["pos"][1].tolist() == [1.5, 2.5]
        assert shared["at"]["y"].tolist() == [0, 4]
        assert shared["label"][1] == b"abc"
        assert shared.dtype.itemsize == nodes.bytes_per_element
        assert "hot" not in shared.dtype.names
        del shared
    with heap.alloc_array(Vec, [(1, 2), (3, 4)]) as points:
        column = numpy.asarray(points.column(Vec.y))
        column *= 2
        with pytest.raises(emheap.BufferInUseError, match=r"column Vec\.y"):
            points.free()
        assert points.tolist() == [(1, 4), (3, 8)]
        del column
    with heap.alloc_array(Ordered, [(258, 0.5, 772), (1, 2, 3)]) as ordered:
        shared = ordered.numpy()
        assert [shared[name].tolist() for name in ("big", "real", "own")] == [
            [258, 1],
            [0.5, 2],
            [772, 3],
        ]
        shared["big"][1] = 770
        assert bytes(ordered)[24:28] == b"\0\0\3\2"
        del shared
    with heap.alloc_array(Everything, 1) as all_:
        all_[0].c, all_[0].d, all_[0].e = True, 0.5, b"x"
        shared = all_.numpy()
        assert (shared["c"][0], shared["d"][0], shared["e"][0]) == (True, 0.5, b"x")
        assert shared["b"].dtype == numpy.uint64
        del shared


def test_resizing_keeps_what_fits(heap: HeapManager) -> None:
    points = heap.alloc_array(Vec, [(1, 2), (3, 4)])
    first = points[0]
    points.resize(4)
    assert points.tolist() == [(1, 2), (3, 4), (0, 0), (0, 0)]
    with pytest.raises(emheap.UseAfterFreeError):
        _ = first.x
    points.resize(1)
    assert points.tolist() == [(1, 2)]
    points.free()
    with pytest.raises(emheap.UseAfterFreeError):
        points.resize(2)


def test_resizing_while_values_are_made(heap: HeapManager) -> None:
    points = heap.alloc_array(Vec, [(1, 2), (3, 4)])

    def values() -> Iterator[tuple[float, float]]:
        points.resize(1)
        yield from [(5, 6), (7, 8)]

    with pytest.raises(
        emheap.ShapeError, match="was resized while its values were made; assign them"
    ):
        points[:] = values()
    assert points.tolist() == [(1, 2)]
    points[:] = [(5, 6)]
    assert points.tolist() == [(5, 6)]
    points.free()


def test_structures_of_an_opaque_kind(heap: HeapManager) -> None:
    class Database(Struct):
        """C keeps to itself what is in it."""

    class Holder(Struct):
        database: Pointer[Database] = field()

    with heap.alloc_array(uint8, 16) as block, heap.alloc(Holder) as holder:
        holder.database = block.address
        assert holder.database.target.address == block.address
        assert heap.wrap(Database, block.address) == holder.database.target
        with heap.alloc(Pointer[Database], holder.database) as pointer:
            assert pointer.value == holder.database
    words = "Database has no fields, so its size is not known; only what another program allocated"
    with pytest.raises(TypeError, match=words):
        heap.alloc(Database)


def test_structures_with_a_debug_heap_are_checked(open_heap: OpenHeap) -> None:
    heap = open_heap(debug=True)
    with heap.alloc(Vec, x=1, y=2) as vec:
        with pytest.raises(emheap.OutOfBoundsError):
            heap.wrap_array(Vec, vec.address, 2)
        assert heap.read(Vec, vec.address) == vec
        heap.verify()
    with heap.alloc_array(Vec, 3) as vecs:
        vecs[2].x = 5
        heap.verify()
    uses: tuple[Callable[[], Any], ...] = (
        lambda: vec.x,
        lambda: setattr(vec, "x", 1),
        lambda: vec.to_tuple(),
        lambda: vec.write((1, 2)),
        lambda: vecs[2].y,
        lambda: vecs.tolist(),
    )
    for use in uses:
        with pytest.raises(
            emheap.UseAfterFreeError, match=r"used at \S*test_struct_arrays\.py:\d+"
        ):
            use()


class Big(Struct, endian="big"):
    """As packets on a network have it."""

    tag: uint16
    length: int32
    host: uint16 = field(endian="native")


def test_byte_orders(scratch: Arena) -> None:
    big = scratch.alloc(Big, tag=0x0102, length=-2, host=1)
    assert bytes(big)[:8] == b"\x01\x02\0\0\xff\xff\xff\xfe"
    assert big.to_tuple() == (0x0102, -2, 1)
    big.tag = 3
    big.length = 5
    assert (big.tag, big.length, bytes(big)[:2]) == (3, 5, b"\0\3")
    assert Big(tag=1, length=2, host=1) == scratch.alloc(Big, tag=1, length=2, host=1)


class Mixed(Struct, endian="big"):
    ratio: float64
    color: Color = stored(uint16)
    near: int32 = field(endian="little")


def test_all_numbers_have_the_byte_order_of_the_structure_or_their_own(scratch: Arena) -> None:
    expected = pack(">dH2x", 0.5, 2) + pack("<i", 7)
    mixed = scratch.alloc(Mixed, ratio=0.5, color=Color.BLUE, near=7)
    assert bytes(mixed) == expected
    mixed.write((1, Color.RED, -1))
    mixed.ratio, mixed.color, mixed.near = 0.5, Color.BLUE, 7
    assert bytes(mixed) == expected
    assert mixed.to_tuple() == (0.5, Color.BLUE, 7)


class Packet(Struct):
    sort: uint8 = field(endian="big")
    count: uint16 = field(endian="big")
    level: int32 = field(endian="little")
    ratio: float64 = field(endian="big")
    end: Big = field()


def test_a_column_is_of_numbers_in_the_byte_order_of_the_machine(scratch: Arena) -> None:
    packets = scratch.alloc_array(Packet, [(1, 2, 3, 0.5, (4, 5, 6))] * 2)
    assert packets.column(Packet.sort).tolist() == [1, 1]  # one byte has no order
    assert packets.column(Packet.level).tolist() == [3, 3]
    words = "has the other byte order, in which no view reads its numbers; take numpy"
    paths: list[Any] = [[Packet.count], ["ratio"], [Packet.end, Big.length]]
    for path in paths:
        for take in (packets.column, packets.js_column):
            with pytest.raises(NotSupportedError, match=words):
                take(*path)
    assert [packet.count for packet in packets] == [2, 2]


@pytest.mark.needs("numpy")
def test_numpy_reads_either_byte_order(scratch: Arena) -> None:
    shared = scratch.alloc_array(Packet, [(1, 2, 3, 0.5, (4, 5, 6))] * 2).numpy()
    assert shared[["sort", "count", "level", "ratio"]].tolist() == [(1, 2, 3, 0.5)] * 2
    assert shared["end"]["length"].tolist() == [5, 5]
    assert shared.dtype.itemsize == shared.strides[0] == 32  # of which 4 bytes are padding


class Padded(Struct):
    value: float64
    tag: uint8


def test_what_has_more_padding_elsewhere_is_copied_field_by_field() -> None:
    """All fields lie alike on either machine, and only the end is filled up to another size."""
    wasm, i386 = (
        emheap.wrap_buffer(bytearray(256), abi=abi)
        for abi in ("wasm32-unknown-unknown", "i386-linux-gnu")
    )
    layouts = [heap.layout(Padded) for heap in (wasm, i386)]
    assert [layout.size for layout in layouts] == [16, 12]
    assert layouts[0].placed.bits == layouts[1].placed.bits
    assert layouts[0].signature != layouts[1].signature
    values = [(0.5, 1), (1.5, 2), (2.5, 3)]
    for heap, other in ((wasm, i386), (i386, wasm)):
        with (
            other.alloc_array(Padded, values) as there,
            heap.alloc(Padded, there[1]) as here,
            heap.alloc_array(Padded, 3) as all_here,
        ):
            assert here.to_tuple() == (1.5, 2)
            for index, each in enumerate(there):
                all_here[index] = each
            assert all_here.tolist() == values
