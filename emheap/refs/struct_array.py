"""Arrays of structures: in a block of their own, at an address, or inside of a structure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from emheap._util.checks import check_count, check_index
from emheap._util.messages import count_of, format_address
from emheap._util.released import is_released
from emheap._util.sequences import index_in
from emheap._util.sites import caller_site
from emheap.blocks.block import Block, describe_block
from emheap.errors import NotSupportedError, OutOfBoundsError, ShapeError
from emheap.refs.exchange import import_numpy
from emheap.refs.field_codecs import Notes, encode_structs
from emheap.refs.lifetime import Owner
from emheap.refs.resize import resize
from emheap.refs.shaped import Shaped
from emheap.refs.struct_dtype import dtype_of
from emheap.refs.structured import StructuredRef, StructureLayout
from emheap.refs.variants import Inside, Variants
from emheap.types import Scalar, as_wide, uint8
from emheap.types.fields import Field
from emheap.types.pointers import name_of
from emheap.types.structs import layout_of

if TYPE_CHECKING:
    import numpy

    from emheap.refs.cells import Cells

__all__ = ["StructArrayRef", "open_struct_array", "open_struct_array_inside"]

S = TypeVar("S")
T = TypeVar("T")
_new = object.__new__


class StructArrayRef(StructuredRef[S], Sequence[S]):
    """Structures on a heap, one after the other: a mutable sequence of fixed length.

    An element is a reference to the structure at its place, so ``array[2].x = 5`` stores in the
    array; ``array[2] = value`` stores a whole structure. `column` is a view on one field of all
    elements, and `numpy` an array with a structured dtype.

    >>> import emheap
    >>> class Point(emheap.Struct):
    ...     x: emheap.float32
    ...     y: emheap.float32
    >>> with emheap.open().alloc_array(Point, [(1, 2), (3, 4), (5, 6)]) as points:
    ...     points[-1].y += 10
    ...     points[0] = Point(x=7, y=8)
    ...     points.tolist(), points.column(Point.y).tolist()
    ([(7.0, 8.0), (3.0, 4.0), (5.0, 16.0)], [8.0, 4.0, 16.0])
    """

    __slots__ = ("_base", "_count", "_item", "_stride", "_variants")

    if TYPE_CHECKING:

        def _given_element(self) -> S: ...

    __hash__ = None  # type: ignore[assignment]

    _count: int
    _stride: int
    _item: Any
    """The class of the elements."""

    def __len__(self) -> int:
        return self._count

    @property
    def element_count(self) -> int:
        """The number of elements."""
        return self._count

    @property
    def bytes_per_element(self) -> int:
        """Bytes from one element to the next."""
        return self._stride

    @property
    def allocated_byte_size(self) -> int:
        """The bytes from the first to the last of the elements."""
        if not self._count:
            return 0
        return (self._count - 1) * self._stride + self._variants.layout.size

    # Elements

    @overload
    def __getitem__(self, index: int) -> S: ...
    @overload
    def __getitem__(self, index: slice) -> list[S]: ...
    @overload
    def __getitem__(self, index: tuple[int, ...]) -> S: ...
    def __getitem__(self, index: Any) -> Any:
        # Of exactly int: another number's product with the stride may wrap, as numpy's do. Two
        # comparisons are quicker than one of three numbers.
        cells = self._elements  # before the length, which another thread may change with them
        if type(index) is int and index >= 0 and index < self._count:
            made = _new(self._item)
            made._elements = cells
            made._base = index * self._stride  # no sum: it would cost a tenth more
            made._parent = self
            return made
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(self._count))]
        return self[self._check_index(index)]

    @overload
    def __setitem__(
        self, index: int | tuple[int, ...], value: S | tuple[Any, ...] | Mapping[str, Any], /
    ) -> None: ...
    @overload
    def __setitem__(
        self, index: slice, value: Iterable[S | tuple[Any, ...] | Mapping[str, Any]], /
    ) -> None: ...
    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            self._store_slice(index, value)
            return
        position = self._check_index(index)
        notes = Notes(self._table)
        data = self._variants.codec.encode_value(value, notes)
        self._store(position * self._stride, data, notes.pointees)

    def _check_index(self, index: Any) -> int:
        position = check_index(index)
        count = self._count
        if -count <= position < count:
            return position % count
        self._check_alive()
        among = count_of(count, "element")
        raise OutOfBoundsError(f"index {position} is outside the {among} of {self._describe()}")

    def _describe(self) -> str:
        return describe_block(self._block)

    def _store_slice(self, index: slice, values: Iterable[Any]) -> None:
        positions = range(*index.indices(self._count))
        notes = Notes(self._table)
        size = self._variants.layout.size
        data = encode_structs(self.kind, self._variants.abi, values, notes, len(positions))
        if positions.step == 1 and self._stride == size:
            self._store(positions.start * size, data, notes.pointees)
            return
        parts: list[dict[int, Any]] = [{} for _ in positions]
        for at, block in notes.pointees.items():
            parts[at // size][at % size] = block
        for number, position in enumerate(positions):
            part = data[number * size : (number + 1) * size]
            self._store(position * self._stride, part, parts[number])

    def _store(self, offset: int, data: bytes, pointees: dict[int, Any]) -> None:
        cells = self._elements
        base = self._base + offset
        try:
            cells.write(base, data)
        except ValueError:
            self._check_alive()
            raise ShapeError(
                f"{describe_block(self._block)} was resized while its values were made; assign "
                "them again"
            ) from None
        if self._variants.codec.has_pointers:
            cells.note_all(base, len(data), pointees)

    def __iter__(self) -> Iterator[S]:
        self._check_alive()
        item, cells, stride = self._item, self._elements, self._stride
        last = self._base + self._count * stride
        # Elements of no bytes are all at one place.
        for base in range(self._base, last, stride) if stride else repeat(last, self._count):
            made = _new(item)
            made._elements = cells
            made._base = base
            made._parent = self
            yield made

    def tolist(self) -> list[tuple[Any, ...]]:
        """The elements as tuples of their fields, as `Struct.to_tuple` gives them."""
        form = self._variants.codec.form
        if form is None or self._stride != form.size:
            return [each.to_tuple() for each in self]  # type: ignore[attr-defined]
        while True:
            cells = self._elements  # before the length, which another thread may change with them
            try:
                data = cells.read(self._base, self._count * form.size)
                break
            except ValueError:
                self._check_alive()
                if self._elements is cells:
                    raise
        return list(form.iter_unpack(data))

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """The index of the first element equal to `value`; raises ValueError if no element is."""
        return index_in(len(self), lambda: self[:], value, start, stop, self._describe)

    def __eq__(self, other: object) -> bool:
        """Whether `other` is a sequence of equal structures."""
        if not isinstance(other, Sequence) or isinstance(other, (str, bytes)):
            return NotImplemented
        if isinstance(other, memoryview) and is_released(other):
            return False
        return len(self) == len(other) and all(
            mine == its for mine, its in zip(self, other, strict=True)
        )

    # Views

    @property
    def view(self) -> memoryview:
        """A writable view of the bytes of all elements, format ``B``."""
        return self.allocated_bytes_view

    def column(self, field: Field[T] | str, /, *inner: Field[Any] | str) -> memoryview:
        """One field of all elements: a strided view, with no copy.

        ``column(Line.start, Point.x)`` is a field of a structure in the elements. The view has
        the numbers as they are stored. It ends when the block is freed; a slice or an array made
        of it keeps the block from being freed.
        Raises NotSupportedError where no view can be: of bit-fields, arrays and nested
        structures, of numbers in the other byte order, and where the fields do not lie at
        multiples of their size.
        """
        block = self._block
        start, count, step, scalar, name = self._place_column((field, *inner))
        what = f"column {name}" if count else name
        loan = self._lend_part(block, scalar, start, count, what, step)
        return loan.view  # type: ignore[no-any-return]

    def js_column(self, field: Field[Any] | str, /, *inner: Field[Any] | str) -> tuple[Any, int]:
        """One field of all elements for JavaScript: a typed array, with no copy, and a step.

        Typed arrays have no stride, so this one goes from the field of the first element to that
        of the last, in the type of the field; element `i` is ``view[i * step]``. As `js_view`, it
        must not be used after the block was freed or the memory has grown. Raises what `column`
        and `js_view` raise.
        """
        start, count, step, scalar, _ = self._place_column((field, *inner))
        _, pinned = self._pin()
        try:
            return self._memory.js_view(scalar, start, count), step
        finally:
            pinned.release()

    def _place_column(self, path: tuple[Any, ...]) -> tuple[int, int, int, type[Scalar[Any]], str]:
        """The address of a column, how many numbers of its type lie from its first to its last
        and in each step, the type, and the name."""
        offset, scalar, name = self._find_column(path)
        start = self.address + offset
        if not self._count:
            return self.address, 0, 1, scalar, name
        step, rest = divmod(self._stride, scalar.size)
        if rest or start % scalar.size:
            raise NotSupportedError(
                f"{name} does not lie at multiples of its {scalar.size} bytes, so no view can have "
                "it; take numpy(), or the elements one by one"
            )
        return start, (self._count - 1) * step + 1, step, scalar, name

    def _find_column(self, path: tuple[Any, ...]) -> tuple[int, type[Scalar[Any]], str]:
        """Where a field begins in an element, what it is stored as, and its name."""
        kind: Any = self.kind
        offset, plain, swapped, where = 0, True, False, ""
        for each in path:
            name = each.name if isinstance(each, Field) else each
            found = layout_of(kind, self._variants.abi).fields.get(name)
            if found is None or (isinstance(each, Field) and each.owner is not kind):
                raise TypeError(f"{name_of(kind)} has no field {each}")
            offset += found.offset
            swapped = next(e.swapped for e in kind._declaration.named if e.name == name)
            kind, plain, where = found.kind, found.bit_width is None, str(found)
        if hasattr(kind, "scalar"):
            kind = kind.scalar(self._variants.abi)
        plain = plain and isinstance(kind, type) and issubclass(kind, Scalar) and not as_wide(kind)
        if not plain:
            raise NotSupportedError(
                f"{where} is no number of its own, so it has no column; take the elements one by "
                "one, or numpy()"
            )
        if swapped and kind.size > 1:
            raise NotSupportedError(
                f"{where} has the other byte order, in which no view reads its numbers; take "
                "numpy(), or the elements one by one"
            )
        return offset, kind, where

    def numpy(self) -> numpy.ndarray[Any, Any]:
        """A writable numpy array with a structured dtype on the elements, with no copy.

        Bit-fields are not in it. While it is in use the block cannot be freed.
        Raises NotSupportedError where views are no memoryviews, ImportError without numpy.
        """
        module = import_numpy(self)
        loan = self._lend(uint8, self.allocated_byte_size, "numpy array")
        data = module.asarray(loan.view)
        dtype = module.dtype(dtype_of(self.kind, self._variants.abi))
        made: numpy.ndarray[Any, Any]
        try:
            if self._count:
                made = module.ndarray((self._count,), dtype, data.data, 0, (self._stride,))
            else:
                made = data.view(dtype)
        except ValueError:
            self._check_alive()
            raise
        return made

    # Another length

    def resize(self, count: int) -> None:
        """Make the array `count` elements long: it keeps what fits, and what is new is 0.

        The block may move; elements that were taken before end with the old one. Raises
        BufferInUseError while a view is in use, OutOfMemoryError, NotAllocatedError for a wrapped
        array, UseAfterFreeError; then nothing changed.
        """
        unit: Any = self._variants.layout
        number = check_count(count, "count", unit.size, self._memory.largest_block)
        resize(self, number, unit, caller_site())

    def _copy_pointees(self, block: Block) -> None:
        before, after = self._elements, cast("Cells", block[0])
        for at in list(before.pointees):
            after.note(at, before.pointee(at))

    def _hold(self, block: Block) -> None:
        # The elements go last: a thread that sees the new ones sees their number, too.
        self._count = block[2].count or 0
        super()._hold(block)

    def _content(self) -> str:
        return f"of {count_of(self._count, 'element')}"


class OwningStructArrayRef(Owner, StructArrayRef[Any]):
    __slots__ = ()
    __hash__ = None


class InnerStructArrayRef(Inside, StructArrayRef[Any]):  # type: ignore[override]
    """An array that is a field of a structure."""

    __slots__ = ("_parent",)
    __hash__ = None

    def __getitem__(self, index: Any) -> Any:
        # As in one with a block of its own, which begins where its block does.
        if type(index) is int and index >= 0 and index < self._count:
            made = _new(self._item)
            made._elements = self._elements
            made._base = self._base + index * self._stride
            made._parent = self
            return made
        return super().__getitem__(index)

    def resize(self, count: int) -> None:
        """Raise NotAllocatedError: a part of a block is not resized alone."""
        raise self._alone("resized")

    def _describe(self) -> str:
        place = format_address(self.address)
        return f"the {self.kind.__name__} array at {place} in {describe_block(self._block)}"


class ShapedStructArrayRef(Shaped, InnerStructArrayRef):  # type: ignore[override]
    """One of several dimensions."""

    __slots__ = ("_shape",)
    __hash__ = None


def open_struct_array(ref: Any, block: Block) -> Any:
    """Let a new reference to a block know what the block's layout says."""
    layout: Any = block[2]
    assert isinstance(layout, StructureLayout)
    return _fill(ref, layout.variants, 0, layout.count or 0, layout.stride)


def open_struct_array_inside(
    parent: Any,
    variants: Variants,
    base: int,
    count: int,
    *,
    packed: bool,
    shape: tuple[int, ...] | None = None,
) -> Any:
    """An array that is a field of `parent`."""
    deep = shape is not None and len(shape) > 1
    made: Any = _new(ShapedStructArrayRef if deep else InnerStructArrayRef)
    if deep:
        made._shape = shape
    made._parent = parent
    made._elements = parent._elements
    _fill(made, variants, base, count, variants.layout.size)
    if packed:
        made._item = variants.packed
    return made


def _fill(ref: Any, variants: Variants, base: int, count: int, stride: int) -> Any:
    ref._variants, ref._base, ref._count, ref._stride = variants, base, count, stride
    ref._item = variants.inner
    return ref
