"""The verbs of a heap for structures and pointers: what `HeapManager` and `Arena` do with kinds
that are made of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emheap._util.sites import Site
from emheap.allocators.base import Allocator
from emheap.blocks.table import BlockTable
from emheap.refs import make, struct_make
from emheap.refs.field_codecs import Notes, encode_pointers
from emheap.refs.pointer import Pointer, address_of
from emheap.refs.values import make_value
from emheap.types import Type, check_type
from emheap.types.pointers import PointerTo
from emheap.types.structs import StructType

__all__ = [
    "COMPOUND",
    "adopt",
    "alloc",
    "alloc_array",
    "allocator",
    "read",
    "resolve",
    "wrap",
    "wrap_array",
    "write",
]

COMPOUND = (StructType, PointerTo)
"""What kinds are that these verbs are for."""


def resolve(kind: Any, base: type[Any], example: str, table: BlockTable) -> Any:
    """A type as this heap has it: ``long`` and its like have another size in other memories."""
    checked: type[Type[Any]] = check_type(kind, base, example)
    return checked.for_abi(table.memory.abi)


def alloc(
    table: BlockTable,
    kind: Any,
    initial: Any,
    fields: dict[str, Any],
    align: Any,
    site: Site,
    source: Allocator | None = None,
) -> Any:
    """A new structure, of its fields or like another one; or a new pointer."""
    if isinstance(kind, PointerTo):
        _refuse_fields(kind, fields)
        return make.allocate_scalar(
            table,
            kind.scalar(table.memory.abi),
            _address(table, kind, initial),
            align,
            site,
            source,
        )
    if align is not None:  # a field of that name
        fields = {**fields, "align": align}
    if initial is None:
        return struct_make.allocate_struct(table, kind, fields, site, source)
    _refuse_fields(kind, fields)
    return struct_make.allocate_copy(table, kind, initial, site, source)


def allocator(table: BlockTable, kind: Any) -> Callable[..., Any] | None:
    """What allocates structures of a kind in one step, called by the heap's own verb."""
    if not isinstance(kind, StructType) or kind._declaration.flexible is not None:
        return None
    return struct_make.struct_allocator(table, kind, depth=2)


def _refuse_fields(kind: Any, fields: dict[str, Any]) -> None:
    if fields:
        raise TypeError(
            f"a new {kind.__name__} takes no {', '.join(fields)} besides the value given"
        )


def _address(table: BlockTable, kind: PointerTo, value: Any) -> int:
    scalar = kind.scalar(table.memory.abi)
    return address_of(value, kind, table, scalar.name, scalar.maximum)[0]


def alloc_array(
    table: BlockTable,
    kind: Any,
    count_or_values: Any,
    align: Any,
    site: Site,
    source: Allocator | None = None,
) -> Any:
    """A new array of structures or of pointers."""
    if isinstance(kind, StructType):
        if align is not None:
            raise TypeError(
                "align is an option of the class statement of a structure: "
                f"class {kind.__name__}(Struct, align={align})"
            )
        return struct_make.allocate_struct_array(table, kind, count_or_values, site, source)
    scalar = kind.scalar(table.memory.abi)
    values = count_or_values
    if not make.is_count(values):
        data = encode_pointers(kind, table.memory.abi, values, Notes(table), None)
        values = memoryview(data).cast(scalar.format)
    return make.allocate_array(table, scalar, values, align, site, source)


def read(table: BlockTable, kind: Any, address: Any) -> Any:
    """The structure at an address, as a value; or the pointer."""
    if isinstance(kind, StructType):
        return make_value(kind, struct_make.wrap_struct(table, kind, address))
    stored = table.raw_memory.cached_reader(kind.scalar(table.memory.abi))(address)
    return Pointer(table, kind, stored)


def write(table: BlockTable, kind: Any, address: Any, value: Any) -> None:
    """Store a whole structure, or a pointer, at an address."""
    if isinstance(kind, StructType):
        struct_make.write_struct(table, kind, address, value)
        return
    scalar = kind.scalar(table.memory.abi)
    table.raw_memory.cached_writer(scalar)(address, _address(table, kind, value))


def wrap(table: BlockTable, kind: Any, address: Any, tail: int = 0) -> Any:
    """A borrowed reference to a structure, or a pointer, that exists already."""
    if isinstance(kind, StructType):
        return struct_make.wrap_struct(table, kind, address, tail)
    return make.wrap_scalar(table, kind.scalar(table.memory.abi), address)


def wrap_array(table: BlockTable, kind: Any, address: Any, count: Any, stride: Any) -> Any:
    """A borrowed reference to structures, or pointers, that exist already."""
    if isinstance(kind, StructType):
        return struct_make.wrap_struct_array(table, kind, address, count, stride)
    if stride is not None:
        raise TypeError("stride is for arrays of structures")
    return make.wrap_array(table, kind.scalar(table.memory.abi), address, count)


def adopt(
    table: BlockTable,
    kind: Any,
    address: Any,
    count: Any,
    free: Callable[[int], Any] | None,
    site: Site,
) -> Any:
    """Structures, or pointers, that C allocated."""
    if isinstance(kind, StructType):
        return struct_make.adopt_struct(table, kind, address, count, free, site)
    return make.adopt(table, kind.scalar(table.memory.abi), address, count, free, site)
