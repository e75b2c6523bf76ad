"""Modules in odd shapes: functions that work later, throw, or answer with no address, and members
that Python cannot have."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import js
import pytest
from pyodide.code import run_js
from pyodide.ffi import JsException

import emheap
from emheap import ForeignTrapError, NotSupportedError, OutOfMemoryError, int32
from emtests.backends.javascript.buffers import js_object, wasm_memory
from emtests.backends.javascript.instances import instantiate
from emtests.backends.javascript.test_opening import check_heap, shape
from emtests.webassembly.guests import FIXTURES

GUEST = FIXTURES / "guest32.wasm"

wrap_module: Any = emheap.wrap_emscripten_module_heap
wrap_instance: Any = emheap.wrap_wasm_instance


@pytest.fixture
def exports() -> Any:
    return instantiate(GUEST).exports


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


# Objects that throw when they are asked. Each is a JavaScript function of a good one.

UNREADABLE = {
    "revoked": "(x) => { const made = Proxy.revocable(x, {}); made.revoke(); return made.proxy; }",
    "throwing": "(x) => new Proxy(x, {get() { throw new Error('boo'); }})",
    "throwing nothing": "(x) => new Proxy(x, {get() { throw undefined; }})",
}
LOOKALIKES = {"derived": "(x) => Object.create(x)", "a proxy": "(x) => new Proxy(x, {})"}


def check_unreadable(words: str, ask: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match=rf"^{words} cannot be read: \w*Error: [^\n]+$") as caught:
        ask()
    assert isinstance(caught.value.__cause__, JsException)


@pytest.mark.parametrize("kind", UNREADABLE)
def test_objects_that_throw_are_named(exports: Any, kind: str) -> None:
    spoil = run_js(UNREADABLE[kind])
    good = {"wasmMemory": exports.memory, "_malloc": exports.malloc, "_free": exports.free}

    def module(name: str) -> Any:
        return js_object(**{**good, name: spoil(good[name])})

    bad_memory = spoil(exports.memory)
    asked: dict[str, Callable[[], Any]] = {
        "the kind of the module": lambda: wrap_module(spoil(js_object(**good))),
        "the kind of the member 'wasmMemory'": lambda: wrap_module(module("wasmMemory")),
        "the kind of the function '_malloc'": lambda: wrap_module(module("_malloc")),
        "the kind of the function '_free'": lambda: wrap_module(module("_free")),
        "the kind of the memory": lambda: wrap_module(js_object(**good), memory=bad_memory),
        "the kind of the instance": lambda: wrap_instance(spoil(exports)),
        "the kind of the latest buffer": lambda: emheap.create_wasm_heap_manager(
            lambda: spoil(js.Object.new())
        ),
        "the member 'name' of the function malloc=": lambda: wrap_instance(
            exports, malloc=spoil(exports.malloc), free=exports.free
        ),
        "the kind of the binary": lambda: emheap.capture_memory(spoil(js.Uint8Array.new(8))),
    }
    for words, ask in asked.items():
        check_unreadable(words, ask)
    check_unreadable("the kind of the memory", lambda: wrap_instance(exports, memory=bad_memory))
    check_unreadable(
        "the kind of the memory", lambda: emheap.load_wasm(GUEST.read_bytes(), memory=bad_memory)
    )
    options = "the list" if kind == "revoked" else "the member 'print'"
    check_unreadable(
        f"{options} of the options",
        lambda: emheap.capture_memory(GUEST.read_bytes(), spoil(js_object(print=5))),
    )


def test_proxies_whose_traps_throw(exports: Any) -> None:
    described = "(x) => new Proxy(x, {getOwnPropertyDescriptor() { throw new Error('boo'); }})"
    derived = "(x) => new Proxy(x, {getPrototypeOf() { throw new Error('boo'); }})"
    listed = "(x) => new Proxy(x, {ownKeys() { throw new Error('boo'); }})"
    for source in (described, derived):
        module = run_js(source)(js.Object.new())
        check_unreadable(
            "the member '_free' of a JavaScript object",
            partial(wrap_module, module, memory=exports.memory),
        )
    check_unreadable(
        "the list of the members of a JavaScript object",
        lambda: wrap_instance(run_js(listed)(exports)),
    )


@pytest.mark.parametrize("kind", LOOKALIKES)
def test_what_is_only_called_a_memory_is_none(exports: Any, kind: str) -> None:
    memory = run_js(LOOKALIKES[kind])(exports.memory)
    functions = {"malloc": exports.malloc, "free": exports.free}
    module = {"_malloc": exports.malloc, "_free": exports.free}
    for ask in (
        lambda: wrap_module(js_object(wasmMemory=memory, **module)),
        lambda: wrap_module(js_object(**module), memory=memory),
        lambda: wrap_instance(memory),
        lambda: wrap_instance(exports, memory=memory),
        lambda: wrap_instance(js_object(memory=memory, **functions)),
    ):
        check_unreadable("the buffer of the memory", ask)
    instance = run_js(LOOKALIKES[kind])(instantiate(GUEST))
    check_unreadable("the member 'exports' of the instance", lambda: wrap_instance(instance))
    tagged = run_js("({[Symbol.toStringTag]: 'WebAssembly.Memory'})")
    with pytest.raises(TypeError, match=r"^the buffer of the memory cannot be read: buffer$"):
        wrap_instance(tagged)


def test_members_that_throw_and_that_nobody_needs_are_passed_by(exports: Any) -> None:
    for source in UNREADABLE.values():
        bad = run_js(source)(run_js("() => 5"))
        view = js.Uint8Array.new(exports.memory.buffer)
        good = {"_malloc": exports.malloc, "_free": exports.free}
        with wrap_module(js_object(a=bad, HEAPU8=view, **good)).alloc(int32, 5) as ref:
            assert ref.value == 5
        pages = js_object(a=bad, memory=wasm_memory())
        check_heap(wrap_instance(pages, malloc=None, free=None), pages.memory)


CLASSES = ("class {}", "class { constructor(size) {} }")


@pytest.mark.parametrize("source", CLASSES)
def test_a_class_is_no_function(exports: Any, source: str) -> None:
    made = run_js(f"({source})")
    view = js.Uint8Array.new(exports.memory.buffer)
    for what, other in (("malloc", "free"), ("free", "malloc")):
        words = f"'_?{what}' cannot be the module's {what}: it is a class, and no function"
        own = {f"_{what}": made, f"_{other}": getattr(exports, other)}
        plain = {what: made, other: getattr(exports, other)}
        modules = js_object(wasmMemory=exports.memory, **own), js_object(HEAPU8=view, **own)
        for module in modules:
            with pytest.raises(NotSupportedError, match=words):
                wrap_module(module)
        with pytest.raises(NotSupportedError, match=words):
            wrap_instance(js_object(memory=exports.memory, **plain))
        with pytest.raises(NotSupportedError, match=words):
            wrap_instance(exports, **plain)


def test_a_constructor_of_the_engines_is_no_module_that_is_loading(exports: Any) -> None:
    module = js_object(wasmMemory=exports.memory, _malloc=exports.malloc, _free=js.Map)
    with pytest.raises(ForeignTrapError, match=r"_free\(0\).* did not return: TypeError: .*new"):
        wrap_module(module)


def test_what_is_only_called_a_function_is_none(exports: Any) -> None:
    tagged = run_js("({[Symbol.toStringTag]: 'Function'})")
    module = js_object(wasmMemory=exports.memory, _malloc=exports.malloc, _free=tagged)
    with pytest.raises(NotSupportedError, match="does not export _free"):
        wrap_module(module)
    words = "must be the name of an export or a function, not a JavaScript Function$"
    with pytest.raises(TypeError, match=f"^free {words}"):
        wrap_instance(exports, malloc=exports.malloc, free=tagged)
    with pytest.raises(TypeError, match=f"^allocate {words}"):
        emheap.create_wasm_heap_manager(lambda: exports.memory.buffer, tagged, exports.free)
