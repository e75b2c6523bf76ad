"""Functions of a module that runs in wasmtime."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

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
from emheap.calls.verifying import contradiction
from emheap.calls.wasmtime_call import bind_function, expect_callbacks
from emheap.calls.wasmtime_types import type_of_wasmtime_function
from emheap.errors import OutOfBoundsError
from emheap.memories.wasmtime_lifetime import is_open
from emheap.types.abi import WASM32, WASM64

if TYPE_CHECKING:
    import wasmtime

__all__ = ["WasmtimeLinker", "explain", "text_of"]

_EMSCRIPTEN_STACK = ("emscripten_stack_get_current", "_emscripten_stack_restore")
_TO_SIGNED = {
    "?": "int({})",
    "I": "(({} + 2147483648 & 4294967295) - 2147483648)",
    "Q": "(({} + 9223372036854775808 & 18446744073709551615) - 9223372036854775808)",
}


class WasmtimeLinker(Linker):
    """The exports of one instance."""

    # What is called takes and gives C's numbers, so that there are no templates for them.
    can_trap = True
    callback_argument_templates = WASM_FROM_C
    callback_result_templates = _TO_SIGNED
    no_stack = (
        "what it had on its stack stays there, for the module does not export __stack_pointer: "
        f"{EXPORT_STACK}"
    )

    def __init__(self, store: wasmtime.Store, instance: wasmtime.Instance, is_64: bool) -> None:
        import wasmtime

        self.name = "the module"
        self.convention = Convention(True, WASM64 if is_64 else WASM32)
        self._store = store
        self._exports: Any = instance.exports(store)
        self._table: FunctionTable | None = None
        stack = self._exports.get("__stack_pointer")
        self._stack = stack if isinstance(stack, wasmtime.Global) else None
        save, restore = (self.find(name) for name in _EMSCRIPTEN_STACK)
        self._save = self._restore = None
        if save is not None and restore is not None:
            letter = self.convention.address
            saving, restoring = Wire((), letter), Wire((letter,), "")
            if not self.check("", save, saving) and not self.check("", restore, restoring):
                self._save = self.raw(save, saving)
                self._restore = self.raw(restore, restoring)

    def names(self) -> Iterable[str]:
        import wasmtime

        return [name for name in self._exports if isinstance(self._exports[name], wasmtime.Func)]

    def find(self, name: str) -> Any:
        import wasmtime

        found = self._exports.get(name)
        return found if isinstance(found, wasmtime.Func) else None

    def missing(self, name: str) -> str:
        return f'export it: -Wl,--export={name}, or __attribute__((export_name("{name}")))'

    def check(self, name: str, symbol: Any, wire: Wire) -> str:
        return contradiction(wire.wasm(), type_of_wasmtime_function(self._store, symbol))

    def raw(self, symbol: Any, wire: Wire) -> Callable[..., Any]:
        return bind_function(self._store, symbol, "".join(wire.params), wire.result)

    def unless_closed(self, free: Callable[[int], Any]) -> Callable[[int], Any]:
        store = self._store
        # First, for a call into a store that was closed ends the process. Else the block went with
        # the memory.
        return lambda address: free(address) if is_open(store) else None

    def loop_over(self, symbol: Any, wire: Wire) -> Any:
        import wasmtime

        memory = self._exports.get("memory")
        if not isinstance(memory, wasmtime.Memory) or memory.type(self._store).is_64:
            return None
        module = wasmtime.Module(self._store.engine, loop_module(wire))
        instance = wasmtime.Instance(self._store, module, [symbol, memory])
        return instance.exports(self._store)["map"]

    def function_at(self, address: int) -> Any:
        import wasmtime

        table: Any = self._raw_table()
        found = table.get(self._store, address) if address < table.size(self._store) else None
        if not isinstance(found, wasmtime.Func):
            raise OutOfBoundsError(f"{address} is no function of {self.name}")
        return found

    def make_callback(self, wire: Wire, adapter: Callable[..., Any]) -> CallbackEntry:
        import wasmtime

        if self._table is None:
            self._table = self._find_table()
        params, results = (
            [getattr(wasmtime.ValType, one)() for one in side] for side in wire.wasm()
        )
        kind = wasmtime.FuncType(params, results)
        function = wasmtime.Func(self._store, kind, weakly(adapter))
        expect_callbacks(self._store)
        return CallbackEntry(self._table.add(function), adapter)

    def _raw_table(self) -> wasmtime.Table:
        import wasmtime

        for name in self._exports:
            table = self._exports[name]
            if isinstance(table, wasmtime.Table):
                return table
        raise no_table(self.name)

    def _find_table(self) -> FunctionTable:
        import wasmtime

        table, store = self._raw_table(), self._store

        def grow(count: int) -> int:
            try:
                return table.grow(store, count, None)
            except wasmtime.WasmtimeError:
                raise no_table(self.name) from None

        return FunctionTable(grow, lambda index, function: table.set(store, index, function))

    def explain(self, error: BaseException) -> TrapReport | None:
        return explain(error)

    def stack_mark(self) -> Any:
        if self._stack is not None:
            return self._stack.value(self._store)
        return None if self._save is None else self._save()

    def stack_restore(self, mark: Any) -> None:
        if self._stack is not None:
            self._stack.set_value(self._store, mark)
        elif self._restore is not None:
            self._restore(mark)


def explain(error: BaseException) -> TrapReport | None:
    """What an error of wasmtime's means."""
    import wasmtime

    if isinstance(error, wasmtime.ExitTrap):
        return exited(error.code)
    if isinstance(error, (wasmtime.Trap, wasmtime.WasmtimeError)):
        last = text_of(error).splitlines()[-1]
        if "thrown Wasm exception" in last:
            return UNCAUGHT
        frames = error.frames if isinstance(error, wasmtime.Trap) else []
        function = frames[0].func_name if frames else None
        return trapped(last.rpartition("wasm trap: ")[2].strip(), function or "")
    return None


def text_of(error: wasmtime.Trap | wasmtime.WasmtimeError) -> str:
    """The message of an error of wasmtime's, without the frames of Rust that older releases put
    behind it where ``RUST_BACKTRACE`` is set."""
    return str(error).partition("\n\nStack backtrace:")[0].strip()
