"""What raises the errors that docstrings of heaps, arenas and functions name."""

from __future__ import annotations

from typing import Any

import emheap
from emheap import Function, Library, Struct, c, int32, utf8, utf16
from emtests.hostile.mistakes import (
    BIG,
    OUTSIDE,
    Mistake,
    at,
    damaged,
    freed,
    in_use,
    live,
    mistake,
    mistakes,
    with_other,
    with_room_for,
)


class Point(Struct):
    x: int32
    y: int32


class Missing(Library):
    no_such_function: Function[[c.int], c.int]


mistakes(
    "AllocVerbs.alloc",
    OverflowError=lambda heap: heap.alloc(int32, BIG),
    TypeError=lambda heap: heap.alloc(int32, "5"),
    EmbeddedNullError=lambda heap: heap.alloc(utf8, "a\0"),
    UnicodeEncodeError=lambda heap: heap.alloc(emheap.ascii, "é"),
    OutOfMemoryError=with_room_for(0, lambda heap: heap.alloc(int32, 5)),
)
mistakes(
    "AllocVerbs.alloc_array",
    OverflowError=lambda heap: heap.alloc_array(int32, [1, BIG]),
    TypeError=lambda heap: heap.alloc_array(int32, [1, "5"]),
    OutOfMemoryError=with_room_for(0, lambda heap: heap.alloc_array(int32, 5)),
)
mistakes(
    "HeapManager.read",
    OutOfBoundsError=lambda heap: heap.read(int32, OUTSIDE),
    NullPointerError=lambda heap: heap.read(int32, 0),
    MisalignedError=at(lambda heap, address: heap.read(utf16, address + 1)),
    UnterminatedStringError=at(lambda heap, address: heap.read(utf8, address, 0)),
    UnicodeDecodeError=at(lambda heap, address: heap.read(utf8, address)),
    TypeError=lambda heap: heap.read(int32, 1.5),
    UseAfterFreeError=lambda heap: freed(lambda array: heap.read(int32, array))(heap),
    NotAllocatedError=with_other(lambda heap, array: heap.read(int32, array)),
)
mistakes(
    "HeapManager.write",
    OutOfBoundsError=lambda heap: heap.write(int32, OUTSIDE, 5),
    NullPointerError=lambda heap: heap.write(int32, 0, 5),
    MisalignedError=at(lambda heap, address: heap.write(utf16, address + 1, "x")),
    OverflowError=at(lambda heap, address: heap.write(int32, address, BIG)),
    TypeError=at(lambda heap, address: heap.write(int32, address, 1.5)),
    CapacityError=at(lambda heap, address: heap.write(utf8, address, "abc", 2)),
    EmbeddedNullError=at(lambda heap, address: heap.write(utf8, address, "a\0")),
    UnicodeEncodeError=at(lambda heap, address: heap.write(utf8, address, "\ud800")),
    UseAfterFreeError=lambda heap: freed(lambda array: heap.write(int32, array, 5))(heap),
    NotAllocatedError=with_other(lambda heap, array: heap.write(int32, array, 5)),
)
mistakes(
    "HeapManager.view",
    OutOfBoundsError=lambda heap: heap.view(int32, OUTSIDE, 1),
    NullPointerError=lambda heap: heap.view(int32, 0, 1),
    MisalignedError=at(lambda heap, address: heap.view(int32, address + 1, 1)),
    OverflowError=at(lambda heap, address: heap.view(int32, address, -1)),
    TypeError=at(lambda heap, address: heap.view(int32, address, True)),
)
mistakes(
    "HeapManager.wrap",
    OutOfBoundsError=lambda heap: heap.wrap(int32, OUTSIDE),
    NullPointerError=lambda heap: heap.wrap(int32, 0),
    MisalignedError=at(lambda heap, address: heap.wrap(utf16, address + 1, 2)),
    TypeError=lambda heap: heap.wrap(int32, 1.5),
)
mistakes(
    "HeapManager.wrap_array",
    OutOfBoundsError=lambda heap: heap.wrap_array(int32, OUTSIDE, 1),
    NullPointerError=lambda heap: heap.wrap_array(int32, 0, 1),
    MisalignedError=at(lambda heap, address: heap.wrap_array(int32, address + 1, 1)),
    OverflowError=at(lambda heap, address: heap.wrap_array(int32, address, -1)),
    TypeError=at(lambda heap, address: heap.wrap_array(int32, address, 1.5)),
    ValueError=at(lambda heap, address: heap.wrap_array(Point, address, 1, stride=7)),
)
mistakes(
    "HeapManager.adopt",
    AlreadyOwnedError=lambda heap: live(lambda array: heap.adopt(int32, array.address))(heap),
    OutOfBoundsError=lambda heap: heap.adopt(int32, OUTSIDE),
    NullPointerError=lambda heap: heap.adopt(int32, 0),
    MisalignedError=at(lambda heap, address: heap.adopt(int32, address + 1, 1, lambda _: None)),
    OverflowError=at(lambda heap, address: heap.adopt(int32, address, -1)),
    TypeError=at(lambda heap, address: heap.adopt(int32, address, None, 5)),
)
mistakes(
    "HeapManager.free",
    DoubleFreeError=lambda heap: freed(lambda array: heap.free(array.address))(heap),
    NotAllocatedError=with_other(lambda heap, array: heap.free(array)),
    NullPointerError=lambda heap: heap.free(0),
    BufferInUseError=lambda heap: in_use(heap.free)(heap),
    TypeError=lambda heap: heap.free("16"),
)
mistakes(
    "HeapManager.free_all",
    BufferInUseError=lambda heap: in_use(lambda _: heap.free_all())(heap),
    NotSupportedError=lambda _: emheap.open(track_allocations=False).free_all(),
)


@mistake("HeapManager.close", "BufferInUseError")
def close_a_heap_in_use(_: Any) -> None:
    heap = emheap.wrap_buffer(bytearray(256))
    in_use(lambda _: heap.close())(heap)


@mistake("HeapManager.close", "UseAfterFreeError")
def use_a_closed_heap(_: Any) -> None:
    heap = emheap.wrap_buffer(bytearray(256))
    heap.close()
    heap.close()
    assert heap.is_closed
    heap.read_int32(16)


def own_heap() -> Any:
    """A heap with a program whose functions could be called."""
    return emheap.open()


mistakes(
    "HeapManager.library",
    NotSupportedError=lambda _: own_heap().library(Missing),
    TypeError=lambda _: own_heap().library(Point),
)
mistakes(
    "TextVerbs.read_text",
    OutOfBoundsError=lambda heap: heap.read_text(utf8, OUTSIDE, 1),
    MisalignedError=at(lambda heap, address: heap.read_text(utf16, address + 1, 1)),
    UnicodeDecodeError=at(lambda heap, address: heap.read_text(utf8, address, 1)),
)
mistakes(
    "TextVerbs.write_text",
    OutOfBoundsError=lambda heap: heap.write_text(utf8, OUTSIDE, "x"),
    MisalignedError=at(lambda heap, address: heap.write_text(utf16, address + 1, "x")),
    CapacityError=at(lambda heap, address: heap.write_text(utf8, address, "abc", 2)),
    UnicodeEncodeError=at(lambda heap, address: heap.write_text(utf8, address, "\ud800")),
)
mistakes(
    "TextVerbs.read_strings",
    NullPointerError=at(lambda heap, address: heap.read_strings(utf8, address, 1), bytes(8)),
)
mistakes(
    "TextVerbs.write_many",
    ShapeError=at(lambda heap, address: heap.write_many(int32, [address], [1, 2])),
)
for verb, call in {
    "copy_to": lambda heap, place, size=None: heap.copy_to(heap, place, place, size),
    "fill": lambda heap, place, size=None: heap.fill(place, 7, size),
    "find": lambda heap, place, size=None: heap.find(place, b"x", size),
    "compare": lambda heap, place, size=None: heap.compare(heap, place, place, size),
}.items():

    def among(act: Any = call) -> dict[str, Mistake]:
        return {
            "OutOfBoundsError": lambda heap: live(lambda array: act(heap, array, 9))(heap),
            "NullPointerError": lambda heap: act(heap, 0, 4),
            "UseAfterFreeError": lambda heap: freed(lambda array: act(heap, array))(heap),
            "NotAllocatedError": with_other(act),
            "TypeError": at(act),
            "OverflowError": at(lambda heap, address: act(heap, address, -1)),
        }

    mistakes(f"BulkVerbs.{verb}", **among())
mistakes(
    "DiagnosisVerbs.check_leaks",
    LeakError=lambda heap: live(lambda _: heap.check_leaks())(heap),
)
mistakes(
    "DiagnosisVerbs.verify",
    HeapCorruptionError=damaged(lambda heap: heap.verify()),
    NotSupportedError=lambda _: emheap.wrap_buffer(bytearray(64), debug=False).verify(),
)
mistakes("DebugAllocator", HeapCorruptionError=damaged(lambda heap: heap.free_all()))
mistakes("DebugAllocator.verify", HeapCorruptionError=damaged(lambda heap: heap.allocator.verify()))


@mistake("DiagnosisVerbs.no_leaks", "LeakError")
def leak(heap: Any) -> None:
    left = []
    try:
        with heap.no_leaks():
            left.append(heap.alloc(int32))
    finally:
        left.pop().free()


@mistake("Arena", "BufferInUseError")
def end_an_arena_in_use(heap: Any) -> None:
    kept: list[Any] = []
    try:
        with heap.arena() as scratch:
            kept.append(scratch.alloc_array(int32, 2))
            kept.append(kept[0].view[:1])
    finally:
        kept[1].release()
        kept[0].free()


mistakes("Arena.keep", NotAllocatedError=lambda heap: live(heap.arena().keep)(heap))


mistakes(
    "hexdump",
    UseAfterFreeError=freed(emheap.hexdump),
    OutOfBoundsError=lambda heap: emheap.hexdump(heap, OUTSIDE, 4),
    OverflowError=lambda heap: emheap.hexdump(heap, 64, -1),
    TypeError=lambda heap: emheap.hexdump(heap),
)
mistakes("load_wasm", ValueError=lambda _: emheap.load_wasm(b"no module"))
mistakes(
    "open",
    TypeError=lambda _: emheap.open(debug=1),  # type: ignore[arg-type]
    ValueError=lambda _: emheap.open(site_depth=0),
)
mistakes(
    "text",
    LookupError=lambda _: emheap.text("no such encoding"),
    NotSupportedError=lambda _: emheap.text("utf-16"),
)
mistakes(
    "wrap_buffer",
    ValueError=lambda _: emheap.wrap_buffer(bytearray(64), abi="pdp11"),
    TypeError=lambda _: emheap.wrap_buffer(bytes(64)),
    OutOfBoundsError=lambda _: emheap.wrap_buffer(bytearray()),
)
mistakes("wrap_wasm_instance", TypeError=lambda _: emheap.wrap_wasm_instance(5))
