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
        library = _open_library()
        pointer, order = ctypes.c_void_p, ctypes.c_int
        # Functions this short keep the interpreter's lock: letting it go costs more than they do.
        self._loads = {
            size: ctypes.PYFUNCTYPE(integer, pointer, order)((f"__atomic_load_{size}", library))
            for size, integer in _SIZES.items()
        }
        self._stores = {
            size: ctypes.PYFUNCTYPE(None, pointer, integer, order)(
                (f"__atomic_store_{size}", library)
            )
            for size, integer in _SIZES.items()
        }

    def load(self, address: int, size: int) -> int:
        value: int = self._loads[size](self.memory.host_address(address), _SEQUENTIALLY_CONSISTENT)
        return value

    def store(self, address: int, size: int, value: int) -> None:
        self._stores[size](self.memory.host_address(address), value, _SEQUENTIALLY_CONSISTENT)
