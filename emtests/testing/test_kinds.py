"""Every memory and every allocator of the project keeps its contract."""

from __future__ import annotations

from typing import Any

import emheap
from emheap import Allocator, Memory, uint8
from emheap.testing import ROOM, check_allocator, check_memory
from emtests.conftest import OpenHeap
from emtests.growing import ReplacedBuffer
from emtests.heaps import HeapKind


def test_the_memory(open_heap: OpenHeap) -> None:
    heaps = []

    def make() -> tuple[Memory, int]:
        heap = open_heap()
        heaps.append((heap, heap.alloc_array(uint8, ROOM, align=64)))
        return heap.memory, heaps[-1][1].address

    check_memory(make)
    for _, block in heaps:
        block.free()


def test_the_allocator(kind: HeapKind, open_heap: OpenHeap) -> None:
    def make() -> tuple[Allocator, Memory]:
        heap = open_heap()
        return heap.allocator, heap.memory

    check_allocator(make, reuse=kind.can("reuse"))
    check_allocator(make, reuse=kind.can("reuse"), operations=300, seed=1)


def test_a_memory_that_grows() -> None:
    sources: dict[int, ReplacedBuffer] = {}

    def make() -> tuple[Memory, int]:
        source = ReplacedBuffer(2 * ROOM, 8 * ROOM)
        heap = emheap.create_wasm_heap_manager(source.get_heap, source.allocate, source.free)
        sources[id(heap.memory)] = source
        return heap.memory, 64

    def grow(memory: Memory) -> None:
        sources[id(memory)].grow(3 * ROOM)

    check_memory(make, grow=grow)


def test_allocators_alone() -> None:
    def memory() -> Any:
        return emheap.wrap_buffer(bytearray(1 << 20)).memory

    check_allocator(lambda: (emheap.FreeListAllocator(16, 1 << 20), memory()))
    check_allocator(lambda: (emheap.FreeListAllocator(8, 1 << 20, alignment=64), memory()))
    check_allocator(lambda: (emheap.BumpAllocator(16, 1 << 20), memory()), reuse=False)
    pool = emheap.PoolAllocator(emheap.FreeListAllocator(16, 1 << 20))
    check_allocator(lambda: (pool, memory()))
