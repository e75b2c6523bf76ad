"""What raises the errors that docstrings of references, memories and types name."""

from __future__ import annotations

from typing import Any

import emheap
from emheap import HeapManager, Pointer, Struct, int32, uint8, utf8
from emtests.hostile.mistakes import (
    BIG,
    OUTSIDE,
    Mistake,
    at,
    freed,
    in_use,
    live,
    mistake,
    mistakes,
    on_text,
    with_other,
    with_room_for,
    wrapped,
)


class Point(Struct):
    x: int32
    y: int32


class Flags(Struct):
    on: bool = emheap.bits(uint8, 1)


class Node(Struct):
    number: int32
    next: Pointer[Node] = emheap.field()


def number(act: Mistake, kind: Any = int32, *, alive: bool = True) -> Mistake:
    """What `act` does to a number, live or freed."""

    def on(heap: Any) -> None:
        with heap.alloc(kind) as ref:
            if not alive:
                ref.free()
            act(ref)

    return on


def set_value(value: Any) -> Mistake:
    return lambda ref: setattr(ref, "value", value)


mistakes(
    "ScalarRef.value",
    OverflowError=number(set_value(BIG)),
    TypeError=number(set_value("5")),
    UseAfterFreeError=number(lambda ref: ref.value, alive=False),
)
mistakes(
    "ScalarRef.read_atomic",
    MisalignedError=at(lambda heap, address: heap.wrap(int32, address + 1).read_atomic()),
    NotSupportedError=number(lambda ref: ref.read_atomic(), emheap.uint128),
    UseAfterFreeError=number(lambda ref: ref.read_atomic(), alive=False),
)
mistakes(
    "Atomic",
    MisalignedError=at(lambda heap, address: heap.wrap(int32, address + 1).atomic.add(1)),
    NotSupportedError=number(lambda ref: ref.atomic.load(), emheap.uint128),
    UseAfterFreeError=number(lambda ref: ref.atomic.add(1), alive=False),
    OverflowError=number(lambda ref: ref.atomic.store(BIG)),
    TypeError=number(lambda ref: ref.atomic.and_(1), emheap.float32),
    OutOfBoundsError=live(lambda array: array.atomic[2].load()),
)
mistakes(
    "ArrayRef.read_at",
    OutOfBoundsError=live(lambda array: array.read_at(2)),
    TypeError=live(lambda array: array.read_at(1.0)),
    UseAfterFreeError=freed(lambda array: array.read_at(0)),
)
mistakes(
    "ArrayRef.write_at",
    OutOfBoundsError=live(lambda array: array.write_at(2, 5)),
    OverflowError=live(lambda array: array.write_at(0, BIG)),
    TypeError=live(lambda array: array.write_at(0, 1.5)),
    UseAfterFreeError=freed(lambda array: array.write_at(0, 5)),
)
mistakes("ArrayRef.index", ValueError=live(lambda array: array.index(5)))
mistakes("ArrayRef.view", UseAfterFreeError=freed(lambda array: array.view))
mistakes(
    "ArrayRef.resize",
    BufferInUseError=in_use(lambda array: array.resize(3)),
    OutOfMemoryError=with_room_for(1, live(lambda array: array.resize(5000))),
    NotAllocatedError=wrapped(lambda array: array.resize(3)),
    UseAfterFreeError=freed(lambda array: array.resize(3)),
)
mistakes(
    "ArrayRef.free",
    NotAllocatedError=lambda heap: in_pointers(heap, lambda array: array.free(free_elements=True)),
)


def in_pointers(heap: Any, act: Mistake) -> None:
    """What `act` does to an array of pointers that has the same one twice."""
    kind = emheap.pointer64 if heap.memory.pointer_size == 8 else emheap.pointer32
    with heap.alloc(int32, 5) as target, heap.alloc_array(kind, [target.address] * 2) as pointers:
        try:
            act(pointers)
        finally:
            assert target.value == 5


mistakes("HeapRef.allocated_bytes_view", UseAfterFreeError=freed(lambda a: a.allocated_bytes_view))
mistakes(
    "HeapRef.js_view",
    NotSupportedError=lambda _: live(lambda array: array.js_view)(
        emheap.wrap_buffer(bytearray(64))
    ),
    UseAfterFreeError=freed(lambda array: array.js_view),
)
mistakes("HeapRef.clear", UseAfterFreeError=freed(lambda array: array.clear()))
mistakes(
    "HeapRef.free",
    DoubleFreeError=freed(lambda array: array.free()),
    NotAllocatedError=wrapped(lambda array: array.free()),
    BufferInUseError=in_use(lambda array: array.free()),
)
mistakes(
    "HeapRef.detach",
    BufferInUseError=in_use(lambda array: array.detach()),
    NotAllocatedError=wrapped(lambda array: array.detach()),
    UseAfterFreeError=freed(lambda array: array.detach()),
)
mistakes(
    "StringRef.value",
    UnicodeDecodeError=lambda heap: heap_text(heap, b"\xff", lambda text: text.value),
    UnterminatedStringError=on_text(lambda text: text.value, ends=False),
    UseAfterFreeError=on_text(lambda text: text.value, alive=False),
    CapacityError=on_text(set_value("five!")),
    UnicodeEncodeError=on_text(set_value("\ud800")),
    EmbeddedNullError=on_text(set_value("a\0")),
    TypeError=on_text(set_value(b"text")),
)


def heap_text(heap: Any, contents: bytes, act: Mistake) -> None:
    """What `act` does to a string with bytes that are none of its encoding."""
    with heap.alloc(utf8, len(contents)) as text:
        heap.memory.write_bytes(text.address, contents)
        act(text)


mistakes("StringRef.resize", CapacityError=on_text(lambda text: text.resize(3)))


@mistake("HeapRef.detach", "NotSupportedError")
def detach_what_is_aligned_more(_: Any) -> None:
    # The C library does not align so much by chance.
    with emheap.open(debug=False).alloc(int32, 5, align=1 << 20) as ref:
        ref.detach()


@mistake("HeapRef.edit", "UseAfterFreeError")
def edit_what_is_freed(heap: Any) -> None:
    freed(lambda array: array.edit().__enter__())(heap)


@mistake("HeapRef.edit", "BufferInUseError")
def keep_a_slice_of_what_was_edited(heap: Any) -> None:
    with heap.alloc_array(int32, 2) as array:
        kept = []
        try:
            with array.edit() as buffer:
                kept.append(buffer[:1])
            if heap.memory.zero_copy:  # it is no copy, and keeps the block
                array.free()
        finally:
            kept.pop().release()


# Views


@mistake("HeapView.cast", "TypeError")
def cast_to_what_does_not_divide(heap: Any) -> None:
    with heap.alloc_array(uint8, 3) as array:
        view = array.view
        view.cast("i")


mistakes("HeapView.index", ValueError=live(lambda array: array.view.index(BIG)))


@mistake("HeapView.release", "ValueError")
def use_a_released_view(heap: Any) -> None:
    with heap.alloc_array(uint8, 3) as array:
        view = array.view
        view.release()
        view[0]


mistakes(
    "ArrayRef.numpy",
    NotSupportedError=live(lambda array: array.numpy()),
    UseAfterFreeError=freed(lambda array: array.numpy()),
)


# Structures and pointers


@mistake("Pointer.target", "NullPointerError")
def follow_a_null_pointer(heap: Any) -> None:
    with heap.alloc(Node) as node:
        node.next.target  # noqa: B018 (raises)


def follow_a_freed_target(heap: Any) -> None:
    with heap.alloc(Node) as node:
        other = heap.alloc(Node)
        node.next = other
        other.free()
        node.next.target  # noqa: B018 (raises)


mistakes("Pointer.target", UseAfterFreeError=follow_a_freed_target)
mistakes("Pointer", UseAfterFreeError=follow_a_freed_target)


@mistake("Pointer", "OutOfBoundsError")
def follow_a_pointer_beyond_its_block(heap: Any) -> None:
    with heap.alloc(Node) as target, heap.alloc(Node) as node:
        node.next = target
        node.next[1]


def in_bytes() -> HeapManager:
    """A heap whose memory JavaScript does not share."""
    return emheap.wrap_buffer(bytearray(256))


def structure(act: Mistake) -> Mistake:
    def on(heap: Any) -> None:
        with heap.alloc(Point, x=1, y=2) as point:
            try:
                act(point)
            finally:
                assert point.to_tuple() == (1, 2)

    return on


def declare_too_many_bits(_: Any) -> None:
    class Wrong(Struct):
        on: bool = emheap.bits(uint8, 9)


mistakes(
    "Struct",
    OverflowError=structure(lambda point: setattr(point, "x", BIG)),
    TypeError=structure(lambda point: setattr(point, "x", "5")),
    ValueError=declare_too_many_bits,
)
mistakes(
    "StructArrayRef.column",
    NotSupportedError=live(lambda array: array.column(Flags.on), Flags),
)
mistakes(
    "StructArrayRef.index",
    ValueError=live(lambda array: array.index((BIG, BIG)), Point),
)
mistakes(
    "StructArrayRef.numpy",
    NotSupportedError=live(lambda array: array.numpy(), Point),
)
mistakes(
    "StructArrayRef.resize",
    BufferInUseError=in_use(lambda array: array.resize(3), Point),
    OutOfMemoryError=with_room_for(1, live(lambda array: array.resize(5000), Point)),
    NotAllocatedError=wrapped(lambda array: array.resize(3), Point),
    UseAfterFreeError=freed(lambda array: array.resize(3), Point),
)


# Memories and types


mistakes(
    "Memory",
    OutOfBoundsError=lambda heap: heap.memory.read_bytes(OUTSIDE, 1),
    NullPointerError=lambda heap: heap.memory.read_bytes(0, 1),
    TypeError=lambda heap: heap.memory.read_bytes(1.5, 1),
)
mistakes(
    "Memory.count_elements",
    UnterminatedStringError=at(
        lambda heap, address: heap.memory.count_elements(address, 1, 3), b"text"
    ),
)
mistakes(
    "Memory.address_of",
    TypeError=lambda heap: heap.memory.address_of(1.5),
    NullPointerError=lambda heap: heap.memory.address_of(None),
    UseAfterFreeError=lambda heap: freed(heap.memory.address_of)(heap),
    NotAllocatedError=with_other(lambda heap, array: heap.memory.address_of(array)),
)
mistakes(
    "Memory.start_of",
    OutOfBoundsError=lambda heap: live(lambda array: heap.memory.start_of(array, 9, "read"))(heap),
)
mistakes(
    "Memory.encode",
    NotAllocatedError=with_other(lambda heap, array: heap.memory.encode(emheap.pointer64, array)),
)
mistakes(
    "Scalar.encode",
    OverflowError=lambda _: int32.encode(BIG),
    TypeError=lambda _: int32.encode("5"),
)
mistakes(
    "Text.encode",
    TypeError=lambda _: utf8.encode(b"x"),
    EmbeddedNullError=lambda _: utf8.encode("a\0"),
    UnicodeEncodeError=lambda _: emheap.ascii.encode("é"),
)
