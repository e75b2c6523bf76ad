"""References to one number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from emheap.memories.base import Elements
from emheap.refs.atomic import Atomic
from emheap.refs.base import SingleRef
from emheap.refs.lifetime import Owner
from emheap.types import float64

if TYPE_CHECKING:
    from emheap.refs.edit import Edit

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
            return self._retry(_first)  # type: ignore[no-any-return]

    @value.setter
    def value(self, value: T) -> None:
        try:
            self._elements[0] = value
            return
        except (ValueError, TypeError):
            pass
        self._set_checked(value)

    def _set_checked(self, value: Any) -> None:
        # memoryview's messages name neither the value nor the type; encode's do.
        number = self._encode(value)
        self._retry(lambda elements: elements.__setitem__(0, number))

    def read(self) -> T:
        """`value`, as a method."""
        try:
            return self._elements[0]  # type: ignore[no-any-return]
        except ValueError:
            return self._retry(_first)  # type: ignore[no-any-return]

    def write(self, value: T) -> None:
        """Set `value`, as a method."""
        try:
            self._elements[0] = value
            return
        except (ValueError, TypeError):
            pass
        self._set_checked(value)

    if TYPE_CHECKING:

        def edit(self) -> Edit[T]:
            """As `HeapRef.edit`; only a type checker sees this one."""
            ...

    @property
    def atomic(self) -> Atomic[T]:
        """The number, to be read and changed while others do: ``ref.atomic.add(1)``."""
        return Atomic(self)

    def read_atomic(self) -> T:
        """The number, read in one indivisible, sequentially consistent step.

        Raises MisalignedError, NotSupportedError for a type or a heap without atomics,
        UseAfterFreeError.
        """
        return self.atomic.load()

    def write_atomic(self, value: T) -> None:
        """Set the number in one indivisible, sequentially consistent step."""
        self.atomic.store(value)

    # What a number is converted to

    def __int__(self) -> int:
        value: Any = self.value
        return int(value)

    def __float__(self) -> float:
        value: Any = self.value
        return float(value)

    def __format__(self, specification: str) -> str:
        return format(self.value, specification) if specification else str(self)

    def _content(self) -> str:
        return repr(self.value)


def _refuse(symbol: str) -> Any:
    def operate(self: ScalarRef[Any], *_: Any) -> Any:
        raise TypeError(
            f"a reference is a place and no number, so {symbol} does not apply to it: "
            f"use ref.value {symbol} ..."
        )

    return operate


# Or the message would name a class that no program has heard of. A reference is no number, for
# it is equal to another where both name one place, whatever is stored there.
for _name, _symbol in {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "lshift": "<<",
    "rshift": ">>",
    "and": "&",
    "or": "|",
    "xor": "^",
}.items():
    for _prefix in ("", "r", "i"):
        setattr(ScalarRef, f"__{_prefix}{_name}__", _refuse(_symbol))
for _name, _symbol in {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}.items():
    setattr(ScalarRef, f"__{_name}__", _refuse(_symbol))


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
            return self._retry(_first)  # type: ignore[no-any-return]

    @value.setter
    def value(self, value: T) -> None:
        number = self._encode(value)
        try:
            self._elements[0] = number
        except ValueError:
            self._set_checked(number)

    def write(self, value: T) -> None:
        number = self._encode(value)
        try:
            self._elements[0] = number
        except ValueError:
            self._set_checked(number)


class FloatScalarRef(ScalarRef[T]):
    """A float64: memoryview stores every float as it is, and of other objects what they convert
    themselves to, whatever is lost."""

    __slots__ = ()

    @property
    def value(self) -> T:
        try:
            return self._elements[0]  # type: ignore[no-any-return]
        except ValueError:
            return self._retry(_first)  # type: ignore[no-any-return]

    @value.setter
    def value(self, value: T) -> None:
        if type(value) is float:
            try:
                self._elements[0] = value
            except ValueError:
                self._set_checked(value)
        else:
            self._set_checked(value)

    def write(self, value: T) -> None:
        if type(value) is float:
            try:
                self._elements[0] = value
            except ValueError:
                self._set_checked(value)
        else:
            self._set_checked(value)


def _first(elements: Elements) -> Any:
    return elements[0]


class OwningScalarRef(Owner, ScalarRef[T]):
    __slots__ = ()


class OwningEncodingScalarRef(Owner, EncodingScalarRef[T]):
    __slots__ = ()


class OwningFloatScalarRef(Owner, FloatScalarRef[T]):
    __slots__ = ()


def owning_scalar_ref(scalar: Any) -> Any:
    """The class of a reference that owns a `scalar`."""
    if scalar is float64:
        return OwningFloatScalarRef
    return OwningEncodingScalarRef if scalar.encodes else OwningScalarRef


def wrapping_scalar_ref(scalar: Any) -> Any:
    """The class of a reference that borrows a `scalar`."""
    if scalar is float64:
        return FloatScalarRef
    return EncodingScalarRef if scalar.encodes else ScalarRef
