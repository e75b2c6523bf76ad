"""Declarations of structures: what a class statement says, checked, and its layout for each ABI.

The class that users derive from, `emheap.Struct`, is in `emheap.refs.struct`; what is here needs
no heap. ``layout_of(Point, abi)`` is the layout of a structure or union for an `ABI`:

>>> import emheap
>>> from emheap.types.abi import WASM32
>>> class Point(emheap.Struct):
...     x: emheap.int32
...     y: emheap.int32
>>> layout = layout_of(Point, WASM32)
>>> layout.size, layout.alignment, layout.fields["y"].offset
(8, 4, 4)
"""

from __future__ import annotations

import enum
import keyword
import sys
from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar, get_origin

from emheap._util.checks import check_alignment, check_choice, check_integer
from emheap._util.messages import count_of, raise_at
from emheap.errors import ValueOutOfRangeError
from emheap.types.abi import ABI, native_abi
from emheap.types.annotations import (
    Later,
    Scope,
    check_not_special,
    checked_body,
    read_annotations,
)
from emheap.types.base import Compound, likely_type
from emheap.types.converted import read_converted
from emheap.types.fields import Field
from emheap.types.layout import Member, Placed, place
from emheap.types.pointers import (
    Alternatives,
    ArrayOf,
    PointerTo,
    declared,
    is_type,
    meant,
    name_of,
)
from emheap.types.scalars import Scalar
from emheap.types.struct_fields import ENDIANS, REQUIRED, Endian, Entry, Spec
from emheap.types.text import Text

__all__ = [
    "Declaration",
    "StructLayout",
    "StructType",
    "layout_of",
    "size_and_alignment",
]

_PACKS = (1, 2, 4, 8, 16)
_DEEPEST = 63
"""How deep structures may be nested. All that is done with one goes down into those in it, and
Python's stack is not endless."""


def _member(entry: Entry, abi: ABI) -> Member:
    """A field, as its structure's layout sees it."""
    size, alignment = size_and_alignment(entry.kind, abi)
    nested = isinstance(entry.kind, StructType)
    return Member(
        None if entry.unnamed else entry.name,
        size if entry.count is None else size * entry.count,
        alignment,
        width=entry.width,
        align=entry.align,
        required=layout_of(entry.kind, abi).placed.required if nested else 1,
    )


def size_and_alignment(kind: Any, abi: ABI) -> tuple[int, int]:
    """The bytes of one value of a kind, and its alignment inside of structures."""
    if isinstance(kind, StructType):
        layout = layout_of(kind, abi)
        return layout.size, layout.alignment
    if isinstance(kind, PointerTo):
        return abi.pointer_size, abi.pointer_size
    concrete = kind.for_abi(abi)
    return concrete.size, abi.alignment(concrete.alignment)


class StructLayout:
    """The layout of a structure for one ABI. Printed, it shows each field with its offset, its
    size and the holes between fields, as ``pahole`` does.

    >>> import emheap
    >>> class Sample(emheap.Struct):
    ...     tag: emheap.uint8
    ...     value: emheap.float64
    ...     on: bool = emheap.bits(emheap.uint16, 3 - 2)
    >>> print(emheap.wrap_buffer(bytearray(64)).layout(Sample))
    Sample: 24 bytes, alignment 8, wasm32
       0     1  tag: uint8
       1     7  padding
       8     8  value: float64
      16:0  :1  on: uint16
      16:1     63 bits of padding
    """

    __slots__ = ("_signature", "abi", "alignment", "fields", "owner", "placed", "size")

    def __init__(self, declaration: Declaration, abi: ABI) -> None:
        self.owner = declaration.owner
        self.abi = abi
        members = [_member(entry, abi) for entry in declaration.entries]
        self.placed: Placed = place(
            members,
            abi,
            union=declaration.union,
            pack=declaration.pack,
            align=declaration.align,
        )
        self.size = self.placed.size
        """Bytes, with the padding at the end and without the elements of a flexible array."""
        self.alignment = self.placed.alignment
        self.fields: dict[str, Field[Any]] = {
            entry.name: Field(
                declaration.owner,
                entry.name,
                _kind_of(entry, abi),
                abi,
                self.placed.bits[entry.name],
                entry.width,
            )
            for entry in declaration.named
        }
        self._signature: Any = None

    @property
    def signature(self) -> tuple[Any, ...]:
        """Equal for two ABIs if the same bytes mean the same in both."""
        if self._signature is None:
            self._signature = (
                self.size,
                tuple(self.placed.bits.items()),
                tuple(
                    layout_of(entry.kind, self.abi).signature
                    for entry in self.owner._declaration.entries
                    if isinstance(entry.kind, StructType)
                ),
            )
        return self._signature  # type: ignore[no-any-return]

    def __str__(self) -> str:
        head = f"{self.owner.__name__}: {count_of(self.size, 'byte')}, alignment {self.alignment}"
        lines = [f"{head}, {self.abi.name}"]
        end = 0
        for name, (start, length) in self.placed.bits.items():
            if start > end and not self.owner._declaration.union:
                lines.append(_hole(end, start))
            kind = name_of(self.fields[name].kind)
            lines.append(_line(start, length, f"{name}: {kind}", self.fields[name].bit_width))
            end = max(end, start + length)
        if 8 * self.size > end:
            lines.append(_hole(end, 8 * self.size))
        return "\n".join(lines)

    __repr__ = __str__


def _hole(start: int, end: int) -> str:
    if start % 8 == 0 and end % 8 == 0:
        return _line(start, end - start, "padding", None)
    return f"{start // 8:4}:{start % 8} {end - start:6} bits of padding"


def _line(start: int, length: int, text: str, width: int | None) -> str:
    if width is not None:
        return f"{start // 8:4}:{start % 8} {f':{width}':>3}  {text}"
    return f"{start // 8:4}  {length // 8:4}  {text}"


def _kind_of(entry: Entry, abi: ABI) -> Any:
    kind = entry.kind.for_abi(abi) if is_type(entry.kind) else entry.kind
    return kind if entry.shape is None else _SizedArray(kind, entry.shape)


class _SizedArray(ArrayOf):
    """The kind of one array field, which says how many elements there are."""

    __slots__ = ("shape",)

    def __init__(self, of: Any, shape: tuple[int, ...]) -> None:
        super().__init__(of)
        self.shape = shape

    @property
    def __name__(self) -> str:
        dimensions = "".join(f"[{each}]" for each in self.shape) or "[]"
        return f"{name_of(self.of)}{dimensions}"


class Declaration:
    """What a class statement says of a structure."""

    def __init__(
        self,
        owner: Any,
        entries: list[Entry],
        *,
        union: bool = False,
        pack: int | None = None,
        align: int | None = None,
    ) -> None:
        self.owner = owner
        self.entries = entries
        self.union = union
        self.pack = pack
        self.align = align
        self._layouts: dict[ABI, StructLayout] = {}
        self.pointer: PointerTo | None = None
        """What `pointer_to` gives for it."""
        self.variants: dict[Any, Any] = {}
        """What `emheap.refs` derives from it for each kind of heap."""

    @cached_property
    def named(self) -> list[Entry]:
        """The fields that have a name."""
        return [entry for entry in self.entries if not entry.unnamed]

    @cached_property
    def flexible(self) -> Entry | None:
        """The flexible array at the end, if there is one."""
        last = self.entries[-1:]
        return last[0] if last and last[0].flexible else None

    @cached_property
    def depth(self) -> int:
        """How many structures are in each other here, itself among them."""
        inner = [e.kind._declaration.depth for e in self.entries if isinstance(e.kind, StructType)]
        return 1 + max(inner, default=0)

    @cached_property
    def has_pointers(self) -> bool:
        """Whether one of the fields, or of theirs, is a pointer."""
        return any(
            entry.kind._declaration.has_pointers
            if isinstance(entry.kind, StructType)
            else isinstance(entry.kind, PointerTo)
            for entry in self.entries
        )

    def look_up(self) -> None:
        """Look up what the pointers point to, as far as it is declared by now: a name that is not
        keeps the function that the class statement stands in, and the functions that called it."""
        for entry in self.entries:
            if isinstance(entry.kind, PointerTo):
                _named(f"{self.owner.__name__}.{entry.name}", entry.kind.check)

    def layout(self, abi: ABI) -> StructLayout:
        """The layout for an ABI, computed once."""
        found = self._layouts.get(abi)
        if found is None:
            found = self._layouts.setdefault(abi, StructLayout(self, abi))
        return found


def layout_of(kind: Any, abi: ABI) -> StructLayout:
    """The layout of a structure for an ABI; raises TypeError for anything but a structure."""
    if not isinstance(kind, StructType):
        raise TypeError(
            f"expected a structure, a class derived from emheap.Struct, got {kind!r}"
            f"{likely_type(kind)}"
        )
    return kind._declaration.layout(abi)


class StructType(Compound, type):
    """The type of structures: it reads and checks their class statements."""

    _declaration: Declaration
    _reserved: ClassVar[frozenset[str]] = frozenset()
    """The names that mean something in every structure."""

    @classmethod
    def __prepare__(cls, name: str, bases: tuple[type, ...], /, **_: Any) -> dict[str, Any]:
        return checked_body(name, sys._getframe(1), _looks_like_field)

    def __new__(
        mcls,
        name: str,
        bases: tuple[type, ...],
        space: dict[str, Any],
        *,
        pack: int | None = None,
        align: int | None = None,
        endian: Endian = "native",
        **unknown: Any,
    ) -> StructType:
        frame = sys._getframe(1)
        if unknown:
            raise TypeError(
                f"{name}: a structure has no option {', '.join(unknown)}; "
                "its options are pack, align and endian"
            )
        _check_bases(name, bases)
        made: Any = mcls.derive(name, bases, space)
        parents = [base for base in made.__mro__[1:] if isinstance(base, StructType)]
        if not parents:
            made._declaration = Declaration(made, [])
            return made  # type: ignore[no-any-return]
        _check_parents(name, parents)
        _check_body(name, space)
        made._declaration = Declaration(
            made,
            list(_read_entries(made, Scope(made, frame), endian)),
            union=any(base._declaration.union for base in parents),
            pack=None if pack is None else _named(name, check_choice, pack, "pack", _PACKS),
            align=None if align is None else _named(name, check_alignment, align),
        )
        _check_flexible(made._declaration)
        _check_size(made._declaration)
        if "__match_args__" not in space:
            fields = tuple(entry.name for entry in made._declaration.named)
            setattr(made, "__match_args__", fields)  # noqa: B010 (checkers take it for a constant)
        for entry in made._declaration.named:
            setattr(made, entry.name, _FieldOfClass(entry.name))
        if any(entry.default not in (None, REQUIRED) for entry in made._declaration.named):
            made._check_defaults()
        return made  # type: ignore[no-any-return]

    @classmethod
    def derive(cls, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> StructType:
        """A class that declares nothing of its own."""
        space.setdefault("__slots__", ())  # so that a misspelt field cannot be stored
        return super().__new__(cls, name, bases, space)

    def __init__(cls, name: str, bases: tuple[type, ...], space: dict[str, Any], **_: Any) -> None:
        super().__init__(name, bases, space)


class _FieldOfClass:
    """The attribute of the class that a user wrote: ``Point.x`` is where it lies natively.

    Objects are of a class derived for their heap, where each field is a property.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: Any) -> Field[Any]:
        return layout_of(owner, native_abi()).fields[self._name]


# Reading a class statement


def _named(where: str, check: Any, *arguments: Any) -> Any:
    """What a check returns; its error with the class, and the field, in front."""
    try:
        return check(*arguments)
    except (TypeError, ValueError, OverflowError) as error:
        raise_at(error, where)


def _check_bases(name: str, bases: tuple[type, ...]) -> None:
    kinds = {each._declaration.union for each in bases if isinstance(each, StructType)}
    if len(kinds) > 1:
        raise TypeError(f"{name}: derive it from Struct or from Union, not from both")


def _check_parents(name: str, parents: list[StructType]) -> None:
    for base in parents:
        if base._declaration.entries:
            raise TypeError(
                f"{name} cannot inherit from the structure {base.__name__}, which has "
                f"fields: C has no inheritance. Make it the first field: base: "
                f"{base.__name__}"
            )


def _check_body(name: str, space: dict[str, Any]) -> None:
    """What a class body may not have besides annotations."""
    for each in ("__init__", "__new__"):
        if each in space:
            raise TypeError(
                f"{name}.{each}: a structure is made of its fields, also by heap.alloc(), which "
                "would not call this; write a classmethod that calls the constructor"
            )


def _read_entries(cls: StructType, scope: Scope, endian: Any) -> Iterator[Entry]:
    _named(cls.__name__, check_choice, endian, "endian", ENDIANS)
    annotated = set()
    for name, note in read_annotations(cls, scope):
        annotated.add(name)
        where = f"{cls.__name__}.{name}"
        note = _read_note(note, where)
        if note is ClassVar or get_origin(note) is ClassVar:
            continue
        _check_name(name, where)
        if hasattr(note, "bind"):
            note.bind(scope)
        given = cls.__dict__.get(name, REQUIRED)
        entry = _read_entry(cls, name, note, given)
        if entry.endian == "native":
            entry.endian = endian
        _check_order(entry, where)
        yield entry
    for name, value in vars(cls).items():
        if name not in annotated and _looks_like_field(value):
            kind = "int32" if isinstance(value, Spec) else name_of(value)
            raise TypeError(
                f"{cls.__name__}.{name} is no field without an annotation, as in {name}: {kind}"
            )


def _read_note(note: Any, where: str) -> Any:
    try:
        return meant(note)
    except NameError as error:
        raise TypeError(
            f"{where}: {name_of(note)} stands for something that is not there yet: {error}; write "
            "here what it stands for"
        ) from None


def _looks_like_field(value: Any) -> bool:
    return isinstance(value, (Spec, PointerTo, ArrayOf)) or is_type(value)


def _check_name(name: str, where: str) -> None:
    check_not_special(name, where)
    if name in StructType._reserved:
        raise TypeError(
            f"{where}: {name} means something in every structure; call the field {name}_"
        )
    if not name.isidentifier() or keyword.iskeyword(name):
        raise TypeError(f"{where}: no attribute can have this name, as no variable can")


def _check_order(entry: Entry, where: str) -> None:
    if not entry.swapped:
        return
    if entry.shape is not None and getattr(entry.kind, "size", 8) != 1:
        raise TypeError(
            f"{where}: the elements of an array have the machine's byte order; declare bytes, "
            "or each element as a field"
        )
    if entry.width is not None:
        raise TypeError(
            f"{where}: the bits of a bit-field have the machine's order; put them in a structure "
            "of their own, with no endian, or read an integer and shift it"
        )


def _read_entry(cls: StructType, name: str, note: Any, given: Any) -> Entry:
    where = f"{cls.__name__}.{name}"
    spec = given if isinstance(given, Spec) else Spec("field", given)
    entry = Entry(name, declared(note), spec.default)
    options = spec.options
    if options.get("align") is not None:
        entry.align = _named(where, check_alignment, options["align"])
    if options.get("endian") is not None:
        entry.endian = _named(where, check_choice, options["endian"], "endian", ENDIANS)
    if spec.what in ("bits", "stored"):
        read_converted(entry, where, spec)
    elif isinstance(note, ArrayOf) or spec.what == "array":
        _read_array(entry, where, spec)
    _check_kind(cls, entry, where)
    return entry


def _read_array(entry: Entry, where: str, spec: Spec) -> None:
    if not isinstance(entry.kind, ArrayOf):
        raise TypeError(f"{where}: array() is for Array[...], as in Array[float32]")
    if spec.what != "array":
        raise TypeError(f"{where}: say how many elements there are: = array(3)")
    shape = spec.options["shape"]
    for each in shape:
        if check_integer(each, f"{where}: a dimension") < 1:
            raise ValueError(f"{where}: a dimension must be positive, got {each}")
    entry.kind = entry.kind.of_if_known
    entry.shape = tuple(shape)
    entry.default = None


_PLAIN: dict[Any, str] = {
    int: "int32, or another size",
    float: "float32 or float64",
    bool: "boolean, or bits(uint32, 1)",
    str: "Array[utf8] with array(16), or Pointer[utf8]",
    bytes: "Array[uint8] with array(16)",
}


def _check_kind(cls: StructType, entry: Entry, where: str) -> None:
    kind = entry.kind
    if isinstance(kind, PointerTo):
        _named(where, kind.check)
    elif isinstance(kind, StructType):
        _check_nested(cls, kind, where)
    elif isinstance(kind, Later):
        raise TypeError(
            f"{where}: {kind} is not declared; a structure inside of another comes before it, "
            f"and one that comes later can be pointed to: Pointer[{kind}]"
        )
    elif is_type(kind) and issubclass(kind, Text):
        if entry.shape is None or len(entry.shape) != 1:
            raise TypeError(
                f"{where}: a string in a structure has room of a fixed size: "
                f"Array[{kind.name}] with array(16)"
            )
    elif not (is_type(kind) and issubclass(kind, Scalar)):
        raise TypeError(f"{where}: {name_of(kind)} is no type of memory{_advice(kind)}")


def _advice(kind: Any) -> str:
    if isinstance(kind, Alternatives):
        return _advice_of_alternatives(kind)
    if not isinstance(kind, type):
        return likely_type(kind)
    if issubclass(kind, enum.Enum):
        return "; say what its values are stored as: = stored(uint8)"
    hint = _PLAIN.get(kind)
    return f"; use {hint}" if hint else likely_type(kind)


def _advice_of_alternatives(kind: Alternatives) -> str:
    if any(isinstance(each, PointerTo) for each in kind.kinds):
        return "; a pointer may be null, and its get() gives None then"
    if None in kind.kinds:
        return "; a field has a value at all times: keep a flag beside it, or let a pointer be null"
    return "; fields that share their bytes are a Union"


def _check_nested(cls: StructType, kind: StructType, where: str) -> None:
    if kind is cls:
        raise TypeError(
            f"{where}: a structure cannot contain itself; it can have a Pointer[{cls.__name__}]"
        )
    if not hasattr(kind, "_declaration") or not kind._declaration.entries:
        raise TypeError(f"{where}: {kind.__name__} has no fields; only pointers to it can be here")
    if kind._declaration.flexible is not None:
        raise TypeError(
            f"{where}: {kind.__name__} ends with a flexible array, so nothing can come after it"
        )
    if kind._declaration.depth >= _DEEPEST:
        raise TypeError(
            f"{where}: a structure may have others in it to a depth of {_DEEPEST}, which is what "
            f"C promises; let a Pointer[{kind.__name__}] lead to the inner ones"
        )


def _check_flexible(declaration: Declaration) -> None:
    for entry in declaration.entries[:-1] if not declaration.union else declaration.entries:
        if entry.flexible:
            raise TypeError(
                f"{declaration.owner.__name__}.{entry.name}: a flexible array is the last field "
                "of a structure"
            )


def _check_size(declaration: Declaration) -> None:
    total, abi = 0, native_abi()
    for entry in declaration.entries:
        size, _ = size_and_alignment(entry.kind, abi)
        total += size if entry.count is None else size * entry.count
        if total > sys.maxsize:
            raise ValueOutOfRangeError(
                f"{declaration.owner.__name__}.{entry.name}: with this field the structure has "
                f"{total} bytes, more than a memory can have"
            )
