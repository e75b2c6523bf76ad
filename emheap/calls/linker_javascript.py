"""Functions of modules that JavaScript's engine runs, seen from Pyodide.

This module is imported inside Pyodide only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from pyodide.ffi import JsException, JsProxy

from emheap._util.emscripten import add_to_list
from emheap._util.messages import count_of
from emheap.allocators.base import Allocator
from emheap.calls.function_table import WASM_FROM_C, FunctionTable, no_table
from emheap.calls.linker import (
    EXPORT_STACK,
    UNCAUGHT,
    CallbackEntry,
    Convention,
    Linker,
    TrapReport,
    Wire,
    exited,
    trapped,
    weakly,
)
from emheap.calls.loops import loop_module
from emheap.calls.temporaries import Temporaries
from emheap.calls.temporaries_javascript import JavaScriptTemporaries
from emheap.calls.verifying import contradiction, legalised
from emheap.errors import NotSupportedError, OutOfBoundsError
from emheap.javascript.bridge import big_int, is_function, read_member, tag_of
from emheap.javascript.exports import data_member, memory_in, values_in
from emheap.javascript.trampolines import (
    fits_type,
    instantiate,
    is_exported_function,
    keep_sign,
    trampoline,
    type_of_function,
)
from emheap.memories.base import Memory
from emheap.types.abi import WASM32, WASM64

__all__ = ["JavaScriptLinker", "explain"]

_INTO_JAVASCRIPT = {"q": "big({})", "Q": "big({})", "?": "int({})"}
_FROM_JAVASCRIPT = {**WASM_FROM_C, "q": "int({})", "Q": "(int({}) & 18446744073709551615)"}
_TO_CALLBACK = {**_FROM_JAVASCRIPT, "f": "float({})", "d": "float({})"}
_NAMES = {"big": big_int}
_THROWN_BY_CPP = re.compile(r"with tag \[object (Number|WebAssembly\.Exception)\] was thrown")
"""How Pyodide describes what is no Error: the address of an exception where Emscripten throws by
JavaScript (-fexceptions), else an exception of WebAssembly's (-fwasm-exceptions)."""
_FRAME = re.compile(r"^ *(?:at )?(?:[\w-]+\.wasm\.)?([^ (@]*) ?[(@].*wasm-function\[", re.MULTILINE)


class JavaScriptLinker(Linker):
    """The functions of one module: the exports of an instance, or an Emscripten module, which has
    them under their names in C with an underscore before them."""

    can_trap = True
    argument_templates = _INTO_JAVASCRIPT
    result_templates = _FROM_JAVASCRIPT
    callback_argument_templates = _TO_CALLBACK
    callback_result_templates = _INTO_JAVASCRIPT
    template_names = _NAMES
    no_stack = (
        "what it had on its stack stays there, for the module exports neither __stack_pointer nor "
        f"stackSave and stackRestore: {EXPORT_STACK}; or "
        f"{add_to_list('EXPORTED_RUNTIME_METHODS', 'stackSave', 'stackRestore')}"
    )

    def __init__(self, sources: list[Any], is_64: bool, name: str) -> None:
        self.name = name
        self.convention = Convention(True, WASM64 if is_64 else WASM32)
        self._sources = sources
        """Objects that may have the functions, the table and the stack pointer, first first."""
        self._table: FunctionTable | None = None
        self._save, self._restore = self._find_stack()

    # Functions

    def names(self) -> Iterable[str]:
        for source in self._sources:
            for name, _, kind in values_in(source):
                if kind == "Function":
                    yield name.removeprefix("_")

    def find(self, name: str) -> Any:
        found = [self._member(one) for one in (name, f"_{name}")]
        what = f"the function {name}"
        functions = [one for one in found if is_function(one) and tag_of(one, what) == "Function"]
        # Emscripten's own wrappers of a function hide its type.
        exported = [one for one in functions if is_exported_function(one)]
        if exported:
            return exported[0]
        # Compiled to JavaScript, `_name` is C's, and `name` may be Embind's, which takes objects.
        return functions[-1] if functions else None

    def _member(self, name: str) -> Any:
        for source in self._sources:
            found = data_member(source, name)
            if found is not None:
                return found
        return None

    def missing(self, name: str) -> str:
        cure = add_to_list("EXPORTED_FUNCTIONS", f"_{name}")
        return f"export it: {cure}, or link it with clang -Wl,--export={name}"

    def check(self, name: str, symbol: Any, wire: Wire) -> str:
        declared = wire.wasm()
        if not is_exported_function(symbol):
            return self._check_count(symbol, declared)
        if fits_type(declared, symbol):
            return ""
        halves = legalised(declared)
        found = halves if fits_type(halves, symbol) else type_of_function(symbol)
        text = contradiction(declared, found)
        return text if found else f"{text}: a function of {count_of(symbol.length, 'parameter')}"

    def _check_count(self, symbol: Any, declared: Any) -> str:
        params, _ = declared
        given, count = read_member(symbol, "length", "the function"), len(params)
        if given in (0, count):  # 0 where a wrapper passes on whatever it is called with
            return ""
        if given == count + params.count("i64"):
            return contradiction(declared, legalised(declared))
        return (
            f"it is declared with {count_of(count, 'parameter')}, and the module's function has "
            f"{given}"
        )

    def raw(self, symbol: Any, wire: Wire) -> Callable[..., Any]:
        if wire.result and wire.result in "fd":
            return _float_function(symbol, wire)
        return symbol  # type: ignore[no-any-return]

    def make_temporaries(self, memory: Memory, allocator: Allocator) -> Temporaries:
        if any(memory_in(one) for one in self._sources):
            return JavaScriptTemporaries(memory, allocator)
        # Without a WebAssembly.Memory the buffer may be replaced by a longer one without notice.
        return Temporaries(memory, allocator)

    def loop_over(self, symbol: Any, wire: Wire) -> Any:
        memory = next((found for one in self._sources if (found := memory_in(one))), None)
        if memory is None or self.convention.abi is WASM64:
            return None
        try:
            return instantiate(loop_module(wire), {"f": symbol, "memory": memory}).map
        except JsException as error:
            if error.name != "LinkError":  # of a shared memory, which the loop does not know
                raise
            return None

    # Callbacks

    def make_callback(self, wire: Wire, adapter: Callable[..., Any]) -> CallbackEntry:
        if self._table is None:
            self._table = _open_table(self._raw_table(), self.name)
        return CallbackEntry(self._table.add(trampoline(wire.wasm(), weakly(adapter))), adapter)

    def _raw_table(self) -> Any:
        for source in self._sources:
            for _, table, kind in values_in(source):
                if kind == "WebAssembly.Table":
                    return table
        raise _no_table(self.name)

    def function_at(self, address: int) -> Any:
        table = self._raw_table()
        found = table.get(address) if address < table.length else None
        if tag_of(found) != "Function":
            raise OutOfBoundsError(f"{address} is no function of {self.name}")
        return found

    # What goes wrong

    def explain(self, error: BaseException) -> TrapReport | None:
        return explain(error)

    def _find_stack(self) -> tuple[Callable[[], Any] | None, Callable[[Any], Any]]:
        pointer = self._member("__stack_pointer")
        if tag_of(pointer) == "WebAssembly.Global":
            return lambda: pointer.value, lambda mark: setattr(pointer, "value", mark)
        for save, restore in (
            ("stackSave", "stackRestore"),
            ("emscripten_stack_get_current", "_emscripten_stack_restore"),
        ):
            saving, restoring = self._member(save), self._member(restore)
            if all(tag_of(one) == "Function" for one in (saving, restoring)) and (
                not saving.length and restoring.length <= 1  # others of these names take more
            ):
                return saving, restoring
        return None, lambda mark: None

    def stack_mark(self) -> Any:
        return None if self._save is None else self._save()

    def stack_restore(self, mark: Any) -> None:
        self._restore(mark)


def _float_function(symbol: Any, wire: Wire) -> Callable[..., Any]:
    """A function whose results are floats, and -0.0 where they are."""
    kind = wire.wasm()
    sign: Any = None
    if is_exported_function(symbol):
        symbol, sign = keep_sign(kind, symbol)

    def call(*arguments: Any) -> float:
        result = symbol(*arguments)
        if type(result) is float or result:
            return float(result)
        return -0.0 if sign is not None and sign.value else 0.0

    return call


def _innermost_function(stack: str) -> str:
    """The name of the function of WebAssembly that an error comes from, as far as it has names."""
    found = _FRAME.search(stack)
    return found[1] if found else ""


def _open_table(table: Any, name: str) -> FunctionTable:
    def grow(count: int) -> int:
        try:
            return int(table.grow(count))
        except JsException as error:
            if error.name != "RangeError":
                raise
            raise _no_table(name) from None

    return FunctionTable(grow, table.set)


def _no_table(name: str) -> NotSupportedError:
    # Newer releases of Emscripten keep the table, even one that can grow, to themselves.
    return no_table(name, f" and {add_to_list('EXPORTED_RUNTIME_METHODS', 'wasmTable')}")


def linker_sources(*objects: Any) -> list[Any]:
    """Where a module's functions may be: its object, what that has of its exports, the exports."""
    found = []
    for one in objects:
        if not isinstance(one, JsProxy):
            continue
        if tag_of(one, "the module") == "WebAssembly.Instance":
            found.append(read_member(one, "exports", "the instance"))
            continue
        found.append(one)
        for name in ("wasmExports", "asm", "exports"):
            exports = data_member(one, name)
            if isinstance(exports, JsProxy):
                found.append(exports)
    return found


def explain(error: BaseException) -> TrapReport | None:
    """What an exception of JavaScript's means."""
    if isinstance(error, RecursionError):
        return TrapReport("call stack exhausted")
    if not isinstance(error, JsException):
        return None
    thrown: Any = error
    name, message = str(thrown.name), str(thrown.message)
    if name in (
        "ExitStatus",
        "Exit",
    ):  # Pyodide has an error of its own for other modules', too
        return exited(message.rpartition("(")[2].rstrip(")"))
    if message.startswith("Aborted(") or "abort(" in message:
        return TrapReport(message, closes=True)
    if name == "RangeError" and "stack" in message:
        return TrapReport("call stack exhausted")
    if _THROWN_BY_CPP.search(message):
        return UNCAUGHT
    if name == "RuntimeError":
        return trapped(message, _innermost_function(str(thrown.stack)))
    # Of what is no Error, Pyodide says in further lines how it looked at it.
    return TrapReport(f"{name}: {message.partition(chr(10))[0]}")
