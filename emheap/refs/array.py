"""References to many numbers of one type."""

from __future__ import annotations

import operator
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload
from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

from emheap._util.checks import check_count, check_integer
from emheap._util.messages import count_of, format_address
from emheap._util.released import is_released
from emheap._util.sequences import index_in
from emheap._util.sites import caller_site
from emheap.blocks.block import Block, describe_block
from emheap.blocks.views import MOST_LATEST
from emheap.errors import NotAllocatedError, OutOfBoundsError, ShapeError, UseAfterFreeError
from emheap.memories.base import Elements
from emheap.memories.elements import exporter
from emheap.memories.window import empty_elements
from emheap.refs.atomic import AtomicElements
from emheap.refs.base import HeapRef
from emheap.refs.lifetime import Owner
from emheap.types import Scalar, float64
from emheap.types.arrays import stored_numbers

if TYPE_CHECKING:
    import numpy

    from emheap.refs.edit import Edit
    from emheap.types.arrays import BufferLike

__all__ = ["ArrayRef", "array_ref_class", "with_numbers"]

T = TypeVar("T")


class ArrayRef(HeapRef[T], Sequence[T]):
    """Numbers on a heap, one after the other: a mutable sequence of fixed length.

    Indices and slices are Python's; a slice gives a list, and is assigned as many elements as it
    has, from an iterable or a buffer. Where views are memoryviews, the array is a buffer itself
    from Python 3.12 on.

    >>> import emheap
    >>> samples = emheap.open().alloc_array(emheap.float32, 4)
    >>> samples[1:3] = [0.5, 1]
    >>> samples[-2], list(samples)
    (1.0, [0.0, 0.5, 1.0, 0.0])
    >>> samples.free()
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    @property
    def element_count(self) -> int:
        """The number of elements."""
        return self._block[2].count  # type: ignore[return-value]

    def __len__(self) -> int:
        return self._block[2].count  # type: ignore[return-value]

    @property
    def bytes_per_element(self) -> int:
        """The bytes of one element."""
        return self._unit.size

    # One element

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    @overload
    def __getitem__(self, index: tuple[int, ...]) -> T: ...
    def __getitem__(self, index: Any) -> Any:
        if type(index) is slice:
            start = index.start
            if type(start) is int or start is None:
                stop = index.stop
                if (type(stop) is int or stop is None) and index.step is None:
                    # A slice of a memoryview does not end with it. It is read before another
                    # thread can run, for this one gives way between two lines only, or after a
                    # call; and what a profiler or a finalizer may have freed in between is noticed:
                    # to ask whether there are elements takes less than to ask how many.
                    elements = self._elements
                    try:
                        values = elements[index].tolist()
                        if elements:
                            return values
                    except ValueError:
                        pass
            return self._read_slice(index)
        try:
            return self._elements[index]
        except (IndexError, TypeError, ValueError):
            pass  # outside of the handler the error has no other one as its context
        return self._get_checked(index)

    def _get_checked(self, index: Any) -> Any:
        position = check_integer(index, "index")
        return self._retry(lambda elements: elements[self._bounded(position, elements)])

    @overload
    def __setitem__(self, index: int, value: T) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[T] | BufferLike) -> None: ...
    @overload
    def __setitem__(self, index: tuple[int, ...], value: T) -> None: ...
    def __setitem__(self, index: Any, value: Any) -> None:
        if type(index) is slice:
            if type(value) is list:
                try:
                    self._elements[index] = array(self._unit.format, value)
                    return
                except (IndexError, TypeError, ValueError, OverflowError):
                    pass
            self._write_slice(index, value)
            return
        try:
            self._elements[index] = value
            return
        except (IndexError, TypeError, ValueError):
            pass
        self._set_checked(index, value)

    def _set_checked(self, index: Any, value: Any) -> None:
        position = check_integer(index, "index")
        number = self._encode(value)
        self._retry(
            lambda elements: elements.__setitem__(self._bounded(position, elements), number)
        )

    def _bounded(self, position: int, elements: Elements) -> int:
        count = len(elements)
        if -count <= position < count:
            return position
        raise OutOfBoundsError(
            f"index {position} is outside the {count_of(count, 'element')} of {self._describe()}"
        )

    def _describe(self) -> str:
        return describe_block(self._block)

    def read_at(self, index: int) -> T:
        """The element at `index`. Raises OutOfBoundsError, TypeError, UseAfterFreeError."""
        try:
            # Of a slice a memoryview would give a view that keeps no block alive; it has no sign.
            # To look at the type of the index would cost a tenth more.
            return self._elements[+index]  # type: ignore[no-any-return]
        except (IndexError, TypeError, ValueError):
            pass
        return self._get_checked(index)  # type: ignore[no-any-return]

    def write_at(self, index: int, value: T) -> None:
        """Set the element at `index`.

        Raises OutOfBoundsError, OverflowError, TypeError, UseAfterFreeError.
        """
        try:
            self._elements[+index] = value
            return
        except (IndexError, TypeError, ValueError):
            pass
        self._set_checked(index, value)

    @property
    def atomic(self) -> AtomicElements[T]:
        """The elements, to be read and changed while others do: ``array.atomic[3].add(1)``."""
        return AtomicElements(self)

    def read_atomic_at(self, index: int) -> T:
        """The element at `index`, read in one indivisible step."""
        return self.atomic[index].load()

    def write_atomic_at(self, index: int, value: T) -> None:
        """Set the element at `index` in one indivisible step."""
        self.atomic[index].store(value)

    def _address_in(self, block: Block, position: int) -> int:
        """The address of an element of a block that is pinned."""
        elements, address, _, _, _ = block
        index = self._bounded(position, elements) % len(elements)
        return address + index * self._unit.size

    # Many elements

    def _read_slice(self, index: slice) -> list[T]:
        index = with_numbers(index)
        return self._retry(lambda elements: _slice_of(elements, index))  # type: ignore[no-any-return]

    def _copy_elements(self) -> memoryview | None:
        code: Any = self._unit.format
        if not code:
            return None
        data = bytes(self)
        return memoryview(data).cast(code) if data else empty_elements(self._unit)

    def _write_slice(self, index: slice, source: Any) -> None:
        unit = self._unit
        numbers = stored_numbers(unit, source, self._memory.encoder(unit))
        try:
            self._elements[index] = numbers
            return
        except (TypeError, ValueError):
            pass
        self._store_slice(index, numbers)

    def _store_slice(self, index: slice, numbers: Any) -> None:
        """Store numbers that memoryview refused, or elements that are not numbers."""
        index = with_numbers(index)
        data = memoryview(numbers)
        given = data.nbytes // self._unit.size

        def store(elements: Elements) -> None:
            taken = len(range(len(elements))[index])
            if taken != given:
                raise ShapeError(
                    f"a slice of {count_of(taken, 'element')} takes as many, not {given}: an "
                    "array on a heap cannot change its length; assign as many, or resize() it first"
                )
            elements[index] = numbers

        self._retry(store)

    def __iter__(self) -> Iterator[T]:
        self._check_alive()
        block = self._block
        try:
            yield from cast("Iterable[T]", block[0])
        except ValueError:
            if not is_released(block[0]):
                raise
            self._check_lost(block)
            raise UseAfterFreeError(
                f"{self._describe()} was resized while it was iterated over; iterate over array[:]"
            ) from None

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """The index of the first element equal to `value`; raises ValueError if no element is."""
        return index_in(len(self), self.tolist, value, start, stop, self._describe)

    def tolist(self) -> list[T]:
        """All elements as Python numbers."""
        return self[:]

    def __eq__(self, other: object) -> bool:
        """Whether `other` is an array, a sequence or a memoryview of equal elements."""
        if isinstance(other, ArrayRef):
            other = other[:]
        elif isinstance(other, memoryview):
            if is_released(other):  # it equals nothing, as among memoryviews
                self._check_alive()
                return False
            if other.ndim != 1:
                return False
            other = other.tolist()
        elif not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and self[:] == list(other)

    # Views

    @property
    def view(self) -> memoryview[T]:
        """A writable memoryview of the elements, with no copy.

        It writes as memoryviews do: a view of ``clamped_uint8`` or ``pointer53`` holds the
        integers stored. It ends when the block is freed; a slice, a cast or an array made of it
        keeps the block from being freed. Raises UseAfterFreeError.
        """
        if not self._unit.format:
            return self._view_bytes()  # type: ignore[return-value]
        return self._view_elements()  # type: ignore[return-value]

    if TYPE_CHECKING:

        def edit(self) -> Edit[T]:
            """As `HeapRef.edit`; only a type checker sees this one."""
            ...

    @property
    def __array_interface__(self) -> dict[str, Any]:
        from emheap.refs.exchange import array_interface

        return array_interface(self)

    @overload
    def numpy(
        self: ArrayRef[int],
    ) -> numpy.ndarray[tuple[int], numpy.dtype[numpy.integer[Any]]]: ...
    @overload
    def numpy(
        self: ArrayRef[float],
    ) -> numpy.ndarray[tuple[int], numpy.dtype[numpy.floating[Any]]]: ...
    def numpy(self) -> Any:
        """A writable numpy array on the elements, with no copy; needs numpy.

        While it, or an array made of it with no copy, is in use the block cannot be freed.
        Raises NotSupportedError where views are not memoryviews, UseAfterFreeError.
        """
        from emheap.refs.exchange import to_numpy

        return to_numpy(self)

    def _content(self) -> str:
        return f"of {count_of(len(self), 'element')}"

    # Another length

    def resize(self, count: int) -> None:
        """Make the array `count` elements long: it keeps what fits, and what is new is 0.

        The block may move. This reference goes with it; others to the same block end. Raises
        BufferInUseError while a view is in use, OutOfMemoryError, NotAllocatedError for a wrapped
        reference, UseAfterFreeError; then nothing changed.
        """
        from emheap.refs.resize import resize

        number = check_count(count, "count", self._unit.size, self._memory.largest_block)
        resize(self, number, self._unit, caller_site())

    # Freeing what pointers point to

    def free(self, *, free_elements: bool = False) -> None:
        """Give the block back to the allocator.

        With `free_elements`, which is for arrays of pointers, the blocks that the elements point
        to go first: all or nothing. Null pointers are passed over.

        Raises what `HeapRef.free` raises; NotAllocatedError, having freed nothing, if an element
        is no block of this heap or occurs twice.
        """
        if free_elements:
            self._free_pointed()
        elif not self._free_pooled(2):
            self._free_at(caller_site())

    def _free_pointed(self) -> None:
        owner = self._block[2].table
        if self.is_freed or not owner.is_live(self._block):
            raise owner.refusal(self._block)
        if not self._unit.is_pointer:
            raise TypeError(
                f"free_elements is for arrays of pointers; the elements here are {self._unit.name}"
            )
        seen = {self.address: "the array itself"}
        blocks = []
        addresses: Any = self._read_slice(slice(None))
        for index, pointer in enumerate(addresses):
            if pointer == 0:
                continue
            if pointer in seen:
                raise NotAllocatedError(
                    f"element {index} points to {format_address(pointer)}, as does "
                    f"{seen[pointer]}; nothing was freed"
                )
            seen[pointer] = f"element {index}"
            blocks.append(owner.live_block(pointer, f"element {index}"))
        for block in (*blocks, self._block):
            owner.check_not_lent(block)
        owner.release_together([*blocks, self._block], caller_site())
        self._leave_owner()


class EncodingArrayRef(ArrayRef[T]):
    """Numbers that must be checked or converted before they are stored."""

    __slots__ = ()
    __hash__ = None

    def __setitem__(self, index: Any, value: Any) -> None:
        if type(index) is slice:
            self._write_slice(index, value)
            return
        number = self._encode(value)
        try:
            self._elements[index] = number
            return
        except (IndexError, TypeError, ValueError):
            pass
        self._set_checked(index, number)

    def write_at(self, index: int, value: T) -> None:
        if type(index) is int:
            self[index] = value
        else:
            self._set_checked(index, value)


class FloatArrayRef(EncodingArrayRef[T]):
    """Elements of float64: memoryview stores every float as it is, and of other objects what they
    convert themselves to, whatever is lost."""

    __slots__ = ()
    __hash__ = None

    def __setitem__(self, index: Any, value: Any) -> None:
        if type(index) is slice:
            self._write_slice(index, value)
            return
        if type(value) is float:
            try:
                self._elements[index] = value
                return
            except (IndexError, TypeError, ValueError):
                pass
        self._set_checked(index, value)


_view_of_any: Any = vars(ArrayRef)["view"].fget


def _load_export(stored: Any) -> Any:
    global _export  # what makes it is imported with the first view
    _export = exporter()
    return _export(stored)


_export: Any = _load_export
"""Makes an export of a memoryview."""


class _Viewed(ArrayRef[T], abstract=True):
    """An array whose views are exports of its elements: one of ours that is not collected."""

    __slots__ = ()
    __hash__ = None

    @property
    def view(self) -> memoryview[T]:
        try:
            view = memoryview(_export(self._elements))
        except (TypeError, ValueError):  # no memoryview, or one that was released
            # Without super(): where another thread has freed the block, the class is another now.
            return _view_of_any(self)  # type: ignore[no-any-return]
        latest = self._block[2].views
        latest.append(WeakReference(view))
        if len(latest) > MOST_LATEST:
            self._table.views.file()
        return view  # type: ignore[return-value]


class OwningArrayRef(Owner, _Viewed[T]):
    __slots__ = ()
    __hash__ = None


class OwningEncodingArrayRef(Owner, _Viewed[T], EncodingArrayRef[T]):
    __slots__ = ()
    __hash__ = None


class OwningFloatArrayRef(Owner, _Viewed[T], FloatArrayRef[T]):
    __slots__ = ()
    __hash__ = None


def array_ref_class(scalar: type[Scalar[Any]], owning: bool) -> Any:
    """The class of a reference to an array of `scalar`."""
    if scalar is float64:
        return OwningFloatArrayRef if owning else FloatArrayRef
    if scalar.encodes:
        return OwningEncodingArrayRef if owning else EncodingArrayRef
    return OwningArrayRef if owning else ArrayRef


def with_numbers(index: slice) -> slice:
    """A slice whose bounds are ints; of an object's own ``__index__`` they are asked for here."""
    parts = (index.start, index.stop, index.step)
    try:
        return slice(*(None if part is None else operator.index(part) for part in parts))
    except TypeError:
        raise TypeError(
            f"slice indices must be integers or None, not {', '.join(map(repr, parts)):.60}"
        ) from None


def _slice_of(elements: Elements, index: slice) -> Any:
    values = elements[index].tolist()
    len(elements)
    return values
