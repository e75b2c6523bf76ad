"""Any writable Python buffer as a memory: bytearray, mmap, shared memory, a ctypes array."""

from __future__ import annotations

import ctypes
from typing import Any

from emheap._util.messages import count_of
from emheap._util.platform import HAS_GIL
from emheap._util.released import not_released
from emheap._util.sites import Site, caller_site, describe_site
from emheap.errors import UseAfterFreeError
from emheap.memories.base import Loan
from emheap.memories.process import exported
from emheap.memories.uncounted import open_window
from emheap.memories.window import WindowMemory
from emheap.types import Scalar
from emheap.types.abi import ABI

__all__ = ["BufferMemory", "writable_bytes"]


def writable_bytes(buffer: Any) -> memoryview:
    """A memoryview of the bytes of a buffer; raises TypeError or ValueError if it cannot be one."""
    try:
        view = memoryview(not_released(buffer, "a heap"))
    except TypeError:
        raise TypeError(
            "a heap needs a writable buffer, such as a bytearray, an mmap or the buf of a "
            f"SharedMemory, not {type(buffer).__name__} {buffer!r:.60}"
        ) from None
    if view.readonly:
        raise TypeError(
            f"a heap needs a writable buffer; this {type(buffer).__name__} is read-only"
        )
    if not view.c_contiguous:
        raise ValueError("a heap needs a contiguous buffer; this one has strides")
    return view if (view.format == "B" and view.ndim == 1) or not view.nbytes else view.cast("B")


class BufferMemory(WindowMemory):
    """The bytes of one buffer that stays where and what it is; address 0 is its first byte.

    The buffer cannot be resized or closed while the heap holds it: Python refuses, until
    `release` was called.
    """

    name: str = "the buffer"
    _released_at: Site

    def __init__(self, buffer: Any, abi: ABI | None = None) -> None:
        self.window = writable_bytes(buffer)
        if not HAS_GIL and len(self.window):
            self.window = open_window((ctypes.c_ubyte * len(self.window)).from_buffer(self.window))
        self.pointer_size = 4 if len(self.window) <= 1 << 32 else 8
        self._abi = super().abi
        if abi is not None:
            if abi.pointer_size < self.pointer_size:
                raise ValueError(
                    f"a buffer of {count_of(len(self.window), 'byte')} is larger than what the "
                    f"{8 * abi.pointer_size}-bit addresses of {abi.name} reach"
                )
            self.pointer_size = abi.pointer_size
            self._abi = abi

    @property
    def size(self) -> int:
        return len(self.window)

    @property
    def abi(self) -> ABI:
        return self._abi

    def lend(self, scalar: type[Scalar[Any]], address: int, count: int) -> Loan[memoryview]:
        size = count * scalar.size
        start = self.check_extent(address, size, "view")
        return exported((ctypes.c_ubyte * size).from_buffer(self.window, start), scalar)

    def host_address(self, address: int) -> int:
        return ctypes.addressof(ctypes.c_ubyte.from_buffer(self.window, address))

    def release(self) -> None:
        """Release the buffer, so that its owner can close it. Using the heap afterwards raises
        UseAfterFreeError, and for a string at an address ValueError.

        Live blocks, wrapped references and views in use keep exporting the buffer; closing it
        then raises a BufferError.
        """
        self.window.release()
        for numbers in self._typed.values():
            numbers.release()
        self._released_at = caller_site()
        memory: Any = self
        memory.__class__ = _ReleasedBuffer


class _ReleasedBuffer(BufferMemory):
    """What a memory becomes when its buffer is released: one in use is not slowed down by asking.
    Every access that its window refuses is checked, and so comes to ask for the size."""

    @property
    def size(self) -> int:
        raise self._error()

    def typed_window(self, code: str) -> memoryview:
        raise self._error()

    def release(self) -> None:
        """Nothing is left to release."""

    def _error(self) -> UseAfterFreeError:
        return UseAfterFreeError(
            f"{self.name} was released at {describe_site(self._released_at)}; free the blocks in "
            "it and close the heap before that, or open another heap"
        )
