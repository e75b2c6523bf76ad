"""Numbers that other threads, processes or workers change at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from emheap._util.checks import check_integer
from emheap.blocks.block import Block

if TYPE_CHECKING:
    from emheap.refs.base import HeapRef

__all__ = ["Atomic", "AtomicElements"]

T = TypeVar("T")


class _NoAddress:
    """What JavaScript cannot have as a number, though the numbers in it lie at addresses."""

    __slots__ = ()

    def _javascript_number(self) -> int:
        raise TypeError("an atomic is no address: pass the reference that it is of")


class Atomic(_NoAddress, Generic[T]):
    """A number on a heap, read and changed in steps that are indivisible and sequentially
    consistent: ``ref.atomic``, ``array.atomic[3]``, ``structure.field_ref(Counts.hits).atomic``.

    What changes it gives the number that was there before. Integers wrap around in `add` and
    `sub`, as in C. All raise MisalignedError, NotSupportedError for a type or a heap without
    atomics, OutOfBoundsError for an element that the array does not have, UseAfterFreeError, and
    OverflowError or TypeError for what does not fit; the bits of a float are TypeErrors, too.

    >>> import emheap
    >>> with emheap.open().alloc(emheap.int32, 5) as number:
    ...     number.atomic.add(2), number.atomic.exchange(10), number.atomic.load()
    ...     number.atomic.compare_exchange(10, 11), number.atomic.compare_exchange(10, 12)
    ...     number.value
    (5, 7, 10)
    (10, 11)
    11
    """

    __slots__ = ("_index", "_ref")

    def __init__(self, ref: HeapRef[T], index: int | None = None) -> None:
        self._ref: Any = ref
        self._index = index

    def load(self) -> T:
        """The number."""
        ref = self._ref
        block, pinned = ref._pin()
        try:
            read = block[2].table.atomics.reader(ref._unit)
            return read(self._address_in(block))  # type: ignore[no-any-return]
        finally:
            pinned.release()

    def store(self, value: T) -> None:
        """Set the number."""
        self._apply("store_number", self._ref._encode(value))

    def exchange(self, value: T) -> T:
        """Set the number; gives what was there."""
        return self._apply("exchange_number", self._ref._encode(value))  # type: ignore[no-any-return]

    def compare_exchange(self, expected: T, value: T) -> T:
        """Set the number to `value` if it is `expected`; gives what was there: `expected` if it was
        set. Floats are compared by their bits."""
        encode = self._ref._encode
        return self._apply(  # type: ignore[no-any-return]
            "compare_exchange_number", encode(expected), encode(value)
        )

    def add(self, value: T) -> T:
        """Add to the number."""
        return self._modify("add", value)

    def sub(self, value: T) -> T:
        """Subtract from the number."""
        return self._modify("sub", value)

    def and_(self, value: T) -> T:
        """Keep those bits of the number that `value` has."""
        return self._modify("and", value)

    def or_(self, value: T) -> T:
        """Set the bits of the number that `value` has."""
        return self._modify("or", value)

    def xor(self, value: T) -> T:
        """Flip the bits of the number that `value` has."""
        return self._modify("xor", value)

    def _modify(self, name: str, value: T) -> T:
        return self._apply("modify_number", name, self._ref._encode(value))  # type: ignore[no-any-return]

    def _apply(self, name: str, *arguments: Any) -> Any:
        ref = self._ref
        block, pinned = ref._pin()
        try:
            change = getattr(block[2].table.atomics, name)
            return change(ref._unit, self._address_in(block), *arguments)
        finally:
            pinned.release()

    def _address_in(self, block: Block) -> int:
        """The address in a block that is pinned."""
        if self._index is None:
            return block[1]
        return self._ref._address_in(block, self._index)  # type: ignore[no-any-return]


class AtomicElements(_NoAddress, Generic[T]):
    """The elements of an array as `Atomic` numbers: ``array.atomic[3].add(1)``."""

    __slots__ = ("_kind", "_ref")

    def __init__(self, ref: HeapRef[T], kind: type[Atomic[Any]] = Atomic) -> None:
        self._ref: Any = ref
        self._kind = kind

    def __getitem__(self, index: int) -> Atomic[T]:
        return self._kind(self._ref, check_integer(index, "index"))

    def __iter__(self) -> Iterator[Atomic[T]]:
        return map(self.__getitem__, range(len(self)))

    def __len__(self) -> int:
        return len(self._ref)
