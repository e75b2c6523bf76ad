"""Opens the heaps in JavaScript's hands that the behaviour suite runs on.

Imported natively too, so what needs JavaScript is imported when a heap is opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import emheap
from emheap import HeapManager


def page_allocator(memory: Any) -> emheap.PageAllocator:
    """Blocks in pages added to a WebAssembly.Memory."""
    from emheap.opening_javascript import _growing

    # Not the memory's own method, which throws where the instruction would say that it cannot.
    return emheap.PageAllocator(_growing(memory))


@contextmanager
def open_wasm_memory(**options: Any) -> Iterator[HeapManager]:
    """A bare WebAssembly.Memory, which our own allocator grows by pages."""
    from emtests.javascript.buffers import wasm_memory

    memory = wasm_memory()
    pages = page_allocator(memory)
    yield emheap.create_wasm_heap_manager(
        lambda: memory.buffer, pages.allocate, pages.free, **options
    )


@contextmanager
def open_shared_memory(**options: Any) -> Iterator[HeapManager]:
    """A WebAssembly.Memory that workers can share: growth leaves the old buffer as it was."""
    from emtests.javascript.buffers import wasm_memory

    memory = wasm_memory(shared=True)
    pages = page_allocator(memory)
    yield emheap.create_wasm_heap_manager(
        lambda: memory.buffer, pages.allocate, pages.free, **options
    )


@contextmanager
def open_array_buffer(**options: Any) -> Iterator[HeapManager]:
    """An ArrayBuffer that is resized in place."""
    from emtests.javascript.buffers import GrowingBuffer, growable

    buffer = growable(1000, 1 << 26)
    heap = GrowingBuffer(lambda: buffer, buffer.resize)
    yield emheap.create_wasm_heap_manager(heap.get_buffer, heap.allocate, heap.free, **options)


@contextmanager
def open_shared_buffer(**options: Any) -> Iterator[HeapManager]:
    """A SharedArrayBuffer that grows in place."""
    from emtests.javascript.buffers import GrowingBuffer, growable

    buffer = growable(1000, 1 << 26, shared=True)
    heap = GrowingBuffer(lambda: buffer, buffer.grow)
    yield emheap.create_wasm_heap_manager(heap.get_buffer, heap.allocate, heap.free, **options)
