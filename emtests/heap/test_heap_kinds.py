"""The table of heaps: which of them run here, and that a gap is no excuse."""

from __future__ import annotations

import ctypes.util
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import emheap
from emheap import ArrayRef, HeapManager, uint8
from emheap._util.platform import IN_PYODIDE
from emheap.memories.atomics.libatomic import LibatomicAtomics
from emheap.types import text_types
from emtests.conftest import skip_for_gap
from emtests.heaps import KINDS, HeapKind
from emtests.types.values import SCALARS


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_kind_runs_or_says_why_not(kind: HeapKind) -> None:
    if kind.missing:
        skip_for_gap(f"{kind.name} does not run here", kind.missing)
    with kind.open() as heap, heap.alloc(uint8, 7) as ref:
        assert heap.read(uint8, ref.address) == 7


def test_what_a_heap_lacks_it_refuses_in_words(kind: HeapKind, heap: HeapManager) -> None:
    with heap.alloc_array(uint8, 4) as ref:
        if not kind.can("js_view"):
            with pytest.raises(emheap.NotSupportedError, match="JavaScript"):
                _ = ref.js_view
        if not kind.can("host address"):
            with pytest.raises(emheap.NotSupportedError, match="address in this process"):
                heap.memory.host_address(ref.address)
        if not kind.can("atomics"):
            with pytest.raises(emheap.NotSupportedError, match="libatomic"):
                heap.read_uint8_atomic(ref.address)
        assert heap.memory.zero_copy == kind.can("zero copy")


def test_readers_and_writers_are_made_once(heap: HeapManager) -> None:
    memory = heap.memory
    for scalar in SCALARS:
        assert memory.cached_reader(scalar) is memory.cached_reader(scalar)
        assert memory.cached_writer(scalar) is memory.cached_writer(scalar)
    for text in text_types:
        assert memory.cached_text_reader(text) is memory.cached_text_reader(text)
        assert memory.cached_text_writer(text) is memory.cached_text_writer(text)


@pytest.mark.parametrize("library", [None, "libno-such-library.so.1", "libc.so.6"])
def test_atomics_without_their_library_say_what_to_install(
    library: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if IN_PYODIDE:
        skip_for_gap("Pyodide", "its atomics are JavaScript's")
    monkeypatch.setattr(sys, "platform", "freebsd14")
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: library)
    with (
        emheap.open() as heap,
        pytest.raises(
            emheap.NotSupportedError,
            match=r"^atomic access to native memory needs libatomic, which is not on this machine; "
            "on Debian and Ubuntu: apt-get install libatomic1$",
        ),
    ):
        LibatomicAtomics(heap.memory)


KINDS_OF_ROWS = {
    "native CPython: the C library's heap": ("own", "libc") if not IN_PYODIDE else (),
    "Pyodide: its own module's heap": ("own", "module") if IN_PYODIDE else (),
    "a buffer": ("bytearray-bump", "bytearray-freelist", "mmap", "shared-block"),
    "the latest buffer that a callback returns": ("replaced-buffer", "array-buffer"),
    "Pyodide: any other Emscripten module": ("wasm-memory",),
    "Pyodide: a plain WebAssembly instance": ("guest32", "guest64") if IN_PYODIDE else (),
    "native CPython: a module in wasmtime": () if IN_PYODIDE else ("guest32", "guest64"),
}
"""The kinds of heaps that stand for each row of the tables of backends, by how it begins."""


@pytest.mark.parametrize("page", ["README.md", "pyodide_demo/docs/backends.md"])
def test_the_tables_of_backends_say_what_is_shared(page: str) -> None:
    file = Path(__file__).parents[2] / page
    if not file.exists():
        skip_for_gap(page, "it is not where the tests run")
    table = file.read_text(encoding="utf-8").partition("| backend |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    assert len(rows) == len(KINDS_OF_ROWS)
    kinds = {kind.name: kind for kind in KINDS if not kind.missing}
    for row, (beginning, names) in zip(rows, KINDS_OF_ROWS.items(), strict=True):
        backend, _, shared = row
        assert backend.startswith(beginning)
        for kind in [kinds[name] for name in names if name in kinds]:
            check_what_is_shared(kind, shared)


def check_what_is_shared(kind: HeapKind, told: str) -> None:
    """Take each kind of view of an array that the table tells of, or see it refused."""
    stays = kind.name != "guest64"
    with kind.open() as heap, heap.alloc_array(uint8, 4) as ref:
        in_python = told.startswith("views") and (stays or "cannot move" not in told)
        if "of a Python buffer" in told:
            in_python = kind.name == "replaced-buffer"
        assert isinstance(ref.view, memoryview) == in_python, kind.name
        if importlib.util.find_spec("numpy"):
            assert shares(ref, ref.numpy) == in_python, kind.name
        in_javascript = "js_view" in told and kind.name != "replaced-buffer"
        assert shares(ref, lambda: ref.js_view) == in_javascript, kind.name


def shares(ref: ArrayRef[int], take: Callable[[], Any]) -> bool:
    try:
        taken = take()
    except emheap.NotSupportedError:
        return False
    ref[1] += 1
    taken[1] += 1
    return bool(ref[1] == taken[1] >= 2)
