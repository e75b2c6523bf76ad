"""Copies of arguments that lie in C's memory during a call.

They lie on the heap, never on the stack of a WebAssembly module, which is small: strings of some
size overrun it. Short ones go to cells that are kept, so that passing one costs no call of malloc.
"""

from __future__ import annotations

from typing import Any

from emheap._util.messages import count_of
from emheap.allocators.base import Allocator
from emheap.errors import OutOfMemoryError
from emheap.memories.base import Memory

__all__ = ["CELL", "Temporaries", "Temporary", "as_bytes", "view_of"]

CELL = 256
"""The bytes of a cell."""
_KEPT = 16
"""How many cells are kept: each serves one argument of one call that is under way."""
_LARGE = 1 << 14
"""The most bytes of the larger block that is kept, which the results of `mapping` go to."""


class Temporary:
    """Bytes in C's memory until `release`."""

    __slots__ = ("_owner", "_target", "address", "size", "views")

    def __init__(self, owner: Temporaries, address: int, size: int) -> None:
        self._owner = owner
        self.address = address
        self.size = size
        self.views: dict[int, Any] = {}
        """What a subclass of `Temporaries` keeps for each length."""
        self._target: memoryview | None = None

    def copy_back(self, target: memoryview) -> None:
        """Store what C leaves here into `target`, when released."""
        self._target = target

    def release(self) -> None:
        """Give the bytes back."""
        target, self._target = self._target, None
        try:
            if target is not None:
                target[:] = self._owner.memory.read_bytes(self.address, len(target))
        finally:
            self._owner.take_back(self)


class Temporaries:
    """Allocates bytes of one heap during a call."""

    def __init__(self, memory: Memory, allocator: Allocator) -> None:
        self.memory = memory
        self._allocator = allocator
        self.cells: list[Temporary] = []
        self._large: list[Temporary] = []
        """None or one."""

    def store_text(self, text: str) -> Temporary | None:
        """A str as a short null-terminated string in UTF-8, by a way that is quick here; None for
        a str that `store` must see to."""
        return None

    def store(self, data: bytes | memoryview) -> Temporary:
        """A copy of `data` in C's memory. Raises OutOfMemoryError."""
        made = self.reserve(len(data))
        if len(data):
            self.memory.write_bytes(made.address, data)
        return made

    def reserve(self, size: int) -> Temporary:
        """Bytes that hold anything."""
        small = size <= CELL
        try:
            kept = self.cells.pop() if small else self._large.pop()
        except IndexError:
            size = CELL if small else size
        else:
            if kept.size >= size:
                return kept
            self._allocator.free(kept.address)
        address = self._allocator.allocate(size)
        if not address:
            raise OutOfMemoryError(
                f"no room for {count_of(size, 'byte')} of an argument in {self.memory.name}"
            )
        return Temporary(self, address, size)

    def take_back(self, made: Temporary) -> None:
        """Keep a cell for the next call, and free everything else."""
        if made.size == CELL and len(self.cells) < _KEPT:
            self.cells.append(made)
        elif CELL < made.size <= _LARGE and not self._large:
            self._large.append(made)
        else:
            self._allocator.free(made.address)


_POINTERS = "P&zZX"
"""What the formats of ctypes' pointers begin with: void *, others, text, and functions."""


def view_of(value: Any, described: str) -> memoryview | None:
    """A view of a bytes-like object, or None for anything else. Raises ValueError for one whose
    bytes cannot be had, as those of a view whose block was freed.

    ctypes' pointers are bytes-like, and numpy's numbers: but it is the address that they hold which
    is meant, or the number.
    """
    try:
        view = memoryview(value)
    except TypeError:
        return None
    except ValueError as error:
        raise ValueError(
            f"{described} cannot have the bytes of this {type(value).__name__}: {error} (a view "
            "of a block ends with it)"
        ) from None
    is_number = view.ndim == 0 and (view.readonly or view.format.lstrip("<>")[0] in _POINTERS)
    return None if is_number else view


def as_bytes(view: memoryview) -> memoryview:
    """The bytes of a view in one row: a copy, which is read-only, if they lie in several."""
    return view.cast("B") if view.c_contiguous and view.nbytes else memoryview(bytes(view))
