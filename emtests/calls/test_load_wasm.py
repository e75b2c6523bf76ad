"""Opening a .wasm file with its heap in one call: what it prints, asks for and imports."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import emheap
from emheap import ForeignTrapError, Function, HeapManager, Library, NotSupportedError, c, load_wasm
from emheap._util.platform import IN_PYODIDE
from emtests.calls.declared import Calls
from emtests.calls.ways import WAYS, skip_without_big_ints
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import FIXTURES, why_missing
from emtests.webassembly.modules import SmallModule

PRINTING = FIXTURES / "printing.wasm"


@pytest.fixture(autouse=True)
def webassembly() -> None:
    if why_missing("printing"):
        skip_for_gap("WebAssembly", why_missing("printing"))


class Printing(Library):
    was_initialized: Function[[], c.int]
    greet: Function[[c.string, c.int], c.int]
    print_byte: Function[[c.int], None]
    seconds: Function[[], c.double]
    chance: Function[[], c.uint64]
    variable: Function[[c.string], c.text | None]
    file_size: Function[[c.string], c.int]
    append: Function[[c.string, c.string], c.int]
    call_host: Function[[c.int], c.int]
    call_wide: Function[[c.longlong], c.longlong]
    use_stack_and_call: Function[[c.int], c.int]
    leave: Function[[c.int], None]


class Slow(Library):
    slow0: Function[[c.int], c.int]


def double_it(value: int) -> int:
    return 2 * value


def wide(value: int, other: float) -> int:
    return value + int(other * 2)


def load(**options: Any) -> HeapManager:
    imports = {"double_it": double_it, "wide": wide, **options.pop("imports", {})}
    return load_wasm(PRINTING, imports, **options)


@pytest.fixture
def printing() -> Printing:
    return load().library(Printing)


def test_a_library_is_initialized(printing: Printing) -> None:
    assert printing.was_initialized() == 7


def test_the_heap_is_the_modules(printing: Printing) -> None:
    heap = load()
    with heap.alloc(emheap.utf8, "HOME") as name:
        assert heap.library(Printing).variable(name) is None


def test_the_options_are_the_heaps() -> None:
    heap = load(count_allocations=True, debug=False)
    assert isinstance(heap.allocator, emheap.CountingAllocator)


def test_functions_that_take_an_alignment() -> None:
    """As wasm-bindgen's; what they are passed is in memory, at 64 and 80."""
    store_three = b"\x41\xd0\0\x20\0\x36\2\0\x41\xd0\0\x20\1\x36\2\4\x41\xd0\0\x20\2\x36\2\x08"
    store_two = b"\x41\xc0\0\x20\0\x36\2\0\x41\xc0\0\x20\1\x36\2\4\x41\x80\x08"
    module = SmallModule(
        written=[
            ("take", (["i32", "i32"], ["i32"]), store_two),
            ("give", (["i32", "i32", "i32"], []), store_three),
        ]
    )
    heap = load_wasm(module.binary(), malloc="take", free="give", sized_free=True, aligned=True)
    heap.alloc_array(emheap.uint8, 100).free()
    told = [heap.read_uint32(address) for address in (64, 68, 80, 84, 88)]
    assert told == [100, 8, 1024, 100, 8]


READ: tuple[Callable[[Path], Any], ...] = (
    Path.read_bytes,
    str,
    Path,
    lambda path: bytearray(path.read_bytes()),
    lambda path: memoryview(path.read_bytes()),
)


@pytest.mark.parametrize("read", READ)
def test_a_path_or_bytes(read: Callable[[Path], Any]) -> None:
    heap = load_wasm(read(FIXTURES / "calls.wasm"))
    assert heap.library(Calls).add(2, 3) == 5


def test_printing_reaches_pythons_streams_in_order(
    printing: Printing, capsys: pytest.CaptureFixture[str]
) -> None:
    print("before")  # noqa: T201
    assert printing.greet("wörld", 2) == 2
    print("after")  # noqa: T201
    out, err = capsys.readouterr()
    assert out == "before\n1: héllo, wörld\n2: héllo, wörld\nafter\n"
    assert err == "done\n"
    for byte in "é€".encode():
        printing.print_byte(byte)
    printing.print_byte(ord("!"))
    printing.print_byte(0xFF)
    printing.print_byte(ord("?"))
    assert capsys.readouterr().out == "é€!\ufffd?"


def test_time_chance_and_environment(printing: Printing) -> None:
    assert abs(printing.seconds() - time.time()) < 60
    assert len({printing.chance() for _ in range(10)}) == 10
    assert printing.variable("HOME") is None
    other = load(environ={"NAME": "héllo", "EMPTY": ""}).library(Printing)
    assert (other.variable("NAME"), other.variable("EMPTY")) == ("héllo", "")
    assert other.variable("HOME") is None


def test_files_are_refused(printing: Printing) -> None:
    assert printing.file_size("/etc/passwd") < 0
    assert printing.file_size(str(PRINTING)) < 0


def test_a_folder_that_was_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if IN_PYODIDE:
        with pytest.raises(
            NotSupportedError, match="preopens need wasmtime: a module in JavaScript sees no files"
        ):
            load(preopens={"/data": tmp_path})
        return
    (tmp_path / "file").write_text("12345")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "other").write_text("123")
    preopens = {"/data": tmp_path, "/more": str(tmp_path / "inner")}
    printing = load(preopens=preopens, environ={"NAME": "x"}).library(Printing)
    assert printing.file_size("/data/file") == 5
    assert printing.file_size("/more/other") == 3
    assert printing.file_size("/more/file") < 0
    assert printing.append("/data/file", "678") == 0
    assert (tmp_path / "file").read_text() == "12345678"
    assert printing.file_size("/etc/passwd") < 0
    assert printing.file_size("/data/../../etc/passwd") < 0
    printing.greet("x", 1)
    assert capsys.readouterr().out == "appended\n1: héllo, x\n"
    assert printing.variable("NAME") == "x"
    with pytest.raises(ForeignTrapError, match="status 5"):
        printing.leave(5)
    assert printing.is_closed


# Imports


def test_imported_functions(printing: Printing) -> None:
    skip_without_big_ints(WAYS[-1])
    assert printing.call_host(5) == 11
    assert printing.call_host(-5) == -9
    assert printing.call_wide(2**40) == 2**40 + 1
    assert printing.call_wide(-(2**63)) == -(2**63) + 1
    by_module = {"host": {"double_it": lambda value: 2**32 - 1, "wide": lambda a, b: 2**63}}
    other = load_wasm(PRINTING, by_module).library(Printing)
    assert other.call_host(0) == 0  # -1, as C has 2**32 - 1, and one more
    assert other.call_wide(0) == -(2**63)


def test_what_an_imported_function_cannot_return() -> None:
    for result, error in ((2**32, OverflowError), (-(2**31) - 1, OverflowError), ("x", TypeError)):
        library = load(imports={"double_it": lambda value, result=result: result}).library(Printing)
        with pytest.raises(error, match="the result of the imported function double_it"):
            library.call_host(0)


def test_an_exception_in_an_imported_function_ends_the_call() -> None:
    asked = []

    def fail(value: int) -> int:
        asked.append(value)
        if value:
            raise KeyError("inside")
        return 0

    library = load(imports={"double_it": fail}).library(Printing)
    for _ in range(200):  # a frame of 4 KiB each time, which must not stay
        with pytest.raises(KeyError, match="inside"):
            library.use_stack_and_call(1)
    assert library.use_stack_and_call(0) == 0
    assert len(asked) == 201


def test_an_imported_function_that_calls_the_library() -> None:
    holder: list[Printing] = []

    def again(value: int) -> int:
        if value > 0:
            return holder[0].use_stack_and_call(value - 1) + 1
        with pytest.raises(KeyError, match=r"^-1$"):
            holder[0].use_stack_and_call(-1)
        return 0

    def either(value: int) -> int:
        if value < 0:
            raise KeyError(value)
        return again(value)

    holder.append(load(imports={"double_it": either}).library(Printing))
    for _ in range(50):
        assert holder[0].use_stack_and_call(5) == 5


def test_missing_imports_are_named_with_their_types() -> None:
    with pytest.raises(NotSupportedError, match="the module imports") as caught:
        load_wasm(PRINTING)
    assert "host.double_it(i32) -> i32, host.wide(i64, f64) -> i64" in str(caught.value)
    assert "imports={'host': {'double_it': ...}}" in str(caught.value)
    with pytest.raises(NotSupportedError, match=r"imports host\.wide\(i64, f64\) -> i64; give"):
        load_wasm(PRINTING, {"double_it": double_it})


def test_imports_that_nobody_asks_for_or_that_are_none() -> None:
    with pytest.raises(TypeError, match=r"the module does not import triple_it, other\.double_it"):
        load(imports={"triple_it": double_it, "other": {"double_it": double_it}})
    with pytest.raises(TypeError, match=r"host\.double_it\(i32\) -> i32 was given as int 5"):
        load(imports={"double_it": 5})


# Its end


def test_exit_closes_the_library(printing: Printing) -> None:
    with pytest.raises(ForeignTrapError, match=r"leave\(\) did not return: its program ended with"):
        printing.leave(3)
    assert printing.is_closed
    assert "closed since its program ended with status 3 in leave()" in repr(printing)
    for call in (lambda: printing.was_initialized(), lambda: printing.leave(0)):
        with pytest.raises(ForeignTrapError, match="was not called: the library is closed since"):
            call()


# Files that are none


def test_what_is_no_module() -> None:
    begins = ".*: a module begins with 00 61 73 6d 01 00 00 00$"
    with pytest.raises(ValueError, match=f"^the file is no WebAssembly{begins}"):
        load_wasm(b"\x7fELF")
    with pytest.raises(ValueError, match=f"^the file is a component{begins}"):
        load_wasm(b"\0asm\x0d\0\1\0")
    with pytest.raises(ValueError, match="ends in the middle of a section"):
        load_wasm(PRINTING.read_bytes()[:100])
    with pytest.raises(FileNotFoundError, match="no_such_file"):
        load_wasm("no_such_file.wasm")
    with pytest.raises(TypeError, match=r"is the path of a .wasm file, or its bytes, not int$"):
        load_wasm(5)  # type: ignore[arg-type]


def test_a_program_is_no_library() -> None:
    program = bytes.fromhex(
        "0061736d01000000 0104016000000302010007 0a01065f737461727400000a040102000b"
    )
    words = (
        "^the module is a program, which runs once from its main to its end; link it as a library: "
        "clang -mexec-model=reactor, or emcc --no-entry$"
    )
    with pytest.raises(NotSupportedError, match=words):
        load_wasm(program)


# Natively


def test_progress_and_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    if IN_PYODIDE:
        skip_for_gap("compiling in another thread", "JavaScript's engine compiles as it likes")
    # So much code that a machine has to work on it for a while.
    body = b"\x20\0" + b"\x41\3\x6c\x20\0\x6a" * 10_000
    waits: list[float | None] = []
    join = threading.Thread.join

    def wait(thread: threading.Thread, timeout: float | None = None) -> None:
        waits.append(timeout)
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", wait)
    slow = SmallModule(
        written=[(f"slow{number}", (["i32"], ["i32"]), body) for number in range(32)]
    )
    for binary in (FIXTURES / "calls.wasm", slow.binary()):
        seen: list[float] = []
        start = time.monotonic()
        heap = load_wasm(binary, progress=seen.append, cache=False, wrap_only=True)
        assert seen[-1] <= time.monotonic() - start
        assert seen[0] == 0.0
        assert len(seen) > 1
        # Each waits for a tenth of a second, but the last, which comes when the work is over.
        assert all(later - earlier >= 0.09 for earlier, later in pairwise(seen[:-1]))
    assert len(seen) > 2
    assert {*waits} == {0.1}
    assert heap.library(Slow).slow0(0) == 0


def test_the_end_of_compiling_is_told_however_short_it_was() -> None:
    if IN_PYODIDE:
        skip_for_gap("compiling in another thread", "JavaScript's engine compiles as it likes")
    seen: list[float] = []

    def wait(seconds: float) -> None:
        seen.append(seconds)
        time.sleep(0.3)

    load_wasm(SmallModule().binary(), progress=wait, cache=False, wrap_only=True)
    assert len(seen) == 2
    assert seen[0] == 0.0
    assert seen[1] >= 0.3


def test_dropped_modules_release_their_memories() -> None:
    """At once where Python collects them: a browser has room for about a hundred."""
    memories = []
    for _ in range(150 if IN_PYODIDE else 30):
        heap = load()
        heap.library(Printing).greet("nobody", 1)
        memories.append(weakref.ref(heap.memory))
        del heap
        gc.collect()
    assert [each for each in memories if each() is not None] == []
