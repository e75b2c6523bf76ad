"""Heaps in Python buffers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emheap.allocators.base import Allocator
from emheap.allocators.freelist import FreeListAllocator
from emheap.blocks.options import check_options
from emheap.heap.manager import HeapManager
from emheap.memories.buffer import BufferMemory

__all__ = ["wrap_buffer"]

AllocatorMaker = Callable[[int, int], Allocator]


def wrap_buffer(
    buffer: Any,
    *,
    allocator: Allocator | AllocatorMaker = FreeListAllocator,
    **options: Any,
) -> HeapManager:
    """A heap in a writable Python buffer, with an allocator of emheap's.

    `allocator` is an allocator, or makes one when called with the first address and the end of
    the bytes to allocate from, as ``FreeListAllocator`` and ``BumpAllocator`` do. Addresses
    count from the start of the buffer; 0 is the null pointer. The buffer cannot change its size
    while the heap is used.
    """
    checked = check_options(options)
    memory = BufferMemory(buffer)
    if isinstance(allocator, Allocator):
        made = allocator
    elif callable(allocator):
        # The first bytes stay unused, so that no block has the address of the null pointer.
        made = allocator(min(16, memory.size), memory.size)
    else:
        raise TypeError(
            "allocator must be an allocator such as FreeListAllocator, "
            f"not {type(allocator).__name__} {allocator!r:.60}"
        )
    if not isinstance(made, Allocator):
        raise TypeError(f"allocator gave {type(made).__name__} {made!r:.60}, which is no Allocator")
    return HeapManager(memory, made, checked)
