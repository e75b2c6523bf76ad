"""Calling functions that are JavaScript's: wrappers of Emscripten's, and what they throw."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pyodide.code import run_js

import emheap
from emheap import (
    ForeignTrapError,
    Function,
    HeapManager,
    Library,
    NotSupportedError,
    c,
    int32,
    load_wasm,
)
from emheap.backends.javascript import make_grow
from emheap.javascript import bridge
from emtests.backends.javascript.buffers import js_object, wasm_memory
from emtests.calls import ways
from emtests.calls.declared import Calls
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import open_guest, why_missing
from emtests.webassembly.modules import SmallModule

wrap_module: Any = emheap.wrap_emscripten_module_heap


def open_module(**functions: str) -> HeapManager:
    """The heap of a module whose functions are JavaScript's, each given as its source."""
    made = {f"_{name}": run_js(f"({source})") for name, source in functions.items()}
    module = js_object(wasmMemory=wasm_memory(), **made)
    return wrap_module(module, wrap_only=True)  # type: ignore[no-any-return]


# Numbers


class Numbers(Library):
    add: Function[[c.int, c.int], c.int]
    half: Function[[c.double], c.double]


def test_functions_of_javascript_are_called_with_numbers() -> None:
    library = open_module(add="(a, b) => a + b | 0", half="x => x / 2").library(Numbers)
    assert library.add(2, -5) == -3
    assert library.half(3) == 1.5
    assert (type(library.half(4)), library.half(4)) == (float, 2.0)
    assert math.copysign(1, library.half(0)) == 1


def test_a_wrapper_that_passes_on_whatever_it_is_called_with() -> None:
    library = open_module(add="(...all) => all[0] - all[1]", half="x => x").library(Numbers)
    assert library.add(2, 5) == -3


def test_another_number_of_parameters_is_found() -> None:
    words = "it is declared with 2 parameters, and the module's function has 3"
    with pytest.raises(NotSupportedError, match=words):
        open_module(add="(a, b, c) => 0", half="x => x").library(Numbers)


def test_integers_of_64_bits_in_halves_are_found() -> None:
    class Wide(Library):
        wide: Function[[c.longlong], c.int]

    words = (
        r"the module has \(i32, i32\) -> i32: an integer of 64 bits goes as two of 32, as Emscri"
    )
    with pytest.raises(NotSupportedError, match=words):
        open_module(wide="(low, high) => low").library(Wide)


def test_a_function_of_many_parameters_of_another_type() -> None:
    class Many(Library):
        many: Function[[c.int, c.int, c.int, c.int, c.int], c.int]

    module = SmallModule(written=[("many", (["i32"] * 4 + ["f64"], ["i32"]), b"\x20\0")])
    words = "and the module has it otherwise: a function of 5 parameters"
    with pytest.raises(NotSupportedError, match=words):
        load_wasm(module.binary(), wrap_only=True).library(Many)


@pytest.mark.parametrize("shared", [False, True])
def test_a_loop_over_a_function_of_javascript(shared: bool) -> None:
    """In a shared memory it is Python's."""
    functions = "_add: (a, b) => a + b, _half: x => x / 2, _free: (place) => {}"
    source = f"""(wasmMemory) => {{
        let next = 1024;
        const _malloc = (size) => {{ next += size; return next - size; }};
        return {{wasmMemory, _malloc, {functions}}}; }}"""
    module = run_js(f"({source})")(wasm_memory(shared=shared))
    library = wrap_module(module).library(Numbers)
    assert library.add.map([1, 2], [3, 4]) == [4, 6]
    assert library.half.map([1, 2.5]) == [0.5, 1.25]


def test_a_loop_in_a_module_of_which_only_a_view_is_known() -> None:
    memory = wasm_memory()
    shape = "(memory, add) => ({HEAPU8: new Uint8Array(memory.buffer), _add: add, _half: x => x})"
    module = run_js(f"({shape})")(memory, run_js("((a, b) => a + b)"))
    heap = wrap_module(module, wrap_only=True)
    assert heap.library(Numbers).add.map([1, 2], [3, 4]) == [4, 6]


def test_text_for_a_module_of_which_only_a_view_is_known() -> None:
    class Length(Library):
        length: Function[[c.string], c.int]

    source = """(() => {
        const HEAPU8 = new Uint8Array(4096);
        const _length = (place) => HEAPU8.indexOf(0, place) - place;
        let next = 1024;
        const _malloc = (size) => { next += size; return next - size; };
        return {HEAPU8, _length, _malloc, _free: (place) => {}}; })()"""
    library = wrap_module(run_js(source)).library(Length)
    assert [library.length(text) for text in ("abc", "", "x" * 300, "héllo")] == [3, 0, 300, 6]


# What is thrown

THROWN = {
    "new RangeError('Maximum call stack size exceeded')": ("call stack exhausted", False),
    "new WebAssembly.RuntimeError('Aborted(no room)')": (r"Aborted\(no room\)", True),
    "new WebAssembly.RuntimeError('divide by zero')": ("divide by zero", False),
    "Object.assign(new Error('Program terminated with exit(3)'), {name: 'ExitStatus'})": (
        "its program ended with status 3",
        True,
    ),
    "new TypeError('nothing to add')": ("TypeError: nothing to add", False),
}


@pytest.mark.parametrize("source", THROWN)
def test_what_a_function_throws(source: str) -> None:
    reason, closes = THROWN[source]
    throwing = f"(a, b) => {{ if (a === 0) throw {source}; return a + b; }}"
    library = open_module(add=throwing, half="x => x").library(Numbers)
    with pytest.raises(ForeignTrapError, match=rf"^add\(\) did not return: {reason}") as caught:
        library.add(0, 1)
    assert library.is_closed == closes
    if closes:
        assert str(caught.value).endswith(
            "; the library is closed, for its code cannot go on: load the module again"
        )
        with pytest.raises(ForeignTrapError, match="was not called: the library is closed since"):
            library.half(1)
    else:
        assert library.add(1, 2) == 3


@pytest.mark.parametrize("name", ["same_longlong", "apply_wide"])
def test_whole_numbers_of_64_bits_need_a_pyodide_that_passes_them(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = ways.WAYS[-1].bind(Calls, ways.open_guest())
    arguments = (5,) if name == "same_longlong" else (lambda whole, real: whole, 5)
    monkeypatch.setattr(bridge, "JsBigInt", None)  # as it is before Pyodide 314
    words = (
        "^a 64-bit integer or address goes to WebAssembly as a BigInt, which this release of "
        "Pyodide cannot pass; Pyodide 314 can$"
    )
    with pytest.raises(NotSupportedError, match=words):
        getattr(calls, name)(*arguments)


# Sources


def test_the_functions_of_another_module() -> None:
    other = js_object(_add=run_js("((a, b) => a * b)"), _half=run_js("(x => x)"))
    heap = open_module(add="(a, b) => a + b", half="x => x / 2")
    assert heap.library(Numbers, other).add(2, 3) == 6
    for wrong in (5, "module", b"file"):
        words = (
            "^a library of a JavaScript heap needs the module, its instance or its exports, as the "
            r"second argument of heap\.library\(\); it was given (int|str|bytes) "
        )
        with pytest.raises(TypeError, match=words):
            heap.library(Numbers, wrong)


def test_a_heap_behind_a_callback_calls_what_it_is_given() -> None:
    class Offsets(Library):
        record_offset: Function[[c.uint], c.uint]

    guest: Any = open_guest("guest32")
    exports = guest.instance.exports
    heap = emheap.create_wasm_heap_manager(
        lambda: exports.memory.buffer, exports.malloc, exports.free
    )
    module = js_object(_record_offset=exports.record_offset, wasmMemory=exports.memory)
    for source in (guest.instance, exports, module):
        assert heap.library(Offsets, source).record_offset(1) == guest.call("record_offset", 1)
    with pytest.raises(TypeError, match="needs the module, its instance or its exports"):
        heap.library(Offsets)


def test_a_malloc_that_is_neither_a_name_nor_a_function() -> None:
    module = js_object(wasmMemory=wasm_memory(), _free=run_js("((place) => {})"))
    with pytest.raises(TypeError, match="malloc must be the name of an export or a function, not"):
        wrap_module(module, malloc=5)


def test_a_memory_does_not_grow_by_more_pages_than_there_are() -> None:
    """V8 would take the number modulo 2**32, and say that it grew."""
    memory = wasm_memory()
    grow = make_grow(memory)
    for pages in (1 << 32, (1 << 32) + 1, 1 << 20):
        assert grow(pages) == -1
    assert memory.buffer.byteLength == 65536
    assert grow(1) == 1


# Memories of files


def test_a_module_that_the_engine_does_not_take() -> None:
    wrong = SmallModule(written=[("add", (["i32"], ["i32"]), b"\x20\7")])
    with pytest.raises(ValueError, match=r"JavaScript's engine does not take the module: .*local"):
        load_wasm(wrong.binary(), wrap_only=True)


@pytest.mark.parametrize(("limits", "most"), [(b"\0\1", 3), (b"\4\1", 3)], ids=["wasm32", "wasm64"])
def test_a_memory_without_a_maximum_is_made(limits: bytes, most: int) -> None:
    is_64 = limits[0] == 4
    if is_64 and why_missing("guest64"):
        skip_for_gap("a memory of 64 bits", why_missing("guest64"))
    heap = load_wasm(SmallModule(imported_memory=limits).binary(), wrap_only=True)
    assert (heap.memory.size, heap.pointer_size) == (65536, 8 if is_64 else 4)
    heap.write_int32(65532, most)
    assert heap.read_int32(65532) == most


def test_functions_of_64_bit_addresses() -> None:
    if why_missing("guest64"):
        skip_for_gap("a memory of 64 bits", why_missing("guest64"))

    class Offsets(Library):
        record_offset: Function[[c.uint], c.uint]

    guest = open_guest("guest64")
    assert guest.heap.library(Offsets).record_offset.map([1]) == [guest.call("record_offset", 1)]
    with guest.heap.alloc(int32, 5) as number:
        assert number.value == 5
