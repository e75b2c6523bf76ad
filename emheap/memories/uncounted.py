"""A window on a memory for builds of CPython without the interpreter's lock.

All slices of a memoryview share one count of exports, which such builds do not change in one step:
when threads slice and release at once, the count comes to nothing too early, and then every slice
raises "operation forbidden on released memoryview object". Here each slice is of a memoryview of
its own, on an exporter that counts nothing: a ctypes array.
"""

from __future__ import annotations

import ctypes
from typing import Any, cast

from emheap._util.platform import HAS_GIL

__all__ = ["UncountedWindow", "open_window"]


class UncountedWindow:
    """What memories use of a memoryview, over a ctypes array."""

    __slots__ = ("__weakref__", "_array", "_code")

    def __init__(self, array: Any, code: str = "B") -> None:
        self._array = array
        self._code = code

    def _view(self) -> memoryview:
        array = self._array
        if array is None:
            raise ValueError("operation forbidden on released memoryview object")
        view = memoryview(array).cast("B")
        if self._code == "B":
            return view
        whole = view[: len(view) & -8]
        return whole.cast(cast(Any, self._code)) if len(whole) else whole

    # The protocol's own name; Python looks for it from 3.12 on, as every build without the lock is.
    def __buffer__(self, flags: int) -> memoryview:
        return self._view()

    def __len__(self) -> int:
        return len(self._view())

    def __getitem__(self, index: Any) -> Any:
        return self._view()[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._view()[index] = value

    def cast(self, code: str) -> UncountedWindow:
        """The same bytes as numbers; a rest of up to 7 bytes is left out."""
        return UncountedWindow(self._array, code)

    def release(self) -> None:
        """Release the bytes; slices keep them."""
        self._array = None


def open_window(array: ctypes.Array[Any]) -> memoryview:
    """The bytes of a ctypes array, to be sliced by any thread."""
    if HAS_GIL:
        return memoryview(array).cast("B")
    return cast(memoryview, UncountedWindow(array))
