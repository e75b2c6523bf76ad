"""Structures that are passed and returned by value.

Natively ctypes knows where each machine puts them, given a structure of its own: on x86-64 one that
goes in the same registers, which serves unions and bit-fields too; elsewhere one with the same
members. In WebAssembly one with a single number in it goes as that number, and any other as the
address of a copy, which the function may write to; a result like that comes back at an address that
is passed before all other arguments.
"""

from __future__ import annotations

import ctypes
import struct
from typing import Any
from weakref import WeakKeyDictionary

from emheap._util.sites import caller_site
from emheap.calls.kinds import StructureValue
from emheap.calls.linker import Convention
from emheap.calls.system_v import IS_SYSTEM_V, Unpassable, same_registers
from emheap.calls.temporaries import Temporaries
from emheap.errors import NotSupportedError
from emheap.refs import struct_make
from emheap.refs.field_codecs import Notes
from emheap.refs.values import make_value
from emheap.refs.variants import variants_of
from emheap.types.abi import ABI, native_abi
from emheap.types.c_scalars import boolean, float16
from emheap.types.pointers import PointerTo
from emheap.types.structs import StructType, layout_of
from emheap.types.text import Text
from emheap.types.wide import wide_types

__all__ = ["ByValue", "ctypes_structure", "single_number"]

_C_TYPES: dict[str, Any] = {
    "b": ctypes.c_int8, "B": ctypes.c_uint8, "h": ctypes.c_int16, "H": ctypes.c_uint16,
    "i": ctypes.c_int32, "I": ctypes.c_uint32, "q": ctypes.c_int64, "Q": ctypes.c_uint64,
    "f": ctypes.c_float, "d": ctypes.c_double,
}  # fmt: skip

_UNCLEAR = (float16, *wide_types)
"""What C has as a type of its own, where it has it, or as integers."""

_made: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
"""The structures of ctypes, by ours."""


def single_number(kind: Any, abi: ABI) -> str:
    """The letter of the one number that a structure consists of in WebAssembly; empty if it has
    more, or padding."""
    entries = [one for one in kind._declaration.entries if not one.unnamed]
    if len(entries) != 1 or entries[0].flexible or entries[0].count not in (None, 1):
        return ""
    inner = entries[0].kind
    letter = single_number(inner, abi) if isinstance(inner, StructType) else _letter(inner, abi)
    layout = layout_of(kind, abi)
    if not letter or struct.calcsize(f"={letter}") != layout.size:
        return ""
    if inner is boolean and layout.placed.bits[entries[0].name][0]:
        raise _not_by_value(kind, "clang loses a bool that is not in the first bit")
    return letter


def _letter(kind: Any, abi: ABI) -> str:
    if isinstance(kind, PointerTo):
        kind = kind.scalar(abi)
    elif issubclass(kind, Text):
        kind = kind.unit
    return kind.for_abi(abi).format  # type: ignore[no-any-return]


def check_passable(kind: Any, abi: ABI) -> None:
    """Raise NotSupportedError for a structure that C does not pass by value, or that nothing says
    how it does."""
    if not layout_of(kind, abi).size:
        raise _not_by_value(kind, "it has no fields")
    for entry in kind._declaration.named:
        if isinstance(entry.kind, StructType):
            check_passable(entry.kind, abi)
        elif entry.kind in _UNCLEAR:
            raise _not_by_value(
                kind,
                f"{entry.name} is of type {entry.kind.__name__}, which compilers pass differently",
            )


def ctypes_structure(kind: Any, abi: ABI) -> Any:
    """The structure of ctypes that stands for another one in this process. Raises
    NotSupportedError for those that ctypes cannot pass by value."""
    if kind not in _made:
        try:
            _made[kind] = same_registers(kind, abi) if IS_SYSTEM_V else _same_members(kind, abi)
        except Unpassable as error:
            raise _not_by_value(kind, str(error)) from None
    return _made[kind]


def _not_by_value(kind: Any, reason: str) -> NotSupportedError:
    return NotSupportedError(
        f"{kind.__name__} cannot be passed by value, for {reason}; pass its address"
    )


def _same_members(kind: Any, abi: ABI) -> Any:
    declaration = kind._declaration
    if declaration.union or any(one.width is not None for one in declaration.entries):
        raise Unpassable("ctypes knows neither unions nor bit-fields on this machine")
    space: dict[str, Any] = {
        "_fields_": [(one.name, _member(one, abi)) for one in declaration.named]
    }
    if declaration.pack:
        space = {"_layout_": "ms", "_pack_": declaration.pack, **space}
    made = type(kind.__name__, (ctypes.Structure,), space)
    layout = layout_of(kind, abi)
    if (ctypes.sizeof(made), ctypes.alignment(made)) != (layout.size, layout.alignment):
        raise Unpassable("ctypes knows no align= on this machine")
    return made


def _member(entry: Any, abi: ABI) -> Any:
    if isinstance(entry.kind, StructType):
        member = _same_members(entry.kind, abi)
    else:
        member = _C_TYPES[_letter(entry.kind, abi)]
    return member if entry.count is None else member * entry.count


def _different_union(kind: Any, abi: ABI) -> Any:
    """A union in a structure that has another layout in this process; None without one."""
    if layout_of(kind, abi).signature == layout_of(kind, native_abi()).signature:
        return None
    if kind._declaration.union:
        return kind
    nested = [one.kind for one in kind._declaration.named if isinstance(one.kind, StructType)]
    return next(filter(None, (_different_union(one, abi) for one in nested)), None)


class ByValue:
    """Converts one structure, each way."""

    def __init__(
        self, kind: StructureValue, convention: Convention, table: Any, temporaries: Temporaries
    ) -> None:
        self._structure = kind.structure
        check_passable(kind.structure, convention.abi)
        self._convention = convention
        self._table = table
        self._temporaries = temporaries
        self._variants = variants_of(kind.structure, table.memory)
        self._letter, self._native = "", None
        if convention.passes_as_wasm:
            self._letter = single_number(kind.structure, convention.abi)
        else:
            self._native = ctypes_structure(kind.structure, convention.abi)

    def as_result(self) -> ByValue:
        """This, if what C gives can be a value of Python's, which lies in this process's memory.
        Raises NotSupportedError."""
        union = _different_union(self._structure, self._convention.abi)
        if union is None:
            return self
        raise NotSupportedError(
            f"{self._structure.__name__} cannot come out of C by value, for the union "
            f"{union.__name__} is laid out otherwise in this process's memory, and which of its "
            "fields is meant is not known; let C store it where a parameter points to"
        )

    def convert(self, value: Any, described: str) -> tuple[Any, Any]:
        """What is passed for a structure, and what is held for it during the call."""
        kind = self._structure
        if not isinstance(value, kind):
            raise TypeError(
                f"{described} takes a {kind.__name__}, not {type(value).__name__} {value!r:.60}"
            )
        value._check_alive()
        data = self._variants.codec.encode_value(value, Notes(self._table))
        if self._native is not None:
            return self._native.from_buffer_copy(data), None
        if self._letter:
            return struct.unpack(f"<{self._letter}", data)[0], None
        made = self._temporaries.store(data)
        return made.address, made

    @property
    def comes_by_address(self) -> bool:
        """Whether a result is stored at an address that is passed first."""
        return self._native is None and not self._letter

    @property
    def letter(self) -> Any:
        """What the wire calls it: a letter, or a structure of ctypes."""
        if self._native is not None:
            return self._native
        return self._letter or self._convention.address

    def reserve(self) -> Any:
        """A block for a result."""
        return struct_make.allocate_struct(self._table, self._structure, {}, caller_site())

    def lift_block(self, block: Any) -> Any:
        """The structure that C stored in a block, as a value."""
        return make_value(self._structure, block)

    def lift_address(self, address: int) -> Any:
        """The structure that C passes at an address, as a value."""
        return make_value(
            self._structure, struct_make.wrap_struct(self._table, self._structure, address)
        )

    def lift(self, got: Any) -> Any:
        """The structure that came as a number, or as ctypes has it, as a value."""
        native = self._native is not None
        data = bytes(got) if native else struct.pack(f"<{self._letter}", got)
        with self.reserve() as block:
            block._store_bytes(block._base, data, None)
            return make_value(self._structure, block)
