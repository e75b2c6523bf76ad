"""Opening heaps: one function for each home."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emheap.allocators.base import Allocator
from emheap.allocators.freelist import FreeListAllocator
from emheap.allocators.functions import FunctionsAllocator
from emheap.allocators.libc import LibcAllocator
from emheap.allocators.pool import PoolAllocator
from emheap.errors import NotSupportedError
from emheap.home import IN_PYODIDE
from emheap.manager import HeapManager
from emheap.memories.buffer import BufferMemory
from emheap.memories.direct import DirectMemory
from emheap.memories.polled import PolledMemory
from emheap.options import check_options

__all__ = [
    "create_wasm_heap_manager",
    "open",
    "wrap_buffer",
    "wrap_emscripten_module_heap",
    "wrap_wasm_instance",
]

AllocatorMaker = Callable[[int, int], Allocator]


def open(**options: Any) -> HeapManager:  # noqa: A001 (used as emheap.open)
    """The heap at home: in Pyodide its own module's, on native Python the C library's.

    Options are keyword-only: ``clear_allocated_regions=True``, ``track_allocations=True``,
    ``enable_garbage_collection=False``, ``count_allocations=False``, ``polling_mode="when_empty"``
    (which only heaps behind a callback look at), and ``debug=False`` with ``site_depth=4``.

    A debug heap, which EMHEAP_DEBUG=1 in the environment makes of every heap, looks for damage
    around its blocks and in freed ones when a block is freed, at `verify`, and when the
    interpreter ends; it takes raw addresses in its live blocks only, and its errors tell, for
    each event, the `site_depth` innermost frames of the program.
    Raises TypeError or ValueError for a bad option.
    """
    checked = check_options(options)
    return HeapManager(DirectMemory(), PoolAllocator(_own_allocator()), checked)


def _own_allocator() -> Allocator:
    if IN_PYODIDE:
        from emheap.memories.own_module import module_functions

        # A call over the FFI costs less than one by ctypes, where the module exports these two.
        functions = module_functions()
        if functions is not None:
            return FunctionsAllocator(*functions)
    return LibcAllocator()


def create_wasm_heap_manager(
    get_heap: Callable[[], Any],
    allocate: Callable[[int], Any],
    free: Callable[[int], Any],
    **options: Any,
) -> HeapManager:
    """A heap made of three functions.

    ``get_heap()`` returns the latest buffer: a writable Python buffer or, in Pyodide, any
    ArrayBuffer or SharedArrayBuffer; that of Pyodide's own module is reached directly.
    ``allocate(size)`` returns an address, or 0 where there is no room; ``free(address)`` takes it
    back. How often the buffer is asked for is the option ``polling_mode``: ``"always"`` is before
    every access; ``"when_empty"`` is when it was detached or is too short for the access, which is
    what growth looks like; ``"never"`` is once, and accesses raise when that buffer is gone.
    """
    checked = check_options(options)
    if not callable(get_heap):
        raise TypeError(
            "get_heap must be a function that returns the latest buffer, "
            f"not {type(get_heap).__name__} {get_heap!r:.60}"
        )
    if IN_PYODIDE:
        from emheap.opening_javascript import open_latest_buffer

        return open_latest_buffer(get_heap, allocate, free, checked)
    memory = PolledMemory(get_heap, checked.polling_mode)
    allocator = FunctionsAllocator(allocate, free, memory.pointer_size)
    return HeapManager(memory, allocator, checked)


def wrap_emscripten_module_heap(module: Any, *, memory: Any = None, **options: Any) -> HeapManager:
    """The heap of an Emscripten module, seen from Pyodide: its own module's or another's.

    The module must export ``_malloc`` and ``_free``. Its memory is looked for among its exports;
    where there is none, pass it as `memory`, as a ``WebAssembly.Memory`` or as what
    `capture_memory` returned. Memories of 32 and of 64 bits are served.

    Raises NotSupportedError, with the flag of emcc that helps, where an export is missing; on
    native Python too. Raises TypeError for what is no module.
    """
    checked = check_options(options)
    if not IN_PYODIDE:
        raise NotSupportedError(
            "wrap_emscripten_module_heap() needs the JavaScript module of Pyodide; "
            "on native Python use emheap.open()"
        )
    from emheap.memories.own_module import is_own_module

    if is_own_module(module):
        return HeapManager(DirectMemory(), PoolAllocator(_own_allocator()), checked)
    from emheap.opening_javascript import open_module

    return open_module(module, memory, checked)


def wrap_wasm_instance(
    *store_and_instance: Any,
    memory: Any = "memory",
    malloc: str | None = "malloc",
    free: str | None = "free",
    **options: Any,
) -> HeapManager:
    """The heap of a plain WebAssembly module: ``(instance)`` in Pyodide, and on native Python,
    where the module runs in wasmtime, ``(store, instance)``. In Pyodide a ``WebAssembly.Memory``
    alone will do: blocks are then allocated in pages that the heap adds to it.

    `memory`, `malloc` and `free` are names of exports; `memory` may also be the ``Memory`` (or
    wasmtime's ``SharedMemory``) itself, which a module that imports its memory was given. With
    ``malloc=None, free=None`` blocks are allocated in pages that the heap adds to the memory.
    That is for modules that have no allocator: many an allocator takes all pages for its own,
    whoever added them. Emscripten's always does, and wasi-libc's may at the first call of its
    ``malloc``; when that was made before, it keeps to the pages that it adds itself. A module
    with an export ``_initialize`` wants that called once before.

    Memories of 32 and of 64 bits, shared and growing ones, are served. In Pyodide views are
    `HeapView` objects. In wasmtime they are memoryviews where the memory cannot move: 32-bit
    memories by default, and any whose maximum is at most what ``Config.memory_reservation``
    reserves; elsewhere they are `HeapView` objects. The heap, its references and its views keep
    the store open; ``store.close()`` takes effect when the last of them is gone.

    Raises ImportError without wasmtime, NotSupportedError where an export is missing, and
    TypeError. A trap in the module's own functions is passed on as it is.
    """
    checked = check_options(options)
    if IN_PYODIDE:
        from emheap.opening_javascript import open_instance

        if len(store_and_instance) != 1:
            raise TypeError("wrap_wasm_instance() takes, in Pyodide, a WebAssembly.Instance alone")
        return open_instance(store_and_instance[0], memory, malloc, free, checked)
    if len(store_and_instance) != 2:
        raise TypeError("wrap_wasm_instance() takes a wasmtime store and an instance")
    from emheap.opening_wasmtime import open_wasmtime_heap

    store, instance = store_and_instance
    return open_wasmtime_heap(store, instance, memory, malloc, free, checked)


def wrap_buffer(
    buffer: Any,
    *,
    allocator: Allocator | AllocatorMaker = FreeListAllocator,
    **options: Any,
) -> HeapManager:
    """A heap in a writable Python buffer, with an allocator of ours.

    `allocator` is an allocator, or makes one when called with the first address and the end of
    the bytes to hand out, as ``FreeListAllocator`` and ``BumpAllocator`` do. Addresses count from
    the start of the buffer; 0 is the null pointer. The buffer cannot change its size while the
    heap is used.
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
