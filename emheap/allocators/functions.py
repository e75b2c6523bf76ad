"""Any pair of functions that allocate and free: a module's exports, or the user's own."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from emheap._util.messages import count_of
from emheap.allocators.base import Allocator
from emheap.allocators.outstanding import OutstandingBlocks

__all__ = ["FunctionsAllocator", "check_function", "checked_address"]

_NOT_AT_ONCE = 0x20 | 0x80 | 0x200
"""The flags of the code of generators, coroutines and asynchronous generators (`inspect`)."""


class FunctionsAllocator(Allocator):
    """Calls ``allocate(size)`` and ``free(address)``, and checks what the former returns: an
    address, or 0, and none inside of a block that it has not had back.

    With `sized_free` it calls ``free(address, size)``, for allocators that do not record the size
    of a block; with `aligned` it passes `alignment` after each size. WebAssembly returns
    an address as a signed 32-bit integer, so one above 2 GiB comes back negative; with
    `pointer_size` 4 it is read as unsigned. The alignment of a block is what every malloc for
    wasm32 gives, unless stated.
    """

    def __init__(
        self,
        allocate: Callable[..., Any],
        free: Callable[..., Any],
        pointer_size: int = 4,
        alignment: int = 8,
        *,
        sized_free: bool = False,
        aligned: bool = False,
    ) -> None:
        for name, function in (("allocate", allocate), ("free", free)):
            check_function(name, function)
        self._allocate = allocate
        self._free = free
        self._pointer_size = pointer_size
        self.alignment = alignment
        self._more = (alignment,) if aligned else ()
        self._sized = sized_free
        self._outstanding = OutstandingBlocks()

    def allocate(self, size: int) -> int:
        address = checked_address(self._allocate(size, *self._more), size, self._pointer_size)
        if address and not self.trusted:
            self._outstanding.add(address, size)
        return address

    def free(self, address: int) -> None:
        self._give_back(address, 0)

    def free_sized(self, address: int, size: int) -> None:
        self._give_back(address, size)

    def _give_back(self, address: int, size: int) -> None:
        if self.trusted:
            self._free(address)
            return
        # Before the call, or another thread could have the address already. A block that was
        # adopted is not known here: its size is the one that the heap knows.
        asked = self._outstanding.discard(address)
        more = (size if asked is None else asked, *self._more) if self._sized else ()
        try:
            self._free(address, *more)
        except Exception:  # it was not freed
            if asked is not None:
                self._outstanding.add(address, asked)
            raise

    def relinquish(self, address: int) -> bool:
        self._outstanding.discard(address)
        return True


def check_function(name: str, function: Any) -> None:
    """Raise TypeError for what is no function, or one that does its work later than at the call."""
    if not callable(function):
        raise TypeError(
            f"{name} must be a function, not {type(function).__name__} {function!r:.60}"
        )
    code = getattr(function, "__code__", None)
    if getattr(code, "co_flags", 0) & _NOT_AT_ONCE:
        raise TypeError(
            f"{name} must be a function that does its work when it is called, not an async one or "
            f"a generator, as {function!r:.60} is"
        )


def checked_address(result: Any, size: int, pointer_size: int = 8) -> int:
    """What an allocating function returned for `size` bytes, as an address; 0 for no room.

    Raises TypeError and ValueError for what is none.
    """
    if result is None or result is False:
        return 0
    try:
        if result is True:  # an int to Python, but as an address it is a slip
            raise TypeError
        address = operator.index(result)
    except TypeError:
        later = hasattr(type(result), "__await__")
        advice = "; pass one that does its work at once, and not asynchronously" if later else ""
        raise TypeError(
            f"the allocate function must return an address, an int, or 0; for "
            f"{count_of(size, 'byte')} it returned {type(result).__name__} {result!r:.60}{advice}"
        ) from None
    if address >= 0:
        return address
    unsigned = address + (1 << 32)
    # What would reach beyond 4 GiB is no address, but a number that stands for an error.
    if pointer_size == 4 and unsigned >> 31 == 1 and address != -1 and address + size <= 0:
        return unsigned
    raise ValueError(
        f"the allocate function returned {address} for {count_of(size, 'byte')}, which is no "
        "address; where there is no room it must return 0"
    )
