"""The verbs of a heap for structures and pointers: what `HeapManager` and `Arena` do with kinds
that are made of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emheap._util.pointers import Pinned
from emheap._util.sites import Site
from emheap.allocators.base import Allocator
from emheap.blocks.table import BlockTable
from emheap.refs import make, struct_make
from emheap.refs.field_codecs import Notes, encode_pointers
from emheap.refs.pointer import address_of
from emheap.refs.values import make_value
from emheap.types.pointers import PointerTo
from emheap.types.structs import StructType

__all__ = [
    "adopt",
    "alloc",
    "alloc_array",
    "allocator",
    "read",
    "wrap",
    "wrap_array",
    "write",
]


def alloc(
    table: BlockTable,
    kind: Any,
    initial: Any,
    options: dict[str, Any],
    site: Site,
    source: Allocator | None = None,
) -> Any:
    """A new structure, of its fields (which are `options`) or like another one; or a new pointer,
    for which there is ``align``."""
    if isinstance(kind, PointerTo):
        align = options.pop("align", None)
        _refuse_fields(kind, options)
        scalar = kind.scalar(table.memory.abi)
        address, block = address_of(initial, kind, table, scalar.name, scalar.maximum)
        made = make.allocate_scalar(table, scalar, address, align, site, source)
        table.places.pointees.note(made._elements, 0, block)
        return made
    if initial is None:
        return struct_make.allocate_struct(table, kind, options, site, source)
    _refuse_fields(kind, options)
    return struct_make.allocate_copy(table, kind, initial, site, source)


def allocator(table: BlockTable, kind: Any) -> Callable[..., Any] | None:
    """What allocates structures of a kind in one step, called by the heap's own verb."""
    if not isinstance(kind, StructType) or kind._declaration.flexible is not None:
        return None
    return struct_make.struct_allocator(table, kind, depth=2)


def _tail_of(doing: str, kind: Any, more: Any, options: dict[str, Any]) -> Any:
    """The `tail` that was given for a structure. Raises TypeError for whatever else was."""
    takes, tail = "an address", None
    if isinstance(kind, StructType):
        tail = options.pop("tail", None)
        if kind._declaration.flexible is not None:
            takes += ", tail="
    if more or options:
        raise TypeError(f"{doing} {kind.__name__} takes {takes} and nothing else")
    return tail


def _refuse_fields(kind: Any, fields: dict[str, Any]) -> None:
    if fields:
        raise TypeError(
            f"a new {kind.__name__} takes no {', '.join(fields)} besides the value given"
        )


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
    number = make.number_of(count_or_values)
    if number is not make.NO_NUMBER:
        return make.allocate_array(table, scalar, number, align, site, source)
    notes = Notes(table)
    data = encode_pointers(kind, table.memory.abi, count_or_values, notes, None)
    values: Any = memoryview(data).cast(scalar.format)
    made = make.allocate_array(table, scalar, values, align, site, source)
    table.places.pointees.note_all(made._elements, 0, 0, notes.pointees)
    return made


def read(table: BlockTable, kind: Any, address: Any, *more: Any, **options: Any) -> Any:
    """The structure at an address, as a value; or the pointer."""
    tail = _tail_of("reading", kind, more, options) if more or options else None
    if isinstance(kind, StructType):
        with Pinned(address):
            return make_value(kind, struct_make.wrap_struct(table, kind, address, tail))
    return table.places.read_pointer(kind, address)


def write(
    table: BlockTable, kind: Any, address: Any, value: Any, *more: Any, **options: Any
) -> None:
    """Store a whole structure, or a pointer, at an address."""
    if more or options:
        raise TypeError(f"writing {kind.__name__} takes an address, a value and nothing else")
    if isinstance(kind, StructType):
        struct_make.write_struct(table, kind, address, value)
        return
    table.places.write_pointer(kind, address, value)


def wrap(table: BlockTable, kind: Any, address: Any, *more: Any, **options: Any) -> Any:
    """A borrowed reference to a structure, or a pointer, that exists already."""
    tail = _tail_of("wrapping", kind, more, options) if more or options else None
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
    tail: Any,
    site: Site,
) -> Any:
    """Structures, or pointers, that C allocated."""
    if isinstance(kind, StructType):
        if count is None:
            return struct_make.adopt_struct(table, kind, address, free, tail, site)
        if tail is not None:
            raise TypeError(f"an array of {kind.__name__} takes no tail")
        return struct_make.adopt_struct_array(table, kind, address, count, free, site)
    if tail is not None:
        raise TypeError("tail is for structures that end with a flexible array")
    return make.adopt(table, kind.scalar(table.memory.abi), address, count, free, site)
