"""Arrays of several dimensions inside of structures, in C's order: ``matrix[1, 2]``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from emheap._util.checks import check_integer
from emheap.errors import OutOfBoundsError

__all__ = ["Shaped", "flattened"]


class Shaped:
    """What an array is, besides, that has several dimensions."""

    __slots__ = ()

    _shape: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each dimension."""
        return self._shape

    def __getitem__(self, index: Any) -> Any:
        position = self._position(index) if type(index) is tuple else index
        return super().__getitem__(position)  # type: ignore[misc]

    def __setitem__(self, index: Any, value: Any) -> None:
        position = self._position(index) if type(index) is tuple else index
        super().__setitem__(position, value)  # type: ignore[misc]

    def _position(self, index: tuple[Any, ...]) -> int:
        shape = self._shape
        if len(index) != len(shape):
            raise TypeError(f"an array of {len(shape)} dimensions takes as many indices")
        found = 0
        for position, length in zip(index, shape, strict=True):
            number = check_integer(position, "index")
            if not -length <= number < length:
                raise OutOfBoundsError(f"index {number} is outside of a dimension of {length}")
            found = found * length + number % length
        return found


def flattened(values: Iterable[Any], shape: tuple[int, ...]) -> list[Any]:
    """The elements of an array of this shape, given one after the other or in rows."""
    flat, rows = list(values), 1
    for length in shape[:-1]:
        rows *= length
        if len(flat) != rows or rows == math.prod(shape):
            break
        flat = [each for row in flat for each in row]
    return flat
