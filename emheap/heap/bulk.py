"""Many bytes at once: copied within a heap and between heaps, filled, searched, compared.

Two memories of this process copy by one memmove, and two that JavaScript can see by one
``TypedArray.set``: neither passes through Python. Both are right where source and destination
overlap.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

from emheap._util.checks import check_count, check_integer
from emheap.blocks.table import BlockTable
from emheap.errors import (
    NotAllocatedError,
    NotSupportedError,
    OutOfBoundsError,
    ValueOutOfRangeError,
)
from emheap.memories.base import Memory
from emheap.refs import HeapRef
from emheap.types import uint8

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
        source: HeapRef[Any] | int,
        destination: HeapRef[Any] | int,
        size: int | None = None,
    ) -> None:
        """Copy `size` bytes from a place here to a place on another heap, or on this one.

        Source and destination may overlap. Nothing is copied unless all of it fits.
        Raises OutOfBoundsError, NullPointerError, UseAfterFreeError, NotAllocatedError for a
        reference of another heap, TypeError.
        """
        _check_heap(other)
        count = self._size_of(source, size)
        start = self._place(source, count, "copy")
        target = other._place(destination, count, "copy")
        copy_bytes(self._memory, start, other._memory, target, count)

    def fill(self, place: HeapRef[Any] | int, byte: int, size: int | None = None) -> None:
        """Set `size` bytes to `byte`. Raises as `copy_to`, and OverflowError for a bad byte."""
        value = _check_byte(byte)
        count = self._size_of(place, size)
        start = self._place(place, count, "fill")
        if count:
            self._memory.fill(start, count, value)

    def find(
        self,
        place: HeapRef[Any] | int,
        pattern: bytes | bytearray | memoryview | int,
        size: int | None = None,
    ) -> int | None:
        """The address of the first occurrence of `pattern`, a bytes-like or the value of one
        byte, that lies wholly in the `size` bytes from a place; None if there is none."""
        if isinstance(pattern, int):
            wanted = bytes([_check_byte(pattern)])
        else:
            wanted = bytes(memoryview(pattern))
        count = self._size_of(place, size)
        start = self._place(place, count, "search")
        for offset, length in _pieces(count):
            overlap = min(len(wanted) - 1, count - offset - length) if wanted else 0
            chunk = self._memory.read_bytes(start + offset, length + overlap)
            found = chunk.find(wanted)
            if found >= 0:
                return start + offset + found
        return None if wanted else start

    def compare(
        self,
        other: BulkVerbs,
        place: HeapRef[Any] | int,
        other_place: HeapRef[Any] | int,
        size: int | None = None,
    ) -> int:
        """Compare `size` bytes here with as many on another heap, or on this one.

        0 if they are equal; else -1 or 1, as the first byte that differs is less or greater here.
        """
        _check_heap(other)
        count = self._size_of(place, size)
        start = self._place(place, count, "comparison")
        other_start = other._place(other_place, count, "comparison")
        for offset, length in _pieces(count):
            ours = self._memory.read_bytes(start + offset, length)
            theirs = other._memory.read_bytes(other_start + offset, length)
            if ours != theirs:
                return -1 if ours < theirs else 1
        return 0

    def _size_of(self, place: HeapRef[Any] | int, size: int | None) -> int:
        if size is not None:
            return check_count(size, "size", 1, self._memory.largest_block)
        if isinstance(place, HeapRef):
            return place.allocated_byte_size
        raise TypeError("size must be given where the place is an address and not a reference")

    def _place(self, place: HeapRef[Any] | int, size: int, what: str) -> int:
        """The address of a place, once `size` bytes from it are known to be its."""
        if isinstance(place, HeapRef):
            place._check_alive()
            if place._block[2].table is not self._table:
                raise NotAllocatedError(f"{place!r} belongs to another heap than the one named")
            room = place.allocated_byte_size
            if size > room:
                raise OutOfBoundsError(f"{what} of {size} bytes: {place!r} has {room}")
            place = place.address
        return self._memory.check_extent(place, size, what)


def copy_bytes(
    source: Memory, address: int, target: Memory, target_address: int, size: int
) -> None:
    """Copy between two memories, or within one, extents that were checked."""
    if not size:
        return
    copy = _set_in_javascript if source.in_javascript or target.in_javascript else _move
    try:
        copy(source, address, target, target_address, size)
    except NotSupportedError:  # a memory of somebody else's, which has bytes and nothing more
        pieces = list(_pieces(size))
        # Backwards if they overlap, so that no piece is overwritten before it was read.
        for offset, length in reversed(pieces) if target_address > address else pieces:
            data = source.read_bytes(address + offset, length)
            target.write_bytes(target_address + offset, data)


def _move(source: Memory, address: int, target: Memory, target_address: int, size: int) -> None:
    ctypes.memmove(target.host_address(target_address), source.host_address(address), size)


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
