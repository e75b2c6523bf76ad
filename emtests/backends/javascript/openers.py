"""Opens the heaps owned by JavaScript that the behaviour suite runs on.

Imported natively too, so what needs JavaScript is imported when a heap is opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import emheap
from emheap import HeapManager

ROOM = 1 << 20


def open_pages(memory: Any, options: dict[str, Any]) -> HeapManager:
    """The heap on a WebAssembly.Memory, in pages that our own allocator adds to it."""
    from emheap.backends.javascript import make_grow

    # Not the memory's own method, which throws where the instruction would say that it cannot.
    pages = emheap.PageAllocator(make_grow(memory))
    if options.get("polling_mode") == "never":
        pages.free(pages.allocate(ROOM))  # such a heap does not see the memory grow later
    return emheap.create_wasm_heap_manager(
        lambda: memory.buffer, pages.allocate, pages.free, **options
    )


@contextmanager
def open_wasm_memory(**options: Any) -> Iterator[HeapManager]:
    """A bare WebAssembly.Memory."""
    from emtests.backends.javascript.buffers import wasm_memory

    yield open_pages(wasm_memory(), options)


@contextmanager
def open_shared_memory(**options: Any) -> Iterator[HeapManager]:
    """A WebAssembly.Memory that workers can share: growth leaves the old buffer as it was."""
    from emtests.backends.javascript.buffers import wasm_memory

    yield open_pages(wasm_memory(shared=True), options)


@contextmanager
def open_array_buffer(**options: Any) -> Iterator[HeapManager]:
    """An ArrayBuffer that is resized in place."""
    from emtests.backends.javascript.buffers import GrowingBuffer, growable

    buffer = growable(1000, 1 << 26)
    heap = GrowingBuffer(lambda: buffer, buffer.resize)
    yield emheap.create_wasm_heap_manager(heap.get_buffer, heap.allocate, heap.free, **options)


@contextmanager
def open_shared_buffer(**options: Any) -> Iterator[HeapManager]:
    """A SharedArrayBuffer that grows in place."""
    from emtests.backends.javascript.buffers import GrowingBuffer, growable

    buffer = growable(1000, 1 << 26, shared=True)
    heap = GrowingBuffer(lambda: buffer, buffer.grow)
    yield emheap.create_wasm_heap_manager(heap.get_buffer, heap.allocate, heap.free, **options)
