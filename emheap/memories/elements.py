"""Elements for the types that a memoryview does not decode, and for memories that move."""

from __future__ import annotations

from typing import Any

from emheap.memories.base import Elements, Memory
from emheap.types import Scalar, WideInteger

__all__ = ["DecodedElements", "IndirectElements", "WideElements", "indirect_elements"]


class DecodedElements:
    """Elements whose numbers are decoded as they are read."""

    __slots__ = ("__weakref__", "_decode", "_stored")

    def __init__(self, scalar: type[Scalar[Any]], stored: Elements) -> None:
        self._decode = scalar.decode
        self._stored = stored

    def __len__(self) -> int:
        return len(self._stored)

    def __getitem__(self, index: int) -> Any:
        return self._decode(self._stored[index])

    def __setitem__(self, index: int, value: Any) -> None:
        self._stored[index] = value

    def release(self) -> None:
        self._stored.release()


class WideElements:
    """Integers of 16 or 32 bytes over a memoryview of bytes."""

    __slots__ = ("__weakref__", "_bytes", "_size")

    def __init__(self, scalar: type[WideInteger], stored: memoryview) -> None:
        self._bytes = stored
        self._size = scalar.size

    def __len__(self) -> int:
        return len(self._bytes) // self._size

    def _slice(self, index: int) -> slice:
        count = len(self)
        position = index + count if index < 0 else index
        if not 0 <= position < count:
            raise IndexError(f"index {index} out of range of {count} elements")
        return slice(position * self._size, (position + 1) * self._size)

    def __getitem__(self, index: int) -> int:
        return int.from_bytes(self._bytes[self._slice(index)], "little")

    def __setitem__(self, index: int, value: int) -> None:
        self._bytes[self._slice(index)] = value.to_bytes(self._size, "little")

    def release(self) -> None:
        self._bytes.release()


class IndirectElements:
    """Elements reached by address at every access, for a memory that may move or be replaced.

    A memoryview kept over such a memory would go stale: it would read what was, and its stores
    would be lost.
    """

    __slots__ = ("__weakref__", "_address", "_count", "_read", "_size", "_write")

    def __init__(self, memory: Memory, scalar: type[Scalar[Any]], address: int, count: int) -> None:
        self._read = memory.cached_reader(scalar)
        # What is stored was encoded already: a type that does not take its own encoded values is
        # written as what it is stored as.
        self._write = memory.cached_writer(scalar.storage or scalar)
        self._address = address
        self._size = scalar.size
        self._count = count

    def __len__(self) -> int:
        if self._count < 0:
            raise ValueError("operation forbidden on released elements")
        return self._count

    def _locate(self, index: int) -> int:
        count = self._count
        if 0 <= index < count:
            return self._address + index * self._size
        if count < 0:
            raise ValueError("operation forbidden on released elements")
        if -count <= index < 0:
            return self._address + (index + count) * self._size
        raise IndexError(f"index {index} out of range of {count} elements")

    def __getitem__(self, index: int) -> Any:
        return self._read(self._locate(index))

    def __setitem__(self, index: int, value: Any) -> None:
        self._write(self._locate(index), value)

    def release(self) -> None:
        self._count = -1


class IndirectBytes(IndirectElements):
    """Elements of one byte, of which a slice takes as many bytes in one step."""

    __slots__ = ("_memory",)

    def __init__(self, memory: Memory, scalar: type[Scalar[Any]], address: int, count: int) -> None:
        super().__init__(memory, scalar, address, count)
        self._memory = memory

    def __setitem__(self, index: Any, value: Any) -> None:
        if type(index) is slice and type(value) is bytes:
            start, stop, step = index.indices(len(self))
            if step == 1 and stop - start == len(value):
                self._memory.write_bytes(self._address + start, value)
                return
        position: Any = index  # Any other slice is refused where an int is wanted.
        super().__setitem__(position, value)


def indirect_elements(
    memory: Memory, scalar: type[Scalar[Any]], address: int, count: int
) -> IndirectElements:
    """`count` elements at an address that was checked, in a memory that may move."""
    kind = IndirectBytes if scalar.format == "B" else IndirectElements
    return kind(memory, scalar, address, count)
