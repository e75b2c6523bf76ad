"""Which backends work on this machine, tried one by one, and what the others need."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from emheap._util.platform import IN_PYODIDE
from emheap.backends.buffer import wrap_buffer
from emheap.backends.modules import (
    create_wasm_heap_manager,
    wrap_emscripten_module_heap,
    wrap_wasm_instance,
)
from emheap.backends.process import open as open_heap
from emheap.heap.manager import HeapManager
from emheap.types import int32

__all__ = ["Backend", "describe_backends", "find_backends"]

_NO_JAVASCRIPT = "Pyodide: Python in a page, in Node or in a worker (https://pyodide.org)"
_WASMTIME = "wasmtime: pip install wasmtime"
_NUMPY = "numpy: pip install numpy, in Pyodide pyodide.loadPackage('numpy')"
_WITH_MEMORY = '(module (memory (export "memory") 1))'


class Backend(NamedTuple):
    """A place where heaps can be, or something that heaps can do, on this machine."""

    name: str
    how: str
    """What opens it, or uses it."""
    missing: str
    """What it needs to work here; empty where it works."""


class MissingError(Exception):
    """Raised by a trial; the text says what is missing."""


def find_backends() -> Iterator[Backend]:
    """Every backend, tried."""
    for name, how, attempt in _TRIALS:
        yield Backend(name, how, _outcome(attempt))


def _outcome(attempt: Callable[[], None]) -> str:
    try:
        attempt()
    except MissingError as missing:
        return str(missing)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is what does not work here)
        return f"it was tried and failed: {type(error).__name__}: {error}".partition("\n")[0]
    return ""


def _use(heap: HeapManager) -> None:
    with heap.alloc_array(int32, [1, 2, 3]) as numbers:
        heap.write_int32(numbers.address + 4, 5)
        if numbers[:] != [1, 5, 3]:
            raise MissingError(
                "a memory that keeps what is written to it: it gave back something else"
            )


def _try_process() -> None:
    _use(open_heap(debug=False))


def _try_buffer() -> None:
    _use(wrap_buffer(bytearray(1024), debug=False))


def _try_shared_block() -> None:
    if IN_PYODIDE:
        raise MissingError("native Python: Pyodide has no processes to share memory with")
    from multiprocessing.shared_memory import SharedMemory

    block = SharedMemory(create=True, size=1024)
    try:
        heap = wrap_buffer(block.buf, debug=False)
        _use(heap)
        memory: Any = heap.memory
        memory.release()
        block.close()
    finally:
        block.unlink()


def _try_functions() -> None:
    buffer = bytearray(1024)
    _use(
        create_wasm_heap_manager(
            lambda: buffer, lambda size: 512, lambda address: None, debug=False
        )
    )


def _try_module() -> None:
    if not IN_PYODIDE:
        raise MissingError(_NO_JAVASCRIPT)
    from emheap.backends.javascript import own_module

    _use(wrap_emscripten_module_heap(own_module(), debug=False))


def _try_instance() -> None:
    if not IN_PYODIDE:
        raise MissingError(_NO_JAVASCRIPT)
    from emheap.backends.javascript import new_memory

    _use(wrap_wasm_instance(new_memory(1, 4), debug=False))


def _try_wasmtime() -> None:
    if IN_PYODIDE:
        raise MissingError("native Python: in Pyodide the browser runs modules itself")
    try:
        import wasmtime
    except ImportError:
        raise MissingError(_WASMTIME) from None
    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, _WITH_MEMORY), [])
    _use(wrap_wasm_instance(store, instance, malloc=None, free=None, debug=False))


def _try_numpy() -> None:
    try:
        import numpy
    except ImportError:
        raise MissingError(_NUMPY) from None
    with open_heap(debug=False).alloc_array(int32, [1, 2]) as numbers:
        array = numpy.asarray(numbers.view)
        array[1] = 7
        shared = numbers[1] == 7
        del array
    if not shared:
        raise MissingError("another version of numpy: its array is a copy of the bytes")


def _try_atomics() -> None:
    with open_heap(debug=False).alloc(int32, 1) as number:
        number.write_atomic(number.read_atomic() + 1)


_TRIALS: tuple[tuple[str, str, Callable[[], None]], ...] = (
    ("this process's own heap", "emheap.open()", _try_process),
    ("a Python buffer", "emheap.wrap_buffer(buffer)", _try_buffer),
    ("memory shared by processes", "emheap.wrap_buffer(SharedMemory(...).buf)", _try_shared_block),
    ("the buffer of a callback", "emheap.create_wasm_heap_manager(...)", _try_functions),
    ("an Emscripten module", "emheap.wrap_emscripten_module_heap(module)", _try_module),
    ("a WebAssembly instance", "emheap.wrap_wasm_instance(instance)", _try_instance),
    ("a module in wasmtime", "emheap.wrap_wasm_instance(store, instance)", _try_wasmtime),
    ("numpy arrays on a heap", "array.numpy()", _try_numpy),
    ("atomic access", "ref.read_atomic()", _try_atomics),
)


def describe_backends(version: str) -> tuple[str, bool]:
    """The report that is printed, in ASCII, and whether the first backend works."""
    backends = list(find_backends())
    lines = [
        f"emheap {version}, {platform.python_implementation()} {platform.python_version()} on "
        f"{sys.platform} ({platform.machine()})",
        "",
    ]
    for backend in backends:
        lines.append(f"{'no ' if backend.missing else 'yes'}  {backend.name:27} {backend.how}")
        if backend.missing:
            lines.append(f"     needs {backend.missing}")
    text = "\n".join(lines)
    return text.encode("ascii", "backslashreplace").decode("ascii"), not backends[0].missing
