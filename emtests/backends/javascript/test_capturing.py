"""Catching the memory of a module as its factory makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import js
import pytest
from pyodide.ffi import JsException, create_proxy, to_js

import emheap
from emheap import NotSupportedError, int32
from emheap._util.wasm_binary import section, wasm_text
from emtests.backends.javascript.buffers import js_object, wasm_memory
from emtests.webassembly.guests import FIXTURES

GUEST = (FIXTURES / "guest32.wasm").read_bytes()
IMPORTING = b"\0asm\1\0\0\0\2\x0f\1\3env\6memory\2\0\1"
"""A module that imports ``env.memory``, of one page or more, and does nothing."""


class Factory:
    """Does what Emscripten's code does with the option."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.receive = create_proxy(lambda instance, module: self.received.append(instance))

    def make(self, options: Any, imports: Any = None) -> Any:
        return options.instantiateWasm(imports or js.Object.new(), self.receive)


@pytest.fixture
def factory() -> Iterator[Factory]:
    factory = Factory()
    yield factory
    factory.receive.destroy()


@pytest.mark.parametrize("form", ["bytes", "memoryview", "array", "buffer", "module"])
def test_the_binary_may_come_in_any_form(factory: Factory, form: str) -> None:
    array = to_js(GUEST)
    binary = {
        "bytes": GUEST,
        "memoryview": memoryview(GUEST),
        "array": array,
        "buffer": array.buffer,
        "module": js.WebAssembly.Module.new(array),
    }[form]
    capture = emheap.capture_memory(binary)
    assert repr(capture) == "<CapturedMemory holding nothing yet>"
    exports = factory.make(capture.options)
    assert capture.memory == exports.memory
    assert capture.instance == factory.received[0]
    assert repr(capture) == "<CapturedMemory holding a memory>"
    module = js_object(_malloc=exports.malloc, _free=exports.free)
    heap = emheap.wrap_emscripten_module_heap(module, memory=capture)
    with heap.alloc(int32, 5) as ref:
        assert js.Int32Array.new(exports.memory.buffer)[ref.address // 4] == 5


def test_one_capture_serves_one_module(factory: Factory) -> None:
    capture = emheap.capture_memory(GUEST)
    first = factory.make(capture.options)
    with pytest.raises(JsException, match="can only be called once"):
        factory.make(capture.options)
    assert capture.memory == first.memory
    assert len(factory.received) == 1


def test_functions_that_the_module_does_not_hand_on(factory: Factory) -> None:
    capture = emheap.capture_memory(GUEST)
    factory.make(capture.options)
    silent = js_object(calledRun=True)
    heap = emheap.wrap_emscripten_module_heap(silent, memory=capture)
    with heap.alloc(int32, 5) as ref:
        assert js.Int32Array.new(capture.memory.buffer)[ref.address // 4] == 5
    with pytest.raises(NotSupportedError, match="the module does not export _grab; add"):
        emheap.wrap_emscripten_module_heap(silent, memory=capture, malloc="_grab")


def test_no_pages_are_added_to_what_was_captured(factory: Factory) -> None:
    """Emscripten gives exports short names, which do not show that there is an allocator."""
    capture = emheap.capture_memory(IMPORTING)
    factory.make(capture.options, js_object(env=js_object(memory=wasm_memory())))
    with pytest.raises(NotSupportedError, match="allocator takes every page of its memory"):
        emheap.wrap_wasm_instance(capture.instance, memory=capture, malloc=None, free=None)
    with pytest.raises(NotSupportedError) as caught:
        emheap.wrap_wasm_instance(capture.instance, memory=capture)
    assert "malloc=None" not in str(caught.value)
    emheap.wrap_wasm_instance(capture.instance, memory=capture, wrap_only=True).write_int32(64, 5)


def test_a_memory_that_is_imported(factory: Factory) -> None:
    memory = wasm_memory()
    capture = emheap.capture_memory(IMPORTING)
    factory.make(capture.options, js_object(other=js_object(), env=js_object(memory=memory)))
    assert capture.memory == memory


def test_the_factory_gets_the_users_options_too() -> None:
    mine = js_object(locateFile="x")
    for options in (mine, {"locateFile": "x"}):
        capture = emheap.capture_memory(GUEST, options)
        assert capture.options.locateFile == "x"
        assert js.Object.hasOwn(capture.options, "instantiateWasm")
    assert not js.Object.hasOwn(mine, "instantiateWasm")


def test_before_there_is_a_module() -> None:
    capture = emheap.capture_memory(GUEST)
    asks: list[Callable[[], Any]] = [lambda: capture.memory, lambda: capture.instance]
    for ask in asks:
        with pytest.raises(NotSupportedError, match=r"as in await factory\(capture\.options\)"):
            ask()
    with pytest.raises(NotSupportedError, match="no module was made with these options"):
        emheap.wrap_emscripten_module_heap(js_object(), memory=capture)


def test_a_large_module_is_made_at_once_but_in_a_page_of_chromium(factory: Factory) -> None:
    large = GUEST + section(0, wasm_text("padding") + bytes(9 << 20))
    if hasattr(js, "document") and hasattr(js.navigator, "userAgentData"):
        with pytest.raises(JsException, match="main thread"):
            emheap.capture_memory(large)
        return
    capture = emheap.capture_memory(large)
    assert factory.make(capture.options).memory == capture.memory


def test_what_is_no_webassembly(factory: Factory) -> None:
    with pytest.raises(JsException, match="CompileError"):
        emheap.capture_memory(b"text")
    wild: Any = emheap.capture_memory
    with pytest.raises(TypeError, match="bytes-like"):
        wild("module.wasm")
    capture = emheap.capture_memory(IMPORTING)
    with pytest.raises(JsException, match=r"LinkError|TypeError"):
        factory.make(capture.options)
