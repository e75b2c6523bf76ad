"""Small modules of a few bytes, written for one test each.

They are for what no compiler makes on request: a module that imports a function and exports it as
it is, so that Python calls it as C would; one whose memory, table or stack is not the usual one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emheap._util.wasm_binary import (
    function_type,
    import_of,
    module_of,
    section,
    unsigned,
    vector,
    wasm_text,
)

__all__ = ["SmallModule"]

_FUNCTION, _TABLE, _MEMORY, _GLOBAL = b"\0", b"\1", b"\2", b"\3"
_END = b"\x0b"

Type = tuple[Sequence[str], Sequence[str]]


@dataclass
class SmallModule:
    """A module of functions that it passes on and of functions with code of their own."""

    passed: Sequence[tuple[str, str, Type]] = ()
    """Imported and exported again: module, name and type."""
    written: Sequence[tuple[str, Type, bytes]] = ()
    """Name, type and instructions; they have no local variables."""
    memory: bytes | None = b"\0\1"
    """The limits of the exported memory: at least one page; None for none."""
    imported_memory: bytes | None = None
    """The limits of a memory that it imports as ``env.memory``, and exports."""
    table: bytes | None = None
    """The limits of an exported table of functions; None for none."""
    stack: int | None = None
    """Where a global, which is not exported, begins; None for none."""
    starts_with: str = ""
    """The function that runs when the module is instantiated."""

    def binary(self) -> bytes:
        """Its bytes."""
        names = [name for _, name, _ in self.passed] + [name for name, _, _ in self.written]
        types = [kind for _, _, kind in self.passed] + [kind for _, kind, _ in self.written]
        places = {name: number for number, name in enumerate(names)}
        imports = [
            import_of(module, name, _FUNCTION + unsigned(number))
            for number, (module, name, _) in enumerate(self.passed)
        ]
        if self.imported_memory is not None:
            imports.append(import_of("env", "memory", _MEMORY + self.imported_memory))
        exports = [wasm_text(name) + _FUNCTION + unsigned(n) for name, n in places.items()]
        if self.table is not None:
            exports.append(wasm_text("table") + _TABLE + b"\0")
        if self.memory is not None or self.imported_memory is not None:
            exports.append(wasm_text("memory") + _MEMORY + b"\0")
        own = range(len(self.passed), len(names))
        codes = [b"\0" + code + _END for _, _, code in self.written]
        sections: list[tuple[int, list[bytes]]] = [
            (1, [function_type(*kind) for kind in types]),
            (2, imports),
            (3, [unsigned(number) for number in own]),
            (4, [] if self.table is None else [b"\x70" + self.table]),
            (5, [self.memory] if self.memory and self.imported_memory is None else []),
            (6, [] if self.stack is None else [b"\x7f\1\x41" + _signed(self.stack) + _END]),
            (7, exports),
        ]
        made = [section(number, vector(items)) for number, items in sections if items]
        if self.starts_with:
            made.append(section(8, unsigned(places[self.starts_with])))
        if codes:
            made.append(section(10, vector([unsigned(len(code)) + code for code in codes])))
        return module_of(*made)


def _signed(number: int) -> bytes:
    """A number that is not negative in signed LEB128: its highest bit of seven is the sign."""
    made = unsigned(number)
    return made if made[-1] < 64 else made[:-1] + bytes([made[-1] | 128, 0])
