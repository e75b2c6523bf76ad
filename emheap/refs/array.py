"""References to many numbers of one type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from emheap._util.checks import check_count, check_integer
from emheap._util.messages import format_address
from emheap._util.sites import caller_site
from emheap.blocks.block import describe_block
from emheap.errors import NotAllocatedError, OutOfBoundsError
from emheap.refs.base import HeapRef
from emheap.refs.exchange import array_interface, cannot_share, to_numpy
from emheap.refs.lifetime import Owner
from emheap.refs.resize import resize
from emheap.types import Scalar, WideInteger
from emheap.types.arrays import decode_elements, encode_elements

if TYPE_CHECKING:
    import numpy

__all__ = ["ArrayRef", "array_ref_class"]

T = TypeVar("T")


class ArrayRef(HeapRef[T], Sequence[T]):
    """Numbers on a heap, one after the other: a mutable sequence of fixed length.

    Indices and slices are Python's; a slice gives a list, and is assigned as many elements as it
    has, from an iterable or a buffer. Where Python's buffer protocol can be implemented in Python
    (3.12 on) the array is a buffer itself; `view` is one everywhere.

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
            return self._read_slice(index)
        try:
            return self._elements[index]
        except (IndexError, TypeError, ValueError):
            return self._elements[self._check_index(index)]

    @overload
    def __setitem__(self, index: int, value: T) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[T]) -> None: ...
    @overload
    def __setitem__(self, index: tuple[int, ...], value: T) -> None: ...
    def __setitem__(self, index: Any, value: Any) -> None:
        try:
            # A slice too, where `value` is a buffer of the same format and length.
            self._elements[index] = value
        except (IndexError, TypeError, ValueError):
            self._set_checked(index, value)

    def _set_checked(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            self._write_slice(index, value)
            return
        position = self._check_index(index)
        self._elements[position] = self._unit.encode(value)

    def _check_index(self, index: Any) -> int:
        self._check_alive()
        position = check_integer(index, "index")
        count = len(self)
        if -count <= position < count:
            return position
        raise OutOfBoundsError(
            f"index {position} is outside the {count} elements of {self._describe()}"
        )

    def _describe(self) -> str:
        return describe_block(self._block)

    def read_at(self, index: int) -> T:
        """The element at `index`. Raises OutOfBoundsError, UseAfterFreeError."""
        return self[self._check_index(index)]

    def write_at(self, index: int, value: T) -> None:
        """Set the element at `index`. Raises OutOfBoundsError, OverflowError, TypeError."""
        self[self._check_index(index)] = value

    def read_atomic_at(self, index: int) -> T:
        """The element at `index`, read in one indivisible step."""
        return self._block[2].table.atomics.reader(self._unit)(self._address_of(index))  # type: ignore[no-any-return]

    def write_atomic_at(self, index: int, value: T) -> None:
        """Set the element at `index` in one indivisible step."""
        self._block[2].table.atomics.writer(self._unit)(self._address_of(index), value)

    def _address_of(self, index: int) -> int:
        position = self._check_index(index)
        return self.address + (position % len(self)) * self._unit.size

    # Many elements

    def _read_slice(self, index: slice) -> list[T]:
        start, stop, step = self._bounds(index)
        if step != 1:
            return [self._elements[position] for position in range(start, stop, step)]
        return decode_elements(self._unit, self._read_range(start, max(stop - start, 0)))

    def _read_range(self, start: int, count: int) -> bytes:
        size = self._unit.size
        return self._memory.read_bytes(self.address + start * size, count * size) if count else b""

    def _copy_elements(self) -> memoryview | None:
        self._check_alive()
        code: Any = self._unit.format
        return memoryview(self._read_range(0, len(self))).cast(code) if code else None

    def _write_slice(self, index: slice, source: Any) -> None:
        data = encode_elements(self._unit, source)
        start, stop, step = self._bounds(index)
        positions = range(start, stop, step)
        size = self._unit.size
        if len(data) != len(positions) * size:
            raise ValueError(
                f"a slice of {len(positions)} elements takes as many, not {len(data) // size}: "
                "an array on a heap cannot change its length"
            )
        if step == 1:
            if len(data):
                self._memory.write_bytes(self.address + start * size, data)
            return
        for position, value in zip(
            positions, decode_elements(self._unit, bytes(data)), strict=True
        ):
            self._elements[position] = value

    def _bounds(self, index: slice) -> tuple[int, int, int]:
        self._check_alive()
        return index.indices(len(self))

    def __iter__(self) -> Iterator[T]:
        for index in range(len(self)):
            yield self[index]

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """The index of the first element equal to `value`; raises ValueError if there is none."""
        bounds = slice(start, stop).indices(len(self))
        elements = self[:]
        try:
            return elements.index(value, bounds[0], bounds[1])
        except ValueError:
            raise ValueError(f"{value!r:.60} is not in {self._describe()}") from None

    def tolist(self) -> list[T]:
        """All elements as Python numbers."""
        return self[:]

    def __eq__(self, other: object) -> bool:
        """Whether `other` is a sequence or buffer of equal elements."""
        if isinstance(other, ArrayRef):
            other = other[:]
        elif isinstance(other, (bytes, bytearray, memoryview)):
            other = list(other)
        elif not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and self[:] == list(other)

    # Views

    @property
    def view(self) -> memoryview:
        """A writable memoryview of the elements, with no copy.

        It writes as memoryviews do: a view of ``clamped_uint8`` or ``pointer53`` holds the
        integers stored. While it, a slice or an array on it is in use the block cannot be freed.
        Raises UseAfterFreeError.
        """
        if issubclass(self._unit, WideInteger):
            return self.allocated_bytes_view
        return self._lend(self._unit, len(self)).view  # type: ignore[no-any-return]

    def __buffer__(self, flags: int) -> memoryview:
        self._check_alive()
        if not self._memory.zero_copy:
            raise TypeError(cannot_share(self._memory, "buffer"))
        return self.view

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return array_interface(self)

    def numpy(self) -> numpy.ndarray[Any, Any]:
        """A writable numpy array on the elements, with no copy; needs numpy.

        While it, or an array made of it with no copy, is in use the block cannot be freed.
        Raises NotSupportedError where views are not memoryviews.
        """
        return to_numpy(self)

    def _content(self) -> str:
        return f"of {len(self)} elements"

    # Another length

    def resize(self, count: int) -> None:
        """Make the array `count` elements long: it keeps what fits, and what is new is 0.

        The block may move. This reference goes with it; others to the same block end. Raises
        BufferInUseError while a view is in use, OutOfMemoryError, NotAllocatedError for a wrapped
        reference, UseAfterFreeError; then nothing changed.
        """
        number = check_count(count, "count", self._unit.size, self._memory.largest_block)
        resize(self, number, self._unit, caller_site())

    # Freeing what pointers point to

    def free(self, *, free_elements: bool = False) -> None:
        """Give the block back to the allocator.

        With `free_elements`, which is for arrays of pointers, the blocks that the elements point
        to go first: all or nothing. Null pointers are passed over.

        Raises what `HeapRef.free` raises; NotAllocatedError, having freed nothing, if an element
        is no block of this heap or stands twice.
        """
        if free_elements:
            self._free_pointed()
        super().free()

    def _free_pointed(self) -> None:
        self._check_alive()
        owner = self._block[2].table
        if not self._unit.is_pointer:
            raise TypeError(
                f"free_elements is for arrays of pointers; the elements here are {self._unit.name}"
            )
        if not owner.is_live(self._block):
            raise owner.refusal(self._block)
        seen = {self.address: "the array itself"}
        blocks = []
        for index, address in enumerate(self[:]):
            if address == 0:
                continue
            pointer: int = address  # type: ignore[assignment]
            if pointer in seen:
                raise NotAllocatedError(
                    f"element {index} points to {format_address(pointer)}, as does "
                    f"{seen[pointer]}; nothing was freed"
                )
            seen[pointer] = f"element {index}"
            blocks.append(owner.live_block(pointer, f"element {index}"))
        site = caller_site()
        for block in (*blocks, self._block):
            owner.check_not_lent(block)
        for block in blocks:
            owner.release(block, site)


class EncodingArrayRef(ArrayRef[T]):
    """Numbers that must be checked or converted before they are stored."""

    __slots__ = ()
    __hash__ = None

    def __setitem__(self, index: Any, value: Any) -> None:
        if type(index) is slice:
            self._write_slice(index, value)
            return
        try:
            self._elements[index] = self._unit.encode(value)
        except (IndexError, TypeError, ValueError):
            self._set_checked(index, value)


class OwningArrayRef(Owner, ArrayRef[T]):
    __slots__ = ()
    __hash__ = None


class OwningEncodingArrayRef(Owner, EncodingArrayRef[T]):
    __slots__ = ()
    __hash__ = None


ArrayRef._borrowed_class = ArrayRef
EncodingArrayRef._borrowed_class = EncodingArrayRef
EncodingArrayRef.__name__ = ArrayRef.__name__


def array_ref_class(scalar: type[Scalar[Any]], owning: bool) -> Any:
    """The class of a reference to an array of `scalar`."""
    if scalar.encodes:
        return OwningEncodingArrayRef if owning else EncodingArrayRef
    return OwningArrayRef if owning else ArrayRef
