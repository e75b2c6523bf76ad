"""Advice about emcc's options, followed one after the other: each module was made with the options
of the one before, and those that the error about it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import (
    ForeignTrapError,
    Function,
    HeapManager,
    Library,
    NotSupportedError,
    OutOfMemoryError,
    c,
    int32,
    uint8,
)
from emtests.backends.javascript.instances import run_script
from emtests.calls.ways import WAYS, skip_without_big_ints
from emtests.webassembly.advice import EMCC_SCRIPT_STEPS, says
from emtests.webassembly.build import FIXTURES

TOO_MUCH = 1 << 26
"""Bytes: the memories have 16 MiB to begin with."""


class Doubling(Library):
    twice: Function[[c.longlong], c.longlong]


class Trapping(Library):
    trap_if: Function[[c.int], c.int]


class Applying(Library):
    apply: Function[[c.callback[Callable[[c.int], c.int]], c.int], c.int]


def make(name: str) -> Any:
    return run_script(FIXTURES / f"{name}.js")


def open_module(name: str, **options: Any) -> HeapManager:
    return emheap.wrap_emscripten_module_heap(make(name), **options)


def check_advice(error: Any, name: str) -> None:
    """The error must name what the module of this name was made with beside that of before."""
    assert says(str(error.value), EMCC_SCRIPT_STEPS[name].added)


def test_a_memory_that_is_exported() -> None:
    with pytest.raises(NotSupportedError, match="exports neither its memory nor a view") as error:
        open_module("emcc_hidden", wrap_only=True)
    check_advice(error, "emcc_shown")
    module = make("emcc_shown")
    heap = emheap.wrap_emscripten_module_heap(module, wrap_only=True)
    module.HEAPU8[5000] = 77
    assert heap.read_uint8(5000) == 77


def test_an_allocator_that_is_exported() -> None:
    with pytest.raises(NotSupportedError, match="does not export _malloc") as error:
        open_module("emcc_shown")
    check_advice(error, "emcc_allocating")
    with open_module("emcc_allocating").alloc_array(int32, [1, 2, 3]) as numbers:
        assert numbers[:] == [1, 2, 3]


def test_a_function_that_is_exported() -> None:
    with pytest.raises(NotSupportedError, match="has no function twice") as error:
        open_module("emcc_allocating").library(Doubling)
    check_advice(error, "emcc_exporting")
    assert "clang -Wl,--export=twice" in str(error.value)
    made = make("emcc_exporting")
    assert made._twice.length == 2  # with integers of 64 bits as two of 32
    with emheap.wrap_emscripten_module_heap(made).alloc(int32, 5) as number:
        assert number.value == 5


def test_a_second_list_of_functions_replaces_the_first() -> None:
    with pytest.raises(NotSupportedError, match=r"_malloc.*\(a second list replaces the first\)"):
        open_module("emcc_second_list")


def test_integers_that_pass_whole() -> None:
    with pytest.raises(NotSupportedError, match="goes as two of 32") as error:
        open_module("emcc_exporting").library(Doubling)
    check_advice(error, "emcc_whole_integers")
    skip_without_big_ints(WAYS[-1])
    assert open_module("emcc_whole_integers").library(Doubling).twice(2**40) == 2**41


def test_a_table_that_grows() -> None:
    library = open_module("emcc_whole_integers").library(Applying)
    with pytest.raises(NotSupportedError, match="cannot take a callback") as error:
        library.apply(abs, -5)
    check_advice(error, "emcc_table")
    library = open_module("emcc_table").library(Applying)
    for step in range(40):
        assert library.apply(step.__add__, 5) == 5 + step


def test_a_stack_that_is_put_back() -> None:
    with pytest.raises(ForeignTrapError, match="what it had on its stack stays there") as error:
        open_module("emcc_table").library(Trapping).trap_if(1)
    check_advice(error, "emcc_saving")
    library = open_module("emcc_saving").library(Trapping)
    for _ in range(100):  # the stack has room for 16 that stay
        with pytest.raises(ForeignTrapError, match="the library can be used further"):
            library.trap_if(1)
    assert library.trap_if(0) == 1


@pytest.mark.parametrize("name", ["emcc_growing", "emcc_refusing"])
def test_a_memory_that_is_full(name: str) -> None:
    heap = open_module("emcc_table")
    with pytest.raises(OutOfMemoryError, match="the module aborted for want of") as error:
        heap.alloc_array(uint8, TOO_MUCH)
    check_advice(error, name)
    mended = open_module(name)
    with mended.alloc_array(uint8, [1, 2, 3]) as before:
        if name == "emcc_growing":
            with mended.alloc_array(uint8, TOO_MUCH) as block:
                block[-1] = 7
                assert block[-1] == 7
        with pytest.raises(OutOfMemoryError, match="no room for"):
            mended.alloc_array(uint8, (1 << 31) - 64)
        assert before[:] == [1, 2, 3]
    with mended.alloc(int32, 5) as number:
        assert number.value == 5
    assert mended.library(Applying).apply(lambda value: value + 1, 4) == 5
