"""Opening heaps that JavaScript holds. This module is imported inside Pyodide only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import js
import pyodide_js
from pyodide.ffi import JsException, JsProxy, to_js

from emheap.allocators.base import Allocator
from emheap.allocators.functions import FunctionsAllocator
from emheap.allocators.pages import PageAllocator
from emheap.allocators.pool import PoolAllocator
from emheap.backends.process import open_own_linker
from emheap.blocks.options import Options
from emheap.errors import NotSupportedError, OutOfMemoryError
from emheap.heap.manager import HeapManager
from emheap.javascript.bridge import tag_of
from emheap.javascript.capture import CapturedMemory
from emheap.javascript.exports import (
    adapt_function,
    data_member,
    data_names,
    find_buffer_source,
    is_memory64,
)
from emheap.javascript.own_module import is_own_buffer
from emheap.memories.javascript import JavaScriptMemory
from emheap.memories.polled import PolledMemory
from emheap.memories.process import ProcessMemory

if TYPE_CHECKING:
    from emheap.calls.linker import Linker

__all__ = [
    "make_grow",
    "new_memory",
    "open_instance",
    "open_latest_buffer",
    "open_module",
    "own_module",
]

_EXPORT_FUNCTIONS = "link it with emcc -sEXPORTED_FUNCTIONS=_malloc,_free"
_EXPORT_MEMORY = (
    "link it with emcc -sEXPORTED_RUNTIME_METHODS=HEAPU8,wasmMemory, or give its factory the "
    "options of emheap.capture_memory() and pass what that returned as memory="
)


def open_latest_buffer(
    get_heap: Callable[[], Any], allocate: Any, free: Any, options: Options
) -> HeapManager:
    """The heap of three functions; see `emheap.create_wasm_heap_manager`."""
    first = get_heap()
    if is_own_buffer(first):
        own = FunctionsAllocator(allocate, free)
        return HeapManager(ProcessMemory(), own, options, open_own_linker)
    memory: JavaScriptMemory | PolledMemory
    if isinstance(first, JsProxy):
        memory = JavaScriptMemory(get_heap, options.polling_mode, first=first)
    else:
        memory = PolledMemory(get_heap, options.polling_mode, first=first)
    functions = adapt_function(allocate), adapt_function(free)
    allocator = FunctionsAllocator(*functions, memory.pointer_size)
    open_linker = _linker_opener(memory) if isinstance(memory, JavaScriptMemory) else None
    return HeapManager(memory, allocator, options, open_linker)


def open_module(module: Any, memory: Any, options: Options) -> HeapManager:
    """The heap of another Emscripten module; see `emheap.wrap_emscripten_module_heap`."""
    _check_module(module)
    get_buffer, found = _module_memory(module, memory)
    pointer_size = 8 if found is not None and is_memory64(found) else 4
    opened = JavaScriptMemory(
        get_buffer,
        options.polling_mode,
        name="the Emscripten module's heap",
        pointer_size=pointer_size,
    )
    functions = []
    for name in ("_malloc", "_free"):
        function = data_member(module, name)
        if tag_of(function) != "Function":
            raise NotSupportedError(f"the module does not export {name}; {_EXPORT_FUNCTIONS}")
        functions.append(adapt_function(function))
    allocator = FunctionsAllocator(_noticing_exhaustion(functions[0]), functions[1], pointer_size)
    instance = memory.instance if isinstance(memory, CapturedMemory) else None
    open_linker = _linker_opener(opened, module, instance)
    return HeapManager(opened, PoolAllocator(allocator), options, open_linker)


def _check_module(module: Any) -> None:
    kind = tag_of(module)
    if hasattr(type(module), "__await__"):
        raise TypeError("the module is a Promise: await what its factory returned, and pass that")
    if kind in ("Function", "AsyncFunction"):
        raise TypeError("the module is a function: call its factory, and pass what that gives")
    if not isinstance(module, JsProxy):
        raise TypeError(f"the module must be a JavaScript object, not {kind} {module!r:.60}")


def _module_memory(module: Any, memory: Any) -> tuple[Callable[[], Any], Any]:
    if memory is not None:
        checked = _check_memory(memory)
        return lambda: checked.buffer, checked
    found = find_buffer_source(module)
    if found is None:
        raise NotSupportedError(
            "the module exports neither its memory nor a view of it (wasmMemory, wasmExports, "
            f"HEAPU8 ...); {_EXPORT_MEMORY}"
        )
    return found


def _check_memory(memory: Any) -> Any:
    if isinstance(memory, CapturedMemory):
        memory = memory.memory
    if tag_of(memory) != "WebAssembly.Memory":
        raise TypeError(
            "memory must be a WebAssembly.Memory or what emheap.capture_memory() returned, not "
            f"{tag_of(memory)}"
        )
    return memory


def _noticing_exhaustion(malloc: Callable[[int], Any]) -> Callable[[int], Any]:
    """`malloc`, for modules that abort where there is no room."""

    def call(size: int) -> Any:
        try:
            return malloc(size)
        except JsException as error:
            if "memory" not in str(error).lower() and "OOM" not in str(error):
                raise
            raise OutOfMemoryError(
                f"the module aborted for want of {size} bytes, and is unusable now; link it with "
                "emcc -sALLOW_MEMORY_GROWTH, or -sABORTING_MALLOC=0 to have it refuse instead"
            ) from error

    return call


def open_instance(
    instance: Any, memory: Any, malloc: Any, free: Any, options: Options
) -> HeapManager:
    """The heap of a plain WebAssembly module; see `emheap.wrap_wasm_instance`."""
    exports = None
    if tag_of(instance) == "WebAssembly.Memory":
        memory, malloc, free = instance, None, None
    elif tag_of(instance) == "WebAssembly.Instance":
        exports = instance.exports
    else:
        raise TypeError(
            f"instance must be a WebAssembly.Instance or a bare Memory, not {tag_of(instance)}; "
            "WebAssembly.instantiate() gives one as the member `instance` of its result"
        )
    found = memory if isinstance(memory, JsProxy) else _export(exports, memory, "memory")
    checked = _check_memory(found)
    pointer_size = 8 if is_memory64(checked) else 4
    opened = JavaScriptMemory(
        lambda: checked.buffer,
        options.polling_mode,
        name="the WebAssembly memory",
        pointer_size=pointer_size,
    )
    allocator = _instance_allocator(exports, checked, malloc, free, pointer_size)
    open_linker = _linker_opener(opened, instance if exports is not None else None)
    return HeapManager(opened, PoolAllocator(allocator), options, open_linker)


def _linker_opener(memory: JavaScriptMemory, *own: Any) -> Callable[[Any], Linker]:
    """What finds the functions of a module: by default those of the one that the heap is of."""

    def open_linker(source: Any) -> Linker:
        from emheap.calls.linker_javascript import JavaScriptLinker, linker_sources

        sources = linker_sources(*(own if source is None else (source,)))
        if not sources:
            given = "nothing" if source is None else f"{type(source).__name__} {source!r:.60}"
            raise TypeError(
                "a library of a JavaScript heap needs the module, its instance or its exports, "
                f"as the second argument of heap.library(); it was given {given}"
            )
        return JavaScriptLinker(sources, memory.pointer_size == 8, "the module")

    return open_linker


def _instance_allocator(
    exports: Any, memory: Any, malloc: Any, free: Any, pointer_size: int
) -> Allocator:
    if malloc is None and free is None:
        return PageAllocator(make_grow(memory))
    functions = []
    for what, name in (("malloc", malloc), ("free", free)):
        function = _export(exports, name, what)
        if tag_of(function) != "Function":
            raise NotSupportedError(
                f"the module exports a {tag_of(function)} as {name!r}, its {what}"
            )
        functions.append(adapt_function(function))
    return FunctionsAllocator(functions[0], functions[1], pointer_size)


def _export(exports: Any, name: Any, what: str) -> Any:
    if not isinstance(name, str):
        raise TypeError(f"{what} must be the name of an export, not {name!r:.60}")
    value = data_member(exports, name)
    if value is not None:
        return value
    cures = {
        "memory": "link it with -Wl,--export-memory, name it as memory=, or pass the "
        "WebAssembly.Memory itself where the module imports one",
        "malloc": f"link it with -Wl,--export={name}, name another function as malloc=, or pass "
        "malloc=None, free=None to have blocks allocated in pages added to the memory",
        "free": f"link it with -Wl,--export={name}, or name another function as free=",
    }
    names = ", ".join(data_names(exports)) or "nothing"
    raise NotSupportedError(
        f"the module does not export {name!r}, its {what}; it exports {names:.400}; {cures[what]}"
    )


_TOO_MANY_PAGES = 1 << 32
"""More than any engine has. V8 takes them modulo this, and says that the memory grew."""


def make_grow(memory: Any) -> Callable[[int], int]:
    """What grows a WebAssembly.Memory by pages as the instruction ``memory.grow`` does."""
    add_pages = adapt_function(memory.grow)

    def grow(pages: int) -> int:
        if pages >= _TOO_MANY_PAGES:
            return -1
        try:
            return int(add_pages(pages))
        except JsException as error:
            if error.name != "RangeError":
                raise
            return -1

    return grow


def own_module() -> Any:
    """Pyodide's own Emscripten module."""
    return pyodide_js._module


def new_memory(initial: int, maximum: int) -> Any:
    """A new ``WebAssembly.Memory`` of so many pages of 64 KiB."""
    limits = to_js({"initial": initial, "maximum": maximum}, dict_converter=js.Object.fromEntries)
    return js.WebAssembly.Memory.new(limits)
