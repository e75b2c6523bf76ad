"""Advice about linking modules for any engine, followed one after the other: each module was made
with the options of the one before, and those that the error about it names."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import emheap
from emheap import ForeignTrapError, Function, HeapManager, Library, NotSupportedError, c, int32
from emheap._util.platform import IN_PYODIDE
from emtests.conftest import skip_for_gap
from emtests.webassembly.advice import (
    CLANG_STEPS,
    EMCC_STEPS,
    NEWER_CLANG_STEPS,
    Step,
    says,
)
from emtests.webassembly.guests import FIXTURES

STEPS: dict[str, Step] = {**CLANG_STEPS, **EMCC_STEPS, **NEWER_CLANG_STEPS}


class Trapping(Library):
    trap_if: Function[[c.int], c.int]


class Applying(Library):
    apply: Function[[c.callback[Callable[[c.int], c.int]], c.int], c.int]


class Throwing(Library):
    throw_if: Function[[c.int], c.int]
    catch_it: Function[[c.int], c.int]


@pytest.fixture(autouse=True)
def engine() -> None:
    if not IN_PYODIDE and importlib.util.find_spec("wasmtime") is None:
        skip_for_gap("modules", "wasmtime is not installed here")


def path_of(name: str) -> Path:
    return FIXTURES / f"{name}.wasm"


def load(name: str, **options: Any) -> HeapManager:
    return emheap.load_wasm(path_of(name), **options)


def wrap(name: str, **options: Any) -> HeapManager:
    """A module as somebody else runs it: nothing of it is changed."""
    if IN_PYODIDE:
        from emtests.backends.javascript.instances import instantiate

        return emheap.wrap_wasm_instance(instantiate(path_of(name)), **options)
    import wasmtime

    store = wasmtime.Store()
    module = wasmtime.Module.from_file(store.engine, str(path_of(name)))
    imports = [wasmtime.Memory(store, one.type) for one in module.imports]  # type: ignore[arg-type]
    return emheap.wrap_wasm_instance(store, wasmtime.Instance(store, module, imports), **options)


def check_advice(error: Any, name: str) -> None:
    """The error must name what the module of this name was made with beside that of before."""
    assert says(str(error.value), STEPS[name].added)


def skip_without_exceptions() -> None:
    """Skip the test that runs, where the engine has no exceptions in their newer form."""
    if IN_PYODIDE:
        import js
        from pyodide.ffi import to_js

        if not js.WebAssembly.validate(to_js(path_of("emcc_exceptions").read_bytes())):
            skip_for_gap("newer exceptions in WebAssembly", "this JavaScript engine has none")
    else:
        import wasmtime

        if not hasattr(wasmtime.Config, "wasm_exceptions"):
            skip_for_gap("exceptions in WebAssembly", "this release of wasmtime has none")


def test_a_program_of_clang_becomes_a_library() -> None:
    with pytest.raises(NotSupportedError, match="link it as a library") as error:
        load("clang_program", wrap_only=True)
    check_advice(error, "clang_library")
    load("clang_library", wrap_only=True).write_int32(0x8000, 5)


def test_a_program_of_emscripten_becomes_a_library() -> None:
    with pytest.raises(NotSupportedError, match="link it as a library") as error:
        load("emcc_program")
    check_advice(error, "emcc_library")
    if not IN_PYODIDE:  # wasmtime asks for more; see below
        return
    heap = load("emcc_library")
    assert heap.library(Throwing).catch_it(5) == -5
    with heap.alloc(int32, 5) as number:
        assert number.value == 5


def test_a_function_that_is_exported() -> None:
    with pytest.raises(NotSupportedError, match="has no function trap_if") as error:
        load("clang_library", wrap_only=True).library(Trapping)
    check_advice(error, "clang_exporting")
    assert load("clang_exporting", wrap_only=True).library(Trapping).trap_if(0) == 1


def test_a_stack_that_is_put_back() -> None:
    with pytest.raises(ForeignTrapError, match="what it had on its stack stays there") as error:
        load("clang_exporting", wrap_only=True).library(Trapping).trap_if(1)
    check_advice(error, "clang_stack")
    library = load("clang_stack", wrap_only=True).library(Trapping)
    for _ in range(100):  # the stack has room for 16 that stay
        with pytest.raises(ForeignTrapError, match="the library can be used further"):
            library.trap_if(1)
    assert library.trap_if(0) == 1


@pytest.mark.parametrize("opens", [load, wrap])
def test_an_allocator_that_is_exported(opens: Callable[[str], HeapManager]) -> None:
    for before, name in (("clang_stack", "clang_malloc"), ("clang_malloc", "clang_free")):
        with pytest.raises(NotSupportedError, match=rf"its {name.partition('_')[2]}; ") as error:
            opens(before)
        check_advice(error, name)
    with opens("clang_free").alloc_array(int32, [1, 2, 3]) as numbers:
        assert numbers[:] == [1, 2, 3]


def test_a_function_beside_a_list_of_them() -> None:
    with pytest.raises(NotSupportedError, match="has no function apply") as error:
        wrap("emcc_closed").library(Applying)
    check_advice(error, "emcc_calling")
    heap = wrap("emcc_calling")
    assert not heap.library(Applying).is_closed
    with heap.alloc(int32, 5) as number:
        assert number.value == 5


@pytest.mark.parametrize(
    ("before", "name"), [("clang_calling", "clang_table"), ("emcc_calling", "emcc_calling_back")]
)
def test_a_table_that_grows(before: str, name: str) -> None:
    with pytest.raises(NotSupportedError, match="cannot take a callback") as error:
        wrap(before).library(Applying).apply(abs, -5)
    check_advice(error, name)
    library = wrap(name).library(Applying)
    for step in range(40):
        assert library.apply(step.__add__, 5) == 5 + step


def test_a_memory_that_is_exported() -> None:
    if IN_PYODIDE:
        import js
        from pyodide.ffi import to_js

        from emtests.backends.javascript.instances import instantiate

        limits = to_js({"initial": 2}, dict_converter=js.Object.fromEntries)
        memory = js.WebAssembly.Memory.new(limits)
        imports = js.JSON.parse('{"env": {}}')
        imports.env.memory = memory
        instance = instantiate(path_of("clang_import"), imports)
        with pytest.raises(NotSupportedError, match="does not export 'memory'") as error:
            emheap.wrap_wasm_instance(instance)
        assert "without -Wl,--import-memory" in str(error.value)
        heap = emheap.wrap_wasm_instance(instance, memory=memory)
    else:
        heap = load("clang_import")
    for one in (heap, wrap(STEPS["clang_import"].before)):
        with one.alloc(int32, 5) as number:
            assert number.value == 5


@pytest.mark.parametrize(
    ("before", "name"),
    [("emcc_library", "emcc_exceptions"), ("clang_throwing", "clang_exceptions")],
)
def test_exceptions_that_wasmtime_takes(before: str, name: str) -> None:
    if IN_PYODIDE:
        skip_without_exceptions()
    else:
        with pytest.raises(ValueError, match="does not take the module") as error:
            load(before)
        skip_without_exceptions()
        check_advice(error, name)
    library = load(name, wrap_only=True).library(Throwing)
    assert [library.catch_it(value) for value in (0, 5)] == [1, -5]
    for _ in range(2):
        with pytest.raises(ForeignTrapError, match=r"it threw a C\+\+ exception"):
            library.throw_if(1)
    assert library.catch_it(5) == -5


def test_exceptions_and_a_stack_that_is_put_back() -> None:
    skip_without_exceptions()
    heap = load("emcc_exceptions")
    with pytest.raises(ForeignTrapError, match="what it had on its stack stays there") as error:
        heap.library(Throwing).throw_if(1)
    check_advice(error, "emcc_stack")
    library = load("emcc_stack").library(Throwing)
    for _ in range(100):
        with pytest.raises(ForeignTrapError, match="the library can be used further"):
            library.throw_if(1)
    with heap.alloc(int32, 5) as number:
        assert (number.value, library.catch_it(5)) == (5, -5)
