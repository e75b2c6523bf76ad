"""Functions of this process: shared libraries, the C library, and Pyodide's own module."""

from __future__ import annotations

import ctypes
import operator
import re
from collections.abc import Callable, Iterable
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from emheap._util.elf import exported_functions, loaded_files
from emheap._util.platform import IN_PYODIDE, c_runtime
from emheap.calls.linker import CallbackEntry, Convention, Linker, Wire
from emheap.calls.system_v import IS_SYSTEM_V, halves, in_last_register
from emheap.calls.verifying import contradiction
from emheap.errors import OutOfBoundsError
from emheap.types.abi import native_abi

__all__ = ["ProcessLinker", "open_process_linker"]

_C_TYPES: dict[Any, Any] = {
    "": None, "?": ctypes.c_bool, "b": ctypes.c_int8, "B": ctypes.c_uint8,
    "h": ctypes.c_int16, "H": ctypes.c_uint16, "i": ctypes.c_int32, "I": ctypes.c_uint32,
    "q": ctypes.c_int64, "Q": ctypes.c_uint64, "f": ctypes.c_float, "d": ctypes.c_double,
    "P": ctypes.c_void_p,
}  # fmt: skip


class _CheckedInt:
    """What ctypes asks to convert an argument that is an int already, and in C's range.

    An int that comes back goes over as a C int. The object that `ctypes.c_int32` makes instead
    takes longer than all the rest of a call.
    """

    from_param = staticmethod(operator.index)


_PARAMETER_TYPES = {**_C_TYPES, "i": _CheckedInt}

_THIS_PROCESS = "this process"


def open_process_linker(source: Any) -> ProcessLinker:
    """The functions of a shared library by its path or name, of one that ctypes has loaded, or,
    for None, of this process: those of the C library at least."""
    if source is None:
        return ProcessLinker(c_runtime(), _THIS_PROCESS)
    if isinstance(source, ctypes.CDLL):
        return ProcessLinker(source, source._name or _THIS_PROCESS)
    if not isinstance(source, (str, bytes, PathLike)):
        raise TypeError(
            "a library of this process is the path or name of a shared library, a ctypes.CDLL, or "
            f"None, not {type(source).__name__} {source!r:.60}"
        )
    path = fspath(source)
    shown = path.decode(errors="replace") if isinstance(path, bytes) else path
    return ProcessLinker(ctypes.CDLL(shown), shown)


class _Function:
    """A function by its address alone."""

    def __init__(self, address: int) -> None:
        self.address = address


class ProcessLinker(Linker):
    """One shared library, by ctypes. Its traps are faults of the process: no exception."""

    code_outlives_library = True

    def __init__(self, library: ctypes.CDLL, name: str) -> None:
        self._library = library
        self.name = name
        self.convention = Convention(False, native_abi())
        self._in_pyodide = IN_PYODIDE and library._handle == c_runtime()._handle

    def names(self) -> Iterable[str]:
        if self._in_pyodide:
            from emheap.javascript.own_module import own_functions

            return own_functions()
        files = [Path(self.name)]
        if self.name == _THIS_PROCESS:
            files = loaded_files(r"(lib[cm]|ld-musl)[-.]")
        elif not files[0].is_file():  # it was looked for where libraries are
            files = loaded_files(re.escape(self.name))
        return [name for file in files for name in exported_functions(file)]

    def find(self, name: str) -> Any:
        if self._in_pyodide:
            from emheap.javascript.own_module import own_function

            # Asking Pyodide's dynamic linker for a name that JavaScript has ends the interpreter.
            if own_function(name) is None:
                return None
        try:
            return self._library[name]
        except AttributeError:
            return None

    def missing(self, name: str) -> str:
        return "check its spelling and the library's version, or declare the class with lazy=True"

    def check(self, name: str, symbol: Any, wire: Wire) -> str:
        if not self._in_pyodide or wire.variadic or not _is_plain(wire):
            return ""
        # A call by another type would end the interpreter.
        from emheap.javascript.own_module import function_in_table, own_function
        from emheap.javascript.trampolines import fits_type, type_of_function

        declared = wire.wasm()
        found = isinstance(symbol, _Function)
        function = function_in_table(symbol.address) if found else own_function(name)
        if fits_type(declared, function):
            return ""
        return contradiction(declared, type_of_function(function))

    def raw(self, symbol: Any, wire: Wire) -> Callable[..., Any]:
        result = _C_TYPES.get(wire.result, wire.result)
        params = [_PARAMETER_TYPES.get(letter, letter) for letter in wire.params]
        split = in_last_register(wire.params, wire.result) if IS_SYSTEM_V else None
        if split is None:
            return self._bound(symbol, result, params)
        params[split : split + 1] = [ctypes.c_uint64, ctypes.c_double]
        call = self._bound(symbol, result, params)
        return lambda *given: call(*given[:split], *halves(given[split]), *given[split + 1 :])

    def _bound(self, symbol: Any, result: Any, params: list[Any]) -> Callable[..., Any]:
        if isinstance(symbol, _Function):
            return ctypes.CFUNCTYPE(result, *params)(symbol.address)
        symbol.argtypes, symbol.restype = params, result
        return symbol  # type: ignore[no-any-return]

    def function_at(self, address: int) -> Any:
        if self._in_pyodide:
            from emheap.javascript.own_module import function_in_table

            if function_in_table(address) is None:
                raise OutOfBoundsError(f"{address} is no function of {self.name}")
        return _Function(address)

    def make_callback(self, wire: Wire, adapter: Callable[..., Any]) -> CallbackEntry:
        types = [_C_TYPES.get(letter, letter) for letter in (wire.result, *wire.params)]
        function = ctypes.CFUNCTYPE(*types)(adapter)
        return CallbackEntry(ctypes.cast(function, ctypes.c_void_p).value or 0, function)


def _is_plain(wire: Wire) -> bool:
    """Whether numbers and addresses are all that goes over."""
    return all(isinstance(letter, str) for letter in (*wire.params, wire.result))
