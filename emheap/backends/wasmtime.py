"""Opening the heap of a module that runs in wasmtime."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from emheap._util.messages import add_note
from emheap.allocators.base import Allocator
from emheap.allocators.functions import FunctionsAllocator
from emheap.allocators.pages import PageAllocator
from emheap.allocators.pool import PoolAllocator
from emheap.blocks.options import Options
from emheap.errors import NotSupportedError
from emheap.heap.manager import HeapManager
from emheap.memories.wasmtime import open_wasmtime_memory, page_size
from emheap.memories.wasmtime_lifetime import is_open

if TYPE_CHECKING:
    import wasmtime

    from emheap.calls.linker import Linker

__all__ = ["open_wasmtime_heap"]


def open_wasmtime_heap(
    store: Any, instance: Any, memory: Any, malloc: Any, free: Any, options: Options
) -> HeapManager:
    """The heap of an instance; see `emheap.wrap_wasm_instance`."""
    try:
        import wasmtime
    except ImportError:
        raise ImportError(
            "wrap_wasm_instance() needs wasmtime on native Python: pip install emheap[wasmtime]"
        ) from None
    if not isinstance(store, wasmtime.Store):
        # Not a Caller either: it is valid for the time of one call, and a heap lives longer.
        raise TypeError(f"store must be a wasmtime.Store, not {store!r:.60}")
    if not isinstance(instance, wasmtime.Instance):
        raise TypeError(f"instance must be a wasmtime.Instance, not {instance!r:.60}")
    _check_owner(store, instance._instance, "the instance")
    exports = instance.exports(store)
    found = _find_memory(store, exports, memory)
    opened = open_wasmtime_memory(store, found)
    allocator = _find_allocator(store, exports, found, malloc, free, opened.pointer_size)

    def open_linker(source: Any) -> Linker:
        from emheap.calls.linker_wasmtime import WasmtimeLinker

        if source is not None and source is not instance:
            raise TypeError(
                "a heap of wasmtime's calls the functions of its own instance: leave the source "
                f"out, or pass that, not {source!r:.60}"
            )
        return WasmtimeLinker(store, instance, opened.pointer_size == 8)

    return HeapManager(opened, PoolAllocator(allocator), options, open_linker)


def _check_owner(store: wasmtime.Store, handle: Any, what: str) -> None:
    """Refuse what belongs to another store: wasmtime ends the process at such a mistake."""
    import wasmtime

    ours = wasmtime.Func(store, wasmtime.FuncType([], []), _nothing)._func
    if _store_id(handle) != _store_id(ours):
        raise ValueError(f"{what} belongs to another store than the one given")


def _nothing() -> None:
    """What the handle that tells a store's id would call."""


def _store_id(handle: Any) -> int:
    # The first member of every handle in the C API.
    return ctypes.c_uint64.from_buffer(handle).value


def _find_memory(store: wasmtime.Store, exports: Any, memory: Any) -> Any:
    import wasmtime

    if isinstance(memory, wasmtime.Memory):
        _check_owner(store, memory._memory, "the memory")
        return memory
    shared: Any = getattr(wasmtime, "SharedMemory", ())  # wasmtime has it from 30 on
    if isinstance(memory, shared):
        return memory
    cure = "modules that import their memory need it passed, as memory=the_memory"
    return _find_export(exports, memory, "memory", (wasmtime.Memory, shared), cure)


def _find_export(exports: Any, name: Any, what: str, kinds: Any, cure: str) -> Any:
    if not isinstance(name, str):
        raise TypeError(f"{what} must be the name of an export, not {name!r:.60}")
    export = exports.get(name)
    if isinstance(export, kinds):
        return export
    problem = "does not export" if export is None else f"exports a {type(export).__name__} as"
    raise NotSupportedError(
        f"the module {problem} {name!r}, its {what}; it exports {', '.join(exports) or 'nothing'}; "
        f"{cure}"
    )


def _find_allocator(
    store: wasmtime.Store, exports: Any, memory: Any, malloc: Any, free: Any, pointer_size: int
) -> Allocator:
    import wasmtime

    if malloc is None and free is None:
        return _page_allocator(store, memory)
    functions = []
    for what, name, returns in (("malloc", malloc, 1), ("free", free, 0)):
        cure = (
            f"link it with -Wl,--export={name}, name another function as {what}=, or, if the "
            "module has no allocator, pass malloc=None, free=None to use pages added to its memory"
        )
        function = _find_export(exports, name, what, wasmtime.Func, cure)
        integer = f"i{8 * pointer_size}"
        kind = function.type(store)
        takes, gives = list(map(str, kind.params)), list(map(str, kind.results))
        if takes != [integer] or gives != [integer] * returns:
            raise NotSupportedError(
                f"{name!r} cannot be the module's {what}: it takes {takes} and gives {gives}, "
                f"and {what} takes ['{integer}'] and gives {[integer] * returns}"
            )
        functions.append(_caller(store, function, str(name)))
    return FunctionsAllocator(functions[0], _unless_closed(store, functions[1]), pointer_size)


def _caller(store: wasmtime.Store, function: wasmtime.Func, name: str) -> Callable[[int], Any]:
    import wasmtime

    def call(argument: int) -> Any:
        try:
            return function(store, argument)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            add_note(error, f"in the module's {name}({argument}), which the heap called")
            raise

    return call


def _unless_closed(store: wasmtime.Store, free: Callable[[int], Any]) -> Callable[[int], Any]:
    """`free`, for blocks that may be collected in one go with their store, in any order."""

    def call(address: int) -> Any:
        try:
            return free(address)
        except ValueError:
            if is_open(store):
                raise
            return None  # the block went with the memory

    return call


def _page_allocator(store: wasmtime.Store, memory: Any) -> PageAllocator:
    import wasmtime

    shared = not isinstance(memory, wasmtime.Memory)

    def grow(pages: int) -> int:
        try:
            before = memory.grow(pages) if shared else memory.grow(store, pages)
        except wasmtime.WasmtimeError:
            return -1
        return int(before)

    return PageAllocator(grow, page_size=1 << 16 if shared else page_size(store, memory))
