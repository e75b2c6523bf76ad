"""Each function of WASI preview 1, called as the C library calls it."""

from __future__ import annotations

import struct
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emheap import Function, HeapManager, Library, OutOfBoundsError, c, load_wasm
from emheap._util.platform import IN_PYODIDE
from emheap.calls.wasi import WASI_MODULES
from emtests.calls.ways import WAYS, skip_without_big_ints
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import why_missing
from emtests.webassembly.modules import SmallModule

SUCCESS, BAD_FILE, INVALID, NO_SUCH_FUNCTION, NOT_SEEKABLE = 0, 8, 28, 52, 70

_FUNCTIONS = {
    "args_sizes_get": "ii",
    "args_get": "ii",
    "environ_sizes_get": "ii",
    "environ_get": "ii",
    "clock_res_get": "ii",
    "clock_time_get": "iIi",
    "random_get": "ii",
    "sched_yield": "",
    "fd_write": "iiii",
    "fd_read": "iiii",
    "fd_close": "i",
    "fd_seek": "iIii",
    "fd_fdstat_get": "ii",
    "fd_fdstat_set_flags": "ii",
    "fd_prestat_get": "ii",
    "fd_prestat_dir_name": "iii",
    "fd_filestat_get": "ii",
    "fd_sync": "i",
}
"""What each takes: an i for 32 bits, an I for 64."""


class Wasi(Library):
    args_sizes_get: Function[[c.address, c.address], c.int]
    args_get: Function[[c.address, c.address], c.int]
    environ_sizes_get: Function[[c.address, c.address], c.int]
    environ_get: Function[[c.address, c.address], c.int]
    clock_res_get: Function[[c.int, c.address], c.int]
    clock_time_get: Function[[c.int, c.ulonglong, c.address], c.int]
    random_get: Function[[c.address, c.uint], c.int]
    sched_yield: Function[[], c.int]
    fd_write: Function[[c.int, c.address, c.uint, c.address], c.int]
    fd_read: Function[[c.int, c.address, c.uint, c.address], c.int]
    fd_close: Function[[c.int], c.int]
    fd_seek: Function[[c.int, c.longlong, c.int, c.address], c.int]
    fd_fdstat_get: Function[[c.int, c.address], c.int]
    fd_fdstat_set_flags: Function[[c.int, c.int], c.int]
    fd_prestat_get: Function[[c.int, c.address], c.int]
    fd_prestat_dir_name: Function[[c.int, c.address, c.uint], c.int]
    fd_filestat_get: Function[[c.int, c.address], c.int]
    fd_sync: Function[[c.int], c.int]
    stamp: Function[[c.int], None]


def make_module(name: str) -> SmallModule:
    names = {"i": "i32", "I": "i64"}
    passed = [
        (name, function, ([names[letter] for letter in letters], ["i32"]))
        for function, letters in _FUNCTIONS.items()
    ]
    return SmallModule([*passed, (name, "stamp", (["i32"], []))])  # the last is none of WASI's


GIVEN: dict[str, Any] = {
    "arguments": ["program", "--été"],
    "environ": {"HOME": "/here", "EMPTY": ""},
}


@pytest.fixture(params=WASI_MODULES)
def heap(request: pytest.FixtureRequest) -> HeapManager:
    if why_missing("printing"):
        skip_for_gap("WebAssembly", why_missing("printing"))
    return load_wasm(make_module(request.param).binary(), **GIVEN, wrap_only=True)


@pytest.fixture
def wasi(heap: HeapManager) -> Wasi:
    return heap.library(Wasi)


def read(heap: HeapManager, address: int, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, heap.memory.read_bytes(address, struct.calcsize(layout)))


TEXTS = {"args": [b"program", "--été".encode()], "environ": [b"HOME=/here", b"EMPTY="]}


def check_texts(heap: HeapManager, library: Library, what: str, prefix: str = "") -> None:
    texts = TEXTS[what]
    assert getattr(library, f"{prefix}{what}_sizes_get")(64, 72) == SUCCESS
    count, size = read(heap, 64, "<I4xI")
    assert (count, size) == (len(texts), sum(len(text) + 1 for text in texts))
    assert getattr(library, f"{prefix}{what}_get")(128, 256) == SUCCESS
    pointers = read(heap, 128, f"<{count}I")
    assert pointers[0] == 256
    assert heap.memory.read_bytes(256, size) == b"".join(text + b"\0" for text in texts)
    found = [
        heap.memory.read_bytes(place, len(text) + 1)
        for place, text in zip(pointers, texts, strict=True)
    ]
    assert found == [text + b"\0" for text in texts]


@pytest.mark.parametrize("what", TEXTS)
def test_arguments_and_environment(heap: HeapManager, wasi: Wasi, what: str) -> None:
    check_texts(heap, wasi, what)


class Texts(Library):
    call_args_sizes_get: Function[[c.address, c.address], c.int]
    call_args_get: Function[[c.address, c.address], c.int]
    call_environ_sizes_get: Function[[c.address, c.address], c.int]
    call_environ_get: Function[[c.address, c.address], c.int]


@pytest.mark.parametrize("what", TEXTS)
def test_arguments_and_environment_beside_a_folder(what: str, tmp_path: Path) -> None:
    """Then they are wasmtime's to hand on, to code of the module alone."""
    if IN_PYODIDE or why_missing("printing"):
        skip_for_gap("WASI's folders", why_missing("printing") or "only wasmtime has them")
    names = [f"{each}_{verb}" for each in TEXTS for verb in ("sizes_get", "get")]
    kind = (["i32", "i32"], ["i32"])
    module = SmallModule(
        [(WASI_MODULES[0], name, kind) for name in names],
        [
            (f"call_{name}", kind, bytes([0x20, 0, 0x20, 1, 0x10, n]))
            for n, name in enumerate(names)
        ],
    )
    heap = load_wasm(module.binary(), **GIVEN, preopens={"/data": tmp_path}, wrap_only=True)
    check_texts(heap, heap.library(Texts), what, "call_")


@pytest.mark.parametrize(
    ("clock", "now"), [(0, time.time_ns), (1, time.monotonic_ns), (2, time.process_time_ns)]
)
def test_clocks_count_nanoseconds(
    heap: HeapManager, wasi: Wasi, clock: int, now: Callable[[], int]
) -> None:
    skip_without_big_ints(WAYS[-1])
    before = now()
    assert wasi.clock_time_get(clock, 1, 64) == SUCCESS
    assert before <= read(heap, 64, "<Q")[0] <= now()
    assert wasi.clock_res_get(clock, 64) == SUCCESS
    assert read(heap, 64, "<Q") == (1000,)


def test_a_clock_that_is_none(wasi: Wasi) -> None:
    skip_without_big_ints(WAYS[-1])
    assert wasi.clock_time_get(4, 1, 64) == INVALID
    assert wasi.clock_res_get(4, 64) == INVALID


def test_random_bytes_and_no_more_than_asked_for(heap: HeapManager, wasi: Wasi) -> None:
    assert wasi.random_get(64, 32) == SUCCESS
    assert heap.memory.read_bytes(64, 32) != bytes(32)
    assert heap.memory.read_bytes(96, 32) == bytes(32)


OUTSIDE: dict[str, Callable[[Wasi, int], int]] = {
    "args_sizes_get": lambda wasi, end: wasi.args_sizes_get(end, 64),
    "args_get": lambda wasi, end: wasi.args_get(end - 1, 64),
    "args_get, the texts": lambda wasi, end: wasi.args_get(64, end - 1),
    "environ_sizes_get": lambda wasi, end: wasi.environ_sizes_get(end - 3, 64),
    "environ_get": lambda wasi, end: wasi.environ_get(2**32 - 4, 64),
    "clock_res_get": lambda wasi, end: wasi.clock_res_get(0, end - 7),
    "random_get": lambda wasi, end: wasi.random_get(end - 8, 9),
    "random_get, of all that there can be": lambda wasi, end: wasi.random_get(64, 2**32 - 1),
    "fd_write, the pieces": lambda wasi, end: wasi.fd_write(1, end - 8, 2, 96),
    "fd_write, too many": lambda wasi, end: wasi.fd_write(1, 64, 2**32 - 1, 96),
    "fd_write, a piece": lambda wasi, end: wasi.fd_write(1, 80, 1, 96),
    "fd_write, the count": lambda wasi, end: wasi.fd_write(1, 64, 0, end - 3),
    "fd_read": lambda wasi, end: wasi.fd_read(0, 64, 1, end - 3),
    "fd_fdstat_get": lambda wasi, end: wasi.fd_fdstat_get(1, end - 23),
}
"""Calls with an address, a size or a number of pieces that leaves the memory."""


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_module_has_nothing_read_or_written_outside_of_its_memory(
    heap: HeapManager, wasi: Wasi, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    end = heap.memory.size
    heap.memory.write_bytes(80, struct.pack("<2I", end - 2, 2**32 - 1))
    tracemalloc.start()
    try:
        with pytest.raises(OutOfBoundsError, match="lies outside"):
            OUTSIDE[name](wasi, end)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    assert capsys.readouterr().out == ""  # on the other stream Pyodide prints the error as well


def test_there_are_no_other_threads_to_wait_for(wasi: Wasi) -> None:
    assert wasi.sched_yield() == SUCCESS


# Files


def test_writing_gathers_pieces(
    heap: HeapManager, wasi: Wasi, capsys: pytest.CaptureFixture[str]
) -> None:
    heap.memory.write_bytes(64, struct.pack("<6I", 256, 3, 9999, 0, 260, 4))
    heap.memory.write_bytes(256, b"one two ")
    assert wasi.fd_write(1, 64, 3, 96) == SUCCESS
    assert read(heap, 96, "<I") == (7,)
    assert wasi.fd_write(2, 64, 0, 96) == SUCCESS
    assert read(heap, 96, "<I") == (0,)
    assert capsys.readouterr() == ("onetwo ", "")
    for file in (0, 3):
        assert wasi.fd_write(file, 64, 3, 96) == BAD_FILE
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("file", "name"), [(1, "stdout"), (2, "stderr")])
def test_a_stream_that_python_does_not_have(
    heap: HeapManager, wasi: Wasi, monkeypatch: pytest.MonkeyPatch, file: int, name: str
) -> None:
    """As under pythonw: what is printed goes nowhere, and the library is told it was written."""
    heap.memory.write_bytes(64, struct.pack("<2I", 256, 3))
    monkeypatch.setattr(sys, name, None)
    assert wasi.fd_write(file, 64, 1, 96) == SUCCESS
    assert read(heap, 96, "<I") == (3,)


def test_the_input_is_at_its_end(heap: HeapManager, wasi: Wasi) -> None:
    heap.memory.write_bytes(96, b"\xff" * 4)
    assert wasi.fd_read(0, 64, 1, 96) == SUCCESS
    assert read(heap, 96, "<I") == (0,)
    assert wasi.fd_read(1, 64, 1, 96) == BAD_FILE


def test_the_three_streams_are_devices_that_cannot_seek(heap: HeapManager, wasi: Wasi) -> None:
    skip_without_big_ints(WAYS[-1])
    for file, is_open in ((0, True), (1, True), (2, True), (3, False), (-1, False)):
        expected = SUCCESS if is_open else BAD_FILE
        assert wasi.fd_close(file) == expected
        assert wasi.fd_fdstat_set_flags(file, 0) == expected
        assert wasi.fd_seek(file, 0, 0, 64) == (NOT_SEEKABLE if is_open else BAD_FILE)
        heap.memory.write_bytes(64, b"\xff" * 24)
        assert wasi.fd_fdstat_get(file, 64) == expected
        device, flags = read(heap, 64, "<BxH20x")
        assert (device, flags) == ((2, 0) if is_open else (255, 65535))


def test_there_are_no_folders(wasi: Wasi) -> None:
    for file in range(5):
        assert wasi.fd_prestat_get(file, 64) == BAD_FILE
        assert wasi.fd_prestat_dir_name(file, 64, 8) == BAD_FILE
        assert wasi.fd_filestat_get(file, 64) == BAD_FILE


# What is not there


def test_anything_else_does_not_exist(wasi: Wasi) -> None:
    assert wasi.fd_sync(1) == NO_SUCH_FUNCTION
    assert wasi.stamp(1) is None


def test_what_a_module_calls_while_it_starts_does_not_exist_yet() -> None:
    """Its memory is not known before it is instantiated, and that is when it starts."""
    if why_missing("printing"):
        skip_for_gap("WebAssembly", why_missing("printing"))
    module = make_module(WASI_MODULES[0])
    number = list(_FUNCTIONS).index("sched_yield")
    store_its_answer = bytes([0x41, 64 & 127 | 128, 0, 0x10, number, 0x36, 2, 0])
    module.written = [("start", ([], []), store_its_answer)]
    module.starts_with = "start"
    heap = load_wasm(module.binary(), wrap_only=True)
    assert read(heap, 64, "<I") == (NO_SUCH_FUNCTION,)
    assert heap.library(Wasi).sched_yield() == SUCCESS
