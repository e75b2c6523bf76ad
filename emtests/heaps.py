"""The heaps that the tests run on. Adding one is adding an entry to `KINDS`.

A test that takes the fixture ``heap`` runs once on each heap that exists where it runs. What a
heap cannot do is a named gap with a reason: ``@pytest.mark.needs("numpy")`` skips the test there,
and any other skip is a failure (see conftest.py).
"""

from __future__ import annotations

import importlib.util
import mmap
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import emheap
from emheap import BumpAllocator, FreeListAllocator, HeapManager, LibcAllocator
from emheap.blocks.options import check_options
from emheap.memories.process import ProcessMemory
from emtests.backends.javascript import openers
from emtests.growing import ReplacedBuffer
from emtests.webassembly import guests

CAPABILITIES = {
    "zero copy": "its views are memoryviews on the very bytes",
    "numpy": "numpy arrays share its bytes",
    "js_view": "JavaScript typed arrays share its bytes",
    "host address": "code in this process reaches its bytes by an address",
    "bounds": "every address that lies outside raises, whatever it is",
    "reuse": "freed bytes are allocated again, in whatever order they were freed",
    "prompt reuse": "the bytes of a freed block go to one of the next of that size",
    "atomics": "indivisible reads and writes",
    "plain blocks": "blocks are what its allocator hands out, with nothing around them",
    "raw addresses": "every address in its memory is trusted, whatever allocated there",
}

IN_PYODIDE = sys.platform == "emscripten"
ROOM = 1 << 20
"""The bytes of a heap in a buffer."""


@dataclass(frozen=True)
class HeapKind:
    """A heap that the tests can open."""

    name: str
    open: Callable[..., AbstractContextManager[HeapManager]]
    """Opens it, with the options given."""
    gaps: Mapping[str, str] = field(default_factory=dict)
    """The capabilities it lacks, each with the reason."""
    missing: str = ""
    """Why it cannot run here at all; empty where it can."""

    def __post_init__(self) -> None:
        unknown = self.gaps.keys() - CAPABILITIES.keys()
        assert not unknown, f"{self.name}: no such capability: {', '.join(unknown)}"

    def can(self, capability: str) -> bool:
        assert capability in CAPABILITIES, f"no such capability: {capability}"
        return capability not in self.gaps

    def __str__(self) -> str:
        return self.name


# The kinds of heaps


@contextmanager
def open_own(**options: Any) -> Iterator[HeapManager]:
    yield emheap.open(**options)


@contextmanager
def open_libc(**options: Any) -> Iterator[HeapManager]:
    # Without the pool in front, so that every block is a call of malloc or calloc.
    yield HeapManager(ProcessMemory(), LibcAllocator(), check_options(options))


@contextmanager
def open_debug(**options: Any) -> Iterator[HeapManager]:
    yield emheap.open(**debug_options(options))


@contextmanager
def open_debug_wasm(**options: Any) -> Iterator[HeapManager]:
    with openers.open_wasm_memory(**debug_options(options)) as heap:
        yield heap


def debug_options(options: dict[str, Any]) -> dict[str, Any]:
    """Those of a debug heap; with sites of one frame, as everywhere, for the tests read them."""
    tracking = options.get("track_allocations") is not False
    return {"debug": tracking, "site_depth": 1, **options}


@contextmanager
def open_module(**options: Any) -> Iterator[HeapManager]:
    import pyodide_js

    yield emheap.wrap_emscripten_module_heap(pyodide_js._module, **options)


@contextmanager
def open_module_functions(**options: Any) -> Iterator[HeapManager]:
    import pyodide_js

    module = pyodide_js._module
    yield emheap.create_wasm_heap_manager(
        lambda: module.HEAPU8.buffer, module._malloc, module._free, **options
    )


# Buffers


@contextmanager
def open_bump(**options: Any) -> Iterator[HeapManager]:
    yield emheap.wrap_buffer(bytearray(ROOM), allocator=BumpAllocator, **options)


@contextmanager
def open_free_list(**options: Any) -> Iterator[HeapManager]:
    yield emheap.wrap_buffer(bytearray(ROOM), allocator=FreeListAllocator, **options)


@contextmanager
def open_mmap(**options: Any) -> Iterator[HeapManager]:
    # Not closed: a heap keeps its buffer, and Python refuses to close a map that is in use.
    yield emheap.wrap_buffer(mmap.mmap(-1, ROOM), **options)


@contextmanager
def open_shared_block(**options: Any) -> Iterator[HeapManager]:
    from multiprocessing.shared_memory import SharedMemory

    block = SharedMemory(create=True, size=ROOM)
    try:
        heap = emheap.wrap_buffer(block.buf, **options)
        memory = heap.memory
        yield heap
        memory.release()  # even where a test left another heap in it
        block.close()
    finally:
        block.unlink()


@contextmanager
def open_replaced(**options: Any) -> Iterator[HeapManager]:
    source = ReplacedBuffer(4096, ROOM)
    yield emheap.create_wasm_heap_manager(source.get_heap, source.allocate, source.free, **options)


# What is there on this machine


def _numpy_gap() -> dict[str, str]:
    if importlib.util.find_spec("numpy") is None:
        return {"numpy": "numpy is not installed here"}
    return {}


def _atomics_gap() -> dict[str, str]:
    if IN_PYODIDE:
        return {}
    try:
        emheap.wrap_buffer(bytearray(64), debug=False).read_int32_atomic(16)
    except emheap.NotSupportedError as error:
        return {"atomics": str(error)}
    return {}


def _module_function_missing() -> str:
    if not IN_PYODIDE:
        return "it is Pyodide's own module"
    import pyodide_js
    from js import Object

    if Object.getOwnPropertyDescriptor(pyodide_js._module, "_malloc") is None:
        return "this release of Pyodide does not export _malloc"
    return ""


_NUMPY = _numpy_gap()
_ATOMICS = _atomics_gap()
_NO_JAVASCRIPT = {"js_view": "there is no JavaScript in this process"}
_BUFFER_JAVASCRIPT = {"js_view": "the bytes of a Python object may move in JavaScript's eyes"}
_OUTSIDE_PYODIDE = "" if IN_PYODIDE else "it is Pyodide's own module"

# glibc's calloc leaves what its cache of freed blocks holds to malloc, and may never come to it.
_LIBC_REUSE = {} if IN_PYODIDE else {"prompt reuse": "the C library chooses what it reuses"}

_OWN = {
    **_LIBC_REUSE,
    **_NUMPY,
    **_ATOMICS,
    **({} if IN_PYODIDE else {**_NO_JAVASCRIPT, "bounds": "nothing in a process protects it"}),
}
_BUFFER = {**_NUMPY, **_ATOMICS, **(_BUFFER_JAVASCRIPT if IN_PYODIDE else _NO_JAVASCRIPT)}
_IN_JAVASCRIPT = {
    "zero copy": "Python cannot point at the bytes of another memory",
    "numpy": "Python cannot point at the bytes of another memory",
    "host address": "Python cannot point at the bytes of another memory",
}
_OUTSIDE_JAVASCRIPT = "" if IN_PYODIDE else "JavaScript owns its memory"
_NEWEST_ONLY = "a bump allocator takes back its newest block only"
_NO_REUSE = {"reuse": _NEWEST_ONLY, "prompt reuse": _NEWEST_ONLY}
_NO_PROCESSES = "Pyodide has no processes to share memory with" if IN_PYODIDE else ""
_MOVES = {
    "zero copy": "a view could not follow the memory when it moves",
    "numpy": "an array could not follow the memory when it moves",
}
_GUEST = _IN_JAVASCRIPT if IN_PYODIDE else {**_NUMPY, **_ATOMICS, **_NO_JAVASCRIPT}
_MOVING_GUEST = _IN_JAVASCRIPT if IN_PYODIDE else {**_GUEST, **_MOVES}

_RED_ZONES = {
    "reuse": "freed bytes wait in quarantine",
    "prompt reuse": "freed bytes wait in quarantine",
    "plain blocks": "red zones lie around them",
    "raw addresses": "a debug heap believes addresses in its live blocks only",
}
_DEBUG_WASM = {**_IN_JAVASCRIPT, **_RED_ZONES}

KINDS = (
    HeapKind("own", open_own, _OWN),
    HeapKind("debug", open_debug, {**_OWN, **_RED_ZONES}),
    HeapKind("libc", open_libc, _OWN),
    HeapKind("module", open_module, _OWN, _OUTSIDE_PYODIDE),
    HeapKind("module-functions", open_module_functions, _OWN, _module_function_missing()),
    HeapKind("bytearray-bump", open_bump, {**_BUFFER, **_NO_REUSE}),
    HeapKind("bytearray-freelist", open_free_list, _BUFFER),
    HeapKind("mmap", open_mmap, _BUFFER),
    HeapKind("replaced-buffer", open_replaced, _BUFFER),
    HeapKind("wasm-memory", openers.open_wasm_memory, _IN_JAVASCRIPT, _OUTSIDE_JAVASCRIPT),
    HeapKind("debug-wasm", open_debug_wasm, _DEBUG_WASM, _OUTSIDE_JAVASCRIPT),
    HeapKind("shared-wasm", openers.open_shared_memory, _IN_JAVASCRIPT, _OUTSIDE_JAVASCRIPT),
    HeapKind("array-buffer", openers.open_array_buffer, _IN_JAVASCRIPT, _OUTSIDE_JAVASCRIPT),
    HeapKind("shared-buffer", openers.open_shared_buffer, _IN_JAVASCRIPT, _OUTSIDE_JAVASCRIPT),
    HeapKind("shared-block", open_shared_block, _BUFFER, _NO_PROCESSES),
    HeapKind("guest32", guests.open_guest32, _GUEST, guests.MISSING["guest32"]),
    HeapKind("guest64", guests.open_guest64, _MOVING_GUEST, guests.MISSING["guest64"]),
    HeapKind("guest-shared", guests.open_guest_shared, _GUEST, guests.MISSING["guest_shared"]),
)
RUNNING = tuple(kind for kind in KINDS if not kind.missing)
"""The kinds that exist where the tests run."""
