"""The table of heaps: which of them run here, and that a gap is no excuse."""

from __future__ import annotations

import ctypes.util
import sys

import pytest

import emheap
from emheap import HeapManager, uint8
from emheap._util.platform import IN_PYODIDE
from emheap.memories.atomics.libatomic import LibatomicAtomics
from emtests.conftest import skip_for_gap
from emtests.heaps import KINDS, HeapKind


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
