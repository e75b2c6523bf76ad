"""The properties that read and store the fields of a structure: source text, compiled once.

A property knows its offset, and so does nothing but index the cells. Where a field lies is known
from the start of the block for a structure that has a block of its own; for elements of arrays and
nested structures a base is added. Fields that are not aligned, and those in the other byte order,
go through their bytes.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from typing import Any

from emheap._util.platform import IN_PYODIDE
from emheap.refs.field_codecs import ScalarCodec, codec_of
from emheap.refs.pointer import address_of
from emheap.refs.struct_packing import GENERATED, packer
from emheap.types import float32, float64
from emheap.types.abi import ABI
from emheap.types.scalars import FLOAT32_LIMIT
from emheap.types.struct_fields import Entry
from emheap.types.structs import StructLayout, StructType, layout_of
from emheap.types.wide import as_wide

__all__ = ["Place", "make_property", "make_whole"]

_UNITS = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Place:
    """How the offsets of one class of structures are written in source text."""

    __slots__ = ("abi", "alignment", "based", "direct", "layout", "nested")

    def __init__(
        self,
        layout: StructLayout,
        nested: Callable[[Any, bool], Any],
        based: bool,
        packed: bool,
        direct: bool,
    ) -> None:
        self.direct = direct
        """Whether the cells are memoryviews."""
        self.layout = layout
        self.nested = nested
        """Gives the class of a structure inside of this one, aligned or not."""
        self.abi: ABI = layout.abi
        self.based = based
        """Whether structures begin anywhere in their block, or at its start."""
        self.alignment = 1 if packed else layout.alignment
        """What every structure is aligned to, at least."""

    def offset(self, offset: int) -> str:
        """An offset from the start of the block."""
        if not self.based:
            return str(offset)
        return f"self._base + {offset}" if offset else "self._base"

    def cell(self, code: str, offset: int, size: int) -> str:
        """An item of the cells, for an offset that is aligned."""
        if not self.based:
            return f"self._elements.{code}[{offset // size}]"
        if size == 1:
            return f"self._elements.{code}[{self.offset(offset)}]"
        shift = size.bit_length() - 1
        return f"self._elements.{code}[{self.offset(offset)} >> {shift}]"

    def is_aligned(self, offset: int, size: int) -> bool:
        """Whether an item of this size lies there in every structure."""
        return offset % size == 0 and self.alignment % size == 0


def make_property(owner: Any, entry: Entry, place: Place) -> property:
    """The property of one field."""
    start, width = place.layout.placed.bits[entry.name]
    if entry.shape is not None:
        return _array_property(entry, place, start // 8)
    if entry.width is not None:
        return _bits_property(owner, entry, place, start, width)
    if isinstance(entry.kind, StructType):
        return _struct_property(owner, entry, place, start // 8)
    if hasattr(entry.kind, "scalar"):
        return _pointer_property(owner, entry, place, start // 8)
    return _scalar_property(owner, entry, place, start // 8)


def _compile(getter: str, setter: str, **names: Any) -> property:
    # What is found among the globals is found sooner than among the builtins.
    space: dict[str, Any] = {**GENERATED, "type": type, "float": float, **names}
    exec(f"def get(self):\n{_indent(getter)}\ndef set(self, value):\n{_indent(setter)}", space)
    return property(space["get"], space["set"])


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip("\n").splitlines())


_GET = """
try:
    return {read}
except ValueError:
    self._check_alive()
    raise
"""
_SET = """
try:
    {cell} = value
except (ValueError, TypeError, OverflowError):
    stored = {encoded}
    self._check_alive()
    try:
        {cell} = stored
    except ValueError:
        self._check_alive()
        raise
"""
_SET_ENCODED = """
stored = {encoded}
try:
    {cell} = stored
except ValueError:
    self._check_alive()
    raise
"""
_SET_FLOAT32 = """
try:
    if type(value) is float and {least} < value < {most}:
        {cell} = value
        return
except (ValueError, TypeError):
    pass
stored = encode(value)
self._check_alive()
try:
    {cell} = stored
except ValueError:
    self._check_alive()
    raise
"""
_SET_FLOAT64 = """
if type(value) is not float:
    value = encode(value)
try:
    {cell} = value
except ValueError:
    self._check_alive()
    try:
        {cell} = value
    except ValueError:
        self._check_alive()
        raise
"""
_SET_BYTES = """
data = pack({given})
try:
    self._elements.write({at}, data)
except ValueError:
    self._check_alive()
    raise
"""


def _scalar_property(owner: Any, entry: Entry, place: Place, offset: int) -> property:
    codec = ScalarCodec(owner, entry, place.abi)
    size = codec.size
    # In a field of addresses a reference stands for its address, and must be of this heap.
    given = "on(self._table, value)" if codec.points else "value"
    names: dict[str, Any]
    if as_wide(codec.scalar) or entry.swapped or not place.is_aligned(offset, size):
        at = place.offset(offset)
        read, names = f"unpack(self._elements.read({at}, {size}))", {"unpack": codec.unpack}
        if place.direct and codec.plain and codec.form is not None:
            read, names = f"unpack(self._elements.B, {at})[0]", {"unpack": codec.form.unpack_from}
        names.update(pack=codec.pack, on=codec.on)
        return _compile(_GET.format(read=read), _SET_BYTES.format(at=at, given=given), **names)
    cell = place.cell(codec.scalar.format, offset, size)
    names = {"encode": codec.encode, "decode": codec.decode, "on": codec.on}
    read = cell if codec.plain else f"decode({cell})"
    if entry.convert is bool:
        read = f"{cell} != 0"
    if codec.scalar is float32:
        form = _SET_FLOAT32
    elif codec.scalar is float64:
        form = _SET_FLOAT64
    elif entry.convert is not None or codec.scalar.encodes:
        form = _SET_ENCODED
    else:
        form = _SET
    # Numbers in the text are constants of the code, which cost nothing to load.
    limits = {"least": -FLOAT32_LIMIT, "most": FLOAT32_LIMIT}
    encoded = f"encode({given})"
    if codec.points:
        scalar: Any = codec.scalar
        encoded = f"value if type(value) is int and 0 <= value <= {scalar.maximum} else {encoded}"
    setter = form.format(cell=cell, encoded=encoded, **limits)
    return _compile(_GET.format(read=read), setter, **names)


# All fields at once

_WHOLE = """
def to_tuple(self):
    try:
        return unpack{data}
    except ValueError:
        self._check_alive()
        raise

def write(self, value):
    if type(value) is tuple:
        try:
            data = pack(*value)
        except ERRORS:
            pass  # their messages name no field
        else:
            try:
                {store}
            except ValueError:
                self._check_alive()
                raise
            return
    write_any(self, value)
"""


def make_whole(kind: Any, form: struct.Struct, place: Place) -> dict[str, Any]:
    """The methods of a structure of plain numbers that read and store all of them in one step."""
    at = place.offset(0)
    end = place.offset(form.size)
    reader = _quick_reader(form)
    space: dict[str, Any] = {
        **GENERATED,
        # In Pyodide calling functions of one argument takes longer.
        "unpack": reader.unpack_from if IN_PYODIDE else reader.unpack,
        "pack": packer(kind, form),
        "ERRORS": (struct.error, OverflowError, TypeError),
        "write_any": kind.write,
    }
    data = f"(self._elements.read({at}, {form.size}))"
    if place.direct and place.based:
        space["unpack"] = reader.unpack_from
        data = f"(self._elements.B, {at})"
    elif place.direct:
        data = "(self._elements.B)"
    store = f"self._elements.write({at}, data)"
    if place.direct:
        store = f"self._elements.B[{at} : {end}] = data"
    elif not place.based:  # through JavaScript that is one crossing; the call in between counts
        store = f"getattr(self._elements.B, 'store_all', cannot)(data) or {store}"
        space["cannot"] = lambda data: False
    text = _WHOLE.format(data=data, store=store)
    exec(text, space)
    made = {name: space[name] for name in ("to_tuple", "write")}
    for name, function in made.items():
        function.__doc__ = getattr(kind, name).__doc__
    return made


def _quick_reader(form: struct.Struct) -> struct.Struct:
    """What reads the same as `form`, in the machine's own format if its alignments are no others:
    floats are read faster then. It would store floats that are too large as infinities."""
    native = struct.Struct(f"@{form.format[1:]}")
    return native if native.size == form.size else form


# Bit-fields


def _bits_property(owner: Any, entry: Entry, place: Place, start: int, width: int) -> property:
    codec = ScalarCodec(owner, entry, place.abi)
    mask = (1 << width) - 1
    signed = getattr(codec.scalar, "minimum", 0) < 0 and entry.convert is not bool
    names = {"encode": codec.encode, "decode": codec.decode}
    read = _bits_read(place, start, width, mask)
    if signed:
        read = f"({read} ^ {1 << width - 1}) - {1 << width - 1}"
    if entry.convert is bool:
        read = f"{read} != 0"
    elif entry.convert is not None:
        read = f"decode({read})"
    return _compile(_GET.format(read=read), _bits_store(place, start, width, mask, entry), **names)


def _bits_read(place: Place, start: int, width: int, mask: int) -> str:
    """An expression for the bits, through the smallest item that has all of them."""
    for size, code in _UNITS.items():
        unit = 8 * size
        offset = start // unit * size
        if start // unit == (start + width - 1) // unit:
            if place.is_aligned(offset, size):
                return f"({place.cell(code, offset, size)} >> {start % unit} & {mask})"
            break
    offset, size = _span(start, width)
    data = f"self._elements.read({place.offset(offset)}, {size})"
    return f"(int.from_bytes({data}, 'little') >> {start % 8} & {mask})"


def _span(start: int, width: int) -> tuple[int, int]:
    """The first byte that bits lie in, and how many bytes they lie in."""
    offset = start // 8
    return offset, (start + width + 7) // 8 - offset


_SET_BITS = """
stored = {encoded}
cells = self._elements
index = {index}
try:
    items = cells.{code}
    items[index] = items[index] & {keep} | {value}
except ValueError:
    self._check_alive()
    raise
"""
_SET_BIT = """
cells = self._elements
index = {index}
try:
    items = cells.{code}
    if value is True:
        items[index] |= {bit}
    elif value is False:
        items[index] &= {keep}
    elif encode(value):
        items[index] |= {bit}
    else:
        items[index] &= {keep}
except ValueError:
    self._check_alive()
    raise
"""
_SET_SMALL = """
if type(value) is int and {least} <= value <= {most}:
    stored = value
else:
    stored = encode(value)
"""
_SET_SPAN = """
stored = encode(value)
cells = self._elements
at = {at}
try:
    number = int.from_bytes(cells.read(at, {size}), 'little') & {keep} | {value}
    cells.write(at, number.to_bytes({size}, 'little'))
except ValueError:
    self._check_alive()
    raise
"""


def _bits_store(place: Place, start: int, width: int, mask: int, entry: Entry) -> str:
    """Statements that store the bits, and touch no byte that has none of them."""
    offset, size = _span(start, width)
    code = _UNITS.get(size)
    if code is None or not place.is_aligned(offset, size):
        shift = start % 8
        keep = ~(mask << shift) & (1 << 8 * size) - 1
        value = f"(stored & {mask}) << {shift}"
        return _SET_SPAN.format(at=place.offset(offset), size=size, keep=keep, value=value)
    shift = start - 8 * offset
    keep = ~(mask << shift) & (1 << 8 * size) - 1
    index = place.offset(offset)
    if size > 1:
        index = f"{index} >> {size.bit_length() - 1}"
    if entry.convert is bool and width == 1:
        return _SET_BIT.format(index=index, code=code, bit=1 << shift, keep=keep)
    text = _SET_BITS.format(
        encoded="encode(value)",
        index=index,
        code=code,
        keep=keep,
        value=f"(stored & {mask}) << {shift}",
    )
    if entry.convert is not None:
        return text
    signed = entry.kind.minimum < 0
    least, most = (-(1 << width - 1), mask >> 1) if signed else (0, mask)
    quick = _SET_SMALL.format(least=least, most=most)
    return quick + text.replace("stored = encode(value)\n", "", 1)


# Structures, arrays and pointers in structures


def _struct_property(owner: Any, entry: Entry, place: Place, offset: int) -> property:
    kind = entry.kind
    inner = layout_of(kind, place.abi)
    packed = not place.is_aligned(offset, inner.alignment)
    at = place.offset(offset)
    parent = "self._parent" if place.based else "self"
    getter = f"""
made = new(inner)
made._elements = self._elements
made._base = {at}
made._parent = {parent}
return made
"""
    where = f"{owner.__name__}.{entry.name}"
    setter = f"self._store_struct(codec, {at}, value, {where!r})"
    return _compile(
        getter,
        setter,
        new=object.__new__,
        inner=place.nested(kind, packed),
        codec=codec_of(kind, place.abi),
    )


def _array_property(entry: Entry, place: Place, offset: int) -> property:
    at = place.offset(offset)
    return _compile(
        f"return self._open_array(entry, {at})",
        f"self._store_array(entry, {at}, value)",
        entry=entry,
    )


_SET_POINTER = """
address, block = address_of(value, kind, self._table, where, most)
cells = self._elements
at = {at}
try:
    {cell} = address
except ValueError:
    self._check_alive()
    raise
cells.note(at, block)
"""


def _pointer_property(owner: Any, entry: Entry, place: Place, offset: int) -> property:
    size = place.abi.pointer_size
    at = place.offset(offset)
    if place.is_aligned(offset, size) and not entry.swapped:
        cell = place.cell(_UNITS[size], offset, size)
        read, store = cell, cell + " = address"
    else:
        order = "sys.byteorder" if not entry.swapped else "other_order"
        read = f"int.from_bytes(self._elements.read({at}, {size}), {order})"
        store = f"self._elements.write({at}, address.to_bytes({size}, {order}))"
    getter = f"""
try:
    address = {read}
except ValueError:
    self._check_alive()
    raise
return self._open_pointer(kind, address, {at})
"""
    return _compile(
        getter,
        _SET_POINTER.format(at=at, cell="{cell}").replace("{cell} = address", store),
        address_of=address_of,
        kind=entry.kind,
        most=(1 << 8 * size) - 1,
        where=f"{owner.__name__}.{entry.name}",
        sys=sys,
        other_order="big" if sys.byteorder == "little" else "little",
    )
