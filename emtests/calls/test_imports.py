"""What a module imports: functions of every type, its memory, and what makes the memory grow."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from emheap import (
    Function,
    HeapManager,
    Library,
    NotSupportedError,
    OutOfMemoryError,
    c,
    load_wasm,
)
from emheap._util.platform import IN_PYODIDE
from emheap._util.wasm_binary import import_of, module_of, section, vector, wasm_text
from emtests.calls.ways import skip_without_big_ints_in
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import why_missing
from emtests.webassembly.modules import SmallModule


@pytest.fixture(autouse=True)
def webassembly() -> None:
    if why_missing("printing"):
        skip_for_gap("WebAssembly", why_missing("printing"))


# Functions


class Passing(Library):
    halve: Function[[c.float], c.float]
    root: Function[[c.double], c.double]
    note: Function[[c.int, c.double], None]


PASSING = SmallModule(
    [
        ("env", "halve", (["f32"], ["f32"])),
        ("env", "root", (["f64"], ["f64"])),
        ("env", "note", (["i32", "f64"], [])),
    ]
)


def load_passing(**given: Any) -> Passing:
    functions = {"halve": lambda x: x / 2, "root": math.sqrt, "note": lambda *_: None, **given}
    return load_wasm(PASSING.binary(), functions, wrap_only=True).library(Passing)


def test_imported_functions_of_floats() -> None:
    library = load_passing()
    assert library.halve(3) == 1.5
    assert library.root(2.25) == 1.5
    assert load_passing(root=lambda x: 7).root(0) == 7.0


def test_imported_functions_of_floats_see_which_zero_it_is() -> None:
    library = load_passing(root=lambda x: math.copysign(2, x), halve=lambda x: math.copysign(3, x))
    for value in (0.0, -0.0, 1.0, -1.0, -math.inf):
        assert library.root(value) == math.copysign(2, value)
        assert library.halve(value) == math.copysign(3, value)


def test_what_an_imported_function_of_floats_cannot_return() -> None:
    for result, error, words in (
        (1e39, OverflowError, "imported function halve takes a float of 4 bytes, whose largest is"),
        ("x", TypeError, "imported function halve takes a float, not str 'x'"),
    ):
        with pytest.raises(error, match=f"the result of the {words}"):
            load_passing(halve=lambda _, result=result: result).halve(0)
    with pytest.raises(TypeError, match="of the imported function root takes a float, not NoneTyp"):
        load_passing(root=lambda _: None).root(0)


class Counting(Library):
    narrow: Function[[], c.int]
    wide: Function[[], c.longlong]


COUNTING = SmallModule([("env", "narrow", ([], ["i32"])), ("env", "wide", ([], ["i64"]))])


@pytest.mark.parametrize(("name", "bits"), [("narrow", 32), ("wide", 64)])
def test_what_an_imported_function_of_integers_can_return(name: str, bits: int) -> None:
    skip_without_big_ints_in(IN_PYODIDE and bits == 64)
    results: list[int] = []
    functions = {"narrow": lambda: results[0], "wide": lambda: results[0]}
    call = getattr(load_wasm(COUNTING.binary(), functions, wrap_only=True).library(Counting), name)
    half = 1 << bits - 1
    for result, got in ((-half, -half), (half - 1, half - 1), (half, -half), (2 * half - 1, -1)):
        results[:] = [result]
        assert call() == got
    for wrong in (-half - 1, 2 * half):
        results[:] = [wrong]
        words = (
            f"^the result of the imported function {name} takes "
            f"(an integer of {bits} bits, and got {wrong}|{-half} to {half - 1}, and {wrong} does|"
            f"0 to {2 * half - 1}, and {wrong} does)"
        )
        with pytest.raises(OverflowError, match=words):
            call()


def test_an_imported_function_without_a_result_may_return_anything() -> None:
    seen: list[Any] = []

    def note(*values: Any) -> str:
        seen.extend(values)
        return "ignored"

    library = load_passing(note=note)
    assert library.note(-3, 0.5) is None
    assert seen == [-3, 0.5]
    assert [type(value) for value in seen] == [int, float]


def test_a_function_of_javascript_is_imported_as_it_is() -> None:
    if not IN_PYODIDE:
        with pytest.raises(TypeError, match=r"env\.root\(f64\) -> f64 was given as str 'sqrt'"):
            load_passing(root="sqrt")
        return
    import js

    assert load_passing(root=js.Math.sqrt).root(2.25) == 1.5


def test_an_exception_of_an_imported_function_keeps_its_cause() -> None:
    def fail(_: float) -> float:
        raise KeyError("inside") from ValueError("before")

    with pytest.raises(KeyError, match="inside") as caught:
        load_passing(halve=fail).halve(0)
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (b"\x60\1\x7b\0", r"(v128) -> nothing"),
        (b"\x60\0\1\x6f", r"() -> ref"),
        (b"\x60\0\2\x7f\x7d", r"() -> i32, f32"),
    ],
    ids=["vector", "reference", "two results"],
)
def test_an_import_that_no_function_of_pythons_can_be(kind: bytes, shown: str) -> None:
    plain = b"\x60\0\0"
    binary = module_of(
        section(1, vector([plain, kind])),
        section(2, vector([import_of("env", "odd", b"\0\1")])),
        section(5, vector([b"\0\1"])),
        section(7, vector([wasm_text("memory") + b"\2\0"])),
    )
    words = (
        rf"^the module imports odd{re.escape(shown)}, which no Python function can be: one takes "
        "i32, i64, f32 and f64, and returns one of them, or nothing$"
    )
    with pytest.raises(NotSupportedError, match=words):
        load_wasm(binary, {"odd": lambda *_: None}, wrap_only=True)


def test_what_belongs_to_another_store_is_refused() -> None:
    if IN_PYODIDE:
        skip_for_gap("an object of wasmtime's", "there is no wasmtime in Pyodide")
    import wasmtime

    kind = wasmtime.FuncType([wasmtime.ValType.f64()], [wasmtime.ValType.f64()])
    function = wasmtime.Func(wasmtime.Store(), kind, math.sqrt)
    words = r"env\.root\(f64\) -> f64 was given as a wasmtime\.Func, which belongs to another store"
    with pytest.raises(TypeError, match=words):
        load_passing(root=function)


# Memory


class Growing(Library):
    emscripten_resize_heap: Function[[c.size_t], c.int]
    emscripten_notify_memory_growth: Function[[c.int], None]


GROWING = SmallModule(
    [
        ("env", "emscripten_resize_heap", (["i32"], ["i32"])),
        ("env", "emscripten_notify_memory_growth", (["i32"], [])),
    ],
    imported_memory=b"\1\1\4",  # one page, and four at most
)
PAGE = 65536


def load_growing(**options: Any) -> HeapManager:
    return load_wasm(GROWING.binary(), wrap_only=True, **options)


def test_a_memory_that_is_imported_is_made() -> None:
    heap = load_growing()
    assert heap.memory.size == PAGE
    heap.write_int32(PAGE - 4, -5)
    assert heap.read_int32(PAGE - 4) == -5


def test_a_module_of_emscriptens_makes_its_memory_grow() -> None:
    heap = load_growing()
    library = heap.library(Growing)
    heap.write_int32(0x40, 7)
    assert library.emscripten_resize_heap(PAGE) == 1
    assert heap.memory.size == PAGE  # it was as large as that
    assert library.emscripten_resize_heap(2 * PAGE + 1) == 1
    assert library.emscripten_notify_memory_growth(0) is None
    assert heap.memory.size == 3 * PAGE
    heap.write_int32(3 * PAGE - 4, 9)
    assert (heap.read_int32(0x40), heap.read_int32(3 * PAGE - 4)) == (7, 9)


def test_a_memory_grows_to_its_maximum_only() -> None:
    heap = load_growing()
    library = heap.library(Growing)
    for size in (4 * PAGE + 1, 2**32 - 1):
        assert library.emscripten_resize_heap(size) == 0
    assert heap.memory.size == PAGE
    assert library.emscripten_resize_heap(4 * PAGE) == 1
    assert heap.memory.size == 4 * PAGE


def test_a_memory_cannot_grow_while_its_module_starts() -> None:
    module = SmallModule(GROWING.passed, imported_memory=GROWING.imported_memory)
    keep_the_answer = b"\x41\x08\x41\x80\x80\x08\x10\x00\x36\x02\x00"  # i32.store at 8
    module.written = [("start", ([], []), keep_the_answer)]
    module.starts_with = "start"
    heap = load_wasm(module.binary(), wrap_only=True)
    assert (heap.memory.size, heap.read_int32(8)) == (PAGE, 0)


def test_what_is_given_comes_before_what_is_made() -> None:
    asked: list[int] = []

    def refuse(size: int) -> int:
        asked.append(size)
        return 0

    heap = load_growing(imports={"emscripten_resize_heap": refuse})
    assert heap.library(Growing).emscripten_resize_heap(5 * PAGE) == 0
    assert asked == [5 * PAGE]


def test_an_argument_that_finds_no_room() -> None:
    class Length(Library):
        length: Function[[c.string], c.size_t]

    module = SmallModule(written=[("length", (["i32"], ["i32"]), b"\x20\0")])
    heap = load_wasm(module.binary(), malloc=lambda size: 0, free=lambda address: None)
    with pytest.raises(OutOfMemoryError, match="no room for 256 bytes of an argument in"):
        heap.library(Length).length("text")
