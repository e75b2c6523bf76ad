"""Keeping wasmtime's objects open for as long as anything can reach their bytes."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

__all__ = ["Hold", "is_open"]


class Hold:
    """Keeps a ``wasmtime.Store`` or ``SharedMemory`` open: closing it waits for the last of these.

    Closing a store unmaps its memories, and code that touches one afterwards, through a view, a
    slice or a numpy array, takes the process down. Python cannot revoke those. Refusing to close,
    as ``mmap`` does, would make every ``with Store() as store:`` fail whose heap is still bound to
    a name. So closing is put off, as a socket's is until the files made of it are closed.

    wasmtime-py offers no hook for this, so the object's class is replaced by one derived from it
    that overrides ``close``; all else stays as it was. Setting ``close`` on the object would make
    a cycle of it, and it would linger until the garbage collector comes.
    """

    def __init__(self, held: Any) -> None:
        if not hasattr(held, "_emheap_holds"):
            held._emheap_holds = set()
            held._emheap_closing = False
            kind: Any = type(held)
            held.__class__ = _closing_late(kind)
        self.held = held
        held._emheap_holds.add(id(self))

    def __del__(self) -> None:
        held = self.held
        held._emheap_holds.discard(id(self))
        if held._emheap_closing:
            held.close()


@cache
def _closing_late(kind: Any) -> Any:
    # At the end of the interpreter the store's imported functions may be gone, which it would let
    # go of, and take the process down. Kept here, for this module's names are gone by then, too.
    is_finalizing = sys.is_finalizing

    def close(self: Any) -> None:
        self._emheap_closing = True
        if not self._emheap_holds and not is_finalizing():
            kind.close(self)

    close.__doc__ = kind.close.__doc__
    names = {"close": close, "__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (kind,), names)


def is_open(held: Any) -> bool:
    """Whether an object of wasmtime's was not closed yet."""
    try:
        held.ptr()
    except ValueError:
        return False
    return True
