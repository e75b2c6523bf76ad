"""Mistakes by the docstring and the error that it names, and what they are made with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import emheap
from emheap import HeapManager, int32, uint8, utf8

Mistake = Callable[[Any], Any]
MISTAKES: dict[tuple[str, str], Mistake] = {}
"""What raises an error on a heap, by the name that has the docstring and that of the error."""

OUTSIDE = 2**64
"""No heap has this address."""

BIG = 2**31


def mistake(name: str, error: str) -> Callable[[Mistake], Mistake]:
    """Add what raises an error that the docstring of a name mentions."""

    def add(function: Mistake) -> Mistake:
        assert (name, error) not in MISTAKES
        MISTAKES[name, error] = function
        return function

    return add


def mistakes(name: str, **by_error: Mistake) -> None:
    for error, function in by_error.items():
        mistake(name, error)(function)


# What the mistakes are made with


def freed(act: Mistake, kind: Any = int32) -> Mistake:
    """What `act` does to a freed array."""

    def on(heap: Any) -> None:
        array = heap.alloc_array(kind, 2)
        array.free()
        act(array)

    return on


def live(act: Mistake, kind: Any = int32) -> Mistake:
    """What `act` does to an array of two elements."""

    def on(heap: Any) -> None:
        with heap.alloc_array(kind, 2) as array:
            act(array)

    return on


def in_use(act: Mistake, kind: Any = int32) -> Mistake:
    """What `act` does to an array while a slice of a view of it is in use."""

    def on(heap: Any) -> None:
        with heap.alloc_array(kind, 2) as array:
            part = array.view[:1]
            try:
                act(array)
            finally:
                part.release()

    return on


def wrapped(act: Mistake, kind: Any = int32) -> Mistake:
    """What `act` does to an array that was wrapped around an address."""

    def on(heap: Any) -> None:
        with heap.alloc_array(kind, 2) as array:
            act(heap.wrap_array(kind, array.address, 2))

    return on


def on_text(act: Mistake, *, ends: bool = True, alive: bool = True) -> Mistake:
    """What `act` does to a string of four elements: of one that ends, and is live, or not."""

    def on(heap: Any) -> None:
        with heap.alloc(utf8, "text") as text:
            if not ends:
                heap.fill(text, 65)
            if not alive:
                text.free()
            act(text)

    return on


def at(act: Callable[[Any, int], Any], contents: bytes = b"\xff\0") -> Mistake:
    """What `act` does to the address of some bytes."""

    def on(heap: Any) -> None:
        with heap.alloc_array(uint8, contents + bytes(16), align=8) as array:
            act(heap, array.address)

    return on


def with_other(act: Callable[[Any, Any], Any]) -> Mistake:
    """What `act` does to a heap and an array of another one."""

    def on(heap: Any) -> None:
        with emheap.wrap_buffer(bytearray(256)).alloc_array(int32, 2) as array:
            act(heap, array)

    return on


def with_room_for(blocks: int, act: Mistake) -> Mistake:
    """What `act` does to a heap in the same memory whose allocator succeeds so many times."""

    def on(heap: Any) -> None:
        allocator = emheap.FailingAllocator(heap.allocator, after=blocks)
        act(HeapManager(heap.memory, allocator, heap.options))

    return on


def damaged(act: Mistake) -> Mistake:
    """What `act` does to a debug heap in whose red zone something was written."""

    def on(_: Any) -> None:
        heap = emheap.wrap_buffer(bytearray(4096), debug=True)
        block = heap.alloc(int32, 5)
        heap.memory.write_bytes(block.address + 4, b"!")
        try:
            act(heap)
        finally:
            block.free()

    return on
