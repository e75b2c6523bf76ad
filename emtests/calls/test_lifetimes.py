"""What a library keeps alive, and what it lets go."""

from __future__ import annotations

import gc
import re
import weakref
from threading import Thread
from typing import Any

import pytest

import emheap
from emheap import (
    DoubleFreeError,
    ForeignTrapError,
    Function,
    HeapManager,
    Library,
    Struct,
    UseAfterFreeError,
    c,
    float64,
    int32,
    int64,
    load_wasm,
)
from emheap._util.platform import IN_PYODIDE
from emtests.calls.declared import Calls, OnInt, Structures
from emtests.calls.ways import Way
from emtests.conftest import skip_for_gap, skip_where_classes_stay
from emtests.webassembly.guests import why_missing
from emtests.webassembly.modules import SmallModule

INT = ["i32"]


class Asking(Library):
    ask: Function[[c.int], c.int]
    same: Function[[OnInt], c.int]
    call: Function[[c.int], c.int]


CALL_FIRST_OF_TABLE = b"\x20\0\x41\1\x11\0\0"  # with its argument


def load_asking(ask: Any) -> HeapManager:
    module = SmallModule(
        passed=[("host", "ask", (INT, INT))],
        written=[("same", (INT, INT), b"\x20\0"), ("call", (INT, INT), CALL_FIRST_OF_TABLE)],
        table=b"\0\1",
    )
    return load_wasm(module.binary(), {"ask": ask}, wrap_only=True)


@pytest.fixture
def webassembly() -> None:
    if why_missing("printing"):
        skip_for_gap("WebAssembly", why_missing("printing"))


@pytest.mark.usefixtures("webassembly")
def test_callbacks_and_imports_do_not_keep_the_module_that_has_them() -> None:
    """They have the library themselves, which has the module, which has them in its table."""

    def use(number: int) -> list[weakref.ref[Any]]:
        libraries: list[Asking] = []

        def ask(value: int) -> int:
            return len(libraries) * value

        heap = load_asking(ask)
        library = heap.library(Asking)
        libraries.append(library)
        assert library.ask(number) == number
        assert library.same(ask) == 1
        assert library.call(number) == number
        with library.callback(ask) as callback:
            assert library.same(callback) > 1
        ended: list[weakref.ref[Any]] = [weakref.ref(heap.memory), weakref.ref(ask)]
        if number % 2:
            heap.close()
        return ended

    ended = []
    for number in range(150):  # a browser has room for about a hundred memories
        ended += use(number)
        gc.collect()
    assert [each for each in ended if each() is not None] == []


@pytest.mark.usefixtures("webassembly")
def test_heaps_that_were_dropped_make_room_for_others() -> None:
    """A browser has address space for about a hundred memories, and Python's garbage has them."""
    gc.disable()
    try:
        for number in range(150):
            heap = load_asking(abs)
            assert heap.library(Asking).ask(-number) == number
            cycle: list[Any] = [heap]
            cycle.append(cycle)
    finally:
        gc.enable()


@pytest.mark.usefixtures("webassembly")
def test_a_function_keeps_the_callbacks_and_the_imports_of_its_library() -> None:
    library = load_asking(lambda value: value * 2).library(Asking)
    assert library.same(lambda value: value * 3) == 1
    ask, call = library.ask, library.call
    pointed = library.function_at(Function[[c.int], c.int], 1)
    del library
    gc.collect()
    assert (ask(7), call(7), pointed(7)) == (14, 21, 21)


@pytest.mark.usefixtures("webassembly")
def test_a_callback_of_a_library_that_is_gone() -> None:
    heap = load_asking(abs)
    heap.library(Asking).same(lambda value: value * 3)
    gc.collect()
    with pytest.raises((ForeignTrapError, UseAfterFreeError)) as caught:
        heap.library(Asking).call(7)
    shown = f"{caught.value} {caught.value.__cause__}"
    assert "C called a Python function of a heap that is gone" in shown


def test_a_library_of_a_heap_that_was_closed(way: Way) -> None:
    heap = way.open_heap()
    calls = way.bind(Calls, heap)
    assert calls.same_int(7) == 7
    heap.close()
    assert calls.is_closed
    words = (
        r"^same_int\(\) was not called: the library is closed since the heap was closed at "
        r".*test_lifetimes\.py:\d+ in test_a_library_of_a_heap_that_was_closed; bind it to another "
        r"heap, or close this one later$"
    )
    with pytest.raises(ForeignTrapError, match=words):
        calls.same_int(7)
    assert way.bind(Calls, way.open_heap()).same_int(7) == 7


def test_libraries_that_are_bound_again_and_again_leave_nothing(
    way: Way, c_heap: HeapManager
) -> None:
    if not IN_PYODIDE:
        # From then on a free-threaded CPython 3.13 keeps what a module defines at its top level.
        Thread(target=gc.collect).start()

    def bind(count: int) -> list[weakref.ref[Any]]:
        libraries = [way.bind(Calls, c_heap) for _ in range(count)]
        assert libraries[-1].add(1, 2) == 3
        return [weakref.ref(one.add) for one in libraries]

    ended = bind(20)
    gc.collect()
    assert [each for each in ended if each() is not None] == []


def test_a_function_that_c_may_call_for_ever_natively() -> None:
    """C has its address, and goes on when the library and the heap are gone here."""
    if IN_PYODIDE:
        skip_for_gap("a shared library", "Pyodide has no compiler")
    from emtests.calls.ways import shared_library

    emheap.open().library(Calls, shared_library()).keep(lambda value: value + 100)
    gc.collect()
    calls = emheap.open().library(Calls, shared_library())
    assert calls.call_kept(5) == 105
    calls.keep(None)


def test_a_result_was_allocated_where_the_call_is(way: Way, c_heap: HeapManager) -> None:
    calls, structures = way.bind(Calls, c_heap), way.bind(Structures, c_heap)
    text: Any = calls.duplicate("text")
    text.free()
    with pytest.raises(
        DoubleFreeError, match=rf"allocated at {re.escape(__file__)}:\d+ in test_a_"
    ):
        text.free()
    value = structures.make_big(1.0, 2)
    value.free()
    with pytest.raises(UseAfterFreeError, match=rf"allocated at {re.escape(__file__)}:\d+ in test"):
        value.a = 1
    assert re.fullmatch("<Big at 0x[0-9a-f]+ freed>", repr(value))


def test_a_structure_that_was_passed_goes_with_its_class(way: Way, c_heap: HeapManager) -> None:
    skip_where_classes_stay()

    def use() -> weakref.ref[Any]:
        class Big(Struct):
            a: float64
            b: int32
            c: int64

        class Local(Library):
            sum_big: Function[[Big], c.double]

        assert way.bind(Local, c_heap).sum_big(Big(a=1.5, b=2, c=3)) == 6.5
        return weakref.ref(Big)

    used = use()
    gc.collect()
    assert used() is None
