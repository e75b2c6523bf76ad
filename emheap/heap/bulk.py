"""Many bytes at once: copied within a heap and between heaps, filled, searched, compared.

Two memories of this process copy by one memmove, and two that JavaScript can see by one
``TypedArray.set``: neither passes through Python. Both are right where source and destination
overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from emheap._util.c_memory import memmove
from emheap._util.checks import check_count, check_integer
from emheap._util.messages import count_of
from emheap._util.pointers import pin_of
from emheap._util.released import not_released
from emheap.blocks.table import BlockTable
from emheap.errors import (
    NotAllocatedError,
    NotSupportedError,
    OutOfBoundsError,
    ValueOutOfRangeError,
)
from emheap.memories.base import Memory
from emheap.memories.elements import Pin
from emheap.refs import HeapRef
from emheap.types import uint8

if TYPE_CHECKING:
    Place = int | HeapRef[Any]

__all__ = ["BulkVerbs", "copy_bytes"]

_PIECE = 1 << 18


class BulkVerbs:
    """The verbs of a heap for many bytes.

    A place is a reference or an address. With a reference for the first place, `size` is the
    bytes of its block unless given, and may not be more; with an address it must be given.
    """

    _memory: Memory
    _table: BlockTable

    def copy_to(
        self,
        other: BulkVerbs,
        source: Place,
        destination: Place,
        size: int | None = None,
    ) -> None:
        """Copy `size` bytes from a place here to a place on another heap, or on this one.

        Source and destination may overlap. Nothing is copied unless all of it fits.
        Raises OutOfBoundsError, NullPointerError, UseAfterFreeError, NotAllocatedError for a
        reference of another heap, OverflowError for a bad size, TypeError.
        """
        _check_heap(other)
        wanted = self._check_size(source, size)
        with (
            self._hold(source, wanted, "copy") as here,
            other._hold(destination, here.size, "copy") as there,
        ):
            copy_bytes(self._memory, here.address, other._memory, there.address, here.size)

    def fill(self, place: Place, byte: int, size: int | None = None) -> None:
        """Set `size` bytes to `byte`. Raises as `copy_to`, and OverflowError for a bad byte."""
        value = _check_byte(byte)
        with self._hold(place, self._check_size(place, size), "fill") as held:
            if held.size:
                self._memory.fill(held.address, held.size, value)

    def find(
        self,
        place: Place,
        pattern: bytes | bytearray | memoryview | int,
        size: int | None = None,
    ) -> int | None:
        """The address of the first occurrence of `pattern`, a bytes-like or the value of one
        byte, that lies wholly in the `size` bytes from a place; None if it does not occur.

        Raises as `copy_to`.
        """
        if isinstance(pattern, int):
            wanted = bytes([_check_byte(pattern)])
        else:
            wanted = bytes(memoryview(not_released(pattern, "a search")))
        with self._hold(place, self._check_size(place, size), "search") as held:
            start, count = held.address, held.size
            for offset, length in _pieces(count):
                overlap = min(len(wanted) - 1, count - offset - length)
                chunk = self._memory.read_bytes(start + offset, length + overlap)
                found = chunk.find(wanted)
                if found >= 0:
                    return start + offset + found
            return None if wanted else start

    def compare(
        self,
        other: BulkVerbs,
        place: Place,
        other_place: Place,
        size: int | None = None,
    ) -> int:
        """Compare `size` bytes here with as many on another heap, or on this one.

        0 if they are equal; else -1 or 1, as the first byte that differs is less or greater here.
        Raises as `copy_to`.
        """
        _check_heap(other)
        wanted = self._check_size(place, size)
        with (
            self._hold(place, wanted, "comparison") as here,
            other._hold(other_place, here.size, "comparison") as there,
        ):
            for offset, length in _pieces(here.size):
                ours = self._memory.read_bytes(here.address + offset, length)
                theirs = other._memory.read_bytes(there.address + offset, length)
                if ours != theirs:
                    return -1 if ours < theirs else 1
        return 0

    def _check_size(self, place: Place, size: int | None) -> int | None:
        """A size that was given, as an int. It may run the user's code, so it is the first step."""
        if size is not None:
            return check_count(size, "size", 1, self._memory.largest_block)
        if isinstance(place, HeapRef):
            return None
        raise TypeError("size must be given where the place is an address and not a reference")

    def _hold(self, place: Place, size: int | None, what: str) -> _Held:
        """`size` bytes from a place, or all of its block, which cannot be freed meanwhile."""
        if not isinstance(place, HeapRef):
            count, pinned = size or 0, pin_of(place)
            try:
                return _Held(self._memory.check_extent(place, count, what), count, pinned)
            except Exception:
                if pinned is not None:
                    pinned.release()
                raise
        if place._block[2].table is not self._table:
            raise NotAllocatedError(f"{place!r} belongs to another heap than the one named")
        block, pinned = place._pin()
        try:
            address, room = place._extent(block)
            if size is not None and size > room:
                raise OutOfBoundsError(f"{what} of {count_of(size, 'byte')}: {place!r} has {room}")
            count = room if size is None else size
            return _Held(self._memory.check_extent(address, count, what), count, pinned)
        except Exception:
            pinned.release()
            raise


class _Held:
    """Bytes, and what keeps the block that they are in from being freed while a ``with`` block
    lasts."""

    __slots__ = ("_pinned", "address", "size")

    def __init__(self, address: int, size: int, pinned: Pin | None) -> None:
        self.address = address
        self.size = size
        self._pinned = pinned

    def __enter__(self) -> _Held:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pinned is not None:
            self._pinned.release()


def copy_bytes(
    source: Memory, address: int, target: Memory, target_address: int, size: int
) -> None:
    """Copy between two memories, or within one, extents that were checked."""
    if not size:
        return
    copy = _set_in_javascript if source.in_javascript or target.in_javascript else _move
    try:
        copy(source, address, target, target_address, size)
    except NotSupportedError:  # a memory of the user's that only reads and writes bytes
        pieces = list(_pieces(size))
        # Backwards if they overlap, so that no piece is overwritten before it was read.
        for offset, length in reversed(pieces) if target_address > address else pieces:
            data = source.read_bytes(address + offset, length)
            target.write_bytes(target_address + offset, data)


def _move(source: Memory, address: int, target: Memory, target_address: int, size: int) -> None:
    memmove(target.host_address(target_address), source.host_address(address), size)


def _set_in_javascript(
    source: Memory, address: int, target: Memory, target_address: int, size: int
) -> None:
    array = _array_on(source, address, size)
    _array_on(target, target_address, size).set(array)


def _array_on(memory: Memory, address: int, size: int) -> Any:
    if memory.in_javascript:
        return memory.js_view(uint8, address, size)
    from emheap.javascript.own_module import typed_array

    return typed_array("Uint8Array", 1, memory.host_address(address), size)


def _pieces(size: int) -> Iterator[tuple[int, int]]:
    """The offsets and lengths of pieces that bound what is held beside the memory."""
    for offset in range(0, size, _PIECE):
        yield offset, min(_PIECE, size - offset)


def _check_byte(value: Any) -> int:
    byte = check_integer(value, "byte")
    if not 0 <= byte <= 255:
        raise ValueOutOfRangeError(f"byte must be 0 to 255, got {byte}")
    return byte


def _check_heap(other: Any) -> None:
    if not isinstance(other, BulkVerbs):
        raise TypeError(f"the other heap must be a HeapManager, not {type(other).__name__}")
