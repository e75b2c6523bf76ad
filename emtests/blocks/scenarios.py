"""Programs that allocate in every way there is, for tests that make them fail half-way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from emheap import (
    HeapError,
    HeapManager,
    Pointer,
    Struct,
    float64,
    int32,
    uint8,
    uint128,
    utf8,
    utf16,
)

Scenario = Callable[[HeapManager], None]


def scalars(heap: HeapManager) -> None:
    with ExitStack() as stack:
        refs = [stack.enter_context(heap.alloc_int32(index)) for index in range(4)]
        with heap.alloc(float64), heap.alloc(uint128, 1 << 100), heap.alloc(int32, align=512):
            assert [ref.value for ref in refs] == [0, 1, 2, 3]
        refs.pop().free()


def arrays(heap: HeapManager) -> None:
    with heap.alloc_array(uint8, b"some bytes") as source, heap.alloc_array(int32, 50):
        with heap.alloc_float64_array(source) as copy:
            assert copy[0] == ord("s")
        with heap.alloc_array(int32, [1, 2], align=256) as aligned:
            assert aligned[:] == [1, 2]


def strings(heap: HeapManager) -> None:
    with heap.alloc(utf8, "héllo") as name, heap.alloc(utf16, 30) as room:
        room.value = name.value
        assert str(room) == "héllo"
        with heap.alloc_null_terminated_ascii_string("plain"):
            pass


def resizing(heap: HeapManager) -> None:
    with heap.alloc_array(int32, [1, 2, 3]) as numbers, heap.alloc(utf8, "text") as text:
        numbers.resize(400)
        text.resize(300)
        numbers.resize(2)
        assert numbers[:] == [1, 2]
        assert text.value == "text"


def handing_over(heap: HeapManager) -> None:
    numbers = heap.alloc_array(int32, [1, 2, 3])
    try:
        address = numbers.detach()
    except HeapError:
        if numbers.is_not_freed:
            numbers.free()
        raise
    try:
        again = heap.adopt(int32, address, 3)
    except HeapError:
        heap.allocator.native.free(address)
        raise
    with again:
        assert again[:] == [1, 2, 3]


def arenas(heap: HeapManager) -> None:
    with heap.arena() as outer, ExitStack() as stack:
        for index in range(6):
            outer.alloc(int32, index)
        with outer.arena() as inner:
            kept = inner.keep(inner.alloc(utf8, "kept"))
            stack.enter_context(kept)
            inner.alloc_array(uint8, 300)
        outer.alloc_array(uint8, 20_000).free()
        assert kept.value == "kept"


class Point(Struct):
    x: int32
    y: float64


def structures(heap: HeapManager) -> None:
    with heap.alloc(Point, x=1, y=2.5) as point, heap.alloc_array(Point, 3) as points:
        points[1] = point
        assert points[1].y == 2.5
    with ExitStack() as stack:
        texts = [stack.enter_context(heap.alloc(utf8, text)) for text in ("one", "two", "three")]
        with heap.alloc_array(Pointer[utf8], texts) as pointers:
            pointers.free(free_elements=True)
        assert all(text.is_freed for text in texts)


SCENARIOS: tuple[Scenario, ...] = (
    scalars,
    arrays,
    strings,
    resizing,
    handing_over,
    structures,
    arenas,
)
