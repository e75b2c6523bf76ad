"""Where the libraries of the programs come from.

- ``native``: a shared library of this machine.
- ``wasm``: a .wasm file, which wasmtime runs natively and JavaScript's engine in Pyodide.
- ``module``: a module as its JavaScript makes it, which only Pyodide has.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import emheap
from emheap import HeapManager, load_wasm
from emheap._util.platform import IN_PYODIDE
from emheap.calls.module_types import read_module_types
from emtests.conftest import skip_for_gap

WAYS = ("native", "wasm", "module")
_NO_SUCH_CALL = -52


class Opened(NamedTuple):
    """A heap, and what its `library` takes besides the class."""

    heap: HeapManager
    source: Any = None


def open_shared(name: str) -> Opened:
    """A shared library of this machine."""
    if IN_PYODIDE:
        skip_for_gap(name, "Pyodide has no shared libraries of the system")
    try:
        ctypes.CDLL(name)
    except OSError as error:
        skip_for_gap(name, str(error))
    return Opened(emheap.open(), name)


def open_compiled(source: Path, folder: Path) -> Opened:
    """A shared library that this machine's compiler makes of a file."""
    if IN_PYODIDE:
        skip_for_gap(source.name, "Pyodide has no compiler")
    compiler = shutil.which("cc")
    if compiler is None:
        skip_for_gap(source.name, "there is no C compiler here")
    made = folder / f"{source.stem}.so"
    options = ["-O2", "-shared", "-fPIC", str(source), "-o", str(made), "-lm"]
    subprocess.run([compiler, *options], check=True, timeout=120)
    return Opened(emheap.open(), str(made))


def open_wasm(file: Path) -> Opened:
    """A .wasm file. What Emscripten's JavaScript would serve it is refused, but for the time."""
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
    if not IN_PYODIDE:
        _need_wasmtime(file)
    return Opened(load_wasm(file, imports))


def _need_wasmtime(file: Path) -> None:
    try:
        import wasmtime  # noqa: F401
    except ImportError:
        skip_for_gap(file.name, "wasmtime is not installed here")


def open_module(name: str) -> Opened:
    """One of the modules that are made beside Pyodide; see modules.mjs."""
    if not IN_PYODIDE:
        skip_for_gap(name, "a module of JavaScript's is for Pyodide")
    import emtests_modules

    module = getattr(emtests_modules, name)
    if module is None:
        skip_for_gap(name, "the page does not bring it")
    return Opened(emheap.wrap_emscripten_module_heap(module))
