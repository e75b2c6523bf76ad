"""What references to one value have in common: a number, a string."""

from __future__ import annotations

from typing import Any, TypeVar

from emheap.refs.base import HeapRef

__all__ = ["SingleRef"]

T = TypeVar("T")


class SingleRef(HeapRef[T]):
    """A reference to one value.

    It equals another that names the same place: the same heap, address and type.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SingleRef):
            return NotImplemented
        return self._place() == other._place()

    def __hash__(self) -> int:
        return hash(self._place())

    def _place(self) -> tuple[Any, ...]:
        _, address, layout, _, _ = self._block
        return id(layout.owner), address, layout.kind
