"""The table of a WebAssembly module's functions, where callbacks get their addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emheap.errors import NotSupportedError

__all__ = ["WASM_FROM_C", "FunctionTable", "no_table"]

_CHUNK = 16
"""How many entries the table grows by: each growth may move it."""

WASM_FROM_C = {
    "?": "({} & 255 != 0)",
    "b": "((({}) + 128 & 255) - 128)",
    "B": "({} & 255)",
    "h": "((({}) + 32768 & 65535) - 32768)",
    "H": "({} & 65535)",
    "I": "({} & 4294967295)",
    "Q": "({} & 18446744073709551615)",
}
"""What makes a number of its C type of the one that WebAssembly has, which is wider or signed."""


class FunctionTable:
    """Allocates entries of a table."""

    def __init__(self, grow: Callable[[int], int], store: Callable[[int, Any], Any]) -> None:
        self._grow = grow
        self._store = store
        self._free: list[int] = []

    def add(self, function: Any) -> int:
        """The index of a new entry, for a function."""
        if not self._free:
            first = self._grow(_CHUNK)
            # Index 0 is C's null pointer.
            self._free = [*range(first + _CHUNK - 1, max(first, 1) - 1, -1)]
        address = self._free.pop()
        self._store(address, function)
        return address


def no_table(name: str, more: str = "") -> NotSupportedError:
    """The error for a callback to a module whose table cannot be reached, or cannot grow.

    `more` says what else emcc must be told.
    """
    return NotSupportedError(
        f"{name} cannot take a callback: its table of functions is not exported, or cannot grow; "
        "link it with clang -Wl,--export-table,--growable-table, or with emcc -sALLOW_TABLE_GROWTH"
        f"{more}"
    )
