"""A program that runs in two Pyodides at once: the first asks, the second answers."""

from __future__ import annotations

from typing import Any

import js
from emtests_surroundings import role, shared

import emheap
from emheap import Arena, FreeListAllocator, HeapManager, float64, int32, uint8, utf8

STEP, NUMBER = 0, 1
memory: Any = shared.memory
words: Any = js.Int32Array.new(shared.control)
is_wasm: bool = js.Object.prototype.toString.call(memory) == "[object WebAssembly.Memory]"


def open_heap() -> HeapManager:
    # Each hands out bytes of its own: the upper and the lower half of the first 64 KiB.
    start = 64 if role == "first" else 32768
    blocks = FreeListAllocator(start, start + 32000)
    return emheap.create_wasm_heap_manager(
        (lambda: memory.buffer) if is_wasm else (lambda: memory), blocks.allocate, blocks.free
    )


def grow() -> None:
    if is_wasm:
        memory.grow(1)
    else:
        memory.grow(memory.byteLength + 65536)


def tell(step: int, number: int = 0) -> None:
    """Begin a step, in which it is the other's turn."""
    words[NUMBER] = number
    js.Atomics.store(words, STEP, step)
    js.Atomics.notify(words, STEP)


def wait_for(step: int) -> int:
    """Wait until the other has begun a step; gives the number it tells."""
    while (now := js.Atomics.load(words, STEP)) != step:
        js.Atomics.wait(words, STEP, now)
    return int(words[NUMBER])


def first(heap: HeapManager, scratch: Arena) -> str:
    numbers = scratch.alloc_array(float64, [0.5, -0.0, 2.0])
    tell(1, numbers.address)
    answer = heap.wrap(utf8, wait_for(2), 100)
    answered = answer.value
    assert numbers[0] == -7.25, numbers[:]
    counter = scratch.alloc(int32, 0)
    tell(3, counter.address)
    seen = [0]
    while seen[-1] < 5000:
        seen.append(counter.read_atomic())
    assert seen == sorted(seen)
    far = wait_for(4)
    assert heap.read(utf8, far) == "beyond the old end"
    heap.write_int64_atomic(far - far % 8, 2**62 + 1)
    tell(5, far - far % 8)
    wait_for(6)
    return answered


def second(heap: HeapManager, scratch: Arena) -> str:
    numbers = heap.wrap_array(float64, wait_for(1), 3)
    found = ",".join(map(str, numbers))
    numbers[0] = -7.25
    tell(2, scratch.alloc(utf8, f"got {found} ✓").address)
    counter = heap.wrap(int32, wait_for(3))
    for number in range(1, 5001):
        counter.write_atomic(number)
    end = heap.memory.size
    grow()
    heap.write(utf8, end, "beyond the old end")
    tell(4, end)
    place = wait_for(5)
    assert heap.read_int64_atomic(place) == heap.read_int64(place) == 2**62 + 1
    assert heap.read(uint8, place) == 1
    tell(6)
    return found


async def run() -> str:
    """Play one part; gives what it saw of the other's numbers."""
    heap = open_heap()
    assert heap.memory.shared
    with heap.arena() as scratch:
        return f"{role}: {(first if role == 'first' else second)(heap, scratch)}"
