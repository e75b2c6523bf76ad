"""Modules that lack what calls would like to have: a table that grows, a stack that is known."""

from __future__ import annotations

import itertools
import operator
from functools import partial
from typing import Any, Concatenate

import pytest

from emheap import (
    ForeignTrapError,
    Function,
    HeapManager,
    Library,
    NotSupportedError,
    c,
    load_wasm,
    uint32,
    wrap_wasm_instance,
)
from emheap._util.platform import IN_PYODIDE
from emheap.calls.module_types import with_growing_tables
from emtests.calls.declared import OnInt
from emtests.calls.ways import WAYS, skip_without_big_ints
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import open_guest, why_missing
from emtests.webassembly.modules import SmallModule

INT: list[str] = ["i32"]
VOID: list[str] = []
GET, SET = b"\x23\0", b"\x24\0"
TAKES_AND_GIVES = ("same", (INT, INT), b"\x20\0")


@pytest.fixture(autouse=True)
def webassembly() -> None:
    if why_missing("printing"):
        skip_for_gap("WebAssembly", why_missing("printing"))


def load(module: SmallModule, **options: Any) -> HeapManager:
    return load_wasm(module.binary(), wrap_only=True, **options)


# The table of functions


class CallingBack(Library):
    same: Function[[OnInt], c.int]


def instance_of(binary: bytes) -> tuple[Any, ...]:
    """A module as another library runs it: nothing in it is changed."""
    if IN_PYODIDE:
        import js

        module = js.WebAssembly.Module.new(js.Uint8Array.new(binary))
        return (js.WebAssembly.Instance.new(module),)
    import wasmtime

    store = wasmtime.Store()
    return store, wasmtime.Instance(store, wasmtime.Module(store.engine, binary), [])


@pytest.mark.parametrize("table", [None, b"\1\1\1"], ids=["none", "full"])
def test_a_callback_needs_a_table_that_grows(table: bytes | None) -> None:
    binary = SmallModule(written=[TAKES_AND_GIVES], table=table).binary()
    heap = wrap_wasm_instance(*instance_of(binary), wrap_only=True)
    library = heap.library(CallingBack)
    words = (
        "cannot take a callback: its table of functions is not exported, or cannot grow; link it "
        "with clang -Wl,--export-table,--growable-table, or with emcc -sALLOW_TABLE_GROWTH"
    )
    with pytest.raises(NotSupportedError, match=words):
        library.same(abs)
    assert library.same(None) == 0


@pytest.mark.parametrize("table", [b"\1\1\1", b"\1\0\0", b"\0\0", b"\1\x81\1\x81\1"])
def test_a_module_that_is_loaded_has_tables_that_grow(table: bytes) -> None:
    module = SmallModule(written=[TAKES_AND_GIVES], table=table)
    library = load(module).library(CallingBack)
    addresses = [library.same(partial(operator.add, step)) for step in range(20)]
    assert len({*addresses}) == 20
    assert 0 not in addresses  # it would be a null pointer


@pytest.mark.parametrize("table", [b"\3\1\1", b"\1", b"\1\xff"], ids=["shared", "cut", "long"])
def test_a_table_that_no_linker_writes_is_left_to_the_engine(table: bytes) -> None:
    binary = SmallModule(written=[TAKES_AND_GIVES], table=table).binary()
    assert with_growing_tables(binary) == binary


def test_a_table_is_found_by_what_it_is() -> None:
    """Emscripten gives exports names of a letter or two; other tools call the table otherwise."""
    binary = SmallModule(written=[TAKES_AND_GIVES], table=b"\0\0").binary()
    renamed = binary.replace(b"\5table\1", b"\5A a_b\1")
    assert renamed != binary
    library = load_wasm(renamed, wrap_only=True).library(CallingBack)
    assert library.same(abs) > 0


def test_a_pointer_to_a_function_needs_a_table() -> None:
    library = load(SmallModule(written=[TAKES_AND_GIVES])).library(CallingBack)
    with pytest.raises(NotSupportedError, match="table of functions is not exported, or cannot"):
        library.function_at(Function[[c.int], c.int], 1)


# The stack


class Trapping(Library):
    fail: Function[[], None]
    depth: Function[[], c.uint]


PUSH = GET + b"\x41\x10\x6b" + SET  # takes 16 bytes of the stack
FAIL = ("fail", (VOID, VOID), PUSH + b"\0")
DEPTH = ("depth", (VOID, INT), GET)


@pytest.mark.parametrize("restore", ["_emscripten_stack_restore", "stackRestore"])
def test_a_trap_puts_the_stack_back(restore: str) -> None:
    save = "emscripten_stack_get_current" if restore.startswith("_") else "stackSave"
    if not IN_PYODIDE and save == "stackSave":
        skip_for_gap("stackSave", "only the JavaScript of Emscripten's has it")
    written = [FAIL, DEPTH, (save, (VOID, INT), GET), (restore, (INT, VOID), b"\x20\0" + SET)]
    library = load(SmallModule(written=written, stack=1024)).library(Trapping)
    assert library.depth() == 1024
    for _ in range(3):
        with pytest.raises(ForeignTrapError, match="the library can be used further"):
            library.fail()
        assert library.depth() == 1024


def test_a_stack_that_cannot_be_put_back() -> None:
    library = load(SmallModule(written=[FAIL, DEPTH], stack=1024)).library(Trapping)
    for number in (1, 2):
        words = "what it had on its stack stays there, for the module .* __stack_pointer"
        with pytest.raises(ForeignTrapError, match=words):
            library.fail()
        assert library.depth() == 1024 - 16 * number


# Variable arguments


class Storing(Library):
    store: Function[Concatenate[c.int, ...], None]


STORE = ("store", (["i32", "i32"], VOID), b"\x20\1\x28\2\0\x41\7\x3a\0\0")
"""Stores a 7 where the first of its variable arguments points to."""


def test_what_c_writes_to_a_variable_argument_is_there_afterwards() -> None:
    places = itertools.count(4096, 256)
    binary = SmallModule(written=[STORE]).binary()
    library = load_wasm(binary, malloc=lambda size: next(places), free=id).library(Storing)
    buffer, constant = bytearray(b"abc"), b"abc"
    library.store(0, buffer)
    library.store(0, memoryview(buffer)[2:])
    library.store(0, constant)
    assert buffer == b"\7b\7"
    assert constant == b"abc"


# Loops


def test_map_in_a_memory_of_64_bits() -> None:
    """There the loop is Python's."""
    if why_missing("guest64"):
        skip_for_gap("a memory of 64 bits", why_missing("guest64"))
    skip_without_big_ints(WAYS[-1])

    class Offsets(Library):
        record_offset: Function[[c.uint], c.uint]

    guest = open_guest("guest64")
    expected = [guest.call("record_offset", index) for index in range(3)]
    library = guest.heap.library(Offsets)
    assert library.record_offset.map(range(3)) == expected
    with guest.heap.alloc_array(uint32, 3) as out:
        assert library.record_offset.map([0, 1, 2], out=out) is out
        assert out[:] == expected


def test_map_where_the_memory_has_another_name() -> None:
    class Same(Library):
        same: Function[[c.int], c.int]

    binary = SmallModule(written=[TAKES_AND_GIVES]).binary().replace(b"memory", b"linear")
    places = itertools.count(4096, 256)
    heap = load_wasm(binary, memory="linear", malloc=lambda size: next(places), free=id)
    assert heap.library(Same).same.map([5, -5]) == [5, -5]


def test_map_widens_narrow_numbers() -> None:
    """A function gets them with their sign, whatever it does with the bits above."""

    class Widening(Library):
        char: Function[[c.char], c.int]
        uchar: Function[[c.uchar], c.int]
        short: Function[[c.short], c.int]
        ushort: Function[[c.ushort], c.int]

    names = ("char", "uchar", "short", "ushort")
    _, kind, code = TAKES_AND_GIVES
    binary = SmallModule(written=[(name, kind, code) for name in names]).binary()
    places = itertools.count(4096, 256)
    library = load_wasm(binary, malloc=lambda size: next(places), free=id).library(Widening)
    assert library.char.map([-128, -1, 127]) == [-128, -1, 127]
    assert library.uchar.map([0, 128, 255]) == [0, 128, 255]
    assert library.short.map([-32768, -1, 32767]) == [-32768, -1, 32767]
    assert library.ushort.map([0, 32768, 65535]) == [0, 32768, 65535]
