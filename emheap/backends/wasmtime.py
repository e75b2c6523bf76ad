"""Opening the heap of a module that runs in wasmtime."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from emheap.allocators.base import Allocator
from emheap.allocators.pages import PageAllocator
from emheap.allocators.pool import PoolAllocator
from emheap.allocators.wrap_only import WrapOnlyAllocator
from emheap.backends.functions import (
    PINNED,
    AllocatorChoice,
    Function,
    allocator_exports,
    check_bare_memory,
    make_allocator,
    missing_function,
    pages_refusal,
    reporting_traps,
    wrong_signature,
    wrong_type,
)
from emheap.blocks.options import Options
from emheap.calls.wasmtime_call import bind_function
from emheap.calls.wasmtime_types import type_of_wasmtime_function
from emheap.errors import NotSupportedError
from emheap.heap.manager import HeapManager
from emheap.memories.wasmtime import open_caller_memory, open_wasmtime_memory, page_size
from emheap.memories.wasmtime_lifetime import is_open

if TYPE_CHECKING:
    import wasmtime

    from emheap.calls.linker import Linker, TrapReport

__all__ = ["open_wasmtime_heap"]

_EXPECTED = "wrap_wasm_instance() takes a wasmtime store and an instance, or a Caller alone"


class _Module(NamedTuple):
    """What a heap is opened on."""

    store: Any
    """A ``wasmtime.Store``, or the ``Caller`` that stands for one during a call."""
    exports: Any
    """What the module exports: something with `get`, of which a Caller gives no list."""
    memory: Any = None
    """A bare memory, in the place of a module; or None."""
    is_own: bool = True
    """Whether what is exported belongs to the store for certain."""
    instance: Any = None
    """The ``wasmtime.Instance``, where that was given."""

    @property
    def is_caller(self) -> bool:
        import wasmtime

        return isinstance(self.store, wasmtime.Caller)

    @property
    def names(self) -> list[str]:
        return list(self.exports) if isinstance(self.exports, Mapping) else []


def open_wasmtime_heap(
    parts: tuple[Any, ...], memory: Any, choice: AllocatorChoice, options: Options
) -> HeapManager:
    """The heap of an instance; see `emheap.wrap_wasm_instance`."""
    try:
        import wasmtime
    except ImportError:
        raise ImportError(
            "wrap_wasm_instance() needs wasmtime on native Python: pip install wasmtime"
        ) from None
    module = _find_module(parts)
    found = _find_memory(module, memory)
    if not module.is_caller:
        opened = open_wasmtime_memory(module.store, found)
    elif isinstance(found, wasmtime.Memory):
        opened = open_caller_memory(module.store, found)
    else:
        raise NotSupportedError("a shared memory is opened with its store, not with a Caller")
    allocator = _find_allocator(module, found, choice, opened.pointer_size)
    return HeapManager(opened, allocator, options, _linker_opener(module, opened.pointer_size))


def _linker_opener(module: _Module, pointer_size: int) -> Callable[[Any], Linker]:
    """What finds the functions of the instance that the heap is of."""

    def open_linker(source: Any) -> Linker:
        from emheap.calls.linker_wasmtime import WasmtimeLinker

        if module.instance is None:
            raise TypeError(
                "a library needs a wasmtime.Instance: open the heap with the store and that"
            )
        if source is not None and source is not module.instance:
            raise TypeError(
                "a heap of wasmtime's calls the functions of its own instance: leave the source "
                f"out, or pass that, not {source!r:.60}"
            )
        return WasmtimeLinker(module.store, module.instance, pointer_size == 8)

    return open_linker


def _find_module(parts: tuple[Any, ...]) -> _Module:
    import wasmtime

    if len(parts) == 1 and isinstance(parts[0], wasmtime.Caller):
        return _Module(parts[0], parts[0])
    if len(parts) != 2:
        raise TypeError(_EXPECTED)
    store, given = parts
    if not isinstance(store, (wasmtime.Store, wasmtime.Caller)):
        raise TypeError(f"store must be a wasmtime.Store, not {store!r:.60}")
    if isinstance(given, wasmtime.Instance):
        _check_owner(store, given, "the instance")
        return _Module(store, given.exports(store), instance=given)
    if isinstance(given, (wasmtime.Memory, wasmtime.SharedMemory)):
        _check_owner(store, given, "the memory")
        return _Module(store, {}, given)
    if isinstance(given, Mapping):
        return _Module(store, given, is_own=False)
    raise TypeError(
        f"instance must be a wasmtime.Instance, its exports or a bare Memory, not {given!r:.60}"
    )


def _check_owner(store: Any, thing: Any, what: str) -> None:
    """Refuse what belongs to another store: wasmtime ends the process at such a mistake."""
    import wasmtime

    handle: Any = next(
        (vars(thing)[name] for name in ("_instance", "_memory", "_func") if name in vars(thing)),
        None,
    )
    if handle is None:  # a shared memory belongs to no store
        return
    kind = wasmtime.GlobalType(wasmtime.ValType.i32(), False)
    ours = wasmtime.Global(store, kind, wasmtime.Val.i32(0))._global
    if _store_id(handle) != _store_id(ours):
        raise ValueError(f"{what} belongs to another store than the one given")


def _store_id(handle: Any) -> int:
    # The first member of every handle in the C API.
    return ctypes.c_uint64.from_buffer(handle).value


def _find_memory(module: _Module, memory: Any) -> Any:
    import wasmtime

    if module.memory is not None:
        check_bare_memory(module.memory, memory)
        return module.memory
    kinds = wasmtime.Memory, wasmtime.SharedMemory
    if isinstance(memory, kinds):
        _check_owner(module.store, memory, "the memory")
        return memory
    cure = "modules that import their memory need it passed, as memory=the_memory"
    return _find_export(module, memory, "memory", kinds, cure)


def _find_export(module: _Module, name: Any, what: str, kinds: Any, cure: str) -> Any:
    if not isinstance(name, str):
        raise TypeError(f"{what} must be the name of an export, not {name!r:.60}")
    export = module.exports.get(name)
    if isinstance(export, kinds):
        if not module.is_own:
            _check_owner(module.store, export, f"the {what}")
        return export
    problem = "does not export" if export is None else f"exports a {type(export).__name__} as"
    exported = f"; it exports {', '.join(module.names) or 'nothing'}" * (not module.is_caller)
    raise NotSupportedError(f"the module {problem} {name!r}, its {what}{exported}; {cure}")


def _find_allocator(
    module: _Module, memory: Any, choice: AllocatorChoice, pointer_size: int
) -> Allocator:
    if choice.wrap_only:
        return WrapOnlyAllocator()
    if module.memory is not None:
        choice = choice.on_bare_memory()
    if choice.malloc is None and choice.free is None:
        return _page_allocator(module, memory)
    malloc = _find_function(module, "malloc", choice, pointer_size)
    free = _find_function(module, "free", choice, pointer_size)
    if module.is_caller:
        # Each call makes a new heap, with which the blocks that a pool keeps would be lost.
        return make_allocator(choice, malloc, free, pointer_size, pool=False)
    free = free._replace(call=_unless_closed(module.store, free.call))
    return make_allocator(choice, malloc, free, pointer_size, pool=True)


def _find_function(
    module: _Module, what: str, choice: AllocatorChoice, pointer_size: int
) -> Function:
    import wasmtime

    given = choice.malloc if what == "malloc" else choice.free
    if isinstance(given, str):
        cure = missing_function(what, given, module.names, pages=not module.is_caller)
        return _check_function(
            module,
            what,
            given,
            _find_export(module, given, what, wasmtime.Func, cure),
            pointer_size,
        )
    if isinstance(given, wasmtime.Func):
        _check_owner(module.store, given, f"the function given as {what}")
        return _check_function(
            module, what, _exported_name(module, what, given), given, pointer_size
        )
    if callable(given):
        return Function(what, _reporting(what, given), None)
    raise wrong_type(what, given)


def _exported_name(module: _Module, what: str, function: wasmtime.Func) -> str:
    """The name to check a function by: AssemblyScript's, where the exports show that it is that."""
    handle = bytes(vars(function)["_func"])
    for name in PINNED:
        export = module.exports.get(name)
        if export is not None and bytes(vars(export).get("_func", b"")) == handle:
            return name
    return what


def _check_function(
    module: _Module, what: str, name: str, function: wasmtime.Func, pointer_size: int
) -> Function:
    integer = f"i{8 * pointer_size}"
    kind = type_of_wasmtime_function(module.store, function) or (("unknown",), ("unknown",))
    takes, gives = map(list, kind)
    if not takes or {*takes} != {integer} or gives != [integer] * (what == "malloc"):
        raise wrong_signature(what, name, takes, gives, integer)
    letter = "I" if pointer_size == 4 else "Q"  # unsigned, as Python's sizes and addresses are
    run = bind_function(module.store, function, letter * len(takes), letter * len(gives))
    return Function(name, _reporting(name, run), len(takes))


def _reporting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, of which a trap is a ForeignTrapError."""
    import wasmtime

    return reporting_traps(name, function, (wasmtime.Trap, wasmtime.WasmtimeError), _explain)


def _explain(error: BaseException) -> TrapReport | None:
    from emheap.calls.linker_wasmtime import explain

    return explain(error)


def _unless_closed(store: Any, free: Callable[..., Any]) -> Callable[..., Any]:
    """`free`, for blocks that may be collected in one go with their store, in any order."""

    def call(address: int, *more: int) -> Any:
        # First, for a call into a store that was closed ends the process. Else the block went
        # with the memory.
        return free(address, *more) if is_open(store) else None

    return call


def _page_allocator(module: _Module, memory: Any) -> PoolAllocator:
    import wasmtime

    names = allocator_exports(module.names)
    if names:
        raise pages_refusal(names)
    store = module.store
    if module.is_caller:
        cure = "name" if module.memory is None else "pass"
        raise NotSupportedError(
            "the heap of a Caller cannot be given pages of its own, which would be lost when the "
            f"call ends: {cure} the functions of the module's allocator as malloc= and free=, or "
            "pass wrap_only=True for a heap that allocates nothing"
        )
    shared = not isinstance(memory, wasmtime.Memory)

    def grow(pages: int) -> int:
        try:
            before = memory.grow(pages) if shared else memory.grow(store, pages)
        except wasmtime.WasmtimeError:
            return -1
        return int(before)

    made = PageAllocator(grow, page_size=1 << 16 if shared else page_size(store, memory))
    return PoolAllocator(made)
