"""Loading a .wasm file into JavaScript's engine. This module is imported inside Pyodide only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import js
from pyodide.ffi import JsException, JsProxy, create_proxy, to_js

from emheap.backends.functions import AllocatorChoice
from emheap.backends.javascript import make_grow, open_instance
from emheap.blocks.options import Options
from emheap.calls.host_functions import HeapGrowth, find_imports, host_function
from emheap.calls.linker import weakly
from emheap.calls.linker_javascript import explain
from emheap.calls.module_types import Import, ModuleTypes
from emheap.calls.starting import run_at_start
from emheap.calls.traps import ProgramExitError
from emheap.calls.wasi import WASI_MODULES, Wasi
from emheap.heap.manager import HeapManager
from emheap.javascript.address_space import with_room
from emheap.javascript.bridge import big_int
from emheap.javascript.exports import data_member
from emheap.javascript.trampolines import trampoline

__all__ = ["load_in_javascript"]


def load_in_javascript(
    binary: bytes,
    types: ModuleTypes,
    imports: Mapping[str, Any] | None,
    wasi: Wasi,
    memory: Any,
    choice: AllocatorChoice,
    options: Options,
) -> HeapManager:
    """The heap of a module; see `emheap.load_wasm`."""
    own = [one for one in types.imports if one.module not in WASI_MODULES and one.kind != "memory"]
    growth = HeapGrowth()
    given = find_imports(own, {**growth.served(own), **(imports or {})})
    try:
        module = js.WebAssembly.Module.new(to_js(binary))
    except JsException as error:
        raise ValueError(f"JavaScript's engine does not take the module: {error.message}") from None
    made = js.Object.new()
    own_functions: list[Any] = []
    for one in types.imports:
        if one.kind == "memory":
            memory = value = _make_memory(one)
        elif one.module in WASI_MODULES and one.type is not None:
            value = _function(one, wasi.function(one.name, one.type))
        else:
            value = _as_import(one, given[one.module, one.name], own_functions)
        _set(made, one.module, one.name, value)
    instance = _run(lambda: with_room(lambda: js.WebAssembly.Instance.new(module, made)))
    heap = open_instance(instance, memory, choice, options)
    heap.memory.keeps = own_functions
    wasi.attach(heap.memory)
    found = memory if isinstance(memory, JsProxy) else data_member(instance.exports, memory)
    growth.attach(heap.memory, make_grow(found))
    for start in ("_initialize", "__wasm_call_ctors"):
        function = data_member(instance.exports, start)
        if callable(function):
            _run(function)
            break
    return heap


def _run(run: Callable[[], Any]) -> Any:
    return run_at_start(run, (ProgramExitError, JsException, RecursionError), explain)


def _set(imports: Any, module: str, name: str, value: Any) -> None:
    if not js.Object.hasOwn(imports, module):
        js.Reflect.set(imports, module, js.Object.new())
    js.Reflect.set(js.Reflect.get(imports, module), name, value)


def _make_memory(one: Import) -> Any:
    assert one.limits is not None
    limits = one.limits
    number: Callable[[int], Any] = big_int if limits.is_64 else int
    description = {"initial": number(limits.minimum), "shared": limits.is_shared}
    if limits.maximum is not None:
        description["maximum"] = number(limits.maximum)
    if limits.is_64:
        description["address"] = "i64"
    given = to_js(description, dict_converter=js.Object.fromEntries)
    return _run(lambda: with_room(lambda: js.WebAssembly.Memory.new(given)))


def _as_import(one: Import, value: Any, own_functions: list[Any]) -> Any:
    if isinstance(value, JsProxy):
        return value
    if one.type is None or not callable(value):
        raise TypeError(f"{one} was given as {type(value).__name__} {value!r:.60}")
    own_functions.append(function := host_function(one.name, value, one.type))
    return _function(one, weakly(function))


def _function(one: Import, function: Callable[..., Any]) -> Any:
    """A Python function as JavaScript calls it, with numbers of the types that the module has."""
    assert one.type is not None
    params, results = one.type
    convert: list[Callable[[Any], Any]] = [float if name[0] == "f" else int for name in params]
    wide = results == ("i64",)

    def call(*arguments: Any) -> Any:
        given = (one(value) for one, value in zip(convert, arguments, strict=False))
        result = function(*given)
        return big_int(result) if wide else result

    return trampoline(one.type, call) if float in convert else create_proxy(call)
