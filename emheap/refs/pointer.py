"""Pointers: addresses that know the kind that they point to, and remember the block."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Protocol, TypeVar, overload

from emheap._util.checks import check_index
from emheap._util.messages import format_address
from emheap._util.released import is_released
from emheap._util.sequences import row_of
from emheap.blocks.block import Block
from emheap.errors import NotAllocatedError, NullPointerError, ValueOutOfRangeError
from emheap.memories.elements import Pin, pin
from emheap.refs.array import ArrayRef, with_numbers
from emheap.refs.atomic import Atomic, AtomicElements
from emheap.refs.base import HeapRef
from emheap.refs.lifetime import Owner
from emheap.refs.scalar import ScalarRef
from emheap.types.pointers import PointerTo, name_of, pointer_to
from emheap.types.structs import StructType

if TYPE_CHECKING:
    from typing_extensions import Self

    from emheap.refs.string import StringRef
    from emheap.types.base import Type
    from emheap.types.fields import Field

__all__ = [
    "OwningPointerArrayRef",
    "OwningPointerRef",
    "Pointer",
    "PointerArrayRef",
    "PointerRef",
    "address_of",
    "pointer_at",
]

T = TypeVar("T")
K_co = TypeVar("K_co", covariant=True)
T_co = TypeVar("T_co", covariant=True)
A = TypeVar("A")


class _Kind(Protocol[T_co]):
    """What scalars, strings, structures and pointers are to a checker: what Python sees of one."""

    def _given(self) -> T_co: ...


class _Structure(Protocol[T_co]):
    """What structures are to a checker besides: what an array of them is."""

    def _given_array(self) -> T_co: ...


class _Structures(Protocol[T_co]):
    """What arrays of structures are to a checker."""

    def _given_element(self) -> T_co: ...


class Pointer(Generic[K_co]):
    """A pointer to something of a known kind: a value, and as ``Pointer[Node]`` a type.

    It is an address of its heap: true if it is not null, equal to another of the same address.
    `target` is what it points to, ``pointer[i]`` the one of several, `array` all of them. One
    that was stored in a field by Python remembers the block that it points to, so that using it
    after that was freed raises UseAfterFreeError, and an index beyond its ends OutOfBoundsError.

    >>> import emheap
    >>> class Node(emheap.Struct):
    ...     number: emheap.int32
    ...     next: emheap.Pointer[Node] = emheap.field()
    >>> with emheap.open().arena() as scratch:
    ...     second = scratch.alloc(Node, number=2)
    ...     first = scratch.alloc(Node, number=1, next=second)
    ...     first.next.target.number, first.next.target.next.get()
    (2, None)
    """

    __slots__ = ("_block", "_kind", "_table", "address")

    address: int
    """Where it points to; 0 if it is null."""

    def __init__(self, table: Any, kind: PointerTo, address: int, block: Any = None) -> None:
        self._table = table
        self._kind = kind
        self._block: Block | None = block
        self.address = address

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: Any) -> Field[Self]: ...
        @overload
        def __get__(self, instance: object, owner: Any) -> Self: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...
        def __set__(
            self,
            instance: object,
            value: Pointer[K_co]
            | K_co
            | _Structures[K_co]
            | ArrayRef[Any]
            | ScalarRef[Any]
            | StringRef
            | int
            | None,
        ) -> None: ...
        def _given(self) -> Self: ...

        @overload
        def array(self: Pointer[Type[T]], count: int, /) -> ArrayRef[T]: ...
        @overload
        def array(self: Pointer[_Structure[A]], count: int, /) -> A: ...
        def array(self, count: int, /) -> Any:
            """A reference to `count` of what it points to."""
    else:

        def __class_getitem__(cls, kind: Any) -> PointerTo:
            return pointer_to(kind)

        def array(self, count: int, /) -> Any:
            """A reference to `count` of what it points to."""
            return self._heap().array_at(self._kind.of, self.address, count, self._block)

        def __getattr__(self, name: str) -> Any:
            # Asked only for what a pointer does not have: C's ``node->next->id``, written so.
            words = f"{type(self).__name__!r} object has no attribute {name!r}"
            of = None if name.startswith("_") else self._kind.of
            if isinstance(of, StructType) and hasattr(of, name):
                words += f"; the {of.__name__} that it points to has: target.{name}"
            raise AttributeError(words, name=name, obj=self)

    @property
    def target(self: Pointer[_Kind[T]]) -> T:
        """What it points to. Raises NullPointerError, UseAfterFreeError."""
        return self[0]

    def get(self: Pointer[_Kind[T]]) -> T | None:
        """What it points to, or None if it is null."""
        return self[0] if self.address else None

    def __getitem__(self: Pointer[_Kind[T]], index: int) -> T:
        number = operator.index(index)  # may run the user's code: before the block is looked at
        places, address = self._heap(), self._position(number)
        if isinstance(self._kind.of, StructType):  # a reference to one is as good as a pin
            return places.read_at(self._kind.of, address, self._block)  # type: ignore[no-any-return]
        block, pinned = self._pin()
        try:
            return places.read_at(self._kind.of, address, block)  # type: ignore[no-any-return]
        finally:
            if pinned is not None:
                pinned.release()

    def __setitem__(self, index: int, value: Any) -> None:
        number = operator.index(index)
        self._heap().write_at(self._kind.of, self._position(number), value, self)

    def __iter__(self) -> NoReturn:
        # Without it Python would ask for one item after the other, as far as memory goes.
        raise TypeError(
            "a pointer does not say how many elements it points to: iterate over "
            "pointer.array(count)"
        )

    def cast(self, kind: type[Pointer[T]], /) -> Pointer[T]:
        """The same address as a pointer to another kind: ``pointer.cast(Pointer[Node])``."""
        other: Any = kind
        if not isinstance(other, PointerTo):
            raise TypeError(f"cast() takes a kind such as Pointer[uint8], not {name_of(kind)}")
        return Pointer(self._table, other, self.address, self._block)

    def _heap(self) -> Any:
        """What makes references to places of the heap, if this may be used."""
        if not self.address:
            raise NullPointerError(
                f"this {self._kind} is null: it points to nothing; get() gives None then"
            )
        self._check_alive()
        if self._table.for_values:
            raise NotAllocatedError(
                f"{self!r} is in a structure on no heap, so what it points to is not known; make "
                "the structure with a reference, or call heap.wrap(kind, pointer.address)"
            )
        return self._table.places

    def _check_alive(self) -> None:
        """Raise UseAfterFreeError if the block that it is known to point to was freed."""
        if self._block is not None and is_released(self._block[0]):
            raise self._block[2].table.use_after_free(self._block)

    def _pin(self) -> tuple[Block | None, Pin | None]:
        """The block that it is known to point to, and what keeps it from being freed."""
        block = self._block
        if block is None:
            return None, None
        try:
            return block, pin(block[0])
        except ValueError:
            raise block[2].table.use_after_free(block) from None

    def _position(self, number: int) -> int:
        """The address of one of several things it points to."""
        if not number:
            return self.address
        size: int = self._table.places.size_of(self._kind.of)
        return self.address + number * size

    def __bool__(self) -> bool:
        return self.address != 0

    def __index__(self) -> int:
        self._check_alive()
        return self.address

    _javascript_number = __index__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Pointer):
            return self.address == other.address
        if isinstance(other, HeapRef):
            return self.address == other.address and self._table is other._table
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.address)

    def __copy__(self) -> Self:
        return self  # a value, which never changes

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(
            "a pointer cannot be pickled: it points into this process's memory; take its `address`"
        )

    def __repr__(self) -> str:
        return f"<{self._kind} to {format_address(self.address) if self.address else 'nothing'}>"


def address_of(
    value: Any, kind: PointerTo, table: Any, where: str, most: int
) -> tuple[int, Block | None]:
    """The address that a value means as a pointer on a heap, and the block that it lies in.

    `most` is the largest address. Raises TypeError for anything but a pointer to this kind,
    NotAllocatedError for what is on another heap, UseAfterFreeError, OverflowError.
    """
    if value is None:
        return 0, None
    if isinstance(value, Pointer):
        if value.address and value._table is not table and not table.for_values:
            raise _elsewhere(where, value, value._table)
        return value.address, value._block
    if isinstance(value, HeapRef):
        value._check_alive()
        _check_points_to(value, kind, where)
        if value._table is not table and not table.for_values:
            raise _elsewhere(where, value, value._table)
        return value.address, value._block
    address = None if isinstance(value, bool) else _number_of(value, table)
    if address is None:
        raise TypeError(
            f"{where}: a {kind} takes a reference, a pointer, an address or None, "
            f"not {type(value).__name__} {value!r:.60}"
        )
    if not 0 <= address <= most:
        raise ValueOutOfRangeError(f"{where}: {address} does not fit a pointer: 0 to {most}")
    return address, None


def _number_of(value: Any, table: Any) -> int | None:
    """An address that is a number, or that a pointer of ctypes or cffi has; None for the rest."""
    if hasattr(type(value), "__index__"):
        return operator.index(value)
    # A structure that is on no heap is written to one later.
    return None if table.for_values else table.memory.pointed(value)


def _elsewhere(where: str, value: Any, table: Any) -> NotAllocatedError:
    place = "on no heap" if table.for_values else f"on another heap ({table.memory.name})"
    cure = "allocate a copy on this one and point to that"
    if table.for_values and isinstance(value, Pointer):
        cure = "store its address, if that is one of this heap"
    return NotAllocatedError(
        f"{where}: {value!r:.80} is {place}, and a pointer cannot leave its heap; {cure}"
    )


def _check_points_to(ref: HeapRef[Any], kind: PointerTo, where: str) -> None:
    wanted = kind.of
    if wanted is None or wanted is Any:
        return
    found = ref.kind
    if isinstance(wanted, StructType) != isinstance(found, StructType) or (
        isinstance(wanted, StructType) and found is not wanted
    ):
        raise TypeError(f"{where}: a {kind} cannot point to a {name_of(found)}: {ref!r:.80}")


def pointer_at(table: Any, kind: PointerTo, address: int, block: Block | None) -> Pointer[Any]:
    """A pointer that was read. `block` is the one that it pointed to when Python stored it; C may
    have stored another address since."""
    if block is None:
        return Pointer(table, kind, address)
    inside = block[1] <= address < block[1] + max(block[2].byte_size, 1)
    return Pointer(block[2].table, kind, address, block if inside else None)


# References to pointers


class _Pointers(HeapRef[Any], abstract=True):
    """What references to one pointer and to many have in common."""

    __slots__ = ()

    _noted: tuple[Any, int]
    """The elements of the block that this lies in, and the offset there, if it is no block. What
    borrows an address looks for that block when it is first used."""

    def _open(self, position: int, address: int) -> Pointer[Any]:
        """A pointer that was read."""
        scalar: Any = self._unit
        block = self._table.places.pointees.find(*self._record(position))
        return pointer_at(self._table, scalar.pointee, address, block)

    def _note(self, position: int, block: Block | None) -> None:
        """Remember the block that a pointer was set to point to."""
        self._table.places.pointees.note(*self._record(position), block)

    def _record(self, position: int) -> tuple[Any, int]:
        """What `Pointees` files the block of a pointer under: elements, and the offset in them."""
        try:
            elements, base = self._noted
        except AttributeError:
            block = self._block
            elements, base = self._find_around(block) if block[2].borrowed else (block[0], 0)
        return elements, base + position * self._unit.size

    def _find_around(self, block: Block) -> tuple[Any, int]:
        table = self._table
        around = table.find(block[1]) or table.owner_of(block[1]) or block
        ref: Any = self  # whose class has the slot
        ref._noted = found = around[0], block[1] - around[1]
        return found

    def _address_of(self, value: Any) -> tuple[int, Block | None]:
        scalar: Any = self._unit
        return address_of(value, scalar.pointee, self._table, scalar.name, scalar.maximum)


class AtomicPointer(Atomic[Any]):
    """A pointer on a heap, read and exchanged in indivisible steps."""

    __slots__ = ()

    def load(self) -> Pointer[Any]:
        """The pointer."""
        return self._ref._open(self._position, super().load())  # type: ignore[no-any-return]

    def store(self, value: Any) -> None:
        """Set the pointer."""
        address, block = self._ref._address_of(value)
        super().store(address)
        self._ref._note(self._position, block)

    def exchange(self, value: Any) -> Pointer[Any]:
        """Set the pointer; gives the one that was there."""
        address, block = self._ref._address_of(value)
        before: Pointer[Any] = self._ref._open(self._position, super().exchange(address))
        self._ref._note(self._position, block)
        return before

    def compare_exchange(self, expected: Any, value: Any) -> Pointer[Any]:
        """Set the pointer if it is `expected`; gives the one that was there."""
        wanted, _ = self._ref._address_of(expected)
        address, block = self._ref._address_of(value)
        found = super().compare_exchange(wanted, address)
        before: Pointer[Any] = self._ref._open(self._position, found)
        if found == wanted:
            self._ref._note(self._position, block)
        return before

    def _modify(self, name: str, value: Any) -> Any:
        raise TypeError(f"a pointer has no atomic {name}; it has exchange() and compare_exchange()")

    @property
    def _position(self) -> int:
        return 0 if self._index is None else self._ref._positive(self._index)


class PointerRef(_Pointers, ScalarRef[Any]):
    """A pointer on a heap: what ``heap.alloc(Pointer[Node])`` gives.

    It remembers the block that it was set to point to, as a field does.
    """

    __slots__ = ("_noted",)

    @property
    def value(self) -> Any:
        """The pointer. It is set to what a pointer can be made of: a reference, another pointer,
        an address or None."""
        return self._open(0, ScalarRef.value.fget(self))  # type: ignore[attr-defined]

    @value.setter
    def value(self, value: Any) -> None:
        address, block = self._address_of(value)
        ScalarRef.value.fset(self, address)  # type: ignore[attr-defined]
        self._note(0, block)

    def read(self) -> Any:
        """`value`, as a method."""
        return self.value

    def write(self, value: Any) -> None:
        """Set `value`, as a method."""
        self.value = value

    @property
    def atomic(self) -> AtomicPointer:
        """The pointer, to be read and exchanged while others do."""
        return AtomicPointer(self)


class OwningPointerRef(Owner, PointerRef):
    """One that owns its block."""

    __slots__ = ()


class PointerArrayRef(_Pointers, ArrayRef[Any]):
    """Pointers on a heap, one after the other: what ``heap.alloc_array(Pointer[Node], 8)`` gives.

    Elements and slices are `Pointer` objects; what is stored is what a pointer can be made of, and
    each remembers the block that it was set to point to.
    """

    __slots__ = ("_noted",)
    __hash__ = None

    # An index of the user's is asked for its number once: it may give another the next time.

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            numbers = with_numbers(index)
            found = super().__getitem__(numbers)
            return list(map(self._open, range(len(self))[numbers], found))
        number = check_index(index)
        return self._open(self._positive(number), super().__getitem__(number))

    def __setitem__(self, index: Any, value: Any) -> None:
        if not isinstance(index, slice):
            number = check_index(index)
            address, block = self._address_of(value)
            super().__setitem__(number, address)
            self._note(self._positive(number), block)
            return
        numbers = with_numbers(index)
        values = row_of(value, "an array of pointers")
        stored = [self._address_of(each) for each in values]
        super().__setitem__(numbers, [address for address, _ in stored])
        for position, (_, block) in zip(range(len(self))[numbers], stored, strict=False):
            self._note(position, block)

    def _positive(self, index: int) -> int:
        return index if index >= 0 else index + len(self)

    def read_at(self, index: int) -> Any:
        """The element at `index`. Raises OutOfBoundsError, UseAfterFreeError."""
        return self[index]

    def write_at(self, index: int, value: Any) -> None:
        """Set the element at `index`. Raises OutOfBoundsError, TypeError."""
        self[index] = value

    @property
    def atomic(self) -> AtomicElements[Any]:
        """The elements, to be read and exchanged while others do."""
        return AtomicElements(self, AtomicPointer)

    def __iter__(self) -> Any:
        return iter(self[:])

    def resize(self, count: int) -> None:
        """Make the array `count` elements long: it keeps what fits, and what is new is null."""
        super().resize(count)

    def _copy_pointees(self, block: Block) -> None:
        self._table.places.pointees.copy(self._elements, block[0])


class OwningPointerArrayRef(Owner, PointerArrayRef):
    """Some that own their block."""

    __slots__ = ()
    __hash__ = None
