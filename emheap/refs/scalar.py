"""References to one number."""

from __future__ import annotations

from typing import Any, TypeVar

from emheap.blocks.block import is_released
from emheap.refs.base import SingleRef
from emheap.refs.lifetime import Owner

__all__ = ["ScalarRef", "owning_scalar_ref", "wrapping_scalar_ref"]

T = TypeVar("T")


class ScalarRef(SingleRef[T]):
    """A number on a heap.

    >>> import emheap
    >>> with emheap.open().alloc(emheap.int32, 41) as count:
    ...     count.value += 1
    ...     count.value
    42

    Two references are equal if they name the same place: the same heap, address and type.
    """

    __slots__ = ()

    @property
    def value(self) -> T:
        """The number. Setting it raises OverflowError or TypeError for what does not fit, and
        then changes nothing. Raises UseAfterFreeError."""
        try:
            return self._elements[0]  # type: ignore[no-any-return]
        except ValueError:
            self._check_alive()
            raise

    @value.setter
    def value(self, value: T) -> None:
        try:
            self._elements[0] = value
        except (ValueError, TypeError):
            self._set_checked(value)

    def _set_checked(self, value: Any) -> None:
        self._check_alive()
        # memoryview's messages name neither the value nor the type; encode's do.
        self._elements[0] = self._unit.encode(value)

    def read(self) -> T:
        """`value`, as a method."""
        return self.value

    def write(self, value: T) -> None:
        """Set `value`, as a method."""
        self.value = value

    def read_atomic(self) -> T:
        """The number, read in one indivisible, sequentially consistent step.

        Raises MisalignedError, NotSupportedError for a type or a heap without atomics,
        UseAfterFreeError.
        """
        self._check_alive()
        return self._block[2].table.atomics.reader(self._unit)(self.address)  # type: ignore[no-any-return]

    def write_atomic(self, value: T) -> None:
        """Set the number in one indivisible, sequentially consistent step."""
        self._check_alive()
        self._block[2].table.atomics.writer(self._unit)(self.address, value)

    def _content(self) -> str:
        return repr(self.value)


class EncodingScalarRef(ScalarRef[T]):
    """A number that must be checked or converted before it is stored.

    A class of its own, so that the others do not ask.
    """

    __slots__ = ()

    @property
    def value(self) -> T:
        try:
            return self._elements[0]  # type: ignore[no-any-return]
        except ValueError:
            self._check_alive()
            raise

    @value.setter
    def value(self, value: T) -> None:
        if is_released(self._elements):
            self._check_alive()
        self._elements[0] = self._unit.encode(value)


class OwningScalarRef(Owner, ScalarRef[T]):
    __slots__ = ()


class OwningEncodingScalarRef(Owner, EncodingScalarRef[T]):
    __slots__ = ()


ScalarRef._borrowed_class = ScalarRef
EncodingScalarRef._borrowed_class = EncodingScalarRef
EncodingScalarRef.__name__ = ScalarRef.__name__


def owning_scalar_ref(scalar: Any) -> Any:
    """The class of a reference that owns a `scalar`."""
    return OwningEncodingScalarRef if scalar.encodes else OwningScalarRef


def wrapping_scalar_ref(scalar: Any) -> Any:
    """The class of a reference that borrows a `scalar`."""
    return EncodingScalarRef if scalar.encodes else ScalarRef
