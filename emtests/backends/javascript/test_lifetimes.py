"""Heaps on memories of JavaScript's that are dropped."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import js
import pytest
from pyodide.code import run_js

import emheap
from emheap import HeapManager, int32
from emtests.backends.javascript.buffers import js_object

OPENING: dict[str, Callable[[Any], HeapManager]] = {
    "a module": lambda memory: emheap.wrap_emscripten_module_heap(
        js_object(wasmMemory=memory, **two_functions()), memory=memory
    ),
    "an instance's exports": lambda memory: emheap.wrap_wasm_instance(
        js_object(memory=memory), malloc=None, free=None
    ),
    "a memory": emheap.wrap_wasm_instance,
    "functions": lambda memory: emheap.create_wasm_heap_manager(
        lambda: memory.buffer, *two_functions().values()
    ),
}


def two_functions() -> dict[str, Any]:
    """A malloc and a free of JavaScript's, of one block at a time."""
    return {"_malloc": run_js("(size) => 4096"), "_free": run_js("(address) => undefined")}


@pytest.mark.parametrize("name", OPENING)
def test_a_dropped_heap_lets_go_of_its_memory(name: str) -> None:
    """An engine has room for about a hundred memories."""
    dropped = []
    for _ in range(120):
        heap = OPENING[name](js.WebAssembly.Memory.new(js_object(initial=1, maximum=1024)))
        with heap.alloc_array(int32, range(500)) as numbers:
            numbers.view.release()
        dropped.append(weakref.ref(heap.memory))
        del heap, numbers
        gc.collect()
    assert [each for each in dropped if each() is not None] == []
