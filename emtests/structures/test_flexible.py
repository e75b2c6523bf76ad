"""Structures that end with a flexible array: how long it is, and that copies have all of it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import (
    Arena,
    Array,
    HeapManager,
    NotAllocatedError,
    NullPointerError,
    Pointer,
    ShapeError,
    Struct,
    UseAfterFreeError,
    array,
    field,
    uint8,
    uint16,
    uint32,
)
from emtests.heaps import HeapKind
from emtests.structures.kinds import Message, Vec


class Padded(Struct):
    """Its elements begin in what would be padding at the end."""

    count: uint32
    tag: uint16 = field()
    items: Array[uint8] = array()


class Path(Struct):
    count: uint32
    points: Array[Vec] = array()


class Links(Struct):
    count: uint32
    first: Pointer[Vec] = field()
    others: Array[Pointer[Vec]] = array()


def test_a_flexible_array_is_as_long_as_what_it_is_given(scratch: Arena) -> None:
    message = scratch.alloc(Message, count=3, items=[5, 6, 7])
    assert (message.allocated_byte_size, list(message.items)) == (8, [5, 6, 7])
    message.items[2] = 9
    message.items = [1, 2, 3]
    assert message.to_tuple() == (3, [1, 2, 3])
    assert len(scratch.alloc(Message, count=0).items) == 0


def test_a_flexible_array_of_what_is_there_already(heap: HeapManager) -> None:
    with heap.alloc_array(uint8, 16) as room:
        room[4] = 3
        message = heap.wrap(Message, room.address, tail=7)
        assert len(message.items) == 7
        assert message.items[1] == 3
        with pytest.raises(TypeError, match="Vec does not end with a flexible array"):
            heap.wrap(Vec, room.address, tail=2)
    with pytest.raises(UseAfterFreeError):
        _ = message.items[0]
    words = "Message ends with a flexible array, so it cannot be an element of another"
    with pytest.raises(TypeError, match=words):
        heap.alloc_array(Message, 3)


def test_a_flexible_array_is_found_by_every_kind_of_address(
    kind: HeapKind, heap: HeapManager, scratch: Arena
) -> None:
    there: Any = heap
    message = scratch.alloc(Message, count=3, items=[5, 6, 7])
    places: list[Any] = [message, message.address, scratch.alloc(Pointer[Message], message).value]
    if kind.can("host address"):
        places.append(ctypes.c_void_p(heap.memory.host_address(message.address)))
    for place in places:
        assert heap.wrap(Message, place).to_tuple() == (3, [5, 6, 7])
        assert heap.read(Message, place).to_tuple() == (3, [5, 6, 7])
    message.free()
    with kind.open() as other, other.alloc(Message, count=1, items=[5]) as foreign:
        wrong: tuple[tuple[Any, type[Exception]], ...] = (
            (None, NullPointerError),
            (message, UseAfterFreeError),
            (foreign, NotAllocatedError),
            ("text", TypeError),
        )
        for place, error in wrong:
            for verb in (there.wrap, there.read):
                with pytest.raises(error):
                    verb(Message, place)


def test_what_c_allocated_is_adopted_with_its_elements(heap: HeapManager) -> None:
    given = heap.alloc(Message, count=3, items=[5, 6, 7])
    address, freed = given.detach(), []

    def free(address: int) -> None:
        freed.append(address)

    with heap.adopt(Message, address, free=free, tail=3) as message:
        assert message.to_tuple() == (3, [5, 6, 7])
        assert message.allocated_byte_size == 8
        message.items[2] = 9
        assert list(heap.wrap(Message, address).items) == [5, 6, 9]
        with pytest.raises(emheap.AlreadyOwnedError):
            heap.adopt(Message, address, tail=3)
    assert freed == [address]
    with pytest.raises(UseAfterFreeError):
        _ = message.items
    with heap.adopt(Message, address) as message:  # by the heap's own allocator this time
        assert message.to_tuple() == (3, [])


def test_only_a_flexible_array_has_a_tail(heap: HeapManager) -> None:
    there: Any = heap
    with heap.alloc_array(uint8, 16) as room:
        for verb in (there.adopt, there.wrap, there.read):
            with pytest.raises(
                TypeError, match="Vec does not end with a flexible array, so it has no tail"
            ):
                verb(Vec, room.address, tail=0)
            with pytest.raises(
                emheap.ValueOutOfRangeError, match="tail must not be negative, got -3"
            ):
                verb(Message, room.address, tail=-3)
            with pytest.raises(emheap.ValueOutOfRangeError, match=r"^tail 10{30} of 2 bytes each"):
                verb(Message, room.address, tail=10**30)
        for kind in (uint8, Pointer[Vec]):
            with pytest.raises(TypeError, match="tail is for structures that end with a flexible"):
                there.adopt(kind, room.address, tail=1)
        with pytest.raises(TypeError, match="an array of Message takes no tail"):
            there.adopt(Message, room.address, 2, tail=1)


def test_elements_may_lie_in_the_padding(scratch: Arena) -> None:
    assert scratch.alloc(Padded).allocated_byte_size == 8
    assert len(scratch.alloc(Padded, count=0, items=[]).items) == 0
    padded = scratch.alloc(Padded, count=1, tag=2, items=[3])
    assert (padded.allocated_byte_size, list(padded.items)) == (8, [3])
    assert list(scratch.alloc(Padded, count=3, items=[4, 5, 6]).items) == [4, 5, 6]


def test_a_copy_has_all_elements(heap: HeapManager) -> None:
    with heap.arena() as scratch, emheap.wrap_buffer(bytearray(1024)).arena() as other:
        vec = scratch.alloc(Vec, x=1, y=2)
        for made in (
            scratch.alloc(Message, count=3, items=[5, 6, 7]),
            scratch.alloc(Padded, count=1, tag=2, items=[3]),
            scratch.alloc(Path, count=2, points=[(1, 2), (3, 4)]),
            scratch.alloc(Links, count=2, first=vec, others=[vec, None, vec]),
        ):
            copies = [
                made.read(),
                made.read().read(),
                heap.read(made.kind, made.address),
                scratch.alloc(made.kind, made),
                scratch.alloc(made.kind, made.read()),
            ]
            for copy in copies:
                assert copy == made
                assert copy.to_dict() == made.to_dict()
            if made.kind is not Links:  # pointers cannot leave their heap
                assert other.alloc(made.kind, made) == made
                assert other.alloc(made.kind, made.read()).read() == made


def test_whole_writes_store_as_many_elements_as_there_are(heap: HeapManager) -> None:
    with heap.alloc(Message, count=3, items=[5, 6, 7]) as message:
        other = Message(count=9, items=[1, 2, 3])
        message.write(other)
        assert message == other
        message.write((4, [7, 8, 9]))
        assert message.to_tuple() == (4, [7, 8, 9])
        message.write({"count": 5})  # what is not given is 0
        assert message.to_tuple() == (5, [0, 0, 0])
    with heap.alloc(Padded, count=1, tag=2, items=[3, 4, 5]) as padded:
        padded.write(Padded(count=2, items=[6, 7, 8]))
        assert padded.to_tuple() == (2, 0, [6, 7, 8])


@pytest.mark.parametrize(
    "store",
    [
        lambda message: message.write(Message(count=2, items=[1, 2])),
        lambda message: message.write(Message(count=2)),
        lambda message: message.write((4, [1, 2, 3, 4])),
        lambda message: message.write({"count": 4, "items": range(400)}),
        lambda message: setattr(message, "items", [1, 2, 3, 4]),
        lambda message: setattr(message, "items", []),
    ],
)
def test_another_number_of_elements_is_refused_and_changes_nothing(
    heap: HeapManager, store: Callable[[Any], None]
) -> None:
    with heap.alloc(Message, count=3, items=[5, 6, 7]) as message:
        with pytest.raises(
            ShapeError,
            match=r"^Message\.items: a flexible array of 3 elements takes as many, not (?!3)\d+; "
            "allocate another structure for those",
        ):
            store(message)
        assert message.to_tuple() == (3, [5, 6, 7])
        with heap.alloc(Message, count=2, items=[1, 2]) as another:
            assert another.to_tuple() == (2, [1, 2])


def test_at_an_address_the_elements_given_are_written_and_no_more(heap: HeapManager) -> None:
    with heap.alloc(Padded, count=1, tag=2, items=[3, 4, 5]) as padded:
        heap.write(Padded, padded.address, Padded(count=6, tag=7))
        assert padded.to_tuple() == (6, 7, [3, 4, 5])
        heap.write(Padded, padded.address, (8, 9, [1]))
        assert padded.to_tuple() == (8, 9, [1, 4, 5])
        assert heap.read(Padded, padded.address, tail=2).to_tuple() == (8, 9, [1, 4])
        assert heap.wrap(Padded, padded.address).to_tuple() == (8, 9, [1, 4, 5])
    with heap.alloc_array(uint32, 4) as room:  # of which nobody said how many elements it has
        assert heap.read(Padded, room.address).to_tuple() == (0, 0, [])
        with pytest.raises(
            TypeError, match=r"^reading Pointer\[Vec\] takes an address and nothing else$"
        ):
            heap.read(Pointer[Vec], room.address, tail=1)  # type: ignore[type-var]


def test_a_pointer_to_another_kind_does_not_lend_it_the_elements(scratch: Arena) -> None:
    """As many of another kind would go beyond the block."""
    message = scratch.alloc(Message, count=3, items=[5, 6, 7])
    pointer = scratch.alloc(Pointer[Message], message).value
    assert list(pointer.target.items) == [5, 6, 7]
    path = pointer.cast(Pointer[Path])
    if message.address % 4 == 0:
        assert list(path.target.points) == []
