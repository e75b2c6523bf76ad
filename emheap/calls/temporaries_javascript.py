"""Short strings for modules in JavaScript, in one crossing. Imported inside Pyodide only."""

from __future__ import annotations

from pyodide.ffi import JsException

from emheap.calls.temporaries import CELL, Temporaries, Temporary
from emheap.types import uint8

__all__ = ["JavaScriptTemporaries"]

_LOW = 1 << 30
"""Objects of Python's below this address reach JavaScript whole, with some room to be sure."""


class JavaScriptTemporaries(Temporaries):
    """Keeps, for each cell and each length, the typed array over its bytes."""

    def store_text(self, text: str) -> Temporary | None:
        data = text.encode() + b"\0"
        size = len(data)
        if size > CELL or data.find(0) != size - 1 or id(data) > _LOW:
            return None
        try:
            cell = self.cells.pop()
        except IndexError:
            return self.store(data)
        try:
            cell.views[size].assign(data)
        except (KeyError, JsException):
            # The first of this length, or the memory grew and the array is dead.
            cell.views.clear()
            self.memory.write_bytes(cell.address, data)
            cell.views[size] = self.memory.js_view(uint8, cell.address, size)
        return cell
