"""Loading a .wasm file into wasmtime."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from os import fspath
from typing import TYPE_CHECKING, Any, TypeVar

from emheap.backends.functions import AllocatorChoice
from emheap.backends.wasmtime import open_wasmtime_heap
from emheap.blocks.options import Options
from emheap.calls.host_functions import HeapGrowth, find_imports, host_function
from emheap.calls.linker import weakly
from emheap.calls.linker_wasmtime import explain, text_of
from emheap.calls.module_types import Import, ModuleTypes
from emheap.calls.starting import run_at_start
from emheap.calls.traps import ProgramExitError
from emheap.calls.wasi import WASI_MODULES, Wasi
from emheap.calls.wasmtime_call import expect_callbacks
from emheap.heap.manager import HeapManager

if TYPE_CHECKING:
    import wasmtime

__all__ = ["load_in_wasmtime"]

T = TypeVar("T")

_LARGE = 1 << 16
"""Smaller modules compile faster than wasmtime's cache is opened."""

_FORWARD = """(module
  (import "guest" "memory" (memory 0))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (export "memory" (memory 0))
  (func (export "fd_write") (param i32 i32 i32 i32) (result i32)
    local.get 0 local.get 1 local.get 2 local.get 3 call $write))"""
"""wasmtime's functions of WASI look for the memory of the module that calls them. This one has the
library's, and calls on its behalf."""


def load_in_wasmtime(
    binary: bytes,
    types: ModuleTypes,
    imports: Mapping[str, Any] | None,
    wasi: Wasi,
    preopens: Mapping[str, Any] | None,
    cache: bool,
    progress: Callable[[float], object] | None,
    memory: Any,
    choice: AllocatorChoice,
    options: Options,
) -> HeapManager:
    """The heap of a module; see `emheap.load_wasm`."""
    try:
        import wasmtime
    except ImportError:
        raise ImportError(
            "load_wasm() needs wasmtime on native Python: pip install wasmtime"
        ) from None
    growth, own = HeapGrowth(), _own_imports(types)
    given = find_imports(own, {**growth.served(own), **(imports or {})})
    engine = _make_engine(cache and len(binary) >= _LARGE)
    module = _compile(engine, binary, progress)
    store = wasmtime.Store(engine)
    linker = wasmtime.Linker(engine)
    linker.allow_shadowing = True
    own_functions: list[Any] = []
    for one in types.imports:
        if one.module in WASI_MODULES:
            continue
        if one.kind == "memory":
            memory = _make_memory(store, one)
            linker.define(store, one.module, one.name, memory)
        else:
            value = given[one.module, one.name]
            own_functions.append(function := _as_import(one, value))
            linker.define(store, one.module, one.name, _function(store, one, weakly(function)))
    forward = _define_wasi(store, linker, types, wasi, preopens)
    instance = _run(lambda: linker.instantiate(store, module))
    heap = open_wasmtime_heap((store, instance), memory, choice, options)
    heap.memory.keeps = own_functions
    wasi.attach(heap.memory)
    exports: Any = instance.exports(store)
    found = memory if not isinstance(memory, str) else exports[memory]
    forward(found)
    growth.attach(heap.memory, lambda pages: _add_pages(store, found, pages))
    start = exports.get("_initialize") or exports.get("__wasm_call_ctors")
    if isinstance(start, wasmtime.Func):
        _run(lambda: start(store))
    return heap


def _run(run: Callable[[], T]) -> T:
    import wasmtime

    kinds = ProgramExitError, wasmtime.Trap, wasmtime.WasmtimeError
    return run_at_start(run, kinds, explain)


def _add_pages(store: wasmtime.Store, memory: Any, pages: int) -> int:
    import wasmtime

    try:
        return int(memory.grow(store, pages))
    except wasmtime.WasmtimeError:
        return -1


def _own_imports(types: ModuleTypes) -> list[Import]:
    """What the caller has to give: not WASI, and no memory, which can be made."""
    return [one for one in types.imports if one.module not in WASI_MODULES and one.kind != "memory"]


def _make_engine(cache: bool) -> wasmtime.Engine:
    import wasmtime

    configuration = wasmtime.Config()
    for name in ("wasm_memory64", "wasm_threads", "wasm_exceptions"):
        setattr(configuration, name, True)
    if cache:
        configuration.cache = True
    return wasmtime.Engine(configuration)


def _compile(
    engine: wasmtime.Engine, binary: bytes, progress: Callable[[float], object] | None
) -> wasmtime.Module:
    if progress is None:
        return _compile_module(engine, binary)
    done: list[Any] = []

    def compile_beside() -> None:
        try:
            done.append(_compile_module(engine, binary))
        except ValueError as error:
            done.append(error)

    # wasmtime releases the interpreter's lock meanwhile.
    thread = threading.Thread(target=compile_beside, daemon=True)
    start = time.monotonic()
    thread.start()
    progress(0.0)
    compiling = True
    while compiling:
        thread.join(0.1)
        compiling = thread.is_alive()  # before the call, so that one call comes after the end
        progress(time.monotonic() - start)
    if isinstance(done[0], ValueError):
        raise done[0]
    return done[0]  # type: ignore[no-any-return]


def _compile_module(engine: wasmtime.Engine, binary: bytes) -> wasmtime.Module:
    import wasmtime

    try:
        return wasmtime.Module(engine, binary)
    except wasmtime.WasmtimeError as error:
        text = f"wasmtime does not take the module: {' '.join(text_of(error).split())}"
        if "legacy_exceptions" in text:
            text += (
                "; it throws C++ exceptions in the older way, which browsers alone have: compile "
                "and link all of it with emcc -sWASM_LEGACY_EXCEPTIONS=0 (Emscripten 4.0 or newer),"
                " or compile all of it with clang -mllvm -wasm-use-legacy-eh=false"
            )
        elif "exceptions proposal not enabled" in text:
            text += "; this release of wasmtime has no exceptions: pip install --upgrade wasmtime"
        raise ValueError(text) from error


def _make_memory(store: wasmtime.Store, one: Import) -> wasmtime.Memory:
    import wasmtime

    assert one.limits is not None
    limits = wasmtime.Limits(one.limits.minimum, one.limits.maximum)
    kind = wasmtime.MemoryType(limits, is_64=one.limits.is_64, shared=one.limits.is_shared)
    return _run(lambda: wasmtime.Memory(store, kind))


def _as_import(one: Import, value: Any) -> Callable[..., Any]:
    import wasmtime

    if isinstance(value, wasmtime.Func):  # to define it in this store would end the process
        raise TypeError(
            f"{one} was given as a wasmtime.Func, which belongs to another store: give a Python "
            "function"
        )
    if one.type is None or not callable(value):
        raise TypeError(f"{one} was given as {type(value).__name__} {value!r:.60}")
    return host_function(one.name, value, one.type)


def _function(store: wasmtime.Store, one: Import, function: Callable[..., Any]) -> wasmtime.Func:
    import wasmtime

    assert one.type is not None
    params, results = ([getattr(wasmtime.ValType, name)() for name in side] for side in one.type)
    expect_callbacks(store)
    return wasmtime.Func(store, wasmtime.FuncType(params, results), function)


def _define_wasi(
    store: wasmtime.Store,
    linker: wasmtime.Linker,
    types: ModuleTypes,
    wasi: Wasi,
    preopens: Mapping[str, Any] | None,
) -> Callable[[Any], None]:
    """Define WASI; returns the function to call with the module's memory."""
    import wasmtime

    needed = [one for one in types.imports if one.module in WASI_MODULES and one.type is not None]
    if preopens is None:
        for one in needed:
            assert one.type is not None
            function = _function(store, one, wasi.function(one.name, one.type))
            linker.define(store, one.module, one.name, function)
        return lambda memory: None
    configuration = wasmtime.WasiConfig()
    wasi.configure(configuration)
    for name, folder in preopens.items():
        configuration.preopen_dir(fspath(folder), name)
    store.set_wasi(configuration)
    linker.define_wasi()
    forward = wasmtime.Module(store.engine, bytes(wasmtime.wat2wasm(_FORWARD)))
    writing: Any = linker.get(store, WASI_MODULES[0], "fd_write")
    write_file: list[Any] = []

    def receive(memory: Any) -> None:
        instance = wasmtime.Instance(store, forward, [memory, writing])
        write_file.append(instance.exports(store)["fd_write"])

    for one in needed:
        if one.name == "fd_write" and one.type is not None:
            print_or_write = wasi.writing(lambda *given: write_file[0](store, *given))
            linker.define(store, one.module, one.name, _function(store, one, print_or_write))
    return receive
