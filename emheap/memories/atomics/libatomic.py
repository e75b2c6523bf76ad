"""Atomic access to native memory, by the compiler's support library.

CPython has no atomics of its own. GCC's libatomic exports ``__atomic_load_4`` and its like as
ordinary functions; on macOS the compiler runtime in libSystem does.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
from typing import Any

from emheap.errors import NotSupportedError
from emheap.memories.atomics.base import Addressable, Atomics

__all__ = ["LibatomicAtomics"]

_SEQUENTIALLY_CONSISTENT = 5  # __ATOMIC_SEQ_CST
_SIZES: dict[int, Any] = {
    1: ctypes.c_uint8,
    2: ctypes.c_uint16,
    4: ctypes.c_uint32,
    8: ctypes.c_uint64,
}


def _open_library() -> Any:
    if sys.platform == "linux":
        names = ["libatomic.so.1"]
    elif sys.platform == "darwin":
        names = ["/usr/lib/libSystem.B.dylib"]
    else:
        found = ctypes.util.find_library("atomic")
        names = [found] if found else []
    for name in names:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        if hasattr(library, "__atomic_load_4"):
            return library
    raise NotSupportedError(
        "atomic access to native memory needs libatomic, which is not on this machine; "
        "on Debian and Ubuntu: apt-get install libatomic1"
    )


class LibatomicAtomics(Atomics):
    """For memory in this process, which other threads and processes may share."""

    def __init__(self, memory: Addressable) -> None:
        super().__init__(memory)
        self._library = _open_library()
        self._loads = self._open("load", 0)
        self._stores = self._open("store", 1)
        self._functions: dict[str, dict[int, Any]] = {}
        """Those that change a number, by the name that the compilers have for them."""

    def _open(self, name: str, operands: int, *, compares: bool = False) -> dict[int, Any]:
        """One function for each size."""
        opened = {}
        for size, integer in _SIZES.items():
            takes: list[Any] = [ctypes.c_void_p, *[integer] * operands, ctypes.c_int]
            gives = None if name == "store" else integer
            if compares:
                takes = [ctypes.c_void_p, ctypes.POINTER(integer), integer, *[ctypes.c_int] * 2]
                gives = ctypes.c_bool
            # Functions this short keep the interpreter's lock: letting it go costs more than they
            # do.
            made = ctypes.PYFUNCTYPE(gives, *takes)
            opened[size] = made((f"__atomic_{name}_{size}", self._library))
        return opened

    def load(self, address: int, size: int) -> int:
        value: int = self._loads[size](self.memory.host_address(address), _SEQUENTIALLY_CONSISTENT)
        return value

    def store(self, address: int, size: int, value: int) -> None:
        self._stores[size](self.memory.host_address(address), value, _SEQUENTIALLY_CONSISTENT)

    def exchange(self, address: int, size: int, value: int) -> int:
        return self._change("exchange", address, size, value)

    def modify(self, name: str, address: int, size: int, operand: int) -> int:
        return self._change(f"fetch_{name}", address, size, operand)

    def _change(self, name: str, address: int, size: int, operand: int) -> int:
        functions = self._functions.get(name)
        if functions is None:
            functions = self._functions[name] = self._open(name, 1)
        place = self.memory.host_address(address)
        value: int = functions[size](place, operand, _SEQUENTIALLY_CONSISTENT)
        return value

    def compare_exchange(self, address: int, size: int, expected: int, value: int) -> int:
        name = "compare_exchange"
        functions = self._functions.get(name)
        if functions is None:
            functions = self._functions[name] = self._open(name, 2, compares=True)
        found = _SIZES[size](expected)  # where C stores what it found instead
        place, order = self.memory.host_address(address), _SEQUENTIALLY_CONSISTENT
        functions[size](place, ctypes.byref(found), value, order, order)
        return found.value  # type: ignore[no-any-return]
