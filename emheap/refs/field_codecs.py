"""How the value of one field becomes bytes, and back; and how a whole structure does."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from emheap._util.messages import count_of, raise_at
from emheap._util.sequences import row_of
from emheap.blocks.table import BlockTable
from emheap.errors import CapacityError, HeapError, ShapeError, ValueOutOfRangeError
from emheap.refs.base import HeapRef
from emheap.refs.pointer import address_of
from emheap.refs.shaped import flattened
from emheap.refs.string import StringRef
from emheap.refs.struct_packing import form_of, make_encoders
from emheap.types.abi import ABI
from emheap.types.arrays import encode_elements
from emheap.types.c_scalars import char
from emheap.types.pointers import PointerTo
from emheap.types.scalars import BYTE_ORDER, is_truth
from emheap.types.struct_fields import REQUIRED, Entry, range_of
from emheap.types.structs import StructType, layout_of, size_and_alignment
from emheap.types.text import Text
from emheap.types.wide import as_wide

__all__ = [
    "Codec",
    "Notes",
    "ScalarCodec",
    "codec_of",
    "concrete_kind",
    "named",
]


class Notes:
    """What is learned while values become bytes: which blocks the pointers among them mean."""

    __slots__ = ("pointees", "table", "tail")

    def __init__(self, table: BlockTable) -> None:
        self.table = table
        """The heap that the bytes will be on."""
        self.pointees: dict[int, Any] = {}
        self.tail: int | None = None
        """How many elements a flexible array at the end was given, if it was given any."""


def named(where: str, convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`convert`, with the field's name in front of the errors it raises."""

    def convert_named(value: Any) -> Any:
        try:
            return convert(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise_at(error, where)

    return convert_named


def concrete_kind(entry: Entry, abi: ABI) -> Any:
    """The scalar that an entry is stored as for an ABI."""
    if hasattr(entry.kind, "scalar"):
        return entry.kind.scalar(abi)
    return entry.kind.for_abi(abi)


class ScalarCodec:
    """The value of a scalar field, or of a bit-field, as the number stored."""

    __slots__ = (
        "decode",
        "encode",
        "form",
        "pack",
        "plain",
        "points",
        "scalar",
        "size",
        "unpack",
        "where",
    )

    def __init__(self, owner: Any, entry: Entry, abi: ABI) -> None:
        self.where = f"{owner.__name__}.{entry.name}"
        self.scalar: Any = concrete_kind(entry, abi)
        self.size: int = self.scalar.size
        self.encode = named(self.where, self._encoder(entry))
        self.decode = self._decoder(entry)
        self.plain = entry.convert is None and not self.scalar.decodes
        """Whether numbers are read as they are stored."""
        self.points: bool = entry.convert is None and self.scalar.is_pointer
        """Whether the numbers are addresses, for which references may be given."""
        self.form: struct.Struct | None = None
        """What the number stored is read with; None for the widest."""
        if as_wide(self.scalar):
            self._open_wide("big" if entry.swapped else "little")
            return
        other = ">" if BYTE_ORDER == "<" else "<"
        form = struct.Struct((other if entry.swapped else BYTE_ORDER) + self.scalar.format)
        self.form = form
        pack, unpack = form.pack, form.unpack
        encode, decode = self.encode, self.decode
        self.pack: Callable[[Any], bytes] = lambda value: pack(encode(value))
        self.unpack: Callable[[bytes], Any] = lambda data: decode(unpack(data)[0])

    def _open_wide(self, order: Any) -> None:
        encode, size = self.encode, self.size
        self.pack = lambda value: encode(value).to_bytes(size, order)
        self.unpack = lambda data: int.from_bytes(data, order)

    def on(self, table: BlockTable, value: Any) -> Any:
        """A value for a field of addresses, with a reference, or a pointer of ctypes or cffi, as
        its address on a heap. Raises NotAllocatedError for a reference to what is on another."""
        if type(value) is int or table.for_values:  # which is written to a heap later
            return value
        return named(self.where, table.raw_memory.resolved)(value)

    def _encoder(self, entry: Entry) -> Callable[[Any], Any]:
        convert = entry.convert
        if convert is None:
            return self.scalar.encode if entry.width is None else _bits_encoder(entry)
        if convert is bool:
            return _encode_bool
        return _member_encoder(entry)

    def _decoder(self, entry: Entry) -> Callable[[Any], Any]:
        convert, scalar, where = entry.convert, self.scalar, self.where
        if convert is None:
            decode: Callable[[Any], Any] = scalar.decode
            return decode
        if convert is bool:
            return bool

        def decode_member(stored: int) -> Any:
            try:
                return convert(stored)
            except ValueError:
                raise ValueError(
                    f"{where} holds {stored}, which is no {convert.__name__}"
                ) from None

        return decode_member


def _encode_bool(value: Any) -> int:
    if type(value) is bool or (type(value) is int and 0 <= value <= 1) or is_truth(value):
        return int(bool(value))
    raise TypeError(f"it takes a bool, not {type(value).__name__} {value!r:.60}")


def _member_encoder(entry: Entry) -> Callable[[Any], int]:
    convert = entry.convert
    least, most = range_of(entry)

    def encode_member(value: Any) -> int:
        stored: int = (value if isinstance(value, convert) else convert(value)).value
        if least <= stored <= most:  # flags may have values that are no member's
            return stored
        raise ValueOutOfRangeError(f"{value!r} does not fit {least} to {most}")

    return encode_member


def _bits_encoder(entry: Entry) -> Callable[[Any], int]:
    least, most = range_of(entry)
    encode, width = entry.kind.encode, entry.width
    held = f"its {width} bits, which hold {least} to {most}"

    def encode_bits(value: Any) -> int:
        try:
            number: int = encode(value)
        except OverflowError as error:
            raise type(error)(f"{value!s:.60} does not fit {held}") from None
        if least <= number <= most:
            return number
        raise ValueOutOfRangeError(f"{number} does not fit {held}")

    return encode_bits


_OTHER_ORDER = "big" if sys.byteorder == "little" else "little"

Store = Callable[[bytearray, int, Any, Notes], None]
"""Puts a value into the bytes of a structure that begins at an offset."""


class Codec:
    """Whole structures of one kind, as one ABI lays them out."""

    __slots__ = (
        "_stores",
        "encode",
        "entries",
        "form",
        "has_pointers",
        "kind",
        "layout",
        "names",
        "put",
        "put_all",
    )

    def __init__(self, kind: Any, abi: ABI) -> None:
        declaration = kind._declaration
        self.kind = kind
        self.layout = layout_of(kind, abi)
        self.entries: list[Entry] = declaration.named
        self.has_pointers: bool = declaration.has_pointers
        self.names = tuple(entry.name for entry in self.entries)
        self._stores = {entry.name: _store(kind, entry, abi) for entry in self.entries}
        self.form = form_of(declaration, abi)
        """For a structure of plain numbers what reads and writes all of them at once."""
        self.encode: Callable[..., bytes] | None = None
        """``encode(x=1, y=2)`` gives the bytes of such a structure."""
        self.put: Callable[..., None] | None = None
        """``put(window, address, x=1, y=2)`` stores one, or breaks off in the middle."""
        self.put_all: Callable[..., None] | None = None
        """``put_all(window, address, {"x": 1, "y": 2})`` likewise, where no field is left out:
        keywords take longer."""
        if self.form is not None:
            self.encode, self.put, self.put_all = make_encoders(self.entries, self.form)

    def encode_fields(self, fields: Mapping[str, Any], notes: Notes, *, partly: bool) -> bytes:
        """The bytes of a structure with these fields; what is left out is its default.

        With `partly` nothing is required. Raises TypeError for unknown and missing names, and what
        does not fit.
        """
        if self.encode is not None and not partly:
            try:
                return self.encode(**fields)
            except (struct.error, OverflowError, TypeError):
                pass  # their messages name no field, or no structure: find it below
        self._check_names(fields, partly)
        made = bytearray(self.layout.size)
        for entry in self.entries:
            value = fields.get(entry.name, entry.default)
            if entry.name in fields or (value is not None and value is not REQUIRED):
                self._stores[entry.name](made, 0, value, notes)
        return bytes(made)

    def _check_names(self, fields: Mapping[str, Any], partly: bool) -> None:
        for name in fields:
            if name == "align" and name not in self._stores:
                base = "Union" if self.kind._declaration.union else "Struct"
                raise TypeError(
                    f"{self.kind.__name__} has no field 'align'; its alignment is an option of "
                    f"its class statement: class {self.kind.__name__}({base}, align=...)"
                )
            if name not in self._stores:
                raise TypeError(
                    f"{self.kind.__name__} has no field {name!r}; its fields are "
                    + ", ".join(self.names)
                )
        if partly or self.kind._declaration.union:
            return
        missing = [
            entry.name
            for entry in self.entries
            if entry.default is REQUIRED and entry.name not in fields
        ]
        if missing:
            raise TypeError(
                f"{self.kind.__name__} is not given {', '.join(missing)}; only fields with a "
                "default, as in x: int32 = field(), may be left out"
            )

    def encode_value(self, value: Any, notes: Notes) -> bytes:
        """The bytes of a structure given as another one, as a tuple of all fields, or a mapping."""
        if isinstance(type(value), StructType):
            return self._encode_struct(value, notes)
        if isinstance(value, Mapping):
            return self.encode_fields(value, notes, partly=False)
        if isinstance(value, (tuple, list)):
            if len(value) != len(self.names):
                number = count_of(len(self.names), "field")
                raise TypeError(f"{self.kind.__name__} has {number}, not {len(value)}")
            fields = dict(zip(self.names, value, strict=True))
            return self.encode_fields(fields, notes, partly=False)
        raise self._refusal(value)

    def _encode_struct(self, value: Any, notes: Notes) -> bytes:
        if value.kind is not self.kind:
            raise self._refusal(value)
        codec: Codec = value._variants.codec
        if codec.layout.signature == self.layout.signature:
            # The bytes as they are: of the fields of a union the last one would be left, and what
            # C has put into an enumeration may be no member.
            if self.has_pointers:
                self._note_pointers(value, notes)
            if self.kind._declaration.flexible is None:
                return _bytes_of(value, self.layout.size)
            notes.tail = value._tail_count
            return _bytes_of(value, value.allocated_byte_size)
        if self.kind._declaration.union:
            raise TypeError(
                f"the union {self.kind.__name__} differs between the two heaps, and which of its "
                "fields is meant is not known: store the field"
            )
        fields = {name: getattr(value, name) for name in self.names}
        return self.encode_fields(fields, notes, partly=True)

    def _note_pointers(self, value: Any, notes: Notes) -> None:
        """Look at what the pointers in a structure point to, and refuse those of other heaps."""
        pointing = {
            entry.name: getattr(value, entry.name)
            for entry in self.entries
            if isinstance(entry.kind, PointerTo)
            or (isinstance(entry.kind, StructType) and entry.kind._declaration.has_pointers)
        }
        self.encode_fields(pointing, notes, partly=True)

    def _refusal(self, value: Any) -> TypeError:
        return TypeError(
            f"{self.kind.__name__} takes another {self.kind.__name__}, a tuple of its fields or a "
            f"mapping, not {type(value).__name__} {value!r:.60}"
        )

    def store(self, made: bytearray, base: int, name: str, value: Any, notes: Notes) -> None:
        """Put the value of one field into the bytes of a structure."""
        self._stores[name](made, base, value, notes)


def _bytes_of(value: Any, size: int) -> bytes:
    """The bytes of a structure. Raises UseAfterFreeError."""
    try:
        return value._elements.read(value._base, size)  # type: ignore[no-any-return]
    except ValueError:
        value._check_alive()
        raise


def encode_nested(where: str, codec: Codec, value: Any, notes: Notes) -> bytes:
    """The bytes of a structure inside of another; errors name the outer field, too."""
    try:
        return codec.encode_value(value, notes)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, HeapError):
            raise
        raise_at(error, where)


def codec_of(kind: Any, abi: ABI) -> Codec:
    """The codec of a structure for an ABI, made once."""
    variants: dict[Any, Any] = kind._declaration.variants
    if abi not in variants:
        variants[abi] = Codec(kind._declaration.owner, abi)
    found: Codec = variants[abi]
    return found


# One field into the bytes of its structure


def _store(owner: Any, entry: Entry, abi: ABI) -> Store:
    where = f"{owner.__name__}.{entry.name}"
    start, length = layout_of(owner, abi).placed.bits[entry.name]
    if entry.shape is not None:
        return _array_store(where, entry, abi, start // 8)
    if entry.width is not None:
        return _bits_store(ScalarCodec(owner, entry, abi), start, length)
    if isinstance(entry.kind, StructType):
        return _struct_store(where, entry, abi, start // 8)
    if hasattr(entry.kind, "scalar"):
        return _pointer_store(where, entry, abi, start // 8)
    return _bytes_store(ScalarCodec(owner, entry, abi), start // 8)


def _bytes_store(codec: ScalarCodec, offset: int) -> Store:
    size, pack, points = codec.size, codec.pack, codec.points

    def store(made: bytearray, base: int, value: Any, notes: Notes) -> None:
        given = codec.on(notes.table, value) if points and type(value) is not int else value
        made[base + offset : base + offset + size] = pack(given)

    return store


def _bits_store(codec: ScalarCodec, start: int, width: int) -> Store:
    offset, shift = divmod(start, 8)
    size = (shift + width + 7) // 8
    mask = (1 << width) - 1

    def store(made: bytearray, base: int, value: Any, _: Notes) -> None:
        place = slice(base + offset, base + offset + size)
        number = int.from_bytes(made[place], "little") & ~(mask << shift)
        number |= (codec.encode(value) & mask) << shift
        made[place] = number.to_bytes(size, "little")

    return store


def _struct_store(where: str, entry: Entry, abi: ABI, offset: int) -> Store:
    kind = entry.kind

    def store(made: bytearray, base: int, value: Any, notes: Notes) -> None:
        inner = Notes(notes.table)
        data = encode_nested(where, codec_of(kind, abi), value, inner)
        made[base + offset : base + offset + len(data)] = data
        for at, block in inner.pointees.items():
            notes.pointees[base + offset + at] = block

    return store


def _pointer_store(where: str, entry: Entry, abi: ABI, offset: int) -> Store:
    kind, size = entry.kind, abi.pointer_size
    most = (1 << 8 * size) - 1
    order: Any = _OTHER_ORDER if entry.swapped else sys.byteorder

    def store(made: bytearray, base: int, value: Any, notes: Notes) -> None:
        address, block = address_of(value, kind, notes.table, where, most)
        made[base + offset : base + offset + size] = address.to_bytes(size, order)
        if block is not None:
            notes.pointees[base + offset] = block

    return store


def _array_store(where: str, entry: Entry, abi: ABI, offset: int) -> Store:
    if isinstance(entry.kind, type) and issubclass(entry.kind, Text):
        return _text_store(where, entry, offset)
    encode = _elements_encoder(entry, abi)

    def store(made: bytearray, base: int, value: Any, notes: Notes) -> None:
        inner = Notes(notes.table)
        try:
            data = encode(value, inner)
        except (TypeError, ValueError, OverflowError) as error:
            raise_at(error, where)
        place = base + offset
        if entry.flexible:
            notes.tail = len(data) // size_and_alignment(entry.kind, abi)[0]
            made.extend(bytes(max(place + len(data) - len(made), 0)))
        made[place : place + len(data)] = data
        for at, block in inner.pointees.items():
            notes.pointees[place + at] = block

    return store


def _text_store(where: str, entry: Entry, offset: int) -> Store:
    room = (entry.count or 0) * entry.kind.size
    encode = named(where, entry.kind.encode)

    def store(made: bytearray, base: int, value: Any, _: Notes) -> None:
        # A string inside of another structure is read: it has room of its own.
        data = encode(value.value if isinstance(value, StringRef) else value)
        if len(data) > room:
            raise CapacityError(
                f"{where}: a string of {count_of(len(data), 'byte')} with its terminator does "
                f"not fit its {count_of(room, 'byte')}"
            )
        made[base + offset : base + offset + room] = data.ljust(room, b"\0")

    return store


def _elements_encoder(entry: Entry, abi: ABI) -> Callable[[Any, Notes], bytes]:
    """A function that gives the bytes of the elements of an array field."""
    count = entry.count if not entry.flexible else None
    shape: tuple[int, ...] = entry.shape or ()
    deep = len(shape) > 1
    if isinstance(entry.kind, (StructType, PointerTo)):
        encode_all = encode_structs if isinstance(entry.kind, StructType) else encode_pointers

        def encode_values(value: Any, notes: Notes) -> bytes:
            values = flattened(value, shape) if deep else value
            return encode_all(entry.kind, abi, values, notes, count)

        return encode_values
    scalar = entry.kind.for_abi(abi)

    def encode(value: Any, notes: Notes) -> bytes:
        encode_one = None if notes.table.for_values else notes.table.raw_memory.encoder(scalar)
        data = bytes(encode_elements(scalar, _flat(value) if deep else value, encode_one))
        if scalar is char and count is not None:
            data = data.ljust(count, b"\0")
        _check_number(len(data) // scalar.size, count)
        return data

    return encode


def _flat(value: Any) -> Any:
    kind = type(value)
    if issubclass(kind, (bytes, bytearray, memoryview, HeapRef)) or hasattr(kind, "__buffer__"):
        return value
    if not isinstance(value, Iterable) or hasattr(kind, "__array_interface__"):
        return value
    flat: list[Any] = []
    for each in value:
        inner = _flat(each)
        flat.extend(inner if isinstance(inner, list) else [inner])
    return flat


def _check_number(given: int, count: int | None) -> None:
    if count is not None and given != count:
        raise ShapeError(f"an array of {count_of(count, 'element')} takes as many, not {given}")


def encode_structs(kind: Any, abi: ABI, values: Any, notes: Notes, count: int | None) -> bytes:
    """The bytes of an array of structures, given as an iterable of values."""
    codec, size = codec_of(kind, abi), layout_of(kind, abi).size
    made = []
    for index, value in enumerate(row_of(values, f"an array of {kind.__name__}")):
        inner = Notes(notes.table)
        try:
            made.append(codec.encode_value(value, inner))
        except (TypeError, ValueError, OverflowError) as error:
            raise_at(error, f"element {index}")
        for at, block in inner.pointees.items():
            notes.pointees[index * size + at] = block
    _check_number(len(made), count)
    return b"".join(made)


def encode_pointers(kind: Any, abi: ABI, values: Any, notes: Notes, count: int | None) -> bytes:
    """The bytes of an array of pointers, given as an iterable of what they point to."""
    size, made = abi.pointer_size, []
    for index, value in enumerate(row_of(values, f"an array of {kind}")):
        most = (1 << 8 * size) - 1
        address, block = address_of(value, kind, notes.table, f"element {index}", most)
        made.append(address.to_bytes(size, sys.byteorder))
        if block is not None:
            notes.pointees[index * size] = block
    _check_number(len(made), count)
    return b"".join(made)
