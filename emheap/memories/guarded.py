"""A memory in which addresses must lie in live blocks, for debug heaps."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from emheap.errors import UnterminatedStringError, format_address
from emheap.memories.base import Elements, Loan, Memory, Reader, Writer
from emheap.types import Scalar

__all__ = ["Guard", "GuardedMemory"]

T = TypeVar("T")


class Guard(Protocol):
    """Who knows the live blocks."""

    def check_inside(self, address: int, size: int, what: str) -> int:
        """The end of the live block that the extent lies in; raises if it lies in none."""
        ...

    def describe_around(self, address: int) -> str:
        """The live block that an address lies in, as messages name it."""
        ...


class GuardedMemory(Memory):
    """Another memory, whose every access is first held against the live blocks of a heap.

    It is what a heap and its references go through; the heap's own records, and the allocator
    with its red zones, use the memory beneath.
    """

    def __init__(self, memory: Memory, guard: Guard) -> None:
        self._inner = memory
        self._guard = guard
        for name in ("name", "zero_copy", "static", "in_javascript"):
            setattr(self, name, getattr(memory, name))
        self.pointer_size = memory.pointer_size
        self.lowest_address = memory.lowest_address
        self.shared = memory.shared

    @property
    def size(self) -> int:
        return self._inner.size

    @property
    def largest_block(self) -> int:
        return self._inner.largest_block

    def check_extent(self, address: Any, size: int, what: str = "access") -> int:
        start = self._inner.check_extent(address, size, what)
        self._guard.check_inside(start, size, what)
        return start

    def read_bytes(self, address: int, size: int) -> bytes:
        return self._inner.read_bytes(self.check_extent(address, size, "read"), size)

    def write_bytes(self, address: int, data: bytes | memoryview) -> None:
        self._inner.write_bytes(self.check_extent(address, len(data), "write"), data)

    def fill(self, address: int, size: int, byte: int = 0) -> None:
        self._inner.fill(self.check_extent(address, size, "fill"), size, byte)

    def elements(self, scalar: type[Scalar[Any]], address: int, count: int) -> Elements:
        start = self.check_extent(address, count * scalar.size)
        return self._inner.elements(scalar, start, count)

    def lend(self, scalar: type[Scalar[Any]], address: int, count: int) -> Loan[Any]:
        start = self.check_extent(address, count * scalar.size, "view")
        return self._inner.lend(scalar, start, count)

    def reader(self, scalar: type[Scalar[T]]) -> Reader[T]:
        read_inside = self._inner.cached_reader(scalar)
        what = f"read of {scalar.name}"

        def read(address: int) -> T:
            return read_inside(self.check_extent(address, scalar.size, what))

        return read

    def writer(self, scalar: type[Scalar[T]]) -> Writer[T]:
        write_inside = self._inner.cached_writer(scalar)
        what = f"write of {scalar.name}"

        def write(address: int, value: T) -> None:
            write_inside(self.check_extent(address, scalar.size, what), value)

        return write

    def find_null(self, address: int, width: int, limit: int | None) -> int | None:
        what = "read of a null-terminated string"
        start = self._inner.check_extent(address, width, what)
        room = (self._guard.check_inside(start, width, what) - start) // width
        return self._inner.find_null(start, width, room if limit is None else min(limit, room))

    def count_elements(self, address: int, width: int, max_elements: int | None = None) -> int:
        try:
            return super().count_elements(address, width, max_elements)
        except UnterminatedStringError:
            around = self._guard.describe_around(address)
            limit = "" if max_elements is None else f" within {max_elements} elements"
            raise UnterminatedStringError(
                f"no null terminator{limit} from address {format_address(address)} (elements of "
                f"{width} bytes) to the end of {around}"
            ) from None

    def js_view(self, scalar: type[Scalar[Any]], address: int, count: int) -> Any:
        start = self.check_extent(address, count * scalar.size, "view")
        return self._inner.js_view(scalar, start, count)

    def host_address(self, address: int) -> int:
        return self._inner.host_address(self.check_extent(address, 1))
