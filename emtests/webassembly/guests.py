"""The fixtures' modules, run by whatever runs WebAssembly here: wasmtime, or JavaScript's engine.

The tests that use them are the same in both.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import emheap
from emheap import HeapManager
from emheap._util.platform import IN_PYODIDE

FIXTURES = Path(__file__).parent / "fixtures"

# What each function takes and gives: p an address or a size, i and u integers of 32 bits, l one
# of 64, d a float64. JavaScript does not tell, and takes a BigInt where there are 64 bits.
_SIGNATURES = {
    "add_atomically": "piu",
    "add_to_each": "ppi",
    "allocate_text": "u>p",
    "await_value": "pi",
    "capitalize": "p>p",
    "fill_records": "pu>p",
    "free": "p",
    "grow": "p>p",
    "load_byte": "p>u",
    "malloc": "p>p",
    "page_count": ">p",
    "record_offset": "u>u",
    "record_size": ">u",
    "store_byte": "pu",
    "store_grow_store": "pipi>p",
    "sum_float32": "pp>d",
    "sum_int64": "pp>l",
    "sum_records": "p>d",
    "text_length": "p>p",
}


class Guest:
    """A module with its memory, and the heap opened on it."""

    parts: tuple[Any, ...]
    """What `wrap_wasm_instance` takes."""

    def __init__(self, name: str, **options: Any) -> None:
        self._run(name)
        self.heap = self.open(**options)

    def open(self, *, pages: bool = False, **options: Any) -> HeapManager:
        """A further heap on the same memory; with `pages`, one in pages that it adds itself.

        An opener refuses those beside the allocator that the fixtures have. It is known here that
        the allocator lets them be.
        """
        if not pages:
            return emheap.wrap_wasm_instance(*self.parts, **options)
        heap = emheap.wrap_wasm_instance(*self.parts, wrap_only=True, **options)
        allocator = emheap.PageAllocator(self.add_pages)
        return HeapManager(heap.memory, emheap.PoolAllocator(allocator), heap.options)

    def _run(self, name: str) -> None:
        """Instantiate the module."""
        raise NotImplementedError

    def call(self, name: str, *arguments: Any) -> Any:
        """Call an export. Addresses and sizes come back as what they are, unsigned."""
        takes, _, gives = _SIGNATURES[name].partition(">")
        result = self._call(name, [*zip(takes, arguments, strict=True)])
        bits = {"p": 8 * self.heap.pointer_size, "u": 32}.get(gives)
        return result % (1 << bits) if bits else result

    def _call(self, name: str, arguments: list[tuple[str, Any]]) -> Any:
        raise NotImplementedError

    def function(self, name: str) -> Callable[..., Any]:
        """A Python function that calls an export, with numbers of 32 bits."""
        raise NotImplementedError

    def grow_memory(self, pages: int) -> int:
        """Grow the memory from outside the module; gives the pages of before."""
        raise NotImplementedError

    def add_pages(self, pages: int) -> int:
        """The same as the instruction ``memory.grow`` does it: -1 where it cannot."""
        raise NotImplementedError


def _make_engine(settings: tuple[tuple[str, Any], ...]) -> Any:
    from emtests.webassembly.engines import make_engine

    return make_engine(**dict(settings))


@cache
def _compile(name: str, settings: tuple[tuple[str, Any], ...]) -> bytes:
    """A fixture's machine code: to make it takes 35 ms, to load it 0.1."""
    import wasmtime

    path = FIXTURES / f"{name}.wasm"
    return bytes(wasmtime.Module.from_file(_make_engine(settings), str(path)).serialize())


class WasmtimeGuest(Guest):
    """A module in wasmtime, natively."""

    def __init__(
        self,
        name: str,
        *,
        configure: dict[str, Any] | None = None,
        prepare: Callable[[Any], object] = id,
        **options: Any,
    ) -> None:
        self._settings = configure or {}
        self._prepare = prepare
        super().__init__(name, **options)

    def _run(self, name: str) -> None:
        import wasmtime

        settings = tuple(self._settings.items())
        self.store = wasmtime.Store(_make_engine(settings))
        self._prepare(self.store)
        module = wasmtime.Module.deserialize(self.store.engine, _compile(name, settings))
        self.instance = wasmtime.Instance(self.store, module, [])
        self.exports: Any = self.instance.exports(self.store)
        self.parts = (self.store, self.instance)
        if "_initialize" in self.exports:
            self.exports["_initialize"](self.store)  # type: ignore[operator]

    def _call(self, name: str, arguments: list[tuple[str, Any]]) -> Any:
        return self.exports[name](self.store, *(value for _, value in arguments))

    def function(self, name: str) -> Callable[..., Any]:
        return partial(self.exports[name], self.store)

    def grow_memory(self, pages: int) -> int:
        import wasmtime

        memory = self.exports["memory"]
        shared = not isinstance(memory, wasmtime.Memory)
        return int(memory.grow(pages) if shared else memory.grow(self.store, pages))

    def add_pages(self, pages: int) -> int:
        import wasmtime

        try:
            return self.grow_memory(pages)
        except wasmtime.WasmtimeError:
            return -1


class JavaScriptGuest(Guest):
    """A module in the engine that runs Pyodide."""

    def _run(self, name: str) -> None:
        from emtests.backends.javascript.instances import instantiate

        self.instance = instantiate(FIXTURES / f"{name}.wasm")
        self.parts = (self.instance,)

    def _call(self, name: str, arguments: list[tuple[str, Any]]) -> Any:
        function = getattr(self.instance.exports, name)
        return function(*(self._convert(*argument) for argument in arguments))

    def function(self, name: str) -> Callable[..., Any]:
        export = getattr(self.instance.exports, name)
        return lambda *numbers: export(*numbers)

    def _convert(self, kind: str, value: Any) -> Any:
        from emheap.javascript.bridge import big_int

        wide = kind == "l" or (kind == "p" and self.heap.pointer_size == 8)
        return big_int(value) if wide else value

    def grow_memory(self, pages: int) -> int:
        return int(self.instance.exports.memory.grow(self._convert("p", pages)))

    def add_pages(self, pages: int) -> int:
        from emheap.backends.javascript import make_grow

        return make_grow(self.instance.exports.memory)(pages)


def open_guest(name: str, **options: Any) -> Guest:
    """Run a fixture and open the heap on its memory."""
    return JavaScriptGuest(name, **options) if IN_PYODIDE else WasmtimeGuest(name, **options)


@contextmanager
def open_guest32(**options: Any) -> Iterator[HeapManager]:
    yield open_guest("guest32", **options).heap


@contextmanager
def open_guest64(**options: Any) -> Iterator[HeapManager]:
    yield open_guest("guest64", **options).heap


@contextmanager
def open_guest_shared(**options: Any) -> Iterator[HeapManager]:
    yield open_guest("guest_shared", **options).heap


def why_missing(name: str) -> str:
    """Why a fixture cannot run here; empty where it can."""
    if not IN_PYODIDE:
        found = importlib.util.find_spec("wasmtime") is not None
        return "" if found else "wasmtime is not installed here"
    import js
    import pyodide.ffi

    if name == "guest64" and not hasattr(pyodide.ffi, "JsBigInt"):
        return "before Pyodide 314 Python cannot pass small BigInts"
    to_js = pyodide.ffi.to_js
    if js.WebAssembly.validate(to_js((FIXTURES / f"{name}.wasm").read_bytes())):
        return ""
    return f"this JavaScript engine does not run {name}.wasm" + _NEEDED.get(name, "")


_NEEDED = {"guest64": ", as Node does from 24 on and Chromium from 133 on"}
GUESTS = ("guest32", "guest64", "guest_shared")
"""The modules; see build.py."""
MISSING = {name: why_missing(name) for name in GUESTS}
