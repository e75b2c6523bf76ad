"""Freed blocks are noticed through every part of a structure; pointers know their blocks."""

from __future__ import annotations

import copy as copying
import gc
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

import pytest

import emheap
from emheap import (
    Arena,
    HeapManager,
    NotAllocatedError,
    NullPointerError,
    Pointer,
    Struct,
    UseAfterFreeError,
    bits,
    field,
    float32,
    int32,
    uint8,
    uint32,
)
from emtests.conftest import OpenHeap
from emtests.refs.steps import record_steps
from emtests.structures.kinds import Node, Number, Pixel, Vec


class Small(Struct):
    at: Vec = field()


def parts_of(node: Node) -> dict[str, Callable[[], Any]]:
    """Uses of a structure's parts, each taken before the block is freed."""
    at, pos, corners, corner = node.at, node.pos, node.corners, node.corners[1]
    label, number, grid = node.label, node.number, node.grid
    return {
        "a field": lambda: node.id,
        "a field stored": lambda: setattr(node, "id", 1),
        "a float stored": lambda: setattr(at, "x", 1.0),
        "a bit": lambda: node.hot,
        "a bit stored": lambda: setattr(node, "hot", True),
        "some bits stored": lambda: setattr(node, "level", 3),
        "an enumeration": lambda: node.color,
        "a pointer": lambda: node.next,
        "a pointer stored": lambda: setattr(node, "next", None),
        "a nested structure": lambda: at.x,
        "a nested structure stored": lambda: setattr(node, "at", (1, 2)),
        "a union": lambda: number.as_int,
        "an array's element": lambda: pos[0],
        "an array's element stored": lambda: pos.write_at(1, 2.0),
        "an array's slice": lambda: pos[0:1],
        "an array of two dimensions": lambda: grid[1, 1],
        "an array stored": lambda: setattr(node, "pos", [1, 2]),
        "an array of structures": lambda: corners[0].x,
        "an element of an array": lambda: corner.y,
        "a string": lambda: label.value,
        "all fields": node.to_tuple,
        "all fields stored": lambda: at.write((1, 2)),
        "its bytes": lambda: bytes(node),
        "a view": lambda: node.allocated_bytes_view,
        "clear": node.clear,
        "a copy": node.read,
    }


def parts_by_bytes(heap: HeapManager, node: Node) -> dict[str, Callable[[], Any]]:
    """Uses of the bytes of structures and arrays of them that lie inside of another."""
    parts: dict[str, Any] = {"it": node, "at": node.at, "corners": node.corners}
    parts["corner"] = node.corners[1]
    uses: dict[str, Callable[[], Any]] = {}
    for name, part in parts.items():
        uses |= {
            f"bytes of {name}": partial(bytes, part),
            f"{name}.clear": part.clear,
            f"{name}.edit": partial(part.edit().__enter__),
            f"{name}.js_view": lambda part=part: part.js_view,  # type: ignore[misc]
            f"fill {name}": partial(heap.fill, part, 0),
            f"find in {name}": partial(heap.find, part, 0x7B),
            f"copy {name}": partial(heap.copy_to, heap, part, part),
            f"address of {name}": lambda part=part: part._as_parameter_,  # type: ignore[misc]
            f"a pointer to {name}": partial(heap.write, Pointer[Any], 64, part),
        }
    return uses


def open_buffer() -> HeapManager:
    return emheap.wrap_buffer(bytearray(1 << 22))


def test_every_part_of_a_freed_structure_raises(heap: HeapManager) -> None:
    node = heap.alloc(Node, id=1)
    parts = parts_of(node)
    for name, use in parts.items():
        if name not in ("a view", "clear"):
            use()
    node.free()
    for name, use in parts.items():
        with pytest.raises(UseAfterFreeError) as caught:
            use()
        assert "use after free" in str(caught.value), name
    assert node.is_freed
    with pytest.raises(emheap.DoubleFreeError):
        node.free()


def test_every_part_of_a_resized_array_raises(heap: HeapManager) -> None:
    array = heap.alloc_array(Node, 2)
    size = array.allocated_byte_size
    node = array[1]
    parts = parts_of(node) | parts_by_bytes(heap, node)
    array.resize(9)
    with heap.alloc_array(uint8, bytes([0x7B]) * size) as other:  # where they were, say
        for name, use in parts.items():
            with pytest.raises(UseAfterFreeError) as caught:
                use()
            assert "the Node array of" in str(caught.value), name
        assert set(other) == {0x7B}
    assert array[1].id == 0
    array.free()


def test_every_part_of_a_freed_array_raises(heap: HeapManager) -> None:
    array = heap.alloc_array(Vec, 3)
    first, each = array[0], list(array)
    addresses = [element.address for element in each]
    heap.free(array.address)
    assert [element.address for element in each] == addresses  # which stay readable
    uses: tuple[Callable[[], Any], ...] = (
        lambda: first.x,
        lambda: each[2].y,
        lambda: array[1].x,
        lambda: next(iter(array)).x,
        lambda: array.column(Vec.x),
        lambda: setattr(array[1], "x", 2),
        lambda: array.__setitem__(0, (1, 2)),
        array.tolist,
    )
    for use in uses:
        with pytest.raises(UseAfterFreeError, match="Vec array of 24 bytes"):
            use()


def test_a_freed_structure_is_no_source(heap: HeapManager, scratch: Arena) -> None:
    node, corners = scratch.alloc(Node, id=1), scratch.alloc_array(Vec, [(1, 2), (3, 4)])
    freed = heap.alloc(Vec, x=5, y=6)
    freed.free()
    with heap.alloc(Vec, x=9, y=9):  # in the bytes of the freed one, say
        uses: tuple[Callable[[], Any], ...] = (
            freed.read,
            lambda: setattr(node, "at", freed),
            lambda: setattr(node, "corners", [freed] * 4),
            lambda: corners.__setitem__(0, freed),
            lambda: corners.__setitem__(slice(None), [freed, freed]),
            lambda: corners[1].write(freed),
            lambda: heap.write(Vec, corners.address, freed),
            lambda: heap.alloc(Vec, freed),
            lambda: heap.alloc(Node, id=2, at=freed),
            lambda: Node(id=2, at=freed),
        )
        for use in uses:
            with pytest.raises(UseAfterFreeError, match=r"use after free: the Vec of 8 bytes"):
                use()
    assert node.at == Vec(x=0, y=0)
    assert corners.tolist() == [(1, 2), (3, 4)]


def test_a_part_of_a_block_is_not_freed_alone(heap: HeapManager) -> None:
    with (
        heap.alloc_array(Vec, 2) as array,
        heap.alloc(Node, id=1) as node,
        heap.alloc(Small) as small,
    ):
        for part in (array[0], node.at, node.corners, small.at):
            with pytest.raises(
                NotAllocatedError, match="lies inside of a block and cannot be freed"
            ):
                part.free()
            with pytest.raises(NotAllocatedError, match="cannot be detached alone"):
                part.detach()
            with pytest.raises(NotAllocatedError):
                heap.free(part)
        with pytest.raises(
            NotAllocatedError,
            match=r"^<StructArrayRef Vec of 4 elements at .* inside a block> lies inside of a "
            r"block and cannot be resized alone: it lives as long as <Node",
        ):
            node.corners.resize(9)
        assert len(node.corners) == 4
        with array[1] as element:
            element.x = 1
        assert not array.is_freed
        assert not small.is_freed


def test_a_part_of_a_block_is_not_kept_alone(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        array, node = scratch.alloc_array(Vec, 2), scratch.alloc(Node, id=1)
        for part in (array[0], node.at, node.corners):
            with pytest.raises(NotAllocatedError, match="inside a block> is no live block of the"):
                scratch.keep(part)
        kept, element = scratch.keep(array), array[1]
    assert element.to_tuple() == (0, 0)
    with pytest.raises(UseAfterFreeError):
        _ = node.at.x
    kept.free()


def test_a_borrowed_structure_ends_with_the_block_under_it(heap: HeapManager) -> None:
    block = heap.alloc_array(uint8, 64)
    vec = heap.wrap(Vec, block.address)
    vecs = heap.wrap_array(Vec, block.address, 2)
    element = vecs[1]
    vec.x, vecs[1].y = 1, 2
    block.free()
    for use in (lambda: vec.x, lambda: vecs[0].x, lambda: element.y):
        with pytest.raises(UseAfterFreeError):
            use()


def test_columns_and_arrays_pin_the_block(heap: HeapManager) -> None:
    array = heap.alloc_array(Vec, 4)
    column: Any = array.column(Vec.y)
    column[2] = 5.0
    assert array[2].y == 5
    part = column[1:3]
    with pytest.raises(emheap.BufferInUseError, match=r"column Vec\.y"):
        array.free()
    part.release()
    del part
    array.free()
    with pytest.raises(ValueError, match="released"):
        _ = column[0]


# Pointers


def test_a_pointer_leads_to_what_was_stored(scratch: Arena) -> None:
    second = scratch.alloc(Node, id=2)
    first = scratch.alloc(Node, id=1, next=second)
    assert first.next
    assert first.next == second
    assert first.next.address == second.address
    assert first.next.target.id == 2
    assert first.next[0] == second
    first.next.target.id = 5
    assert second.id == 5
    first.next = second.next
    assert first.next.get() is None
    first.next = second.address  # as C would
    assert first.next.target.id == 5
    second.next = first.next
    assert second.next.target.next.target.id == 5
    with pytest.raises(NullPointerError, match=r"this Pointer\[uint8\] is null"):
        _ = first.data.target


def test_a_pointer_leads_to_the_block_itself(heap: HeapManager) -> None:
    second = heap.alloc(Node, id=2)
    with heap.alloc(Node, id=1, next=second) as first:
        assert first.next.target == second
        first.next = second.address
        first.next.target.free()
    assert second.is_freed


def test_pointers_to_numbers_arrays_and_elements(scratch: Arena) -> None:
    numbers = scratch.alloc_array(uint8, [5, 6, 7])
    node = scratch.alloc(Node, id=1, data=numbers)
    assert (node.data.target, node.data[2]) == (5, 7)
    node.data[1] = 9
    assert list(node.data.array(3)) == [5, 9, 7]
    vecs = scratch.alloc_array(Vec, [(1, 2), (3, 4)])
    pointer: Any = scratch.alloc(Pointer[Vec], vecs[1])
    assert pointer.value.target.to_tuple() == (3, 4)
    assert pointer.value[-1].x == 1
    assert pointer.value.array(1)[0].y == 4
    pointer.value = vecs
    found: Any = pointer.value
    assert found[1].x == 3
    assert found.cast(Pointer[int32])[0] == 0x3F800000
    pointer.value = None
    assert not pointer.value
    several = scratch.alloc_array(Pointer[Vec], [vecs[0], None, vecs[1]])
    assert [bool(each) for each in several] == [True, False, True]
    several[1] = vecs[1]  # type: ignore[call-overload]
    assert several[1].target.x == 3
    assert [each.target.x for each in several[1:]] == [3, 3]


def test_a_pointer_to_a_freed_block_raises(heap: HeapManager) -> None:
    target = heap.alloc(Node, id=2)
    with heap.alloc(Node, id=1, next=target) as node:
        pointer = node.next
        target.free()
        uses: tuple[Callable[[], Any], ...]
        uses = (lambda: node.next.target, lambda: pointer.target, lambda: node.next.get())
        for use in uses:
            with pytest.raises(
                UseAfterFreeError, match=r"the Node of .* freed at .*test_lifetimes"
            ):
                use()
        with heap.alloc(Node, id=3) as other:  # at the same address, perhaps
            with pytest.raises(UseAfterFreeError):
                _ = node.next.target
            node.next = other
            assert node.next.target.id == 3
        with pytest.raises(UseAfterFreeError):
            node.next = target
        node.next = None
        assert node.next.get() is None


def test_what_a_pointer_leads_to_ends_with_its_block(heap: HeapManager) -> None:
    array = heap.alloc_array(Vec, 3)
    with heap.alloc(Pointer[Vec], array[1]) as pointer:
        vec = pointer.value.target
        vec.x = 4
        assert array[1].x == 4
        array.free()
        with pytest.raises(UseAfterFreeError):
            _ = vec.x


def test_a_pointer_takes_what_it_can_point_to(scratch: Arena) -> None:
    node = scratch.alloc(Node, id=1)
    for wrong in (scratch.alloc(Vec), scratch.alloc(int32), "text", 2.5, True, [1]):
        with pytest.raises(TypeError, match=r"Node\.next: a Pointer\[Node\] "):
            node.next = wrong  # type: ignore[assignment]
    with pytest.raises(TypeError, match=r"Node\.data: a Pointer\[uint8\] cannot point to a Vec"):
        node.data = scratch.alloc(Vec)  # type: ignore[assignment]


def test_a_pointer_to_anything_takes_every_reference(heap: HeapManager, scratch: Arena) -> None:
    class Anything(Struct):
        void: Pointer[None] = field()
        unknown: Pointer[Any] = field()

    made: Any = scratch.alloc(Anything)
    node = scratch.alloc(Node, id=1)
    for target in (
        scratch.alloc(int32),
        scratch.alloc_array(uint8, 3),
        scratch.alloc(emheap.utf8, "text"),
        node,
        node.corners[1],
        scratch.alloc_array(Vec, 2),
        scratch.alloc(Pointer[Node], node),
    ):
        made.void = made.unknown = target
        assert made.void.address == made.unknown.address == target.address
    freed = heap.alloc(int32)
    made.void = freed
    freed.free()
    with pytest.raises(UseAfterFreeError):
        _ = made.to_tuple()[0].cast(Pointer[int32]).target


def test_a_pointer_takes_any_address_that_fits(heap: HeapManager, scratch: Arena) -> None:
    class Holder(Struct):
        data: Pointer[uint8]

    most = (1 << 8 * heap.memory.pointer_size) - 1
    holder = scratch.alloc(Holder)
    for address in (0, 3, most):
        holder.data = address
        assert holder.data.address == address
    shelf = scratch.alloc_array(Pointer[Node], [0, 3, most])
    assert [pointer.address for pointer in shelf] == [0, 3, most]
    for wrong in (most + 1, -1):
        with pytest.raises(
            OverflowError, match=f"Holder.data: {wrong} does not fit .*: 0 to {most}$"
        ):
            holder.data = wrong
        with pytest.raises(OverflowError, match=f"element 1: {wrong} does not fit .* {most}"):
            scratch.alloc_array(Pointer[Node], [0, wrong])


def test_a_pointer_cannot_leave_its_heap(heap: HeapManager) -> None:
    other = emheap.wrap_buffer(bytearray(4096))
    with heap.alloc(Node, id=1) as node, other.alloc(Node, id=2) as foreign:
        with pytest.raises(
            NotAllocatedError, match=r"Node\.next: .* on another heap .*pointer can"
        ):
            node.next = foreign
        with pytest.raises(NotAllocatedError, match="is on no heap, and a pointer cannot leave"):
            node.next = Node(id=3)
        foreign.next = foreign
        with pytest.raises(NotAllocatedError, match="on another heap"):
            node.next = foreign.next
        with pytest.raises(NotAllocatedError, match="on another heap"):
            heap.alloc(Node, foreign)


def test_a_structure_of_another_heap_is_a_value(heap: HeapManager) -> None:
    other = emheap.wrap_buffer(bytearray(4096))
    with heap.alloc(Node, id=1) as node, other.alloc(Node, id=2, big=-5, label="x") as foreign:
        foreign.corners[2] = (8, 9)
        foreign.number.as_int = 77
        node.write(foreign)
        assert node == foreign
        assert (node.id, node.big, node.label.value, node.corners[2].y) == (2, -5, "x", 9)
        node.at = foreign.corners[2]
        assert node.at.x == 8
    with other.alloc_array(Vec, [(1, 2), (3, 4)]) as vecs, heap.alloc_array(Vec, vecs) as copy:
        assert copy == vecs


# Values


def test_values_live_as_long_as_they_are_used() -> None:
    vec = Node(id=1, at=Vec(x=5, y=6)).at
    gc.collect()
    assert vec.to_tuple() == (5, 6)
    pos = Node(id=1, pos=[1, 2]).pos
    label = Node(id=1, label="abc").label
    view = Vec(x=1, y=2).allocated_bytes_view
    gc.collect()
    Vec(x=9, y=9)
    assert (list(pos), label.value, view.cast("f")[1]) == ([1, 2], "abc", 2)


def test_values_compare_and_copy() -> None:
    assert Pixel(r=1, g=2, b=3) == Pixel(r=1, g=2, b=3, a=255)
    assert Pixel(r=1, g=2, b=3) != Pixel(r=1, g=2, b=4)
    assert Vec(x=1, y=2) != (1, 2)

    class Other(Struct):
        x: float32
        y: float32

    assert Vec(x=1, y=2).to_tuple() == Other(x=1, y=2).to_tuple()
    assert Vec(x=1, y=2) != Other(x=1, y=2)
    assert Number(as_int=5) == Number(as_int=5)
    vec = Vec(x=1, y=2)
    copy = vec.read()
    vec.x = 3
    assert copy.x == 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(vec)


@pytest.mark.parametrize("copy", [copying.copy, copying.deepcopy])
def test_the_module_copy_copies_values_and_no_references(heap: HeapManager, copy: Any) -> None:
    value = Node(id=2, at=Vec(x=1, y=2))
    found, nested = copy(value), copy(value.at)
    value.id = 9
    value.at.x = 9
    assert (found.id, found.at.x, nested.x) == (2, 1, 1)
    with heap.alloc(Node, id=1) as node:
        words = (
            r"^a reference cannot be copied: there is only one block; read\(\) gives a copy of the "
            r"structure that is on no heap$"
        )
        for each in (node, node.at):
            with pytest.raises(TypeError, match=words):
                copy(each)
        node.id = 3
        assert (node.read().id, copy(node.read()).id) == (3, 3)


def test_fields_are_given_by_name() -> None:
    kind: Any = Vec
    with pytest.raises(
        TypeError, match=r"^Vec takes its fields by name: Vec\(x=\.\.\., y=\.\.\.\)$"
    ):
        kind(1, 2)


def test_a_value_remembers_the_blocks_of_its_pointers(heap: HeapManager) -> None:
    with heap.alloc(Node, id=1) as node:
        value = Node(id=2, next=node)
        assert value.next.target.id == 1
        with heap.alloc(Node, value) as stored:
            assert stored.next.target == node
        copy = heap.read(Node, node.address)
        assert copy.next.get() is None
        node.next = node
        assert heap.read(Node, node.address).next.target.id == 1
    with pytest.raises(UseAfterFreeError):
        _ = value.next.target


# On heaps that collect garbage, and in arenas


def test_parts_hold_the_block_where_garbage_is_collected(open_heap: OpenHeap) -> None:
    heap = open_heap(enable_garbage_collection=True)
    at = heap.alloc(Node, id=1, at=Vec(x=3, y=4)).at
    element = heap.alloc_array(Vec, [(5, 6)])[0]
    pos, label = heap.alloc(Node, id=1, pos=[7, 8]).pos, heap.alloc(Node, id=1, label="text").label
    number = heap.alloc(Vec, x=9, y=0).field_ref(Vec.x)
    gc.collect()
    assert (at.y, element.y, pos[1], label.value, number.value) == (4, 6, 8, "text", 9)
    del at, element, pos, label, number
    gc.collect()
    assert heap.total_allocated_byte_size == 0


def test_a_dropped_structure_is_told_of(heap: HeapManager) -> None:
    with pytest.warns(ResourceWarning, match=r"Vec of 8 bytes at .* was dropped and not freed"):
        heap.alloc(Vec, x=1, y=2)
    heap.free_all()


def test_structures_die_with_their_arena(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        vec = scratch.alloc(Vec, x=1, y=2)
        array = scratch.alloc_array(Vec, 5)
        element = array[1]
    for part in (vec, element):
        with pytest.raises(UseAfterFreeError):
            _ = part.x


def test_a_living_reference_is_found_again(heap: HeapManager) -> None:
    vec, array = heap.alloc(Vec), heap.alloc_array(Vec, 2)
    element = array[1]
    assert {id(each) for each in heap.allocated_heap_refs} == {id(vec), id(array)}
    assert element.is_not_freed
    vec.free()
    array.free()


def test_adopting_what_c_allocated(heap: HeapManager) -> None:
    address = heap.alloc(Vec, x=1, y=2).detach()
    adopted = heap.adopt(Vec, address)
    assert adopted.to_tuple() == (1, 2)
    assert adopted.allocated_byte_size == heap.total_allocated_byte_size == 8
    adopted.free()
    with pytest.raises(UseAfterFreeError):
        _ = adopted.x
    freed: list[int] = []
    with heap.alloc_array(uint8, 32) as room:
        inside = room.address + 8
        array = heap.adopt(Vec, inside, 2, free=freed.append)
        array[1].x = 5
        array.free()
        assert freed == [inside]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("open_one", [emheap.open, open_buffer], ids=["own", "buffer"])
def test_a_heap_with_a_long_list_is_dropped(open_one: Callable[[], HeapManager]) -> None:
    heap = open_one()
    node = heap.alloc(Node, id=0)
    for number in range(1, 10_000):
        node = heap.alloc(Node, id=number, next=node)
    assert node.next.target.next.target.id == 9_997
    table = WeakReference(heap._table)
    del node, heap
    gc.collect()
    assert table() is None


def test_a_long_list_without_a_table_of_blocks_is_dropped() -> None:
    """In Pyodide the stack has room for some thousands of objects that take each other along."""
    heap = emheap.open(track_allocations=False)
    node = heap.alloc(Node, id=0)
    record = WeakReference(node._elements)
    for number in range(1, 20_000):
        node = heap.alloc(Node, id=number, next=node)
    assert node.next.target.id == 19_998
    assert record() is not None
    del node
    gc.collect()
    assert record() is None


class Flags(Struct):
    low: int = bits(uint32, 3)
    high: int = bits(uint32, 29)


def test_no_byte_of_what_was_freed_is_read(
    heap: HeapManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = heap.alloc(Flags, Flags(low=1, high=2))
    several: Any = heap.alloc_array(Flags, [(1, 2), (3, 4)])
    flags.free()
    several.free()
    steps = record_steps(heap.memory, monkeypatch)

    def use_bits() -> None:
        flags.high = 5

    for use in (use_bits, lambda: flags.low, several.tolist, lambda: bytes(several)):
        with pytest.raises(UseAfterFreeError):
            use()
    assert steps == []
