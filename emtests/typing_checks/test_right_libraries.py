# pyright: strict, reportMissingModuleSource=false
"""Right uses of libraries: arguments and results have the types a reader expects. They are run."""

from __future__ import annotations

import array
import enum
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Concatenate

import emheap
from emheap import Function, HeapManager, Library, Pointer, StringRef, Struct, c, int32, utf8

if TYPE_CHECKING:
    from typing_extensions import assert_type
else:

    def assert_type(value: Any, kind: Any) -> Any:
        return value


class Quotient(Struct):
    quotient: int32
    rest: int32


class Database(Struct):
    """Known by its address alone."""


class Base(enum.Enum):
    TEN = 10


class Access(enum.IntFlag):
    READ = 4
    WRITE = 2


Numbers = c.callback[Callable[[Pointer[int32], Pointer[int32]], c.int]]


class Libc(Library):
    abs: Function[[c.int], c.int]
    labs: Function[[c.long], c.long]
    strlen: Function[[c.string], c.size_t]
    getenv: Function[[c.string], c.text | None]
    strerror: Function[[c.int], c.text]
    frexp: Function[[c.double, c.out[c.int]], c.double]
    ldexp: Function[[c.double, c.int], c.double]
    div: Function[[c.int, c.int], Quotient]
    memcmp: Function[[c.data, c.data, c.size_t], c.int]
    memset: Function[[c.buffer, c.int, c.size_t], Pointer[Any]]
    qsort: Function[[c.buffer, c.size_t, c.size_t, Numbers], None]
    bsearch: Function[[c.data, c.data, c.size_t, c.size_t, Numbers], Pointer[int32]]
    strdup: Function[[c.string], Annotated[StringRef, c.owned("free")]]
    free: Function[[Pointer[Any]], None]
    snprintf: Function[Concatenate[c.buffer, c.size_t, c.string, ...], c.int]
    strtol: Function[[c.string, c.out[Pointer[utf8]], Base], c.long]
    access: Function[[c.string, Access], c.int]


class Declared(Library, prefix="sqlite3_", lazy=True):
    """What no test has at hand."""

    open: Function[[c.string, c.out[Pointer[Database]]], c.int]
    exec: Function[
        [
            c.ref[Database],
            c.string,
            c.callback[Callable[[Pointer[Any], c.int, Pointer[Pointer[utf8]]], c.int]],
        ],
        c.int,
    ]
    divide: Function[[c.value[Quotient], c.pointer[c.float]], c.bool]


def open_libc() -> tuple[HeapManager, Libc]:
    heap = emheap.open()
    return heap, heap.library(Libc)


def test_numbers() -> None:
    _, libc = open_libc()
    assert_type(libc, Libc)
    assert_type(libc.abs(-5), int)
    assert_type(libc.abs(True), int)
    assert_type(libc.labs(-(2**20)), int)
    assert_type(libc.ldexp(1.5, 4), float)
    assert_type(libc.ldexp(1, 4), float)
    assert_type(libc.is_closed, bool)


def test_texts() -> None:
    _, libc = open_libc()
    assert_type(libc.strlen("text"), int)
    assert_type(libc.strlen(b"bytes"), int)
    assert_type(libc.strlen(bytearray(b"bytes")), int)
    assert_type(libc.getenv("HOME"), "str | None")
    assert_type(libc.strerror(1), str)
    copy = libc.strdup("text")
    assert_type(copy, StringRef)
    assert_type(copy.value, str)
    copy.free()


def test_references() -> None:
    heap, libc = open_libc()
    with heap.arena() as scratch:
        exponent = scratch.alloc(int32)
        assert_type(libc.frexp(8.0, exponent), float)
        several = scratch.alloc_array(int32, 2)
        assert_type(libc.frexp(8.0, several), float)
        name = scratch.alloc(utf8, "name")
        assert_type(libc.strlen(name), int)
        row = scratch.alloc_array(emheap.uint8, b"row\0")
        assert_type(libc.strlen(row), int)
        assert_type(libc.memcmp(row, b"row", 3), int)
        assert_type(libc.memset(row, 0, 4), Pointer[Any])
        libc.memset(bytearray(4), 0, 4)
        libc.memset(array.array("i", [1]), 0, 4)
        libc.memset(memoryview(bytearray(4)), 0, 4)
        end = scratch.alloc(Pointer[utf8])
        # Not a str, whose bytes end with the call: `end` points into them.
        text = scratch.alloc(utf8, "12 monkeys")
        assert_type(libc.strtol(text, end, Base.TEN), int)
        assert_type(end.value, Pointer[utf8])
        assert_type(end.value.target, str)


def test_structures_and_enumerations() -> None:
    _, libc = open_libc()
    result = libc.div(17, 5)
    assert_type(result, Quotient)
    assert_type(result.rest, int)
    assert_type(libc.div(7, 2).quotient, int)
    assert_type(libc.access(os.sep, Access.READ | Access.WRITE), int)


def ascending(a: Pointer[int32], b: Pointer[int32]) -> int:
    return a.target - b.target


def test_callbacks() -> None:
    heap, libc = open_libc()
    with heap.alloc_array(int32, [3, 1, 2]) as numbers, heap.alloc(int32, 3) as key:
        libc.qsort(numbers, len(numbers), 4, lambda a, b: b.target - a.target)
        libc.qsort(numbers, len(numbers), 4, ascending)
        with libc.callback(ascending) as callback:
            libc.qsort(numbers, len(numbers), 4, callback)
        found = libc.bsearch(key, numbers, 3, 4, ascending)
        assert_type(found, Pointer[int32])
        assert_type(found.get(), "int | None")
        assert_type(libc.bsearch(key, numbers, 3, 4, ascending).target, int)


def test_variable_arguments() -> None:
    _, libc = open_libc()
    text = bytearray(16)
    assert_type(libc.snprintf(text, 16, "%d %s", 5, "x"), int)
    assert_type(libc.snprintf(text, 16, "%zu", c.vararg(c.size_t, 5)), int)


def test_function_pointers() -> None:
    _, libc = open_libc()
    address = libc.function_pointer(Function[[c.int], c.int], lambda value: value + 1)
    assert_type(address, int)
    step = libc.function_at(Function[[c.int], c.int], address)
    assert_type(step(5), int)


def program(heap: HeapManager) -> None:
    """Checked, and not run."""
    sqlite = heap.library(Declared, "sqlite3")
    with heap.alloc(Pointer[Database]) as database:
        assert_type(sqlite.open(":memory:", database), int)

        def row(_: Pointer[Any], count: int, values: Pointer[Pointer[utf8]]) -> int:
            assert_type([values[index].get() for index in range(count)], "list[str | None]")
            return 0

        assert_type(sqlite.exec(database.value, "select 1", row), int)
        assert_type(sqlite.exec(database.value, "select 1", None), int)
    with heap.alloc(Quotient) as quotient:
        assert_type(sqlite.divide(quotient, array.array("f", [1])), bool)
    assert_type(emheap.load_wasm("file.wasm", {"now": lambda: 5}), HeapManager)
    assert_type(emheap.load_wasm(b"", preopens={"/data": "."}).library(Declared), Declared)
