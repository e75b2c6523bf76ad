"""Libraries of Emscripten's modules: 64-bit integers, C++ exceptions, abort, exit.

Their exports have short names, and so has the table that callbacks go to.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any, TypeVar

import js
import pytest

import emheap
from emheap import ForeignTrapError, Function, HeapManager, Library, NotSupportedError, c
from emtests.backends.javascript.instances import run_script
from emtests.calls.ways import WAYS, skip_without_big_ints
from emtests.webassembly.build import EMSCRIPTEN_BUILDS, FIXTURES

L = TypeVar("L", bound=Library)
OnInt = c.callback[Callable[[c.int], c.int]]

LEGALISED = "emscripten_legalised"
THROWING = [name for name in EMSCRIPTEN_BUILDS if name != LEGALISED]


class Module(Library):
    add: Function[[c.int, c.int], c.int]
    apply: Function[[OnInt, c.int], c.int]
    throw_if: Function[[c.int], c.int]
    catch_it: Function[[OnInt, c.int], c.int]
    boom: Function[[], None]
    stop: Function[[], None]
    leave: Function[[c.int], None]


class Wide(Library):
    twice: Function[[c.longlong], c.longlong]


class Long(Library):
    weigh: Function[[c.int, c.int, c.longlong, c.int, c.int], c.longlong]


def make(name: str, options: Any = None) -> Any:
    """A module of a script of Emscripten's."""
    return run_script(FIXTURES / f"{name}.js", options)


@pytest.fixture(params=EMSCRIPTEN_BUILDS)
def heap(request: pytest.FixtureRequest) -> HeapManager:
    return emheap.wrap_emscripten_module_heap(make(request.param))


@pytest.fixture
def module(heap: HeapManager) -> Module:
    return heap.library(Module)


def test_calls_and_callbacks(module: Module) -> None:
    assert module.add(2, 3) == 5
    assert module.apply(lambda value: 2 * value, 4) == 8
    assert module.throw_if(0) == 1


# 64-bit integers


def test_legalised_integers_are_refused_with_the_cure() -> None:
    heap = emheap.wrap_emscripten_module_heap(make(LEGALISED))
    with pytest.raises(NotSupportedError) as caught:
        heap.library(Wide)
    assert str(caught.value) == (
        "twice(long long) -> long long is not what the module has: it is declared as (i64) -> i64, "
        "and the module has (i32, i32) -> i32: an integer of 64 bits goes as two of 32, as "
        "Emscripten has it without BigInts; link the module with emcc -sWASM_BIGINT"
    )
    with pytest.raises(NotSupportedError, match=r"has \((i32, ){5}i32\) -> i32: .* -sWASM_BIGINT"):
        heap.library(Long)


@pytest.mark.parametrize("name", THROWING)
def test_whole_integers_pass(name: str) -> None:
    skip_without_big_ints(WAYS[-1])
    heap = emheap.wrap_emscripten_module_heap(make(name))
    library = heap.library(Wide)
    assert library.twice(2**40) == 2**41
    assert library.twice(-(2**62)) == -(2**63)
    assert heap.library(Long).weigh(1, 2, 2**40, 3, 4) == 2**40 + 10


# What does not return


def test_a_cpp_exception_is_an_error_and_the_module_works_on(module: Module) -> None:
    for _ in range(20):
        with pytest.raises(
            ForeignTrapError, match=r"^throw_if\(\) did not return: it threw a C\+\+"
        ):
            module.throw_if(1)
        assert module.add(2, 3) == 5
    assert not module.is_closed


def test_the_stack_is_put_back_where_that_can_be_done() -> None:
    """Each exception leaves 4 KiB of the stack taken; a module that exports stackSave gets it back,
    and the message says so where one does not."""
    library = emheap.wrap_emscripten_module_heap(make("emscripten_js_exceptions")).library(Module)
    for _ in range(2000):  # 8 MiB, and the stack has 5
        with pytest.raises(ForeignTrapError, match="the library can be used further"):
            library.throw_if(1)
    assert library.throw_if(0) == 1
    other = emheap.wrap_emscripten_module_heap(make(LEGALISED)).library(Module)
    with pytest.raises(ForeignTrapError, match="exports neither __stack_pointer nor stackSave"):
        other.throw_if(1)


def test_a_cpp_exception_beneath_a_callback(module: Module) -> None:
    def throw(value: int) -> int:
        return module.throw_if(value)

    with pytest.raises(ForeignTrapError, match=r"^throw_if\(\) did not return"):
        module.catch_it(throw, 1)
    assert module.catch_it(throw, 0) == 1
    assert module.add(2, 3) == 5


def test_a_python_exception_is_none_of_cpps(module: Module) -> None:
    def fail(value: int) -> int:
        raise KeyError("in the callback")

    with pytest.raises(KeyError, match="in the callback"):
        module.catch_it(fail, 1)
    assert module.catch_it(lambda value: value, 7) == 7


def test_a_trap_leaves_the_module_open(module: Module) -> None:
    with pytest.raises(ForeignTrapError, match=r"^boom\(\) did not return: unreachable"):
        module.boom()
    assert module.add(2, 3) == 5


def test_abort_closes_the_library(module: Module) -> None:
    with pytest.raises(ForeignTrapError, match=r"^stop\(\) did not return: Aborted\(") as caught:
        module.stop()
    assert "the library is closed" in str(caught.value)
    assert module.is_closed
    with pytest.raises(ForeignTrapError, match=r"add\(\) was not called: the library is closed"):
        module.add(2, 3)
    again = emheap.wrap_emscripten_module_heap(make(THROWING[0])).library(Module)
    assert again.add(2, 3) == 5


def test_exit_closes_the_library(module: Module) -> None:
    with pytest.raises(ForeignTrapError, match="its program ended with status 3; the library is"):
        module.leave(3)
    assert module.is_closed
    with pytest.raises(ForeignTrapError, match=r"add\(\) was not called: the library is closed"):
        module.add(2, 3)


# Captured exports


def test_the_table_of_a_captured_module() -> None:
    """A module made with the options of `capture_memory` need not export anything of its own."""
    script = (FIXTURES / f"{LEGALISED}.js").read_text()
    binary = re.search(r"base64,([\w+/=]{100,})", script)
    assert binary is not None
    capture = emheap.capture_memory(base64.b64decode(binary[1]))
    made = make(LEGALISED, capture.options)
    hidden = js.Object.new()  # what newer releases leave of a module: its functions alone
    for name in js.Object.keys(made):
        if name.startswith("_"):
            setattr(hidden, name, getattr(made, name))
    library = emheap.wrap_emscripten_module_heap(hidden, memory=capture).library(Module)
    assert library.apply(lambda value: value + 1, 4) == 5
