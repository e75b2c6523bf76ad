"""Opening heaps that JavaScript owns. This module is imported inside Pyodide only."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import js
import pyodide_js
from pyodide.ffi import JsException, JsProxy, to_js

from emheap._util.emscripten import add_to_list
from emheap._util.messages import count_of
from emheap.allocators.base import Allocator
from emheap.allocators.functions import FunctionsAllocator
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
    trap_error,
    wrong_signature,
    wrong_type,
)
from emheap.backends.process import open_own_linker
from emheap.blocks.options import Options
from emheap.errors import ForeignTrapError, NotSupportedError, OutOfMemoryError
from emheap.heap.manager import HeapManager
from emheap.javascript.address_space import with_room
from emheap.javascript.bridge import is_function, read_member, tag_of, unreadable
from emheap.javascript.capture import CapturedMemory
from emheap.javascript.exports import (
    adapt_function,
    data_member,
    data_names,
    different_memories,
    find_buffer_source,
    is_memory64,
    member_modules,
    memory_in,
    parameter_count,
    values_in,
)
from emheap.javascript.own_module import is_own_buffer, is_own_module
from emheap.javascript.trampolines import fits_type, is_exported_function, type_of_function
from emheap.memories.base import PollingMode
from emheap.memories.javascript import JavaScriptMemory
from emheap.memories.polled import PolledMemory
from emheap.memories.process import ProcessMemory

if TYPE_CHECKING:
    from emheap.calls.linker import Linker, TrapReport

__all__ = [
    "make_grow",
    "new_memory",
    "open_instance",
    "open_latest_buffer",
    "open_module",
    "own_module",
]

_WRAP_ONLY = "or pass wrap_only=True for a heap that allocates nothing"
_EXPORT_MEMORY = (
    f"{add_to_list('EXPORTED_RUNTIME_METHODS', 'HEAPU8', 'wasmMemory')}, or give its factory the "
    "options of emheap.capture_memory() and pass what that returned as memory=, or pass the "
    "WebAssembly.Memory itself, where only a getter shows it"
)


def open_latest_buffer(
    get_heap: Callable[[], Any], choice: AllocatorChoice, options: Options
) -> HeapManager:
    """The heap of three functions; see `emheap.create_wasm_heap_manager`."""
    first = get_heap()
    memory: JavaScriptMemory | PolledMemory | ProcessMemory
    if is_own_buffer(first):
        memory = ProcessMemory()
    elif isinstance(first, JsProxy):
        mode = options.polling_mode
        if _is_javascript(choice.malloc, "allocate") and not is_exported_function(choice.malloc):
            mode = _following_replacement(mode)
        memory = JavaScriptMemory(get_heap, mode, first=first)
    else:
        memory = PolledMemory(get_heap, options.polling_mode, first=first)
    open_linker = _linker_of(memory)
    if choice.wrap_only:
        return HeapManager(memory, WrapOnlyAllocator(), options, open_linker)
    if not all(callable(one) or isinstance(one, JsProxy) for one in (choice.malloc, choice.free)):
        FunctionsAllocator(choice.malloc, choice.free)  # which says what is wrong
    malloc = _given("allocate", choice.malloc, memory.pointer_size)
    free = _given("free", choice.free, memory.pointer_size)
    if isinstance(memory, ProcessMemory):  # its module's functions take numbers, without more ado
        malloc, free = malloc._replace(call=choice.malloc), free._replace(call=choice.free)
    allocator = make_allocator(choice, malloc, free, memory.pointer_size, pool=False)
    return HeapManager(memory, allocator, options, open_linker)


def _linker_of(
    memory: JavaScriptMemory | PolledMemory | ProcessMemory,
) -> Callable[[Any], Linker] | None:
    if isinstance(memory, ProcessMemory):
        return open_own_linker
    return _linker_opener(memory) if isinstance(memory, JavaScriptMemory) else None


def _is_javascript(function: Any, name: str) -> bool:
    """Whether this is a function of JavaScript that does its work when it is called."""
    return is_function(function) and tag_of(function, f"the function {name!r}") == "Function"


def _is_class(function: Any) -> bool:
    """Whether a function of JavaScript's is a class, which cannot be called."""
    return str(js.Function.prototype.toString.call(function)).startswith("class")


def _given(what: str, function: Any, pointer_size: int, name: str = "") -> Function:
    """A function that was passed, or found under a name."""
    if not is_function(function):
        if isinstance(function, JsProxy):
            raise _no_function(what, function)
        call = reporting_traps(what, function, (JsException,), _explain)
        return Function(what, call, None)
    named = name or str(read_member(function, "name", f"the function {what}=")) or what
    if named.isdecimal():  # an export's own name, which is its number in the module
        named = what
    if not _is_javascript(function, named):
        raise NotSupportedError(
            f"{named!r} cannot be the module's {what}: its kind is {tag_of(function)}, and a heap "
            f"needs what it does at once; pass a function as {what} that is no async one"
        )
    if _is_class(function):
        raise NotSupportedError(
            f"{named!r} cannot be the module's {what}: it is a class, and no function; name "
            f"another as {what}=, or pass a function of your own"
        )
    if is_exported_function(function):
        _check_type(what, named, function, f"i{8 * pointer_size}")
    call = adapt_function(function, _failure_of(named))
    return Function(named, call, parameter_count(function))


def _no_function(what: str, value: Any) -> TypeError:
    """The error for an object of JavaScript's, whose repr() may throw."""
    kind = tag_of(value, f"what was passed as {what}")
    return TypeError(f"{what} must be the name of an export or a function, not a JavaScript {kind}")


def _failure_of(name: str) -> Callable[[JsException, tuple[int, ...]], BaseException]:
    """What to raise for what a function throws, of its arguments."""
    return lambda error, arguments: trap_error(name, arguments, _explain(error))


def _explain(error: BaseException) -> TrapReport:
    from emheap.calls.linker_javascript import explain

    report = explain(error)
    assert report is not None  # of a JsException it always says something
    return report


def _check_type(what: str, name: str, function: Any, integer: str) -> None:
    """Refuse a function of WebAssembly that deals in others than addresses and sizes."""
    usual = (integer,) * function.length, (integer,) * (what != "free")
    if function.length and fits_type(usual, function):
        return
    takes, gives = type_of_function(function) or (("?",) * function.length, "?")
    raise wrong_signature(what, name, takes, gives, integer)


def _following_replacement(mode: PollingMode) -> PollingMode:
    """The polling mode for a memory that may be JavaScript's own, as of asm.js and wasm2js.

    When it grows, another buffer takes its place, and the old one stays as it was: nothing but
    asking for the latest shows that it is no longer the memory. A WebAssembly.Memory detaches it.
    """
    return "always" if mode == "when_empty" else mode


# Modules of Emscripten


def open_module(module: Any, memory: Any, choice: AllocatorChoice, options: Options) -> HeapManager:
    """The heap of an Emscripten module; see `emheap.wrap_emscripten_module_heap`."""
    if is_own_module(module):
        return _open_own_module(module, memory, choice, options)
    owner = _find_module(module, memory, choice)
    _check_ready(owner)
    get_buffer, found = _module_memory(owner, memory)
    first = _first_buffer(get_buffer)
    mode = options.polling_mode
    if found is None and not _has_webassembly(owner, choice):
        mode = _following_replacement(mode)
    pointer_size = 8 if found is not None and is_memory64(found) else 4
    opened = JavaScriptMemory(
        get_buffer,
        mode,
        first=first,
        name="the Emscripten module's heap",
        pointer_size=pointer_size,
    )
    instance = memory.instance if isinstance(memory, CapturedMemory) else None
    exports = None if instance is None else instance.exports
    allocator = _module_allocator(owner, choice, pointer_size, exports)
    return HeapManager(opened, allocator, options, _linker_opener(opened, owner, instance))


def _open_own_module(
    module: Any, memory: Any, choice: AllocatorChoice, options: Options
) -> HeapManager:
    if memory is not None:
        raise TypeError("Pyodide's own module has a memory of its own: leave out memory=")
    own = ProcessMemory()
    allocator = _module_allocator(module, choice, own.pointer_size)
    return HeapManager(own, allocator, options, open_own_linker)


def _find_module(module: Any, memory: Any, choice: AllocatorChoice) -> Any:
    """The object that has the memory: the one given, or a member that alone looks like one."""
    _check_module(module, memory)
    if memory is not None or find_buffer_source(module) is not None:
        return module
    members = [data_member(module, name) for name in member_modules(module)]
    able = [member for member in members if _has_functions(member, choice)]
    found = able if len(able) == 1 else members
    return found[0] if len(found) == 1 else module


def _has_functions(module: Any, choice: AllocatorChoice) -> bool:
    return all(
        callable(value) or _named_function(module, value)[0] is not None
        for value in (choice.malloc, choice.free)
    )


def _check_module(module: Any, memory: Any) -> None:
    kind = tag_of(module, "the module")
    # Old builds have a `then` of their own, with which they only say that they are ready.
    awaitable = hasattr(type(module), "__await__") and data_member(module, "_malloc") is None
    given = isinstance(module, JsProxy) and memory is not None
    if kind == "Promise" or (awaitable and not given and find_buffer_source(module) is None):
        raise TypeError(
            "the module is a Promise: await what its factory returned, and pass that; where that "
            "never ends, the module is an old one with a `then` of its own: call the factory in "
            "JavaScript, and delete that member there"
        )
    if kind in ("Function", "AsyncFunction") and find_buffer_source(module) is None:
        raise TypeError("the module is a function: call its factory, and pass what that gives")
    if not isinstance(module, JsProxy):
        raise TypeError(f"the module must be a JavaScript object, not {kind} {module!r:.60}")


def _check_ready(module: Any) -> None:
    """Refuse a module of Emscripten's that is still loading: calls would fail, or abort it.

    It says so itself when it has begun to run. Others, which have no such member, have functions
    that work: C's free(NULL) does nothing. With assertions on, a call that comes too early ends a
    module for good, so that those are not tried.
    """
    free = data_member(module, "_free")
    if data_member(module, "calledRun") is True or not _is_javascript(free, "_free"):
        return
    if is_exported_function(free) or _is_class(free):
        return
    if "runtime initialization" not in js.Function.prototype.toString.call(free):
        try:
            adapt_function(free)(0)
        except JsException as error:
            if error.name != "TypeError" or _WITHOUT_NEW.search(str(error.message)):
                raise _failure_of("_free")(error, (0,)) from error
        else:
            return
    raise NotSupportedError(
        "the module is not ready: it is still loading its WebAssembly; await what its factory "
        "returned, or wait until it says so (Module.onRuntimeInitialized, or the 'ready' event of "
        "libflacjs), and open it then"
    )


_WITHOUT_NEW = re.compile(r"\bnew\b")
"""In what all engines say of a constructor that is called as a function."""


def _module_memory(module: Any, memory: Any) -> tuple[Callable[[], Any], Any]:
    if memory is not None:
        checked = _check_memory(memory)
        return lambda: checked.buffer, checked
    memories = different_memories(module)
    if len(memories) > 1:
        raise NotSupportedError(
            f"the module has {len(memories)} memories: pass as memory= the one its malloc is for"
        )
    found = find_buffer_source(module)
    if found is None:
        raise NotSupportedError(
            "the module exports neither its memory nor a view of it (wasmMemory, wasmExports, "
            f"HEAPU8 ...); {_EXPORT_MEMORY}{_members_like_modules(module)}"
        )
    return found


def _members_like_modules(module: Any) -> str:
    names = member_modules(module)
    return f"; its members {', '.join(names)} look like modules: pass one of them" if names else ""


def _check_memory(memory: Any) -> Any:
    if isinstance(memory, CapturedMemory):
        memory = memory.memory
    kind = tag_of(memory, "the memory")
    if kind != "WebAssembly.Memory":
        raise TypeError(
            "memory must be a WebAssembly.Memory or what emheap.capture_memory() returned, not "
            f"{kind}"
        )
    return memory


def _first_buffer(get_buffer: Callable[[], Any]) -> Any:
    """The buffer of a memory. Raises TypeError for what is only called one: an object derived from
    a memory, or a proxy of one."""
    try:
        return get_buffer()
    except (JsException, AttributeError) as error:
        raise unreadable("the buffer of the memory", error) from error


def _has_webassembly(module: Any, choice: AllocatorChoice) -> bool:
    """Whether a module that shows no memory has functions of WebAssembly."""
    free = data_member(module, "_free")
    usable = choice.free == "_free" and _is_javascript(free, "_free") and not _is_class(free)
    if usable and parameter_count(free) == 1:
        # Emscripten's wrappers give way to the export at their first call. C's free(NULL) does
        # nothing.
        adapt_function(free, _failure_of("_free"))(0)
    return any(_is_export(value, kind) for _, value, kind in values_in(module))


_NO_PAGES = (
    "an Emscripten module's allocator takes every page of its memory, so none can be added for a "
    "heap: pass wrap_only=True for a heap that allocates nothing"
)


def _module_allocator(
    module: Any, choice: AllocatorChoice, pointer_size: int, exports: Any = None
) -> Allocator:
    """The allocator of a module, whose `exports` may have what it does not hand on itself."""
    if choice.wrap_only:
        return WrapOnlyAllocator()
    if choice.malloc is None and choice.free is None:
        raise NotSupportedError(_NO_PAGES)
    malloc, free = (
        _module_function(module, what, value, pointer_size, exports)
        for what, value in (("malloc", choice.malloc), ("free", choice.free))
    )
    malloc = malloc._replace(call=_noticing_exhaustion(malloc.call))
    return make_allocator(choice, malloc, free, pointer_size, pool=True)


_SQLITE = {"_malloc": "alloc", "_free": "dealloc"}
"""What the object of sqlite.org calls the two."""


def _module_function(
    module: Any, what: str, value: Any, pointer_size: int, exports: Any
) -> Function:
    if callable(value):
        return _given(what, value, pointer_size)
    if not isinstance(value, str):
        raise _no_function(what, value) if isinstance(value, JsProxy) else wrong_type(what, value)
    found, name = _named_function(module, value)
    if found is None:
        found, name = _named_function(exports, value.removeprefix("_"))
    if found is not None:
        return _given(what, found, pointer_size, name)
    raise NotSupportedError(
        f"the module does not export {value}; "
        f"{add_to_list('EXPORTED_FUNCTIONS', '_malloc', '_free')}, name another function as "
        f"{what}=, or pass a function of your own, {_WRAP_ONLY}"
    )


def _named_function(module: Any, name: Any) -> tuple[Any, str]:
    """A function of a module and the name that it has there; None where there is none."""
    for known in (name, _SQLITE.get(name, name)) if isinstance(name, str) else ():
        function = data_member(module, known)
        if is_function(function):
            return function, known
    return None, ""


_NO_ROOM = re.compile(r"OOM|enlarge memory|out of memory", re.IGNORECASE)
"""What a module of Emscripten's aborts with where its memory cannot grow."""


def _noticing_exhaustion(malloc: Callable[..., Any]) -> Callable[..., Any]:
    """`malloc`, for modules that abort or throw where there is no room."""

    def call(size: int, *more: int) -> Any:
        try:
            return malloc(size, *more)
        except ForeignTrapError as error:
            if "Failed to allocate" in error.reason:  # sqlite.org's, which goes on
                return 0
            if not _NO_ROOM.search(error.reason):
                raise
            raise OutOfMemoryError(
                f"the module aborted for want of {count_of(size, 'byte')}, and is unusable now; "
                "link it with "
                "emcc -sALLOW_MEMORY_GROWTH, or -sABORTING_MALLOC=0 to have it refuse instead"
            ) from error.__cause__

    return call


# Plain WebAssembly


def open_instance(
    instance: Any, memory: Any, choice: AllocatorChoice, options: Options
) -> HeapManager:
    """The heap of a plain WebAssembly module; see `emheap.wrap_wasm_instance`."""
    exports = _exports_of(instance, memory)
    if exports is None:
        check_bare_memory(instance, memory)
        checked = instance
    elif isinstance(memory, (JsProxy, CapturedMemory)):
        checked = _check_memory(memory)
    else:
        checked = _check_memory(_export(exports, memory, "memory"))
    first = _first_buffer(lambda: checked.buffer)
    pointer_size = 8 if is_memory64(checked) else 4
    opened = JavaScriptMemory(
        lambda: checked.buffer,
        options.polling_mode,
        first=first,
        name="the WebAssembly memory",
        pointer_size=pointer_size,
    )
    # What is captured is Emscripten's, whose short names for exports may not show its allocator.
    pages = not isinstance(memory, CapturedMemory)
    allocator = _instance_allocator(exports, checked, choice, pointer_size, pages)
    open_linker = _linker_opener(opened, instance if exports is not None else None)
    return HeapManager(opened, allocator, options, open_linker)


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


def _exports_of(instance: Any, memory: Any) -> Any:
    """The exports of an instance, which may be given themselves; None for a bare memory."""
    kind = tag_of(instance, "the instance")
    if kind == "WebAssembly.Memory":
        return None
    if kind == "WebAssembly.Instance":
        return read_member(instance, "exports", "the instance")
    if kind in ("Object", "Module") and (not isinstance(memory, str) or _has_exports(instance)):
        return instance
    raise TypeError(
        "instance must be a WebAssembly.Instance, its exports or a bare Memory, not "
        f"{kind}; WebAssembly.instantiate() gives one as the member `instance` of its result"
    )


def _has_exports(owner: Any) -> bool:
    """Whether an object has a memory or a function of a WebAssembly module."""
    return memory_in(owner) is not None or any(
        _is_export(value, kind) for _, value, kind in values_in(owner)
    )


def _is_export(value: Any, kind: str) -> bool:
    return kind == "Function" and is_function(value) and is_exported_function(value)


def _instance_allocator(
    exports: Any, memory: Any, choice: AllocatorChoice, pointer_size: int, pages: bool
) -> Allocator:
    if choice.wrap_only:
        return WrapOnlyAllocator()
    if exports is None:
        choice = choice.on_bare_memory()
    if choice.malloc is None and choice.free is None:
        if not pages:
            raise NotSupportedError(_NO_PAGES)
        names = [] if exports is None else allocator_exports(data_names(exports))
        if names:
            raise pages_refusal(names)
        return PoolAllocator(PageAllocator(make_grow(memory)))
    malloc, free = (
        _instance_function(exports, what, value, pointer_size, pages)
        for what, value in (("malloc", choice.malloc), ("free", choice.free))
    )
    return make_allocator(choice, malloc, free, pointer_size, pool=True)


def _instance_function(
    exports: Any, what: str, value: Any, pointer_size: int, pages: bool
) -> Function:
    if callable(value):
        names = (name for name in PINNED if exports and data_member(exports, name) == value)
        return _given(what, value, pointer_size, next(names, ""))
    if not isinstance(value, str):
        raise _no_function(what, value) if isinstance(value, JsProxy) else wrong_type(what, value)
    function = _export(exports, value, what, pages=pages)
    if not is_function(function):
        kind = tag_of(function, f"the member {value!r}")
        raise NotSupportedError(f"the module exports a {kind} as {value!r}, its {what}")
    return _given(what, function, pointer_size, value)


def _export(exports: Any, name: Any, what: str, *, pages: bool = True) -> Any:
    if not isinstance(name, str):
        raise TypeError(f"{what} must be the name of an export, not {name!r:.60}")
    value = data_member(exports, name)
    if value is not None:
        return value
    names = data_names(exports)
    cure = (
        "link it without -Wl,--import-memory, name it as memory=, or pass the "
        "WebAssembly.Memory itself where the module imports one"
        if what == "memory"
        else missing_function(what, name, names, pages=pages)
    )
    raise NotSupportedError(
        f"the module does not export {name!r}, its {what}; it exports "
        f"{', '.join(names) or 'nothing':.400}; {cure}"
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
    return with_room(lambda: js.WebAssembly.Memory.new(limits))
