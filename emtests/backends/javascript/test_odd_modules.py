"""Modules in odd shapes: functions that work later, throw, or answer with no address, and members
that Python cannot have."""

from __future__ import annotations

from typing import Any

import js
import pytest
from pyodide.code import run_js

import emheap
from emheap import ForeignTrapError, NotSupportedError, OutOfMemoryError, int32
from emtests.backends.javascript.buffers import js_object
from emtests.backends.javascript.instances import instantiate
from emtests.backends.javascript.test_opening import check_heap, shape
from emtests.webassembly.guests import FIXTURES

wrap_module: Any = emheap.wrap_emscripten_module_heap
wrap_instance: Any = emheap.wrap_wasm_instance


@pytest.fixture
def exports() -> Any:
    return instantiate(FIXTURES / "guest32.wasm").exports


ASYNCHRONOUS = {"async (n) => 1024": "AsyncFunction", "function* (n) {}": "GeneratorFunction"}


@pytest.mark.parametrize("source", ASYNCHRONOUS)
def test_functions_that_do_their_work_later_are_named(exports: Any, source: str) -> None:
    later = run_js(f"({source})")
    functions = {"malloc": exports.malloc, "free": exports.free}
    for what in functions:
        wrong = {**functions, what: later}
        words = (
            f"cannot be the module's {what}: its kind is {ASYNCHRONOUS[source]}, and a heap needs"
        )
        module = js_object(wasmMemory=exports.memory, _malloc=wrong["malloc"], _free=wrong["free"])
        with pytest.raises(NotSupportedError, match=words):
            wrap_module(module)
        with pytest.raises(NotSupportedError, match=words):
            wrap_instance(exports, **wrong)
        with pytest.raises(NotSupportedError, match=words):
            wrap_instance(js_object(memory=exports.memory, **wrong))
    with pytest.raises(NotSupportedError, match=ASYNCHRONOUS[source]):
        emheap.create_wasm_heap_manager(lambda: exports.memory.buffer, later, exports.free)


ANSWERS = {
    "true": (TypeError, "for 8000 bytes it returned bool True$"),
    "null": (OutOfMemoryError, "no room for 8000 bytes"),
    "undefined": (OutOfMemoryError, "no room for 8000 bytes"),
    "Promise.resolve(1024)": (TypeError, "at once, and not asynchronously$"),
    "1024.5": (TypeError, r"it returned float 1024\.5$"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_a_malloc_of_javascript_may_answer(exports: Any, answer: str) -> None:
    kind, words = ANSWERS[answer]
    malloc = run_js(f"(size) => {answer}")
    heap = wrap_module(js_object(wasmMemory=exports.memory, _malloc=malloc, _free=exports.free))
    with pytest.raises(kind, match=words):
        heap.alloc_array(int32, 2000)
    assert heap.total_allocated_byte_size == 0


def test_a_free_that_throws_is_an_error_of_the_library(exports: Any) -> None:
    thrown = "(address) => { throw {reason: 5}; }"
    module = js_object(wasmMemory=exports.memory, _malloc=exports.malloc, _free=run_js(thrown))
    words = r"^the module's _free\(0\), which the heap called, did not return: Error: .*an error!$"
    with pytest.raises(ForeignTrapError, match=words):
        wrap_module(module)


def test_members_that_pyodide_cannot_hand_over_are_passed_by(exports: Any) -> None:
    # Node's Buffer is such a one, which is what `wasmBinary` often is.
    kinds = "class Bytes extends Uint8Array {}"
    source = f"(e) => {{ {kinds} return {{wasmBinary: new Bytes(8), ...e}}; }}"
    odd = run_js(source)
    check_heap(wrap_instance(odd(exports)), exports.memory)
    inner = odd(js_object(memory=exports.memory, _malloc=exports.malloc, _free=exports.free))
    check_heap(wrap_module(odd(js_object(module=inner))), exports.memory)
    with pytest.raises(NotSupportedError, match="exports neither its memory nor a view of it"):
        wrap_module(odd(js.Object.new()))


def test_getters_are_not_run(exports: Any) -> None:
    source = "{get wasmMemory() { return e.memory; }, get _malloc() { return e.malloc; }}"
    module = run_js(f"(e) => ({source})")(exports)
    with pytest.raises(NotSupportedError, match=r"pass the WebAssembly\.Memory itself, where only"):
        wrap_module(module)
    with pytest.raises(NotSupportedError, match=r"not export _malloc; .*a function of your own"):
        wrap_module(module, memory=module.wasmMemory)
    functions = {"malloc": module._malloc, "free": exports.free}
    check_heap(wrap_module(module, memory=module.wasmMemory, **functions), exports.memory)


def test_a_plain_array_is_no_view(exports: Any) -> None:
    module = run_js("(e) => ({HEAPU8: [1, 2, 3], _malloc: e.malloc, _free: e.free})")(exports)
    with pytest.raises(NotSupportedError, match="exports neither its memory nor a view of it"):
        wrap_module(module)


def test_of_several_memories_none_is_guessed(exports: Any) -> None:
    shapes = (
        "{wasmExports: {a: other, b: e.memory}, ...functions(e)}",
        "{wasmMemory: other, asm: e, ...functions(e)}",
    )
    for source in shapes:
        other = "const other = new WebAssembly.Memory({initial: 1});"
        module = shape(f"(e) => {{ {other} return {source}; }}", exports)
        for wrap_only in (False, True):
            with pytest.raises(NotSupportedError, match="has 2 memories: pass as memory= the one"):
                wrap_module(module, wrap_only=wrap_only)
        check_heap(wrap_module(module, memory=exports.memory), exports.memory)
    same = shape("(e) => ({wasmMemory: e.memory, wasmExports: e, ...functions(e)})", exports)
    check_heap(wrap_module(same), exports.memory)
