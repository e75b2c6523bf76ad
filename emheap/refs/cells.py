"""The inside of a structure's block: its bytes, as numbers of whatever format is asked for.

A field is read as ``cells.i[2]``, an item of a memoryview. Freeing the block releases all of them
in one step, so every structure, element and pointer that shares the cells finds out at its next
access, and a live access tests nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from emheap._util.platform import HAS_GIL, IN_PYODIDE
from emheap.memories.base import Elements, Memory
from emheap.memories.elements import ExclusiveElements, Gate, Pin, pin
from emheap.memories.window import WindowMemory
from emheap.types import Scalar, stored_types

__all__ = ["Cells", "WindowCells", "borrowed_cells", "cells_class", "is_direct"]

_going: list[Any] = []
"""What `_let_go` is taking, while it does, and an item that stands for itself."""


def _let_go(noted: dict[int, Any], going: list[Any] = _going) -> None:
    """Empty a record of blocks, and drop them and what goes with them one after the other."""
    if not noted:
        return
    if going:
        going.extend(noted.values())
        noted.clear()
        return
    try:
        going.append(None)
        going.extend(noted.values())
        noted.clear()
        while len(going) > 1:
            del going[-1]  # which may come back here, and add to the list
    finally:
        going.clear()


class _Pointees(dict[int, Any]):
    """For each pointer that was stored in a block, the block that it points to, by the offset.

    A freed block forgets them, as all do when their heap goes. Otherwise the blocks of a long list
    would hang on each other, and CPython would take one in the middle of taking the one before: in
    Pyodide 10,000 were too many for the stack. Those of a heap without a table of live blocks hang
    on each other; there `_let_go` takes them one after the other.
    """

    __slots__ = ()

    release = dict.clear

    if IN_PYODIDE:  # elsewhere CPython copes, and a finalizer takes time
        __del__ = _let_go


_RECORDS: dict[str, Callable[[], Any]] = {"tail": int, "origin": type(None)}


class Cells:
    """The elements of one block, by format, each made when it is first used."""

    __slots__ = (
        *stored_types,
        "__weakref__",
        "_kept",
        "address",
        "length",
        "memory",
        "origin",
        "pointees",
        "tail",
    )

    B: Elements
    memory: Memory
    pointees: _Pointees
    origin: Any
    """The table of the heap that pointers in a value came from, if they were read from one."""
    tail: int
    """The elements of a flexible array at the end."""

    def __init__(self, memory: Memory, address: int, length: int) -> None:
        self.memory = memory
        self.address = address
        self.length = length
        self._kept: tuple[Elements | _Pointees, ...] = ()

    def __getattr__(self, name: str) -> Any:
        """Make what is not there yet: the elements of a format, or the records of pointers."""
        scalar = stored_types.get(name)
        if scalar is None:
            return self._make_record(name)
        length = self.length
        if length < 0:
            raise ValueError("operation forbidden on released cells")
        made = self._open(scalar, length)
        self.keep(made)
        setattr(self, name, made)
        return made

    def _make_record(self, name: str) -> Any:
        if name == "pointees":
            self.pointees = noted = _Pointees()
            self._kept = (*self._kept, noted)
            return noted
        if name not in _RECORDS:
            raise AttributeError(name)
        made = _RECORDS[name]()
        setattr(self, name, made)
        return made

    def _open(self, scalar: type[Scalar[Any]], length: int) -> Elements:
        return self.memory.elements(scalar, self.address, length // scalar.size)

    def keep(self, elements: Elements) -> None:
        """Release these elements, too, when the block is freed."""
        self._kept = (*self._kept, elements)
        if self.length < 0:  # another thread freed the block meanwhile
            elements.release()
            raise ValueError("operation forbidden on released cells")

    def read(self, offset: int, size: int) -> bytes:
        """A copy of some of the bytes."""
        len(self)
        data = self.memory.read_bytes(self.address + offset, size)
        len(self)  # freed by another thread meanwhile: they may be another's bytes
        return data

    def write(self, offset: int, data: bytes) -> None:
        """Store bytes."""
        if not offset and len(data) == self.length:
            # Through JavaScript that is one crossing, where any part of them takes several.
            store_all = getattr(self.B, "store_all", None)
            if store_all is not None:
                store_all(data)
                return
        place: Any = slice(offset, offset + len(data))
        self.B[place] = data

    def note(self, offset: int, block: Any) -> None:
        """Remember the block that a pointer stored at an offset points to, or that it is not
        known."""
        if block is not None:
            self.pointees[offset] = block
        elif self.pointee(offset) is not None:
            del self.pointees[offset]

    def note_all(self, offset: int, size: int, blocks: Mapping[int, Any]) -> None:
        """Remember the blocks that the pointers in bytes just stored point to, by their offset
        from the first of these, and forget those of the pointers that were there."""
        try:
            known = _pointees(self)
        except AttributeError:
            known = {}
        # Whichever is less: an array may have many pointers, of which few are replaced at a time.
        within = range(offset, offset + size)
        for at in within if size < len(known) else list(known):
            if at in within:
                known.pop(at, None)
        for at, block in blocks.items():
            self.pointees[offset + at] = block

    def pointee(self, offset: int) -> Any:
        """The block that a pointer stored at an offset pointed to then."""
        try:
            return _pointees(self).get(offset)
        except AttributeError:  # none was ever stored
            return None

    def forget_pointees(self) -> None:
        """Forget the blocks that the pointers here point to, for their heap is gone."""
        try:  # noqa: SIM105 (contextlib takes time to import)
            _pointees(self).clear()
        except AttributeError:  # none was ever stored
            pass

    # What a block's elements are asked for

    def pin(self) -> Pin:
        """Keep the block from being freed until its ``release()``."""
        return pin(self.B)

    def _has_bytes(self) -> bool:
        try:
            _bytes(self)
        except AttributeError:
            return False
        return True

    def __len__(self) -> int:
        if self.length < 0:
            raise ValueError("operation forbidden on released cells")
        return self.length

    def __getitem__(self, index: int) -> Any:
        return self.B[index]

    def __setitem__(self, index: int, value: Any) -> None:
        self.B[index] = value

    def release(self) -> None:
        """End every use of the block. Raises BufferError while it is pinned."""
        if self._kept and self._has_bytes():
            self.B.release()  # first, for these are what is pinned
        self.length = -1  # then: what is made meanwhile is released by the code that makes it
        for elements in self._kept:
            elements.release()

    def _forget(self, name: str) -> None:
        try:  # noqa: SIM105 (contextlib takes time to import)
            delattr(self, name)
        except AttributeError:  # there are none of this format
            pass

    def reopen(self, length: int) -> None:
        """Let cells of so many bytes be used again: the block could not be freed after all."""
        for name in stored_types:
            self._forget(name)
        self._kept = ()
        self.length = length


_bytes: Any = Cells.B.__get__  # type: ignore[attr-defined]
_pointees: Any = Cells.pointees.__get__  # type: ignore[attr-defined]
"""The records of a block's pointers, if it has any: asking the attribute makes them."""


class WindowCells(Cells):
    """Those of a memory that is one memoryview, which stays."""

    __slots__ = ()

    B: Any

    def read(self, offset: int, size: int) -> bytes:  # noqa: D102 (as in Cells)
        # No method of the slice: what profiles calls would come between the two.
        return bytes(self.B[offset : offset + size])


class ExclusiveCells(Cells):
    """Those of builds of CPython without the interpreter's lock: the elements of all formats go
    through one gate, so that they are released in one step or not at all."""

    __slots__ = ("_gate",)

    def __init__(self, memory: Memory, address: int, length: int) -> None:
        super().__init__(memory, address, length)
        self._gate = Gate()

    def _open(self, scalar: type[Scalar[Any]], length: int) -> Elements:
        count = length // scalar.size
        return ExclusiveElements(self.memory, scalar, self.address, count, self._gate)

    def keep(self, elements: Elements) -> None:
        """Nothing is to do: the gate is theirs, too."""

    def read(self, offset: int, size: int) -> bytes:
        pinned = self._gate.pin()
        try:
            return self.memory.read_bytes(self.address + offset, size)
        finally:
            pinned.release()

    def pin(self) -> Pin:
        return self._gate.pin()

    def __len__(self) -> int:
        self._gate.check()
        return self.length

    def release(self) -> None:
        self._gate.close()

    def reopen(self, length: int) -> None:
        self._gate.reopen()


class _Borrowed(Cells):
    """Those of a reference that borrows a structure with pointers.

    If it lies on a block of the heap, what is known of the pointers there is one thing, whichever
    reference stores them. Memory of another program has no records but these.
    """

    __slots__ = ()

    table: Any
    around: tuple[Any, int]
    """The elements of the block that it lies on, and where it begins there."""

    def _find_around(self) -> tuple[Any, int] | None:
        try:
            return self.around
        except AttributeError:
            block = self.table.owner_of(self.address)
        if block is None:
            return None
        self.around = block[0], self.address - block[1]
        return self.around

    def note(self, offset: int, block: Any) -> None:
        around = self._find_around()
        if around is None:
            super().note(offset, block)
        else:
            self.table.places.pointees.note(around[0], around[1] + offset, block)

    def note_all(self, offset: int, size: int, blocks: Mapping[int, Any]) -> None:
        around = self._find_around()
        if around is None:
            super().note_all(offset, size, blocks)
        else:
            self.table.places.pointees.note_all(around[0], around[1] + offset, size, blocks)

    def pointee(self, offset: int) -> Any:
        around = self._find_around()
        if around is None:
            return super().pointee(offset)
        return self.table.places.pointees.find(around[0], around[1] + offset)


class _BorrowedCells(_Borrowed):
    __slots__ = ("around", "table")


class _BorrowedWindowCells(_Borrowed, WindowCells):
    __slots__ = ("around", "table")


class _BorrowedExclusiveCells(_Borrowed, ExclusiveCells):
    __slots__ = ("around", "table")


def borrowed_cells(table: Any, address: int, length: int) -> Cells:
    """Cells that share what is known of pointers with the block of `table` that they lie on."""
    memory: Memory = table.memory
    cls: type[_Borrowed] = _BorrowedWindowCells if is_direct(memory) else _BorrowedCells
    if not HAS_GIL:
        cls = _BorrowedExclusiveCells
    made = cls(memory, address, length)
    made.table = table
    return made


def is_direct(memory: Memory) -> bool:
    """Whether a memory is one memoryview, which stays, and blocks are slices of it."""
    return HAS_GIL and isinstance(memory, WindowMemory) and memory.stable


def cells_class(memory: Memory) -> type[Cells]:
    """The class of the cells in a memory."""
    if not HAS_GIL:
        return ExclusiveCells
    return WindowCells if is_direct(memory) else Cells
