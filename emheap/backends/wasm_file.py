"""Opening a .wasm file with its heap, by whatever runs WebAssembly here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emheap._util.platform import IN_PYODIDE
from emheap._util.released import not_released
from emheap.backends.functions import AllocatorChoice
from emheap.blocks.options import check_options
from emheap.calls.module_types import read_module_types, with_growing_tables
from emheap.calls.wasi import Wasi
from emheap.errors import NotSupportedError
from emheap.heap.manager import HeapManager

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from emheap.blocks.options import OptionValues

__all__ = ["load_wasm"]

_KEYWORDS = ("imports", "arguments", "environ", "preopens", "cache", "progress", "memory")


def load_wasm(
    source: str | PathLike[str] | bytes | bytearray | memoryview,
    imports: Mapping[str, Any] | None = None,
    *,
    arguments: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    preopens: Mapping[str, str | PathLike[str]] | None = None,
    cache: bool = True,
    progress: Callable[[float], object] | None = None,
    memory: str = "memory",
    malloc: str | Callable[..., Any] | None = "malloc",
    free: str | Callable[..., Any] | None = "free",
    sized_free: bool = False,
    aligned: bool = False,
    wrap_only: bool = False,
    **options: Unpack[OptionValues],
) -> HeapManager:
    """The heap of a WebAssembly module in a file or in bytes: natively in wasmtime, in Pyodide in
    JavaScript's engine. ``heap.library()`` then calls its functions.

    The module is a *reactor*: a library, whose ``_initialize`` is called here, and no program with
    a ``main`` (``clang -mexec-model=reactor``). What it needs of WASI preview 1 is there: it prints
    to ``sys.stdout`` and ``sys.stderr``, tells the time, gets random numbers, `arguments` and
    `environ`. It sees no files but, natively, the folders in `preopens`, by the names that it has
    for them. What else it imports are Python functions, given in `imports` by name, or by module
    and name; they get and give WebAssembly's numbers. A table that it exports may grow, whatever
    its linker wrote, so that C can call Python's functions.

    Natively a compiled module of 64 KiB or more is kept in wasmtime's cache unless `cache` is
    false, and `progress` is called when one begins to be compiled, every tenth of a second, and at
    its end, with the seconds so far. `memory`, `malloc`, `free`, `sized_free`, `aligned`,
    `wrap_only` and the options are those of `wrap_wasm_instance`.

    Raises NotSupportedError for imports that are missing, each with its type, for a program that
    is no library, and where an export is missing; ValueError for anything but a module; ImportError
    natively without wasmtime.
    """
    checked = check_options(options, *_KEYWORDS, *AllocatorChoice._fields)
    binary = _read(source)
    types = read_module_types(binary)
    if "_start" in types.exports and "_initialize" not in types.exports:
        raise NotSupportedError(
            "the module is a program, which runs once from its main to its end; link it as a "
            "library: clang -mexec-model=reactor, or emcc --no-entry"
        )
    binary = with_growing_tables(binary)
    wasi = Wasi(arguments, environ)
    choice = AllocatorChoice(malloc, free, sized_free, aligned, wrap_only).check()
    if not IN_PYODIDE:
        from emheap.backends.file_in_wasmtime import load_in_wasmtime

        return load_in_wasmtime(
            binary, types, imports, wasi, preopens, cache, progress, memory, choice, checked
        )
    if preopens is not None:
        raise NotSupportedError("preopens need wasmtime: a module in JavaScript sees no files")
    from emheap.backends.file_in_javascript import load_in_javascript

    return load_in_javascript(binary, types, imports, wasi, memory, choice, checked)


def _read(source: Any) -> bytes:
    if isinstance(source, (str, PathLike)):
        return Path(source).read_bytes()
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(not_released(source, "a module"))
    raise TypeError(
        f"a module is the path of a .wasm file, or its bytes, not {type(source).__name__}"
    )
