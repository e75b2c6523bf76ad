"""Modules that nobody's compiler makes: each is refused with a reason, and no interpreter ends."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from emheap import ForeignTrapError, Function, HeapManager, Library, NotSupportedError, c, load_wasm
from emheap._util.wasm_binary import unsigned
from emtests.calls.ways import WAYS
from emtests.conftest import skip_for_gap
from emtests.webassembly.modules import SmallModule, Type

UNREACHABLE = b"\0"
CALL_ITSELF = b"\x10\0"
NOTHING: Type = ([], [])
NUMBER_OF_64_BITS = b"\x7e"
OTHER_TYPES = {"v128": b"\x7b", "externref": b"\x6f", "funcref": b"\x70"}


@pytest.fixture(autouse=True)
def webassembly() -> None:
    if WAYS[-1].missing:
        skip_for_gap("WebAssembly", WAYS[-1].missing)


def load(module: SmallModule, **given: Any) -> HeapManager:
    return load_wasm(module.binary(), wrap_only=True, **given)


def of_another_type(module: SmallModule, code: bytes) -> bytes:
    """A module in which another type is written for i64."""
    binary = module.binary()
    kind = b"\x60\1\x7e\0"
    assert kind in binary
    return binary.replace(kind, kind.replace(NUMBER_OF_64_BITS, code))


@pytest.mark.parametrize("name", OTHER_TYPES)
def test_a_function_of_types_that_c_has_not(name: str) -> None:
    class Odd(Library):
        odd: Function[[c.address], None]

    module = SmallModule(written=[("odd", (["i64"], []), UNREACHABLE)])
    heap = load_wasm(of_another_type(module, OTHER_TYPES[name]), wrap_only=True)
    with pytest.raises(NotSupportedError, match=r"odd\(uintptr_t\) -> void is not what .* has"):
        heap.library(Odd)


@pytest.mark.parametrize("name", OTHER_TYPES)
def test_an_allocator_of_types_that_c_has_not(name: str) -> None:
    module = SmallModule(written=[(one, (["i64"], []), UNREACHABLE) for one in ("malloc", "free")])
    with pytest.raises(NotSupportedError, match="cannot be the module's malloc"):
        load_wasm(of_another_type(module, OTHER_TYPES[name]))


def test_a_function_that_gives_two_numbers() -> None:
    class Two(Library):
        two: Function[[], c.int]

    heap = load(SmallModule(written=[("two", ([], ["i32", "i32"]), UNREACHABLE)]))
    with pytest.raises(NotSupportedError, match=r"two\(void\) -> int is not what .* has"):
        heap.library(Two)


def test_functions_of_the_stack_that_are_others() -> None:
    class Boom(Library):
        boom: Function[[], None]

    many: Type = (["i64"] * 20, [])
    module = SmallModule(
        written=[
            ("emscripten_stack_get_current", many, b""),
            ("_emscripten_stack_restore", many, b""),
            ("boom", NOTHING, UNREACHABLE),
        ]
    )
    library = load(module).library(Boom)
    for _ in range(2):
        with pytest.raises(ForeignTrapError, match=r"boom\(\) did not return: unreachable code"):
            library.boom()


@pytest.mark.parametrize("code", [UNREACHABLE, CALL_ITSELF], ids=["unreachable", "recursion"])
@pytest.mark.parametrize("begins", ["start", "_initialize"])
def test_a_module_that_traps_as_it_starts(code: bytes, begins: str) -> None:
    module = SmallModule(written=[(begins, NOTHING, code)])
    if begins == "start":
        module.starts_with = begins
    with pytest.raises(ForeignTrapError, match="the module did not start: ") as caught:
        load(module)
    assert caught.value.reason in str(caught.value)


def test_what_a_start_function_cannot_be() -> None:
    as_memory = SmallModule().binary().replace(b"\6memory", b"\x0b_initialize")
    size = as_memory.index(b"\7\x0a")  # the section of exports, and its size
    binary = as_memory[: size + 1] + unsigned(0x0F) + as_memory[size + 2 :]
    with pytest.raises(NotSupportedError, match="does not export 'memory'"):
        load_wasm(binary, wrap_only=True)
    assert load_wasm(binary, memory="_initialize", wrap_only=True).memory.size == 65536


def test_a_program_that_ends_as_it_starts() -> None:
    module = SmallModule(passed=[("wasi_snapshot_preview1", "proc_exit", (["i32"], []))])
    module.written = [("start", NOTHING, b"\x41\x07\x10\0")]
    module.starts_with = "start"
    with pytest.raises(ForeignTrapError, match="did not start: its program ended with status 7"):
        load(module)


def test_an_exception_of_an_import_at_the_start_stays_what_it_is() -> None:
    def fail() -> None:
        raise KeyError("mine")

    module = SmallModule(passed=[("host", "fail", NOTHING)], starts_with="fail")
    with pytest.raises(KeyError, match="mine"):
        load(module, imports={"fail": fail})


def test_a_memory_larger_than_there_is() -> None:
    module = SmallModule(memory=None, imported_memory=b"\4" + unsigned((1 << 48) - 1))
    with pytest.raises((ForeignTrapError, ValueError)):
        load(module)


def test_a_name_that_is_not_utf_8() -> None:
    binary = SmallModule(written=[("name", NOTHING, b"")]).binary().replace(b"name", b"n\xffme")
    with pytest.raises(ValueError, match="a name in the file is not UTF-8") as caught:
        load_wasm(binary, wrap_only=True)
    assert "During handling" not in "".join(traceback.format_exception(caught.value))
