"""Heaps of modules, by whichever backend can reach them from here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emheap._util.platform import IN_PYODIDE
from emheap.allocators.functions import FunctionsAllocator
from emheap.allocators.pool import PoolAllocator
from emheap.backends.process import open_own_linker, own_allocator
from emheap.blocks.options import check_options
from emheap.errors import NotSupportedError
from emheap.heap.manager import HeapManager
from emheap.memories.polled import PolledMemory
from emheap.memories.process import ProcessMemory

__all__ = ["create_wasm_heap_manager", "wrap_emscripten_module_heap", "wrap_wasm_instance"]


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
        from emheap.backends.javascript import open_latest_buffer

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
    from emheap.javascript.own_module import is_own_module

    if is_own_module(module):
        return HeapManager(
            ProcessMemory(), PoolAllocator(own_allocator()), checked, open_own_linker
        )
    from emheap.backends.javascript import open_module

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
        from emheap.backends.javascript import open_instance

        if len(store_and_instance) != 1:
            raise TypeError("wrap_wasm_instance() takes, in Pyodide, a WebAssembly.Instance alone")
        return open_instance(store_and_instance[0], memory, malloc, free, checked)
    if len(store_and_instance) != 2:
        raise TypeError("wrap_wasm_instance() takes a wasmtime store and an instance")
    from emheap.backends.wasmtime import open_wasmtime_heap

    store, instance = store_and_instance
    return open_wasmtime_heap(store, instance, memory, malloc, free, checked)
