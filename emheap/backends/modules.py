"""Heaps of modules, by whichever backend can reach them from here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from emheap._util.platform import IN_PYODIDE
from emheap.allocators.base import Allocator
from emheap.allocators.functions import FunctionsAllocator
from emheap.allocators.pool import PoolAllocator
from emheap.allocators.wrap_only import WrapOnlyAllocator
from emheap.backends.functions import AllocatorChoice
from emheap.backends.process import open_own_linker, own_allocator
from emheap.blocks.options import check_options
from emheap.errors import NotSupportedError
from emheap.heap.manager import HeapManager
from emheap.memories.polled import PolledMemory
from emheap.memories.process import ProcessMemory

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from emheap.blocks.options import OptionValues

__all__ = ["create_wasm_heap_manager", "wrap_emscripten_module_heap", "wrap_wasm_instance"]


def create_wasm_heap_manager(
    get_heap: Callable[[], Any],
    allocate: Callable[..., Any] | None = None,
    free: Callable[..., Any] | None = None,
    *,
    sized_free: bool = False,
    aligned: bool = False,
    **options: Unpack[OptionValues],
) -> HeapManager:
    """A heap made of three functions.

    ``get_heap()`` returns the latest buffer: a writable Python buffer or, in Pyodide, any
    ArrayBuffer or SharedArrayBuffer; that of Pyodide's own module is reached directly.
    ``allocate(size)`` returns an address, or 0 where there is no room; ``free(address)`` takes it
    back. `sized_free` and `aligned` are for functions that take more, as `wrap_wasm_instance`
    says; without both functions the heap reads, writes and wraps, and allocates nothing.

    How often the buffer is asked for is the option ``polling_mode``: ``"always"`` is before
    every access; ``"when_empty"`` is when it was detached or released, is empty, or is too short
    for the access, which is what growth looks like; ``"never"`` is once, and accesses raise when
    that buffer is gone. A buffer that another one replaces while it stays usable must be released
    (a memoryview's ``release()``) or asked for always, or accesses below its end go on reaching
    it. In Pyodide, where `allocate` is a function of JavaScript and not a WebAssembly module's,
    ``"when_empty"`` asks always too: the memories of asm.js and of wasm2js are replaced so.
    """
    checked = check_options(options, "get_heap", "allocate", "free", "sized_free", "aligned")
    if not callable(get_heap):
        raise TypeError(
            "get_heap must be a function that returns the latest buffer, "
            f"not {type(get_heap).__name__}"
        )
    nothing = allocate is None and free is None
    choice = AllocatorChoice(allocate, free, sized_free, aligned, nothing).check()
    if IN_PYODIDE:
        from emheap.backends.javascript import open_latest_buffer

        return open_latest_buffer(get_heap, choice, checked)
    memory = PolledMemory(get_heap, checked.polling_mode)
    allocator: Allocator = WrapOnlyAllocator()
    if not nothing:
        allocator = FunctionsAllocator(
            choice.malloc, choice.free, memory.pointer_size, sized_free=sized_free, aligned=aligned
        )
    return HeapManager(memory, allocator, checked)


def wrap_emscripten_module_heap(
    module: Any,
    *,
    memory: Any = None,
    malloc: str | Callable[..., Any] = "_malloc",
    free: str | Callable[..., Any] = "_free",
    sized_free: bool = False,
    aligned: bool = False,
    wrap_only: bool = False,
    **options: Unpack[OptionValues],
) -> HeapManager:
    """The heap of an Emscripten module, seen from Pyodide: its own module's or another's.

    `malloc` and `free` are names of the module's functions, or functions; `sized_free`, `aligned`
    and `wrap_only` are as in `wrap_wasm_instance`. The memory is looked for among the module's
    exports; if it exports none, pass it as `memory`, as a ``WebAssembly.Memory`` or as what
    `capture_memory` returned, which has the functions, too, that the module does not hand on.
    Memories of 32 and of 64 bits work. Where one member alone of the object looks like a module,
    as in the object of sqlite.org's ``sqlite3InitModule()``, that is opened.

    A module that was compiled to JavaScript, by wasm2js or to asm.js, has another buffer after
    it grew, while the old one stays usable: such a heap asks for the latest at every access, and
    is slower for it, and a `js_view` of before goes on showing the old bytes.

    Raises NotSupportedError where an export is missing, with the flag of emcc that helps, and
    where it takes other arguments; on native Python too. Raises TypeError for what is no
    JavaScript object, for a function and for a Promise.
    """
    checked = check_options(options, "memory", *AllocatorChoice._fields)
    choice = AllocatorChoice(malloc, free, sized_free, aligned, wrap_only).check()
    if not IN_PYODIDE:
        raise NotSupportedError(
            "wrap_emscripten_module_heap() needs the JavaScript module of Pyodide; "
            "on native Python use emheap.open()"
        )
    from emheap.javascript.own_module import is_own_module

    usual = wrap_only or choice == AllocatorChoice("_malloc", "_free")
    if is_own_module(module) and memory is None and usual:
        allocator = WrapOnlyAllocator() if wrap_only else PoolAllocator(own_allocator())
        return HeapManager(ProcessMemory(), allocator, checked, open_own_linker)
    from emheap.backends.javascript import open_module

    return open_module(module, memory, choice, checked)


def wrap_wasm_instance(
    *store_and_instance: Any,
    memory: Any = "memory",
    malloc: str | Callable[..., Any] | None = "malloc",
    free: str | Callable[..., Any] | None = "free",
    sized_free: bool = False,
    aligned: bool = False,
    wrap_only: bool = False,
    **options: Unpack[OptionValues],
) -> HeapManager:
    """The heap of a plain WebAssembly module: ``(instance)`` in Pyodide, and on native Python,
    where the module runs in wasmtime, ``(store, instance)``.

    Instead of the instance, its exports may be passed, which is what wasm-bindgen returns, or a
    bare memory: blocks are then allocated in pages that the heap adds to it, unless `malloc` and
    `free` are functions. In a function that
    wasmtime calls with its ``Caller``, ``(caller)`` is the heap of the calling module; it may be
    used until the function returns, and raises ValueError afterwards.

    `memory` is the name of an export, or the memory itself (wasmtime's ``SharedMemory`` too),
    which a module that imports its memory was given, or what `capture_memory` returned. `malloc`
    and `free` are names of exports, or functions. They are called as ``malloc(size)`` and
    ``free(address)``; with ``sized_free=True`` as ``free(address, size)``; with ``aligned=True``
    the alignment follows the size, in both. So these are opened by::

        wrap_wasm_instance(instance, malloc="alloc", free="dealloc", sized_free=True)  # Rust
        wrap_wasm_instance(instance, malloc="__wbindgen_malloc", free="__wbindgen_free",
                           sized_free=True, aligned=True)                      # wasm-bindgen
        wrap_wasm_instance(instance, malloc=lambda size: pin(new(size, 1)), free=unpin)

    the last of them AssemblyScript's, with its exports ``__new``, ``__pin`` and ``__unpin``:
    what is not pinned, its garbage collector frees. ``__new`` itself takes two numbers as well, and
    is refused as `malloc` where the exports show which function it is; a bare memory shows none.

    With ``wrap_only=True`` the heap reads, writes and wraps, and allocates nothing. With
    ``malloc=None, free=None`` blocks are allocated in pages that the heap adds to the memory.
    That is for modules of which no code ever allocates, for many allocators claim every page,
    no matter which code added it; a module whose exports show an allocator is refused. A module
    with an export ``_initialize`` wants that called once before.

    Memories of 32 and of 64 bits work, shared and growing ones too. In Pyodide views are
    `HeapView` objects. In wasmtime they are memoryviews where the memory cannot move: 32-bit
    memories by default, and any whose maximum is at most what ``Config.memory_reservation``
    reserves; elsewhere they are `HeapView` objects. The heap, its references and its views keep
    the store open; ``store.close()`` takes effect when the last of them is gone.

    Raises ImportError without wasmtime, NotSupportedError where an export is missing or takes
    other arguments, and TypeError. Where one of the two functions traps, allocating or freeing
    raises ForeignTrapError; what was freed is live still.
    """
    checked = check_options(options, "memory", *AllocatorChoice._fields)
    choice = AllocatorChoice(malloc, free, sized_free, aligned, wrap_only).check()
    if IN_PYODIDE:
        from emheap.backends.javascript import open_instance

        if len(store_and_instance) != 1:
            raise TypeError("wrap_wasm_instance() takes, in Pyodide, a WebAssembly.Instance alone")
        return open_instance(store_and_instance[0], memory, choice, checked)
    from emheap.backends.wasmtime import open_wasmtime_heap

    return open_wasmtime_heap(store_and_instance, memory, choice, checked)
