"""The C library's malloc, calloc and free, by ctypes."""

from __future__ import annotations

import ctypes

from emheap._util.platform import c_runtime
from emheap.allocators.base import Allocator

__all__ = ["LibcAllocator"]


class LibcAllocator(Allocator):
    """The heap of the C library, natively and in Pyodide: C code may free what it allocates."""

    trusted = True
    refusals = (MemoryError,)  # before C was called

    def __init__(self) -> None:
        runtime = c_runtime()
        # Prototypes of our own: setting argtypes on the library's functions would change them for
        # every other user of the same CDLL object, and restype's default cuts addresses to 32 bits.
        size_t, pointer = ctypes.c_size_t, ctypes.c_void_p
        # An address as an integer: as a pointer, NULL would be None.
        self._malloc = ctypes.CFUNCTYPE(size_t, size_t)(("malloc", runtime))
        self._calloc = ctypes.CFUNCTYPE(size_t, size_t, size_t)(("calloc", runtime))
        self._free = ctypes.CFUNCTYPE(None, pointer)(("free", runtime))
        # C guarantees alignof(max_align_t); Emscripten's malloc gives 8 whatever that is.
        self.alignment = 8 if ctypes.sizeof(pointer) == 4 else 16

    # Without memory for an argument ctypes raises an ArgumentError that says so.

    def allocate(self, size: int) -> int:
        try:
            return self._malloc(size)  # type: ignore[no-any-return]
        except ctypes.ArgumentError as error:
            raise MemoryError(str(error)) from None

    def allocate_zeroed(self, size: int) -> int:
        try:
            return self._calloc(size, 1)  # type: ignore[no-any-return]
        except ctypes.ArgumentError as error:
            raise MemoryError(str(error)) from None

    def free(self, address: int) -> None:
        try:
            self._free(address)
        except ctypes.ArgumentError as error:
            raise MemoryError(str(error)) from None
