"""Any pair of functions that allocate and free: a module's exports, or the user's own."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from emheap._util.messages import format_address
from emheap.allocators.base import Allocator, call_free

__all__ = ["FunctionsAllocator"]


class FunctionsAllocator(Allocator):
    """Calls ``allocate(size)`` and ``free(address)``, and believes nothing the former returns.

    WebAssembly returns an address as a signed 32-bit integer, so one above 2 GiB comes back
    negative; with `pointer_size` 4 it is read as unsigned. The alignment is not known, so it is
    taken to be what every malloc for wasm32 gives.
    """

    def __init__(
        self,
        allocate: Callable[[int], Any],
        free: Callable[[int], Any],
        pointer_size: int = 4,
        alignment: int = 8,
    ) -> None:
        for name, function in (("allocate", allocate), ("free", free)):
            if not callable(function):
                raise TypeError(
                    f"{name} must be a function of one argument, "
                    f"not {type(function).__name__} {function!r:.60}"
                )
        self._allocate = allocate
        self._free = free
        self._pointer_size = pointer_size
        self.alignment = alignment

    def allocate(self, size: int) -> int:
        result: Any = None
        try:
            result = self._allocate(size)
            return self._check(result, size)
        except Exception:
            raise
        except BaseException:  # an interrupt
            if result:
                self._free(result)
            raise

    def _check(self, result: Any, size: int) -> int:
        if result is None or result is False:
            return 0
        try:
            address = operator.index(result)
        except TypeError:
            raise TypeError(
                f"the allocate function must return an address, an int, or 0; for {size} bytes "
                f"it returned {type(result).__name__} {result!r:.60}"
            ) from None
        if address < 0 and self._pointer_size == 4 and address >= -(1 << 31):
            address += 1 << 32
        if address < 0:
            raise ValueError(
                f"the allocate function returned the negative address {format_address(address)}"
            )
        return address

    def free(self, address: int) -> None:
        self._free(address)

    def take_back(self, owed: list[int], size: int | None = None) -> None:
        call_free(self._free, owed)
