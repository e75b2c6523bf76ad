"""Programs with other people's libraries: the same text natively, in wasmtime and in Pyodide.

A program takes a heap and a library on it, and does not know what runs it; see `opening`.
"""

from __future__ import annotations

import cmath
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

import emheap
from emheap import HeapManager, Library, int32
from emheap._util.platform import IN_PYODIDE
from emtests.calls.programs import harfbuzz, libc, sodium, sqlite, zstd
from emtests.calls.programs.files import find_program
from emtests.calls.programs.opening import (
    WAYS,
    Opened,
    open_compiled,
    open_module,
    open_shared,
    open_wasm,
)
from emtests.calls.ways import skip_without_big_ints_in
from emtests.webassembly.guests import FIXTURES
from pyodide_demo.fft import Fft, Pffft, Transform

L = TypeVar("L", bound=Library)
NO_MODULES = WAYS[:2]


def bind(cls: type[L], opened: Opened) -> tuple[HeapManager, L]:
    return opened.heap, opened.heap.library(cls, opened.source)


def check_nothing_is_left(heap: HeapManager) -> None:
    assert heap.total_allocated_byte_size == 0


# SQLite


def open_sqlite(where: str) -> Opened:
    if where == "native":
        return open_shared("libsqlite3.so.0")
    return open_wasm(find_program("sqlite3.wasm")) if where == "wasm" else open_module("sqlite3")


@pytest.fixture(params=WAYS)
def connection(request: pytest.FixtureRequest) -> Iterator[sqlite.Connection]:
    heap, library = bind(sqlite.Sqlite, open_sqlite(request.param))
    connection = sqlite.Connection(heap, library)
    yield connection
    connection.close()
    check_nothing_is_left(heap)


def test_sqlite_queries(connection: sqlite.Connection) -> None:
    rows = connection.query(
        "create table t(a, b); insert into t values (1, 'é'), (2, null); select * from t"
    )
    assert rows == [{"a": "1", "b": "é"}, {"a": "2", "b": None}]
    with pytest.raises(ValueError, match="no such table: missing"):
        connection.query("select * from missing")


def test_sqlite_blobs(connection: sqlite.Connection) -> None:
    skip_without_big_ints_in(IN_PYODIDE)
    connection.query("create table things(name, data, number)")
    stored = [("one", bytes(range(256)), 2**40), ("zwei €", b"", -1), ("", b"\0", 0)]
    for row in stored:
        connection.store(*row)
    assert connection.load() == stored


def test_an_exception_in_a_row(connection: sqlite.Connection) -> None:
    def fail(*_: Any) -> int:
        raise KeyError("in the row")

    with pytest.raises(KeyError, match="in the row"):
        connection._sqlite.exec(connection.database, "select 1 union select 2", fail, None, None)
    assert connection.query("select 3 as x") == [{"x": "3"}]


# HarfBuzz


@pytest.fixture(params=WAYS)
def shaper(request: pytest.FixtureRequest) -> Iterator[tuple[HeapManager, harfbuzz.HarfBuzz]]:
    where = request.param
    if where == "native":
        opened = open_shared("libharfbuzz.so.0")
    else:
        wasm = where == "wasm"
        opened = open_wasm(find_program("harfbuzz.wasm")) if wasm else open_module("harfbuzz")
    heap, library = bind(harfbuzz.HarfBuzz, opened)
    yield heap, library
    check_nothing_is_left(heap)


def test_harfbuzz_takes_a_text_apart(shaper: tuple[HeapManager, harfbuzz.HarfBuzz]) -> None:
    found = harfbuzz.characters(*shaper, "héllo €")
    assert "".join(chr(code) for code, _ in found) == "héllo €"
    assert [start for _, start in found] == [0, 1, 3, 4, 5, 6, 7]  # é has two bytes


def test_harfbuzz_shapes(shaper: tuple[HeapManager, harfbuzz.HarfBuzz]) -> None:
    font = find_program("DejaVuSans.ttf").read_bytes()
    glyphs = harfbuzz.shape(*shaper, font, "office")
    assert [glyph.cluster for glyph in glyphs] == [0, 1, 4, 5]  # f, f and i are one
    assert sum(glyph.advance for glyph in glyphs) == 5619


# zstd


@pytest.mark.parametrize("where", NO_MODULES)
def test_zstd_in_pieces(where: str) -> None:
    native = where == "native"
    opened = open_shared("libzstd.so.1") if native else open_wasm(find_program("zstd.wasm"))
    heap, library = bind(zstd.Zstd, opened)
    data = b"hello zstd " * 5000 + bytes(range(256)) * 20
    packed = zstd.compress(heap, library, data)
    assert len(packed) < len(data) / 20
    assert zstd.decompress(library, packed, len(data)) == data
    assert zstd.decompress_in_pieces(heap, library, packed) == data
    with pytest.raises(ValueError, match="Unknown frame descriptor"):
        zstd.decompress_in_pieces(heap, library, b"no zstd at all")
    check_nothing_is_left(heap)


# libsodium


@pytest.mark.parametrize("where", NO_MODULES)
def test_a_secret_box(where: str) -> None:
    skip_without_big_ints_in(IN_PYODIDE)
    native = where == "native"
    opened = open_shared("libsodium.so.23") if native else open_wasm(find_program("sodium.wasm"))
    heap, library = bind(sodium.Sodium, opened)
    assert library.sodium_init() >= 0
    key = sodium.random_bytes(library, sodium.KEY)
    nonce = sodium.random_bytes(library, sodium.NONCE)
    assert len(set(key)) > 8
    box = sodium.seal(library, b"a secret", nonce, key)
    assert sodium.unseal(library, box, nonce, key) == b"a secret"
    changed = bytes([box[0] ^ 1]) + box[1:]
    assert sodium.unseal(library, changed, nonce, key) is None
    check_nothing_is_left(heap)


def test_a_stream_of_secret_messages() -> None:
    heap, stream = bind(sodium.SecretStream, open_shared("libsodium.so.23"))
    assert heap.layout(sodium.StreamState).size == stream.statebytes()
    key, messages = bytes(range(sodium.KEY)), [b"first", b"", b"last " * 100]
    sealed = sodium.seal_stream(heap, stream, messages, key)
    assert sodium.unseal_stream(heap, stream, sealed, key) == messages
    header, first, second, third = sealed
    assert sodium.unseal_stream(heap, stream, [header, first, third, second], key) == messages[:1]
    assert sodium.unseal_stream(heap, stream, sealed, key[::-1]) == []
    check_nothing_is_left(heap)


# The C library


@pytest.mark.parametrize("where", NO_MODULES)
def test_sorting_and_searching(where: str) -> None:
    native = where == "native"
    opened = Opened(emheap.open()) if native else open_wasm(FIXTURES / "calls.wasm")
    heap, library = bind(libc.Libc, opened)
    values = random.Random(1).sample(range(-(10**6), 10**6), 200)
    with heap.alloc_array(int32, values) as numbers:
        libc.sort(library, numbers)
        assert numbers[:] == sorted(values)
        assert libc.find(heap, library, numbers, numbers[77]) == 77
        assert libc.find(heap, library, numbers, 10**6) is None
    check_nothing_is_left(heap)


# A Fourier transform


@pytest.mark.parametrize("where", WAYS)
@pytest.mark.parametrize("count", [32, 256])
def test_a_fourier_transform(where: str, count: int, tmp_path: Path) -> None:
    if where == "native":
        opened = open_compiled(FIXTURES / "fft.c", tmp_path)
    else:
        opened = open_wasm(FIXTURES / "fft.wasm") if where == "wasm" else open_module("pffft")
    numbers = random.Random(count)
    samples = [numbers.uniform(-1, 1) for _ in range(count)]
    with opened.heap as heap:
        fft = Fft(opened.source, heap, count)
        for _ in range(2):
            assert fft.transform(samples) == pytest.approx(spectrum_of(samples), abs=1e-4)
        assert {ref.address % 16 for ref in (fft.samples, fft.spectrum, fft.work)} == {0}
        assert fft.samples[:] == pytest.approx(samples)
        fft.close()


def spectrum_of(samples: list[float]) -> list[float]:
    """The transform by its definition, ordered as pffft's is."""
    count = len(samples)
    found = [
        sum(sample * cmath.exp(-2j * math.pi * k * n / count) for n, sample in enumerate(samples))
        for k in range(count // 2 + 1)
    ]
    flat = [part for value in found[1:-1] for part in (value.real, value.imag)]
    return [found[0].real, found[-1].real, *flat]


def test_a_size_that_is_refused() -> None:
    _, library = bind(Pffft, open_wasm(FIXTURES / "fft.wasm"))
    assert not library.new_setup(3, Transform.REAL)
