"""Elements of blocks that JavaScript owns, through a typed array of their own.

An item of a typed array is the cheapest thing to fetch from JavaScript, and one that begins with
the block needs no address. It is made at the second access, for making one takes as long as 25
items. When the memory grows the array loses its elements: fetching one raises IndexError, and a
new array is made of the latest buffer. Whatever is not a number in range goes the way of
`IndirectElements`, which checks all and explains.
"""

from __future__ import annotations

from typing import Any

from emheap.javascript.bridge import LOW, NOT_STORED, copy_in
from emheap.memories.base import Memory
from emheap.memories.elements import IndirectElements
from emheap.memories.javascript_access import COMPACT, LARGEST_FLOAT32, array_name
from emheap.types import FloatingPoint, Integer, Scalar

__all__ = ["TypedElements", "typed_elements"]

_FAILURES = (IndexError, TypeError, NotImplementedError)
"""What a typed array raises for an index that it does not have, for no index and for a slice."""


class _Unmade:
    """Stands for the typed array until there is one."""

    def __getitem__(self, index: Any) -> Any:
        raise IndexError


_UNMADE: Any = _Unmade()


def _assign_nothing(data: bytes) -> None:
    """Stands for the array's own method that stores all bytes, until there is one."""
    raise IndexError


class TypedElements(IndirectElements):
    """Integers of up to 32 bits."""

    __slots__ = ("_array", "_assign", "_highest", "_lowest", "_name", "_owner", "_used")

    typed = True  # see `emheap.refs.typed_array`

    def __init__(
        self, memory: Any, scalar: type[Scalar[Any]], address: int, count: int, limits: Any
    ) -> None:
        super().__init__(memory, scalar, address, count)
        self._owner = memory
        self._name, self._lowest, self._highest = limits
        self._array = _UNMADE
        self._assign: Any = _assign_nothing
        self._used = False

    def __getitem__(self, index: Any) -> Any:
        try:
            return self._array[index]
        except _FAILURES:
            return self._get_checked(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        try:
            if type(value) is int and self._lowest <= value <= self._highest:
                array = self._array
                array[index]  # which raises where no element is; a store would be lost
                array[index] = value
                return
        except _FAILURES:
            pass
        super().__setitem__(index, value)
        if type(index) is int:
            self._make()

    def _get_checked(self, index: Any) -> Any:
        value = super().__getitem__(index)
        if type(index) is int:
            self._make()
        return value

    def _make(self) -> None:
        """Make the array of the latest buffer; the first access in a block's life does without."""
        if self._used and self._count > 0 and not self._address % self._size:
            self._array = self._owner.lasting_array(self, self._name, self._address, self._count)
            # Looking the method up each time would take longer than the call.
            self._assign = self._array.assign
        self._used = True

    def store_all(self, data: bytes) -> bool:
        """Store the bytes of all elements, in one crossing where there is a typed array; True."""
        try:
            if id(data) + len(data) < LOW:
                self._assign(data)  # raises where there is no array, or its buffer was replaced
            else:
                self._array[0]  # which raises likewise; a store would be lost
                copy_in(self._array, data)
        except (*_FAILURES, *NOT_STORED):
            super().__setitem__(slice(None), memoryview(data))
            self._make()
        return True

    def forget(self) -> None:
        """Fetch from a new array at the next access: another buffer took the place of this one."""
        self._array, self._assign = _UNMADE, _assign_nothing

    def release(self) -> None:
        super().release()
        self.forget()


class TypedFloats(TypedElements):
    """Floats: whole ones come from JavaScript as ints, zeros without their sign."""

    __slots__ = ()
    typed = False

    def __getitem__(self, index: Any) -> Any:
        try:
            value = self._array[index]
            if type(value) is float:
                if value == value:
                    return value
            elif value:
                return float(value)
        except _FAILURES:
            return self._get_checked(index)
        return super(TypedElements, self).__getitem__(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        try:
            # A NaN fails the comparison: its bits are stored as bytes.
            if type(value) is float and self._lowest <= value <= self._highest:
                array = self._array
                array[index]
                array[index] = value
                return
        except _FAILURES:
            pass
        super(TypedElements, self).__setitem__(index, value)
        if type(index) is int:
            self._make()


def _limits(scalar: type[Scalar[Any]]) -> tuple[type[TypedElements], Any] | None:
    if issubclass(scalar, FloatingPoint) and scalar.size in (4, 8):
        most = LARGEST_FLOAT32 if scalar.size == 4 else float("inf")
        return TypedFloats, (array_name(scalar), -most, most)
    if issubclass(scalar, Integer) and scalar.size <= 4 and not scalar.decodes:
        lowest, highest = max(scalar.minimum, -COMPACT), min(scalar.maximum, COMPACT)
        return TypedElements, (array_name(scalar), lowest, highest)
    return None


_known: dict[Any, tuple[type[TypedElements], Any] | None] = {}
"""By the type, or for pointers by the format of their address: each structure has a type of its
own for the pointers to it, which would keep it. A weak dictionary makes `wrap_array` slower by a
twentieth."""


def typed_elements(
    memory: Memory, scalar: type[Scalar[Any]], address: int, count: int
) -> IndirectElements | None:
    """`count` elements at an address that was checked; None for types that have no typed array
    whose items are their values."""
    key = scalar if scalar.pointee is None else scalar.format
    if key not in _known:
        _known[key] = _limits(scalar)
    found = _known[key]
    return None if found is None else found[0](memory, scalar, address, count, found[1])
