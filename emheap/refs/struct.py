"""Structures and unions: the classes that users derive from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar, overload

from emheap._util.messages import count_of, raise_at
from emheap.errors import HeapError, ShapeError
from emheap.refs.base import HeapRef, describe
from emheap.refs.field_codecs import Codec, Notes, concrete_kind, named
from emheap.refs.lifetime import Holder
from emheap.refs.pointer import Pointer, pointer_at
from emheap.refs.scalar import ScalarRef
from emheap.refs.struct_array import StructArrayRef, open_struct_array_inside
from emheap.refs.structured import StructuredRef
from emheap.refs.values import check_defaults, make_value
from emheap.refs.variants import Inside
from emheap.types.base import Type
from emheap.types.fields import Field
from emheap.types.pointers import ArrayOf, PointerTo
from emheap.types.struct_fields import Entry
from emheap.types.structs import StructType
from emheap.types.text import Text

if TYPE_CHECKING:
    from typing_extensions import Self, dataclass_transform

    from emheap.refs.array import ArrayRef
    from emheap.refs.string import StringRef
    from emheap.types.struct_fields import Endian
else:

    def dataclass_transform(**_: Any) -> Any:
        return lambda cls: cls


__all__ = ["Array", "Like", "Struct", "Union"]

T = TypeVar("T")
K_co = TypeVar("K_co", covariant=True)
S = TypeVar("S", bound="Struct")
S_contra = TypeVar("S_contra", contravariant=True)


class Like(Protocol[S_contra]):
    """A structure that can be stored in one of a kind, to a type checker.

    With ``kind: type[S], value: S`` checkers would take a structure of another kind, too: both are
    a `Struct`. A value that takes no kind but its own leaves ``S`` no choice.
    """

    def _copied_to(self, value: S_contra, /) -> None: ...


@dataclass_transform(kw_only_default=True)
class Struct(StructuredRef[Any], metaclass=StructType):
    """A structure: derive from it, and declare its fields by annotations.

    ``heap.alloc(Point, x=1, y=2)`` makes one on a heap, laid out as the C code there lays it out;
    ``Point(x=1, y=2)`` one on no heap, a value to be stored in others. Both are read and stored
    field by field; what does not fit raises OverflowError, TypeError or ValueError, naming the
    field.
    A field with a default (``= field()``) may be left out of either; all may be left out of
    ``heap.alloc(Point)``, which is all zeros. Two structures of a kind are equal if their fields
    are.

    Options stand in the class statement: ``pack=1`` limits the alignment of the fields, as
    ``#pragma pack`` does, ``align=16`` asks for one of the structure, ``endian="big"`` is the byte
    order of all its numbers. C knows no inheritance, so a structure with fields is no base of
    another. Bad declarations raise TypeError, ValueError or OverflowError at the class statement.

    >>> import emheap
    >>> class Point(emheap.Struct):
    ...     x: emheap.int32
    ...     y: emheap.int32 = emheap.field(default=-1)
    >>> with emheap.open().alloc(Point, x=1) as point:
    ...     point.x += 6
    ...     point == Point(x=7), point.to_dict()
    (True, {'x': 7, 'y': -1})
    """

    __slots__ = ("_base", "_parent")
    __hash__ = None  # type: ignore[assignment]

    _variants: ClassVar[Any]  # type: ignore[misc]
    _holder: Holder

    if TYPE_CHECKING:

        def __init_subclass__(
            cls,
            *,
            pack: int | None = None,
            align: int | None = None,
            endian: Endian = "native",
        ) -> None: ...

        def _given(self) -> Self: ...
        def _given_array(self) -> StructArrayRef[Self]: ...
        def _copied_to(self, value: Self, /) -> None: ...
        @overload
        def __get__(self, instance: None, owner: Any) -> Field[Self]: ...
        @overload
        def __get__(self, instance: object, owner: Any) -> Self: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...

    else:

        def __new__(cls, /, *values: Any, **fields: Any) -> Any:  # noqa: D102 (the class tells)
            if values:
                names = ", ".join(f"{each.name}=..." for each in cls._declaration.named)
                raise TypeError(f"{cls.__name__} takes its fields by name: {cls.__name__}({names})")
            return make_value(cls, fields)

        def __init__(self, /, *values: Any, **fields: Any) -> None:
            pass

    @classmethod
    def _check_defaults(cls) -> None:
        """Raise, naming the field, for a default that does not fit."""
        check_defaults(cls)

    @property
    def allocated_byte_size(self) -> int:
        """The bytes of the structure, with the elements of a flexible array."""
        if hasattr(self, "_parent"):
            return self._variants.layout.size  # type: ignore[no-any-return]
        return self._block[2].byte_size

    @property
    def _tail_count(self) -> int:
        """The elements of the flexible array at the end."""
        return 0 if hasattr(self, "_parent") else self._elements.tail

    # All fields at once

    def to_tuple(self) -> tuple[Any, ...]:
        """The values of all fields in order: nested structures as tuples, arrays as lists."""
        codec: Codec = self._variants.codec
        form = codec.form
        if form is None:
            return tuple(_plain(getattr(self, name), "to_tuple") for name in codec.names)
        try:
            return form.unpack(self._elements.read(self._base, form.size))
        except ValueError:
            self._check_alive()
            raise

    def to_dict(self) -> dict[str, Any]:
        """The values of all fields by name: nested structures as dicts, arrays as lists."""
        names = self._variants.codec.names
        return {name: _plain(getattr(self, name), "to_dict") for name in names}

    def read(self) -> Self:
        """A copy of the structure that is on no heap."""
        return make_value(self._variants.kind, self)  # type: ignore[no-any-return]

    def __copy__(self) -> Self:
        if self._table.for_values:
            return self.read()
        raise TypeError(
            "a reference cannot be copied: there is only one block; read() gives a copy of the "
            "structure that is on no heap"
        )

    def __deepcopy__(self, memo: Any) -> Self:
        return self.__copy__()

    def write(self, value: Self | tuple[Any, ...] | Mapping[str, Any]) -> None:
        """Store all fields: those of another structure of the kind, of a tuple, or of a mapping.

        Everything is checked first; if something does not fit, nothing is stored.
        """
        codec: Codec = self._variants.codec
        if codec.kind._declaration.flexible is None:
            self._store_struct(codec, self._base, value, self._variants.kind.__name__)
            return
        notes = Notes(self._table)
        data = codec.encode_value(value, notes)
        self._check_tail(notes)
        data = data.ljust(self.allocated_byte_size, b"\0")
        self._store_bytes(self._base, data, notes.pointees)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.to_tuple())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Struct) or self.kind is not other.kind:
            return NotImplemented
        if self.kind._declaration.union:
            return bytes(self) == bytes(other)
        return self.to_tuple() == other.to_tuple()

    # One field

    def field_ref(self, field: Field[T], /) -> ScalarRef[T]:
        """A reference to a field that is a number: for C functions that store there, and for
        atomic access. It ends with the structure."""
        given: Any = field
        if not isinstance(given, Field):
            name = self.kind.__name__
            raise TypeError(
                f"field_ref() takes a field as {name} has it, {name}.x say, not {given!r:.60}"
            )
        layout = self._variants.layout
        found = layout.fields.get(field.name)
        if found is None or field.owner is not self.kind:
            raise TypeError(f"{self.kind.__name__} has no field {field}")
        entry = next(each for each in self.kind._declaration.named if each.name == field.name)
        plain = entry.width is None and entry.shape is None and entry.convert is None
        if not plain or entry.swapped or isinstance(entry.kind, StructType):
            raise TypeError(f"{field} is no number of its own; a reference is to a plain one")
        self._check_alive()
        scalar = concrete_kind(entry, self._variants.abi)
        ref = self._table.places.number_inside(self._elements, scalar, self._base + found.offset)
        self._check_around()
        return self._hold_with(ref)  # type: ignore[no-any-return]

    def _check_around(self) -> None:
        """Raise UseAfterFreeError if the block was freed while a reference to a part was made. It
        is among what the table knows to be lent now, so that who frees the block later ends it."""
        block = self._block
        if self._is_gone(block) or block[0] is not self._elements:
            self._check_lost(block)

    def _hold_with(self, ref: Any) -> Any:
        """Let a reference to a part keep the block alive, where the heap collects garbage."""
        if self._table.options.enable_garbage_collection and not self._block[2].borrowed:
            ref._holder = self._holder
        return ref

    # What the properties of fields call

    def _store_struct(self, codec: Codec, base: int, value: Any, where: str) -> None:
        notes = Notes(self._table)
        try:
            data = codec.encode_value(value, notes)
        except (TypeError, ValueError, OverflowError) as error:
            if where == codec.kind.__name__ or isinstance(error, HeapError):
                raise
            raise_at(error, where)
        self._store_bytes(base, data, notes.pointees if codec.has_pointers else None)

    def _store_bytes(self, base: int, data: bytes, pointees: dict[int, Any] | None) -> None:
        cells = self._elements
        try:
            cells.write(base, data)
        except ValueError:
            self._check_alive()
            raise
        if pointees is not None:
            cells.note_all(base, len(data), pointees)

    def _open_pointer(self, kind: PointerTo, address: int, at: int) -> Pointer[Any]:
        cells = self._elements
        block = cells.pointee(at)
        table = self._table if block is not None else cells.origin or self._table
        return pointer_at(table, kind, address, block)

    def _open_array(self, entry: Entry, base: int) -> Any:
        cells = self._elements
        count = self._tail_count if entry.flexible else entry.count or 0
        self._check_alive()
        kind: Any = entry.kind
        if isinstance(kind, StructType):
            variants = self._variants.of(kind)
            address = cells.address + base
            packed = bool((address | base) % variants.layout.alignment) or self._is_packed(variants)
            return open_struct_array_inside(
                self, variants, base, count, packed=packed, shape=entry.shape
            )
        places = self._table.places
        address = cells.address + base
        if isinstance(kind, type) and issubclass(kind, Text):
            made = places.string_inside(kind, address, count)
        else:
            scalar = concrete_kind(entry, self._variants.abi)
            made = places.array_inside(cells, scalar, address, count, entry.shape)
        self._check_around()
        return self._hold_with(made)

    def _is_packed(self, inner: Any) -> bool:
        return bool(self._variants.layout.alignment % inner.layout.alignment)

    def _store_array(self, entry: Entry, base: int, value: Any) -> None:
        if isinstance(entry.kind, type) and issubclass(entry.kind, Text):
            made = self._open_array(entry, base)
            named(f"{self.kind.__name__}.{entry.name}", made.write)(value)
            return
        codec: Codec = self._variants.codec
        offset = codec.layout.fields[entry.name].offset
        notes = Notes(self._table)
        whole = bytearray(offset)
        codec.store(whole, 0, entry.name, value, notes)
        if entry.flexible:
            self._check_tail(notes)
        if len(whole) > offset:
            blocks = {at - offset: block for at, block in notes.pointees.items()}
            self._store_bytes(base, bytes(whole[offset:]), blocks)

    def _check_tail(self, notes: Notes) -> None:
        """Raise ShapeError if the flexible array is given another number of elements."""
        if notes.tail not in (None, self._tail_count):
            last = self._variants.codec.names[-1]
            raise ShapeError(
                f"{self.kind.__name__}.{last}: a flexible array of "
                f"{count_of(self._tail_count, 'element')} "
                f"takes as many, not {notes.tail}; allocate another structure for those"
            )

    # What it looks like

    def _content(self) -> str:
        return self._fields_text(" ")

    def _fields_text(self, separator: str) -> str:
        names = self._variants.codec.names
        return separator.join(f"{name}={self._field_text(name)}" for name in names)

    def _field_text(self, name: str) -> str:
        return _short(getattr(self, name))

    def __repr__(self) -> str:
        name = self.kind.__name__
        if self._table.for_values and self.is_not_freed:
            return f"{name}({self._fields_text(', ')})"
        return describe(self, name)


def _plain(value: Any, convert: str) -> Any:
    """The value of a field without references."""
    if isinstance(value, Struct):
        return getattr(value, convert)()
    if isinstance(value, StructArrayRef):
        return [getattr(each, convert)() for each in value]
    if isinstance(value, HeapRef):
        return value.value if hasattr(value, "value") else value[:]  # type: ignore[index]
    return value


def _short(value: Any) -> str:
    text = repr(_plain(value, "to_tuple"))
    return text if len(text) <= 60 else text[:57] + "..."


class Union(Struct):
    """A union: fields that share their bytes. Its constructors take any of the fields.

    >>> import emheap
    >>> class Number(emheap.Union):
    ...     as_int: emheap.uint32 = emheap.field()
    ...     as_float: emheap.float32 = emheap.field()
    >>> hex(Number(as_float=1.0).as_int)
    '0x3f800000'
    """

    __slots__ = ()


class Array(Generic[K_co]):
    """The annotation of an array inside of a structure; `emheap.array` says how long it is.

    Reading the field gives a reference to its elements: an `ArrayRef`, of structures a
    `StructArrayRef`, of text a `StringRef` with the room of the array. Assigning to it stores all
    elements.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: Any) -> Field[Self]: ...
        @overload
        def __get__(self: Array[Text], instance: object, owner: Any) -> StringRef: ...
        @overload
        def __get__(self: Array[Type[T]], instance: object, owner: Any) -> ArrayRef[T]: ...
        @overload
        def __get__(self: Array[S], instance: object, owner: Any) -> StructArrayRef[S]: ...
        @overload
        def __get__(
            self: Array[Pointer[T]], instance: object, owner: Any
        ) -> ArrayRef[Pointer[T]]: ...
        def __get__(self, instance: Any, owner: Any) -> Any: ...
        # Elements are checked at run time only: mypy takes no type of self in __set__ here.
        def __set__(self, instance: object, value: Any) -> None: ...
    else:

        def __class_getitem__(cls, kind: Any) -> Any:
            return ArrayOf(kind)


Union._declaration.union = True

_OPTIONS = {"errors"}
"""What `heap.alloc` takes by name besides the fields; ``align`` is no option of structures."""
StructType._reserved = frozenset((*_OPTIONS, *dir(Inside), *dir(Struct), "_variants"))
