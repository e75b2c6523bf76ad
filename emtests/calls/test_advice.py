"""Advice about libraries: each test makes the mistake, and then does what the error says."""

from __future__ import annotations

import enum
import re
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest

import emheap
from emheap import (
    Function,
    HeapManager,
    HeapRef,
    Library,
    Pointer,
    StringRef,
    c,
    int32,
    uint8,
    utf8,
)
from emtests.advice.telling import advised
from emtests.calls.declared import Calls, Color
from emtests.calls.ways import Way
from emtests.compilers import WASM, missing
from emtests.conftest import skip_for_gap
from emtests.types.values import ALL_NUMBERS
from emtests.webassembly.guests import why_missing
from emtests.webassembly.modules import SmallModule


def declare(parameter: Any, result: Any, name: str = "same_int") -> type[Library]:
    """Declare a library of one function."""
    annotations = {name: Function[[parameter], result]}
    return type("Declared", (Library,), {"__annotations__": annotations, "__module__": __name__})


SIGNATURES: dict[str, tuple[tuple[Any, ...], str, tuple[Any, ...]]] = {
    "int": ((int, c.int), "write the C type, such as c.int or c.size_t", (c.int, c.int)),
    "str": ((str, c.size_t, "length"), "write c.string for a parameter and c.text for a result",
            (c.string, c.size_t, "length")),
    "str that returns": ((c.string, str, "length"), "c.text for a result",
                         (c.string, c.size_t, "length")),
    "bytes": ((bytes, c.address, "same_pointer"), "write c.data for bytes that C reads",
              (c.data, c.address, "same_pointer")),
    "bytearray": ((bytearray, c.address, "same_pointer"), "c.buffer for those that it writes",
                  (c.buffer, c.address, "same_pointer")),
    "float": ((float, c.double, "half"), "write c.double or c.float", (c.float, c.float, "half")),
    "bool": ((bool, c.bool, "same_bool"), "write c.bool", (c.bool, c.bool, "same_bool")),
    "int32": ((int32, c.int), "write c.int32 for the number", (c.int32, c.int)),
    "a null pointer": ((c.string | None, c.size_t, "length"), "leave `| None` out",
                       (c.string, c.size_t, "length")),
}  # fmt: skip


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_signature(name: str, way: Way, c_heap: HeapManager) -> None:
    wrong, text, right = SIGNATURES[name]
    with advised(text):
        way.bind(declare(*wrong), c_heap)
    library: Any = way.bind(declare(*right), c_heap)
    with c_heap.alloc_array(uint8, b"five\0") as block:
        if len(right) == 2:
            assert library.same_int(5) == 5
        elif right[2] == "half":
            assert library.half(5.0) == 2.5
        elif right[2] == "same_bool":
            assert library.same_bool(True) is True
        elif right[2] == "length":
            assert library.length(block) == 4
        else:
            assert library.same_pointer(block) == block.address


def test_a_parameter_that_is_none(way: Way, c_heap: HeapManager) -> None:
    with advised("parameter 1 cannot be None: leave it out ([] is for no parameters)"):
        way.bind(declare(None, c.text, "version"), c_heap)
    callback: Any = c.callback
    with advised("parameter 1 cannot be None: leave it out"):
        callback[Callable[[None], None]]
    function: Any = Function
    wrong = type(
        "Wrong", (Library,), {"__annotations__": {"half": function[[c.float, None], c.float]}}
    )
    with advised("parameter 2 cannot be None: leave it out"):
        way.bind(wrong, c_heap)

    class Right(Library):
        version: Function[[], c.text]
        apply_void: Function[[c.callback[Callable[[], None]]], None]
        half: Function[[c.float], c.float]

    library = way.bind(Right, c_heap)
    called: list[str] = []
    library.apply_void(lambda: called.append("once"))
    assert (library.version(), called, library.half(3)) == ("1.0 é", ["once"], 1.5)


OUT: Any = c.out
POINTER: Any = c.pointer
NUMBERS = [*ALL_NUMBERS, emheap.boolean, emheap.float16, emheap.char, emheap.wchar, emheap.long,
           emheap.size_t, emheap.intptr, emheap.uintptr, emheap.ushort]  # fmt: skip


@pytest.mark.parametrize("scalar", NUMBERS, ids=lambda scalar: scalar.name)
def test_a_type_of_numbers_in_a_signature(scalar: Any, way: Way, c_heap: HeapManager) -> None:
    with pytest.raises(TypeError, match=f"write .*c.out.{scalar.name}. for its addr") as caught:
        way.bind(declare(scalar, c.address, "same_pointer"), c_heap)
    number = re.search(r"write c\.(\w+) for the number", str(caught.value))
    if number is not None:
        c.vararg(getattr(c, number[1]), 0)
    library: Any = way.bind(declare(OUT[scalar], c.address, "same_pointer"), c_heap)
    with c_heap.alloc(scalar) as place:
        assert library.same_pointer(place) == place.address


@pytest.mark.parametrize("text", [utf8, emheap.utf16, emheap.utf32], ids=lambda text: text.name)
def test_a_type_of_text_in_a_signature(text: Any, way: Way, c_heap: HeapManager) -> None:
    words = (
        "write c.string for a text that goes in and c.text for one that comes out"
        if text is utf8
        else f"write c.pointer[{text.name}] for a text that goes in and Pointer[{text.name}] for "
        "one that comes out"
    )
    with advised(words):
        way.bind(declare(text, c.address, "same_pointer"), c_heap)
    right = c.string if text is utf8 else POINTER[text]
    library: Any = way.bind(declare(right, c.address, "same_pointer"), c_heap)
    with c_heap.alloc(text, "five") as given:
        assert library.same_pointer(given) == given.address
    if text is not utf8:
        back: Any = way.bind(declare(right, Pointer[text], "same_pointer"), c_heap)
        with c_heap.alloc(text, "five") as given:
            assert back.same_pointer(given).target == "five"


def test_a_function_that_is_missing(way: Way, c_heap: HeapManager) -> None:
    class Misspelt(Library):
        ad: Function[[c.int, c.int], c.int]

    with advised("has no function ad"):
        way.bind(Misspelt, c_heap)

    class Right(Library):
        add: Function[[c.int, c.int], c.int]

    assert way.bind(Right, c_heap).add(1, 2) == 3
    if not way.is_wasm:
        with advised("or declare the class with lazy=True"):
            way.bind(Misspelt, c_heap)

        class Lazy(Library, lazy=True):
            ad: Function[[c.int, c.int], c.int]
            add: Function[[c.int, c.int], c.int]

        assert way.bind(Lazy, c_heap).add(1, 2) == 3


def test_a_library_is_opened_by_a_heap(way: Way, c_heap: HeapManager) -> None:
    with advised("is opened by a heap: heap.library(Calls, ...)"):
        Calls()
    assert way.bind(Calls, c_heap).add(1, 2) == 3
    with advised("open the heap of a module, or of this process"):
        emheap.wrap_buffer(bytearray(64)).library(Calls)


def test_owned_results(way: Way, c_heap: HeapManager) -> None:
    wrong = Annotated[HeapRef[Any], c.owned("release")]
    with advised("Say it, as in c.owned('free', utf8)"):
        way.bind(declare(c.string, wrong, "duplicate"), c_heap)
    right = Annotated[StringRef, c.owned("release", utf8)]
    library: Any = way.bind(declare(c.string, right, "duplicate"), c_heap)
    with library.duplicate("héllo") as copy:
        assert copy.value == "héllo"


def test_null_pointers_that_are_results(way: Way, c_heap: HeapManager) -> None:
    class Strict(Library):
        no_text: Function[[], c.text]

    with advised("declare c.text | None if it may be"):
        way.bind(Strict, c_heap).no_text()

    class Right(Library):
        no_text: Function[[], c.text | None]

    assert way.bind(Right, c_heap).no_text() is None


def test_the_types_of_numbers() -> None:
    with advised("pass a name such as c.long"):
        c.vararg(c.string, 5)
    assert c.vararg(c.long, 5).value == 5


def test_arguments(calls: Calls, c_heap: HeapManager) -> None:
    wild: Any = calls
    elsewhere = emheap.wrap_buffer(bytearray(64)).alloc(utf8, "five")
    with advised("allocate it on the heap that opened the library"):
        calls.length(elsewhere)
    with c_heap.alloc(utf8, "five") as text, c_heap.alloc(Pointer[int32]) as stored:
        pointer: Any = stored
        assert calls.length(text) == 4
        pointer.write(text.address)
        with advised("parameter 1 of length()", "use its cast()"):
            calls.length(pointer.value)
        assert calls.length(pointer.value.cast(Pointer[uint8])) == 4
    with advised("takes a Color"):
        wild.next_color(1)
    assert calls.next_color(Color.RED) is Color.GREEN
    elsewhere.free()


def apply_fresh_functions(calls: Calls) -> None:
    for number in range(100):
        calls.apply(lambda value, number=number: number, 0)  # type: ignore[misc]


def test_callbacks(calls: Calls) -> None:
    def step(value: int) -> int:
        return value + 1

    with calls.callback(step) as callback:
        pass
    with advised("is over: pass it within its with block"):
        calls.apply(callback, 1)
    with calls.callback(step) as callback:
        assert calls.apply(callback, 1) == 2
    with pytest.warns(
        ResourceWarning, match="define the function once, or pass `with library.call"
    ):
        apply_fresh_functions(calls)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(100):
            with calls.callback(lambda value, number=number: number) as callback:
                assert calls.apply(callback, 0) == number
            assert calls.apply(step, number) == number + 1


def test_imports_of_a_module() -> None:
    if why_missing("calls"):
        skip_for_gap("modules", why_missing("calls"))
    module = SmallModule(passed=[("host", "ask", (("i32",), ("i32",)))])

    class Answers(Library):
        ask: Function[[c.int], c.int]

    with advised("imports host.ask(i32) -> i32; give what is missing as imports={'host': {'ask'"):
        emheap.load_wasm(module.binary(), wrap_only=True)
    imports: Any = {"host": {"ask": lambda value: value * 6}}
    heap = emheap.load_wasm(module.binary(), imports, wrap_only=True)
    assert heap.library(Answers).ask(7) == 42
    with advised("malloc=None, free=None if no code in the module ever allocates"):
        emheap.load_wasm(module.binary(), imports)
    heap = emheap.load_wasm(module.binary(), imports, malloc=None, free=None)
    with heap.alloc(int32, 5) as number:
        assert (number.value, heap.library(Answers).ask(number.value)) == (5, 30)


class Twice(Library):
    twice: Function[[c.int], c.int]


def compile_wasm(folder: Path, source: str, *options: str) -> Path:
    """A module of code that needs no C library."""
    reason = missing(*WASM) or why_missing("calls")
    if reason:
        skip_for_gap("a compiler for WebAssembly", reason)
    code, made = folder / "code.c", folder / "code.wasm"
    code.write_text(source)
    command = ["clang", "--target=wasm32-wasi", "-nostdlib", *options, str(code), "-o", str(made)]
    subprocess.run(command, check=True, timeout=60)
    return made


def test_functions_that_a_module_does_not_export(tmp_path: Path) -> None:
    source = "int twice(int number) { return 2 * number; }"
    bare = compile_wasm(tmp_path, source, "-Wl,--no-entry")
    with advised('export it: -Wl,--export=twice, or __attribute__((export_name("twice")))'):
        emheap.load_wasm(bare, wrap_only=True).library(Twice)
    exporting = f'__attribute__((export_name("twice"))) {source}'
    for code, option in ((source, "-Wl,--export=twice"), (exporting, "-O1")):
        made = compile_wasm(tmp_path, code, "-Wl,--no-entry", option)
        assert emheap.load_wasm(made, wrap_only=True).library(Twice).twice(21) == 42


def test_a_program_is_linked_as_a_library(tmp_path: Path) -> None:
    source = "int twice(int number) { return 2 * number; } void NAME(void) {}"
    program = compile_wasm(tmp_path, source.replace("NAME", "_start"), "-Wl,--export=twice")
    with advised("link it as a library: clang -mexec-model=reactor"):
        emheap.load_wasm(program, wrap_only=True)
    options = "-Wl,--export=twice", "-mexec-model=reactor"
    library = compile_wasm(tmp_path, source.replace("NAME", "_initialize"), *options)
    assert emheap.load_wasm(library, wrap_only=True).library(Twice).twice(21) == 42


def test_enumerations_of_other_types(way: Way, c_heap: HeapManager) -> None:
    class Word(enum.Enum):
        ONE = "one"

    with advised("is 'one', and C's enumerations are integers"):
        way.bind(declare(Word, c.int), c_heap)


def test_a_buffer_with_gaps(calls: Calls) -> None:
    data = bytearray(b"a-b-c-")
    with advised("pass a copy, as bytearray() or numpy.ascontiguousarray() make one"):
        calls.add_one(memoryview(data)[::2], 3)
    assert data == b"a-b-c-"
    copy = bytearray(memoryview(data)[::2])
    calls.add_one(copy, len(copy))
    data[::2] = copy
    assert data == b"b-c-d-"
