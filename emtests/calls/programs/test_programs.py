"""Programs with other people's libraries, natively, in wasmtime and in Pyodide where they exist."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import emheap
from emheap import HeapManager, load_wasm
from emheap._util.platform import IN_PYODIDE
from emheap.calls.module_types import read_module_types
from emtests.calls.programs import harfbuzz, sodium, sqlite, zstd
from emtests.conftest import skip_for_gap
from pyodide_demo.environment import EnvironmentProblem, npm_install

_PACKAGES = (
    "@sqlite.org/sqlite-wasm@3.50.4-build1",
    "harfbuzzjs@1.6.4",
    "dejavu-fonts-ttf@2.37.3",
)
_NO_SUCH_CALL = -52


class Opened(NamedTuple):
    heap: HeapManager
    source: Any


def native(name: str) -> Opened:
    """A shared library of this machine."""
    if IN_PYODIDE:
        skip_for_gap(name, "Pyodide has no shared libraries of the system")
    try:
        return Opened(emheap.open(), ctypes.CDLL(name))
    except OSError as error:
        skip_for_gap(name, str(error))


def packages() -> Path:
    if IN_PYODIDE:
        skip_for_gap("modules from npm", "Pyodide's tests have those that are loaded with it")
    try:
        return npm_install("native-programs", _PACKAGES)
    except EnvironmentProblem as problem:
        skip_for_gap("modules from npm", str(problem).splitlines()[0])


def emscripten(file: Path) -> Opened:
    """A module of Emscripten's, without its JavaScript: what that would serve is refused, but for
    the time."""
    served: dict[str, Callable[..., Any]] = {
        "emscripten_date_now": lambda: time.time() * 1000,
        "emscripten_get_now": lambda: time.monotonic() * 1000,
        "_emscripten_get_now_is_monotonic": lambda: 1,
    }
    imports: dict[str, dict[str, Any]] = {}
    for one in read_module_types(file.read_bytes()).imports:
        given = one.module.startswith("wasi") or one.name.startswith("emscripten_resize")
        if one.type is not None and not given:
            answer = _NO_SUCH_CALL if one.type[1] else None
            function = served.get(one.name, lambda *_, answer=answer: answer)
            imports.setdefault(one.module, {})[one.name] = function
    return Opened(load_wasm(file, imports), None)


# SQLite

SQLITE: dict[str, Callable[[], Opened]] = {
    "native": lambda: native("libsqlite3.so.0"),
    "wasmtime": lambda: emscripten(
        packages() / "@sqlite.org/sqlite-wasm/sqlite-wasm/jswasm/sqlite3.wasm"
    ),
}


@pytest.fixture(params=SQLITE)
def connection(request: pytest.FixtureRequest) -> Iterator[sqlite.Connection]:
    heap, source = SQLITE[request.param]()
    connection = sqlite.Connection(heap, heap.library(sqlite.Sqlite, source))
    yield connection
    connection.close()
    assert heap.total_allocated_byte_size == 0


def test_sqlite_queries(connection: sqlite.Connection) -> None:
    rows = connection.query(
        "create table t(a, b); insert into t values (1, 'é'), (2, null); select * from t"
    )
    assert rows == [{"a": "1", "b": "é"}, {"a": "2", "b": None}]
    with pytest.raises(ValueError, match="no such table: missing"):
        connection.query("select * from missing")


def test_sqlite_blobs(connection: sqlite.Connection) -> None:
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


@contextmanager
def _harfbuzz(where: str) -> Iterator[Opened]:
    if where == "pyodide":
        if not IN_PYODIDE:
            skip_for_gap("an Emscripten module", "it needs JavaScript")
        import emtests_modules

        yield Opened(emheap.wrap_emscripten_module_heap(emtests_modules.harfbuzz), None)
    elif where == "native":
        yield native("libharfbuzz.so.0")
    else:
        yield emscripten(packages() / "harfbuzzjs" / "dist" / "harfbuzz.wasm")


@pytest.mark.parametrize("where", ["native", "wasmtime", "pyodide"])
def test_harfbuzz_takes_a_text_apart(where: str) -> None:
    with _harfbuzz(where) as (heap, source):
        library = heap.library(harfbuzz.HarfBuzz, source)
        assert harfbuzz.characters(heap, library, "héllo €") == [
            (ord("h"), 0),
            (ord("é"), 1),
            (ord("l"), 3),
            (ord("l"), 4),
            (ord("o"), 5),
            (ord(" "), 6),
            (ord("€"), 7),
        ]
        assert heap.total_allocated_byte_size == 0


@pytest.mark.parametrize("where", ["native", "wasmtime"])
def test_harfbuzz_shapes(where: str) -> None:
    font = (packages() / "dejavu-fonts-ttf" / "ttf" / "DejaVuSans.ttf").read_bytes()
    with _harfbuzz(where) as (heap, source):
        library = heap.library(harfbuzz.HarfBuzz, source)
        glyphs, destroyed = harfbuzz.shape(heap, library, font, "office")
        assert len(destroyed) == 1
        assert [glyph.cluster for glyph in glyphs] == [0, 1, 4, 5]  # f, f and i are one
        assert sum(glyph.advance for glyph in glyphs) == 5619
        assert heap.total_allocated_byte_size == 0


# zstd and libsodium


def test_zstd_in_pieces() -> None:
    heap, source = native("libzstd.so.1")
    library = heap.library(zstd.Zstd, source)
    data = b"hello zstd " * 5000 + bytes(range(256)) * 20
    packed = zstd.compress(heap, library, data)
    assert len(packed) < len(data) / 20
    assert zstd.decompress(library, packed, len(data)) == data


def test_a_secret_box() -> None:
    heap, source = native("libsodium.so.23")
    library = heap.library(sodium.Sodium, source)
    assert library.sodium_init() >= 0
    key = sodium.random_bytes(library, sodium.KEY)
    nonce = sodium.random_bytes(library, sodium.NONCE)
    assert len(set(key)) > 8
    box = sodium.seal(library, b"a secret", nonce, key)
    assert sodium.unseal(library, box, nonce, key) == b"a secret"
    changed = bytes([box[0] ^ 1]) + box[1:]
    assert sodium.unseal(library, changed, nonce, key) is None
