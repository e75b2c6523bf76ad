"""Loading files natively: what wasmtime is asked for, and what it says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from emheap import Function, Library, c, load_wasm, wrap_wasm_instance
from emheap._util.platform import IN_PYODIDE
from emtests.conftest import skip_for_gap
from emtests.processes import run_program
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


KEEPING = """
import sys
from emheap import load_wasm
from emheap._util.wasm_binary import section, wasm_text
from emtests.calls.test_files import SAME, Same

size, cache = int(sys.argv[1]), sys.argv[2] == "True"
binary = SAME.binary()
rest = size - len(binary) - len(section(0, wasm_text("padding") + bytes(size)))
binary += section(0, wasm_text("padding") + bytes(size + rest))
assert len(binary) == size, len(binary)
for _ in range(2):
    assert load_wasm(binary, wrap_only=True, cache=cache).library(Same).same(5) == 5
"""


@pytest.mark.parametrize(
    ("size", "cache", "kept"),
    [(1 << 16, True, True), (1 << 16, False, False), ((1 << 16) - 1, True, False)],
)
def test_a_large_module_may_be_kept_for_the_next_time(
    size: int, cache: bool, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """wasmtime has a folder of its own for those that it has compiled."""
    if sys.platform != "linux":
        skip_for_gap("wasmtime's cache", "where it is differs between systems")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run_program(KEEPING, str(size), str(cache))
    assert bool([path for path in tmp_path.rglob("*") if path.is_file()]) == kept


@pytest.mark.parametrize("shows_progress", [True, False])
def test_code_that_is_wrong(shows_progress: bool) -> None:
    seen: list[float] = []
    progress = seen.append if shows_progress else None
    with pytest.raises(ValueError, match=r"wasmtime does not take the module: .*unknown local 7"):
        load_wasm(WRONG.binary(), wrap_only=True, progress=progress)
    assert bool(seen) == shows_progress
