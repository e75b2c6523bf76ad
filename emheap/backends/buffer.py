"""Heaps in Python buffers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from emheap._util.checks import check_choice
from emheap.allocators.base import Allocator
from emheap.allocators.freelist import FreeListAllocator
from emheap.blocks.options import check_options
from emheap.heap.manager import HeapManager
from emheap.memories.buffer import BufferMemory
from emheap.types.abi import ABIS

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from emheap.blocks.options import OptionValues

__all__ = ["wrap_buffer"]

AllocatorMaker = Callable[[int, int], Allocator]


def wrap_buffer(
    buffer: Any,
    *,
    allocator: Allocator | AllocatorMaker = FreeListAllocator,
    abi: str | None = None,
    **options: Unpack[OptionValues],
) -> HeapManager:
    """A heap in a writable Python buffer, with an allocator of emheap's.

    `allocator` is an allocator, or makes one when called with the first address and the end of
    the bytes to allocate from, as ``FreeListAllocator`` and ``BumpAllocator`` do. Addresses
    count from the start of the buffer; 0 is the null pointer. The buffer cannot change its size
    while the heap is used.

    `abi` says whose C code wrote what is in the buffer, or will read it: structures, pointers and
    C's own integers are laid out as there. It is the target that clang calls so:
    ``x86_64-linux-gnu``, ``aarch64-linux-gnu``, ``arm64-apple-macos``, ``i386-linux-gnu``,
    ``armv7-linux-gnueabihf``, ``x86_64-pc-windows-msvc``, ``i386-pc-windows-msvc``,
    ``aarch64-pc-windows-msvc``, ``wasm64-unknown-unknown``, or ``wasm32-unknown-unknown``, which
    is also what a buffer of up to 4 GiB is without it. Raises ValueError for another one, and for
    a buffer that its pointers cannot reach, TypeError for what is no writable buffer, and
    OutOfBoundsError for an empty buffer.

    >>> import emheap
    >>> class Sample(emheap.Struct):
    ...     tag: emheap.uint8
    ...     count: emheap.long
    >>> for abi in ("wasm32-unknown-unknown", "x86_64-linux-gnu", "x86_64-pc-windows-msvc"):
    ...     heap = emheap.wrap_buffer(bytearray(64), abi=abi)
    ...     print(heap.pointer_size, heap.layout(Sample).size)
    4 8
    8 16
    8 8
    """
    checked = check_options(options, "allocator", "abi")
    known = None if abi is None else ABIS[check_choice(abi, "abi", tuple(ABIS))]
    memory = BufferMemory(buffer, known)
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
