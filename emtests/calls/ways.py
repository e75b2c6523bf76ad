"""The ways to call the library of the tests. Adding one is adding an entry to `WAYS`."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import emheap
from emheap import HeapManager, Library
from emheap._util.platform import IN_PYODIDE
from emheap.types.abi import ABI, WASM32, native_abi
from emtests.webassembly import guests

L = TypeVar("L", bound=Library)

SOURCE = guests.FIXTURES / "calls.c"


@dataclass(frozen=True)
class Way:
    """A heap and a library on it."""

    name: str
    open_heap: Callable[[], HeapManager]
    find_source: Callable[[], Any]
    """What `heap.library` takes, besides the class."""
    abi: ABI
    is_wasm: bool
    """Whether traps are exceptions, and arguments are copied."""
    missing: str = ""
    """Why it cannot be gone here; empty where it can."""

    def __str__(self) -> str:
        return self.name

    def bind(self, cls: type[L], heap: HeapManager) -> L:
        return heap.library(cls, self.find_source())


@cache
def shared_library() -> str:
    """The library as this machine's compiler makes it."""
    # Here, for the measurements import this file, and they have no pytest.
    from emtests.conftest import skip_for_gap

    compiler = shutil.which("cc")
    if compiler is None:
        skip_for_gap("calling a shared library", "there is no C compiler here")
    folder = Path(tempfile.mkdtemp(prefix="emheap-calls-"))
    made = folder / "libcalls.so"
    options = ["-O2", "-shared", "-fPIC", "-o", str(made)]
    subprocess.run([compiler, *options, str(SOURCE)], check=True, timeout=120)
    return str(made)


def open_guest() -> HeapManager:
    return guests.open_guest("calls").heap


def skip_without_big_ints(way: Way) -> None:
    """Skip the test that runs, where 64-bit integers cannot be passed to a module."""
    skip_without_big_ints_in(IN_PYODIDE and way.is_wasm)


def skip_without_big_ints_in(javascript: bool) -> None:
    """The same for a module that runs in JavaScript's engine or not."""
    from emtests.conftest import skip_for_gap

    if javascript:
        import pyodide.ffi

        if not hasattr(pyodide.ffi, "JsBigInt"):
            skip_for_gap("64-bit integers", "before Pyodide 314 Python cannot pass small BigInts")


WAYS = (
    Way(
        "native",
        emheap.open,
        shared_library,
        native_abi(),
        False,
        "Pyodide has no compiler" if IN_PYODIDE else "",
    ),
    Way("wasm", open_guest, lambda: None, WASM32, True, guests.why_missing("calls")),
)
RUNNING = tuple(way for way in WAYS if not way.missing)
