"""Loading files natively: what wasmtime is asked for, and what it says."""

from __future__ import annotations

import sys

import pytest

from emheap import Function, Library, c, load_wasm, wrap_wasm_instance
from emheap._util.platform import IN_PYODIDE
from emheap._util.wasm_binary import section, wasm_text
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import why_missing
from emtests.webassembly.modules import SmallModule

SAME = SmallModule(written=[("same", (["i32"], ["i32"]), b"\x20\0")])
WRONG = SmallModule(written=[("same", (["i32"], ["i32"]), b"\x20\7")])


class Same(Library):
    same: Function[[c.int], c.int]


@pytest.fixture(autouse=True)
def wasmtime() -> None:
    if IN_PYODIDE or why_missing("calls"):
        skip_for_gap("wasmtime", why_missing("calls") or "there is none in Pyodide")


def test_wasmtime_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wasmtime", None)  # as Python has it for what is not there
    with pytest.raises(
        ImportError, match=r"^load_wasm\(\) needs wasmtime .*: pip install wasmtime$"
    ):
        load_wasm(SAME.binary())
    with pytest.raises(
        ImportError, match=r"^wrap_wasm_instance\(\) needs wasmtime on native Python"
    ):
        wrap_wasm_instance(None, None)


@pytest.mark.parametrize("cache", [True, False])
def test_a_large_module_may_be_kept_for_the_next_time(cache: bool) -> None:
    """wasmtime has a folder of its own for those that it has compiled."""
    large = SAME.binary() + section(0, wasm_text("padding") + bytes(1 << 16))
    for _ in range(2):
        heap = load_wasm(large, wrap_only=True, cache=cache)
        assert heap.library(Same).same(5) == 5


@pytest.mark.parametrize("shows_progress", [True, False])
def test_code_that_is_wrong(shows_progress: bool) -> None:
    seen: list[float] = []
    progress = seen.append if shows_progress else None
    with pytest.raises(ValueError, match=r"wasmtime does not take the module: .*unknown local 7"):
        load_wasm(WRONG.binary(), wrap_only=True, progress=progress)
    assert bool(seen) == shows_progress
