"""Libraries of modules in wasmtime: fuel, epochs, the cache, progress, types of functions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wasmtime

import emheap
from emheap import ForeignTrapError, Function, Library, NotSupportedError, c
from emheap.calls import wasmtime_types
from emheap.calls.wasmtime_types import type_of_wasmtime_function
from emtests.calls.declared import Calls, Traps
from emtests.calls.programs.files import find_program
from emtests.conftest import skip_for_gap
from emtests.processes import CHECKOUT
from emtests.webassembly.guests import WasmtimeGuest


def refuel(store: wasmtime.Store) -> None:
    store.set_fuel(10_000_000)


def set_deadline(store: wasmtime.Store) -> None:
    store.set_epoch_deadline(1)


def test_running_out_of_fuel() -> None:
    guest = WasmtimeGuest("calls", configure={"consume_fuel": True}, prepare=refuel)
    calls, traps = guest.heap.library(Calls), guest.heap.library(Traps)
    stack = traps.stack_address()
    with pytest.raises(ForeignTrapError, match=r"^spin\(\) did not return: .*fuel") as caught:
        traps.spin()
    assert caught.value.function == "spin"
    with pytest.raises(ForeignTrapError, match=r"^add\(\) did not return: .*fuel"):
        calls.add(2, 3)
    refuel(guest.store)
    assert calls.add(2, 3) == 5
    assert traps.stack_address() == stack


def test_fuel_ends_in_a_callback() -> None:
    guest = WasmtimeGuest("calls", configure={"consume_fuel": True}, prepare=refuel)
    calls = guest.heap.library(Calls)

    def burn(value: int) -> int:
        guest.store.set_fuel(0)
        return calls.add(value, 1)

    with pytest.raises(ForeignTrapError, match=r"^add\(\) did not return: .*fuel"):
        calls.apply(burn, 1)
    refuel(guest.store)
    assert calls.apply(lambda value: value + 1, 1) == 2


def test_another_thread_ends_a_call_by_the_epoch() -> None:
    guest = WasmtimeGuest("calls", configure={"epoch_interruption": True}, prepare=set_deadline)
    calls, traps = guest.heap.library(Calls), guest.heap.library(Traps)
    timer = threading.Timer(0.2, guest.store.engine.increment_epoch)
    timer.start()
    with pytest.raises(ForeignTrapError, match=r"^spin\(\) did not return: interrupt"):
        traps.spin()
    timer.join()
    set_deadline(guest.store)
    assert calls.add(2, 3) == 5


# Compiling


def large_module(number: int) -> bytes:
    """A module that stores a number when it starts, above the size that the cache is used from."""
    padding = "x" * 70_000
    return bytes(
        wasmtime.wat2wasm(
            f"""(module (memory (export "memory") 2) (data (i32.const 0) "{padding}")
              (func $start (i32.store (i32.const 80000) (i32.const {number})))
              (start $start))"""
        )
    )


_LOAD = """
import sys
import emheap

for path in sys.argv[2:]:
    heap = emheap.load_wasm(path, wrap_only=True, cache=sys.argv[1] == "cached")
    print(heap.read_int32(80_000))
"""


def test_what_was_compiled_once_is_not_compiled_again(tmp_path: Path) -> None:
    modules = [tmp_path / "one.wasm", tmp_path / "two.wasm"]
    for number, path in enumerate(modules, 1):
        path.write_bytes(large_module(number))

    def load(cached: str, *paths: Path) -> list[str]:
        folders = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
        command = [sys.executable, "-c", _LOAD, cached, *map(str, paths)]
        environment = {**os.environ, **folders, "PYTHONPATH": str(CHECKOUT)}
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=100, check=True
        )
        return ended.stdout.split()

    def kept() -> list[Path]:
        """The machine code in the cache."""
        files = [path for path in tmp_path.rglob("modules/*/*") if path.is_file()]
        return [path for path in files if not path.suffix]

    assert load("not", *modules) == ["1", "2"]
    assert kept() == []
    assert load("cached", *modules) == ["1", "2"]
    first, second = kept()
    code = first.read_bytes(), second.read_bytes()
    first.write_bytes(code[1])
    second.write_bytes(code[0])
    assert load("cached", *modules) == ["2", "1"]  # each has the other's code: nothing compiled it
    assert load("not", *modules) == ["1", "2"]


def test_progress_while_a_large_module_is_compiled() -> None:
    file = find_program("zstd.wasm")
    seen: list[float] = []
    threads = set()

    def note(seconds: float) -> None:
        seen.append(seconds)
        threads.add(threading.current_thread())

    heap = emheap.load_wasm(file, progress=note, cache=False)
    assert seen[0] == 0.0
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert threads == {threading.current_thread()}
    assert heap.total_allocated_byte_size == 0


def test_progress_that_raises_ends_the_loading() -> None:
    class Stop(Exception):  # noqa: N818 (it is no error)
        pass

    def stop(seconds: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        emheap.load_wasm(find_program("zstd.wasm"), progress=stop, cache=False)


# Exceptions of C++

THROWING = """(module
  (tag $thrown (param i32))
  (memory (export "memory") 1)
  (table (export "table") 1 funcref)
  (global $stack (export "__stack_pointer") (mut i32) (i32.const 1024))
  (type $callback (func (param i32) (result i32)))
  (func $throw_if (export "throw_if") (param i32) (result i32)
    (global.set $stack (i32.sub (global.get $stack) (i32.const 16)))
    (if (local.get 0) (then (throw $thrown (local.get 0))))
    (global.set $stack (i32.add (global.get $stack) (i32.const 16)))
    (i32.const 5))
  (func (export "catch_it") (param i32) (result i32)
    (block $handler (result i32)
      (return (try_table (result i32) (catch $thrown $handler)
        (call $throw_if (local.get 0))))))
  (func (export "apply") (param i32 i32) (result i32)
    (call_indirect (type $callback) (local.get 1) (local.get 0))))"""

LEGACY = """(module (tag $thrown) (memory (export "memory") 1)
  (func (export "catch_it") try throw $thrown catch_all end))"""


HAS_EXCEPTIONS = hasattr(wasmtime.Config, "wasm_exceptions")


class Throwing(Library):
    throw_if: Function[[c.int], c.int]
    catch_it: Function[[c.int], c.int]
    apply: Function[[c.callback[Callable[[c.int], c.int]], c.int], c.int]


def test_an_exception_of_cpp_that_nothing_catches() -> None:
    if not HAS_EXCEPTIONS:
        skip_for_gap("exceptions in WebAssembly", "this release of wasmtime has none")
    heap = emheap.load_wasm(bytes(wasmtime.wat2wasm(THROWING)), wrap_only=True)
    library = heap.library(Throwing)
    assert (library.throw_if(0), library.catch_it(0), library.catch_it(7)) == (5, 5, 7)
    words = r"^throw_if\(\) did not return: it threw a C\+\+ exception, which nothing in it caught"
    for _ in range(100):  # the stack has room for 64 that stay
        with pytest.raises(ForeignTrapError, match=words) as caught:
            library.throw_if(7)
        assert "the library can be used further" in str(caught.value)

    def throw(value: int) -> int:
        with pytest.raises(ForeignTrapError, match=words):
            library.throw_if(value)
        return library.catch_it(value)

    assert library.apply(throw, 9) == 9
    with pytest.raises(ForeignTrapError, match=words):
        library.apply(library.throw_if, 9)
    assert library.catch_it(7) == 7


def test_a_module_that_wasmtime_does_not_take() -> None:
    advice = "this release of wasmtime has no exceptions: pip install --upgrade wasmtime$"
    if HAS_EXCEPTIONS:
        advice = (
            r"it throws C\+\+ exceptions in the older way, which browsers alone have: compile and "
            r"link all of it with emcc -sWASM_LEGACY_EXCEPTIONS=0 \(Emscripten 4.0 or newer\), or "
            "compile all of it with clang -mllvm -wasm-use-legacy-eh=false$"
        )
    for text, words in (
        ("legacy", rf"^wasmtime does not take the module: .*exceptions.*; {advice}"),
        ("broken", r"^wasmtime does not take the module: .*code section.*\)$"),
    ):
        broken = b"\0asm\1\0\0\0\x0a\2\1\0"
        binary = broken if text == "broken" else bytes(wasmtime.wat2wasm(LEGACY))
        for options in ({}, {"progress": lambda seconds: None}):
            with pytest.raises(ValueError, match=words):
                emheap.load_wasm(binary, wrap_only=True, **options)  # type: ignore[arg-type]


# Types that C does not have

VECTORS = """(module
  (memory (export "memory") 1)
  (table (export "table") 2 funcref)
  (elem (i32.const 1) $shuffle)
  (func $shuffle (export "shuffle") (param v128) (result v128) local.get 0)
  (func (export "look_up") (param externref i32) (result i32) local.get 1)
  (func (export "both") (result i32 f32) i32.const 1 f32.const 2)
  (func (export "plain") (param f32 i64 f64 i32) (result i64) local.get 1))"""
"""Asked for the type of the first, wasmtime's C API ends the process."""
TYPED = """(module
  (type $add (func (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "apply") (param (ref null $add) i32) (result i32) local.get 1))"""


def open_text(text: str) -> emheap.HeapManager:
    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, text), [])
    return emheap.wrap_wasm_instance(store, instance, wrap_only=True)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("shuffle", r"has \(v128\) -> v128$"),
        ("look_up", r"has \((extern|any)ref, i32\) -> i32$"),
        ("both", r"has \(\) -> i32, f32$"),
    ],
)
def test_functions_that_c_cannot_declare_are_refused(name: str, found: str) -> None:
    declared = type("Declared", (Library,), {"__annotations__": {name: Function[[c.int], c.int]}})
    words = rf"^{name}\(int\) -> int is not .*declared as \(i32\) -> i32, and the module {found}"
    with pytest.raises(NotSupportedError, match=words):
        open_text(VECTORS).library(declared)


class Plain(Library):
    plain: Function[[c.float, c.longlong, c.double, c.int], c.longlong]


def test_functions_beside_those_that_c_cannot_declare_are_called() -> None:
    assert open_text(VECTORS).library(Plain).plain(0.5, 2**40, 0.5, 1) == 2**40


def test_a_pointer_to_a_function_that_c_cannot_declare_is_refused() -> None:
    library = open_text(VECTORS).library(Plain)
    with pytest.raises(NotSupportedError, match=r"at 1 is not \(int\) -> int: .* has \(v128\)"):
        library.function_at(Function[[c.int], c.int], 1)


def test_a_function_that_takes_a_reference_with_a_type_is_refused() -> None:
    class Applying(Library):
        apply: Function[[c.address, c.int], c.int]

    try:
        heap = open_text(TYPED)
    except wasmtime.WasmtimeError as error:
        skip_for_gap("references with types", " ".join(str(error).split()))
    with pytest.raises(NotSupportedError, match=r"and the module has it otherwise$"):
        heap.library(Applying)


def test_the_type_of_a_function_that_wasmtime_says_nothing_of() -> None:
    """It is just what the module imports that asks."""
    store = wasmtime.Store()
    numbers = " ".join(["f32", "i64", "f64", "i32"] * 4)
    module = wasmtime.Module(store.engine, f'(module (func (export "f") (param {numbers})))')
    exports: Any = wasmtime.Instance(store, module, []).exports(store)
    assert type_of_wasmtime_function(store, exports["f"]) == (tuple(numbers.split()), ())


def test_the_type_of_a_function_where_wasmtime_has_other_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wasmtime_types, "_FOUND", re.compile("nothing like it"))

    class Other(Library):
        plain: Function[[], None]

    with pytest.raises(NotSupportedError, match=r"the module has \(f32, i64, f64, i32\) -> i64$"):
        open_text(VECTORS).library(Other)
