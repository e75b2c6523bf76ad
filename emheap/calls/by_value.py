"""Structures that are passed and returned by value.

Natively ctypes knows where each machine puts them, given a structure of its own with the same
members. In WebAssembly one with a single number in it goes as that number, and any other as the
address of a copy, which the function may write to; a result like that comes back at an address that
is passed before all other arguments.
"""

from __future__ import annotations

import ctypes
import struct
from typing import Any

from emheap._util.sites import caller_site
from emheap.calls.kinds import StructureValue
from emheap.calls.linker import Convention
from emheap.calls.temporaries import Temporaries
from emheap.errors import NotSupportedError
from emheap.refs import struct_make
from emheap.refs.field_codecs import Notes
from emheap.refs.values import make_value
from emheap.refs.variants import variants_of
from emheap.types.abi import ABI
from emheap.types.pointers import PointerTo
from emheap.types.structs import StructType, layout_of

__all__ = ["ByValue", "ctypes_structure", "single_number"]

_C_TYPES: dict[str, Any] = {
    "b": ctypes.c_int8, "B": ctypes.c_uint8, "h": ctypes.c_int16, "H": ctypes.c_uint16,
    "i": ctypes.c_int32, "I": ctypes.c_uint32, "q": ctypes.c_int64, "Q": ctypes.c_uint64,
    "f": ctypes.c_float, "d": ctypes.c_double,
}  # fmt: skip

_made: dict[Any, Any] = {}
"""The structures of ctypes, by ours."""


def single_number(kind: Any, abi: ABI) -> str:
    """The letter of the one number that a structure consists of in WebAssembly; empty if it has
    more, or padding."""
    entries = [one for one in kind._declaration.entries if not one.unnamed]
    if len(entries) != 1 or entries[0].flexible or entries[0].count not in (None, 1):
        return ""
    inner = entries[0].kind
    if isinstance(inner, StructType):
        letter = single_number(inner, abi)
    else:
        letter = _scalar(inner, abi).format
    same = letter and struct.calcsize(f"={letter}") == layout_of(kind, abi).size
    return letter if same else ""


def _scalar(kind: Any, abi: ABI) -> Any:
    return kind.scalar(abi) if isinstance(kind, PointerTo) else kind.for_abi(abi)


def ctypes_structure(kind: Any, abi: ABI) -> Any:
    """The structure of ctypes with the same members. Raises NotSupportedError for those that it
    cannot pass by value."""
    if kind not in _made:
        declaration = kind._declaration
        if declaration.union or any(one.width is not None for one in declaration.entries):
            raise _not_by_value(kind, "neither unions nor bit-fields")
        space: dict[str, Any] = {"_pack_": declaration.pack} if declaration.pack else {}
        space["_fields_"] = [(one.name, _member(one, abi)) for one in declaration.entries]
        made = type(kind.__name__, (ctypes.Structure,), space)
        layout = layout_of(kind, abi)
        if (ctypes.sizeof(made), ctypes.alignment(made)) != (layout.size, layout.alignment):
            raise _not_by_value(kind, "no align=")
        _made[kind] = made
    return _made[kind]


def _not_by_value(kind: Any, lacking: str) -> NotSupportedError:
    return NotSupportedError(
        f"{kind.__name__} cannot be passed by value: ctypes takes {lacking}; pass its address"
    )


def _member(entry: Any, abi: ABI) -> Any:
    if isinstance(entry.kind, StructType):
        member = ctypes_structure(entry.kind, abi)
    else:
        member = _C_TYPES[_scalar(entry.kind, abi).format]
    return member if entry.count is None else member * entry.count


class ByValue:
    """Converts one structure, each way."""

    def __init__(
        self, kind: StructureValue, convention: Convention, table: Any, temporaries: Temporaries
    ) -> None:
        self._structure = kind.structure
        if not layout_of(kind.structure, convention.abi).size:
            raise NotSupportedError(
                f"{kind} cannot be passed by value, for it has no fields; pass its address"
            )
        self._convention = convention
        self._table = table
        self._temporaries = temporaries
        self._variants = variants_of(kind.structure, table.memory)
        self._letter = single_number(kind.structure, convention.abi)
        self._native = (
            None if convention.is_wasm else ctypes_structure(kind.structure, convention.abi)
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
