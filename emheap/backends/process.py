"""The heap of this process: of Pyodide's own module, or of the C library of native CPython."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emheap._util.platform import IN_PYODIDE
from emheap.allocators.base import Allocator
from emheap.allocators.functions import FunctionsAllocator
from emheap.allocators.libc import LibcAllocator
from emheap.allocators.pool import PoolAllocator
from emheap.blocks.options import check_options
from emheap.heap.manager import HeapManager
from emheap.memories.process import ProcessMemory

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from emheap.blocks.options import OptionValues
    from emheap.calls.linker import Linker

__all__ = ["open", "open_own_linker", "own_allocator"]


def open(**options: Unpack[OptionValues]) -> HeapManager:  # noqa: A001 (used as emheap.open)
    """The process's own heap: in Pyodide its own module's, on native Python the C library's.

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
    allocator = PoolAllocator(own_allocator())
    return HeapManager(ProcessMemory(), allocator, checked, open_own_linker)


def open_own_linker(source: Any) -> Linker:
    """What finds the functions of this process; see `HeapManager.library`."""
    from emheap.calls.linker_process import open_process_linker

    return open_process_linker(source)


def own_allocator() -> Allocator:
    """The allocator of this process: JavaScript's way to it where that is open, or ctypes'."""
    if IN_PYODIDE:
        from emheap.javascript.own_module import module_functions

        # A call over the FFI costs less than one by ctypes, where the module exports these two.
        functions = module_functions()
        if functions is not None:
            allocator = FunctionsAllocator(*functions)
            # They are malloc and free themselves.
            allocator.trusted, allocator.refusals = True, ()
            return allocator
    return LibcAllocator()
