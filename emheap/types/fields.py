"""What is known of a field: where it lies in its structure, and in which ABI."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from emheap._util.messages import count_of
from emheap.types.abi import ABI

__all__ = ["Field"]

T = TypeVar("T")


class Field(Generic[T]):
    """Where a field lies. ``Point.x`` is one, for the C code of this process; for another
    memory's, ``heap.layout(Point).fields["x"]``.

    >>> import emheap
    >>> class Header(emheap.Struct):
    ...     tag: emheap.uint8
    ...     length: emheap.uint32
    ...     urgent: bool = emheap.bits(emheap.uint8, 1)
    >>> Header.length.offset, Header.length.size
    (4, 4)
    >>> Header.urgent.offset, Header.urgent.bit_offset, Header.urgent.bit_width
    (8, 0, 1)
    """

    __slots__ = ("abi", "bit_offset", "bit_width", "kind", "name", "offset", "owner", "size")

    def __init__(
        self,
        owner: type[Any],
        name: str,
        kind: Any,
        abi: ABI,
        bits: tuple[int, int],
        bit_width: int | None,
    ) -> None:
        start, length = bits
        self.owner = owner
        """The structure."""
        self.name = name
        self.kind = kind
        """The type that it has in memory: ``uint8``, a structure, ``Pointer[Node]`` ..."""
        self.abi = abi
        self.offset = start // 8
        """Bytes from the start of the structure to the first byte that the field is in."""
        self.bit_offset = start % 8
        """For a bit-field: the bits of that byte that precede it, the lowest ones."""
        self.bit_width = bit_width
        """For a bit-field its bits, else None."""
        self.size = (self.bit_offset + length + 7) // 8
        """The bytes that it takes, or of a bit-field those that it is in."""

    def __str__(self) -> str:
        return f"{self.owner.__name__}.{self.name}"

    def __repr__(self) -> str:
        bits = "" if self.bit_width is None else f", bits {self.bit_offset}:{self.bit_width}"
        return f"<Field {self} at {self.offset}, {count_of(self.size, 'byte')}{bits}>"
