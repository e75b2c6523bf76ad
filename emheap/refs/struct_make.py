"""Making structures and arrays of them: allocated, wrapped, adopted, read and written whole."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from emheap._util.checks import check_aligned, check_count, check_integer
from emheap._util.messages import count_of
from emheap._util.pointers import Pinned
from emheap._util.released import not_released
from emheap._util.sites import Site, caller_site, current_frame, shared_offset
from emheap.allocators.adopted import AdoptedAllocator
from emheap.allocators.base import Allocator
from emheap.blocks.block import Block
from emheap.blocks.put_back import put_back
from emheap.blocks.table import BlockTable
from emheap.refs import make
from emheap.refs.cells import WindowCells, is_direct
from emheap.refs.field_codecs import Notes, encode_structs
from emheap.refs.lifetime import make_ref
from emheap.refs.struct_array import OwningStructArrayRef, StructArrayRef, open_struct_array
from emheap.refs.structured import StructureLayout
from emheap.refs.variants import Variants, variants_of
from emheap.types.struct_fields import Entry
from emheap.types.structs import size_and_alignment

StructAllocator = Callable[..., Any]

__all__ = [
    "adopt_struct",
    "adopt_struct_array",
    "allocate_copy",
    "allocate_struct",
    "allocate_struct_array",
    "reference_to",
    "struct_allocator",
    "wrap_struct",
    "wrap_struct_array",
    "write_struct",
]


def allocate_struct(
    table: BlockTable,
    kind: Any,
    fields: Mapping[str, Any],
    site: Site,
    source: Allocator | None = None,
    *,
    value: bool = False,
) -> Any:
    """A reference to a new structure with these fields, or of zeros if there are none.

    A `value` has its defaults even then.
    """
    variants = _variants(table, kind)
    notes = Notes(table)
    data = None
    if fields or value:
        data = variants.codec.encode_fields(fields, notes, partly=False)
    return _allocate(table, variants, data, notes, site, source)


def allocate_copy(
    table: BlockTable, kind: Any, original: Any, site: Site, source: Allocator | None = None
) -> Any:
    """A reference to a new structure like another one."""
    variants = _variants(table, kind)
    notes = Notes(table)
    data = variants.codec.encode_value(original, notes)
    return _allocate(table, variants, data, notes, site, source)


def _variants(table: BlockTable, kind: Any) -> Variants:
    if not kind._declaration.entries:
        raise TypeError(
            f"{kind.__name__} has no fields, so its size is not known; "
            "only what another program allocated can be one"
        )
    return variants_of(kind, table.memory)


def _allocate(
    table: BlockTable,
    variants: Variants,
    data: bytes | None,
    notes: Notes,
    site: Site,
    source: Allocator | None,
) -> Any:
    size = variants.layout.size if data is None else max(len(data), variants.layout.size)
    flexible = variants.kind._declaration.flexible
    if source is None and flexible is None:
        layout = shared_layout(table, variants)
    else:
        layout = StructureLayout(table, variants, None, size, source=source)
    unit: Any = variants.layout
    ref = make.allocate_ref(variants.owning, layout, unit, data, site, unit.alignment)
    cells = ref._elements
    ref._base = 0
    if notes.pointees:
        cells.pointees.update(notes.pointees)
    if notes.tail:
        cells.tail = notes.tail
    return ref


def _element_size(variants: Variants, flexible: Entry) -> int:
    return size_and_alignment(flexible.kind, variants.abi)[0]


def struct_allocator(table: BlockTable, kind: Any, depth: int) -> StructAllocator | None:  # noqa: C901 (in one function: a call more costs a tenth)
    """A function ``allocate(fields)`` that makes structures quickly, called by a function of ours
    that the user's program called, at a `depth` of 2; or None.

    It takes a spare block and stores the fields in one step. Every uncommon case, no
    spare block or a value that does not fit, goes the long way.
    """
    variants = _variants(table, kind)
    layout, codec = shared_layout(table, variants), variants.codec
    put, put_all, count = codec.put, codec.put_all, len(codec.names)
    memory: Any = table.memory
    spare = layout.spare
    usual = table.tracked and not table.options.enable_garbage_collection
    if spare is None or not usual or put is None or put_all is None or not is_direct(memory):
        return None
    cls: Any = variants.owning
    size, blocks = variants.layout.size, layout.blocks
    window, new = memory.window, object.__new__

    def allocate(fields: dict[str, Any]) -> Any:
        nonlocal window
        address = 0
        try:
            frame = current_frame(depth)
            address = spare.pop()
            if len(fields) == count:
                put_all(window, address, fields)
            else:
                put(window, address, **fields)
            if layout.spare is None:  # a value's own __index__ has closed the heap
                raise LookupError
            ref = new(cls)
            ref._elements = cells = new(WindowCells)
            # What its constructor does, at half the price.
            cells.memory, cells.address, cells.length, cells._kept = memory, address, size, ()
            ref._base = 0
            offset = frame.f_lasti
            if offset > 256:
                offset = shared_offset(offset, offset)
            ref._block = blocks[address] = (cells, address, layout, frame.f_code, offset)
            return ref
        except (LookupError, ValueError, TypeError, OverflowError, struct.error):
            if address:
                put_back(layout, spare, address)
        except BaseException:  # no memory, or whatever a value's own __index__ raises
            if address:
                put_back(layout, spare, address)
            raise
        made = allocate_struct(table, kind, fields, caller_site())
        window = memory.window  # in case the memory has grown
        return made

    return allocate


def shared_layout(table: BlockTable, variants: Variants) -> StructureLayout:
    """The layout that all structures of a kind share on a heap."""
    size = variants.layout.size
    if table.for_values:  # whose table is there for ever, and would keep each kind
        if variants.layout_of_values is None:
            variants.layout_of_values = layout = StructureLayout(table, variants, None, size)
            layout.find_spare()
        return variants.layout_of_values  # type: ignore[no-any-return]

    def make_layout() -> StructureLayout:
        return StructureLayout(table, variants, None, size, blocks={})

    return table.shared_layout(variants.kind, make_layout)  # type: ignore[return-value]


def allocate_struct_array(
    table: BlockTable,
    kind: Any,
    count_or_values: Any,
    site: Site,
    source: Allocator | None = None,
) -> Any:
    """A reference to a new array: of a number of zeros, or of the values given."""
    variants = _variants(table, kind)
    _check_element(variants)
    unit: Any = variants.layout
    notes = Notes(table)
    data: bytes | None = None
    number = make.number_of(count_or_values)
    if number is not make.NO_NUMBER:
        count = check_count(number, "count", unit.size, table.memory.largest_block)
    else:
        data = _encode_elements(variants, count_or_values, notes)
        count = len(data) // unit.size
    layout = StructureLayout(table, variants, count, count * unit.size, source=source)
    ref = make.allocate_ref(OwningStructArrayRef, layout, unit, data, site, unit.alignment)
    if notes.pointees:
        ref._elements.pointees.update(notes.pointees)
    return open_struct_array(ref, ref._block)


def _encode_elements(variants: Variants, values: Any, notes: Notes) -> bytes:
    if not isinstance(values, (bytes, bytearray, memoryview)):
        return encode_structs(variants.kind, variants.abi, values, notes, None)
    data = bytes(not_released(values, f"an array of {variants.kind.__name__}"))
    size = variants.layout.size
    if len(data) % size:
        raise ValueError(
            f"a buffer of {count_of(len(data), 'byte')} is no whole number of "
            f"{variants.kind.__name__}, of {count_of(size, 'byte')}"
        )
    return data


def _check_element(variants: Variants) -> None:
    name = variants.kind.__name__
    if variants.kind._declaration.flexible is not None:
        raise TypeError(f"{name} ends with a flexible array, so it cannot be an element of another")
    if not variants.layout.size:
        raise TypeError(f"{name} has no bytes, so its elements would have one address")


def reference_to(block: Block) -> Any:
    """A further reference to a live block of structures."""
    layout: Any = block[2]
    if layout.count is not None:
        return open_struct_array(make_ref(StructArrayRef, block), block)
    ref = make_ref(layout.variants.single, block)
    ref._base = 0
    return ref


def wrap_struct(table: BlockTable, kind: Any, address: Any, tail: Any = None) -> Any:
    """A reference that borrows the structure at an address, with `tail` elements at its end.

    If `tail` is None, a block of this heap has as many as it was allocated with, and any other
    structure has none.
    """
    variants = variants_of(kind, table.memory)
    if tail is None and kind._declaration.flexible is not None:
        number = _tail_at(table, kind, address)
    else:
        number = _check_tail(table, variants, tail)
    size = _size_with(variants, number)
    ref = _borrow(table, variants.single, variants, None, size, address, size)
    ref._base = 0
    if number:
        ref._elements.tail = number
    return ref


def _check_tail(table: BlockTable, variants: Variants, tail: Any) -> int:
    """How many elements the flexible array at the end is said to have: none, if nothing is said."""
    if tail is None:
        return 0
    flexible = variants.kind._declaration.flexible
    if flexible is None:
        raise TypeError(
            f"{variants.kind.__name__} does not end with a flexible array, so it has no tail"
        )
    size = _element_size(variants, flexible)
    return check_count(tail, "tail", size, table.memory.largest_block)


def _size_with(variants: Variants, number: int) -> int:
    """The bytes of a structure with so many elements in its flexible array."""
    layout, flexible = variants.layout, variants.kind._declaration.flexible
    if flexible is None:
        return layout.size
    end = layout.fields[flexible.name].offset
    return max(layout.size, end + number * _element_size(variants, flexible))


def _tail_at(table: BlockTable, kind: Any, address: Any) -> int:
    """The elements of the flexible array of a structure that is a block of this heap; else 0."""
    place = table.memory.address_of(address)
    block = table.find(place)
    if block is None or block[1] != place or block[2].kind is not kind._declaration.owner:
        return 0
    cells: Any = block[0]
    return cells.tail  # type: ignore[no-any-return]


def wrap_struct_array(
    table: BlockTable, kind: Any, address: Any, count: Any, stride: Any = None
) -> Any:
    """A reference that borrows `count` structures, each `stride` bytes after the one before."""
    variants = variants_of(kind, table.memory)
    _check_element(variants)
    size = variants.layout.size
    step = size if stride is None else check_integer(stride, "stride")
    if step < size or step % variants.layout.alignment:
        raise ValueError(
            f"stride must be at least the {count_of(size, 'byte')} of {kind.__name__} and a "
            f"multiple of its alignment, {variants.layout.alignment}; got {step}"
        )
    number = check_count(count, "count", step, table.memory.largest_block)
    extent = (number - 1) * step + size if number else 0
    ref = _borrow(table, StructArrayRef, variants, number, extent, address, step)
    return open_struct_array(ref, ref._block)


def _borrow(
    table: BlockTable,
    cls: Any,
    variants: Variants,
    count: int | None,
    size: int,
    address: Any,
    stride: int,
) -> Any:
    layout = StructureLayout(table, variants, count, size, borrowed=True)
    layout.stride = stride
    with Pinned(address):
        start = table.raw_memory.check_extent(address, size, f"wrap of {layout.describe()}")
        check_aligned(start, variants.layout.alignment, f"a wrapped {layout.describe()}")
        elements = layout.open_elements(None, start, 1)
        table.loans.add_elements(start, size, elements)
    return make_ref(cls, (elements, start, layout, None, 0))


def adopt_struct(
    table: BlockTable,
    kind: Any,
    address: Any,
    free: Callable[[int], Any] | None,
    tail: Any,
    site: Site,
) -> Any:
    """A reference that owns the structure that C allocated, with `tail` elements at its end."""
    variants = variants_of(kind, table.memory)
    unit: Any = variants.layout
    number = _check_tail(table, variants, tail)
    source = AdoptedAllocator(table.allocator, free)
    layout = StructureLayout(table, variants, None, _size_with(variants, number), source=source)
    ref = make.adopt_ref(table, variants.owning, layout, unit, unit.alignment, address, site)
    ref._base = 0
    if number:
        ref._elements.tail = number
    return ref


def adopt_struct_array(
    table: BlockTable,
    kind: Any,
    address: Any,
    count: Any,
    free: Callable[[int], Any] | None,
    site: Site,
) -> Any:
    """A reference that owns `count` structures that C allocated, one after the other."""
    variants = variants_of(kind, table.memory)
    unit: Any = variants.layout
    _check_element(variants)
    number = check_count(count, "count", unit.size, table.memory.largest_block)
    source = AdoptedAllocator(table.allocator, free)
    layout = StructureLayout(table, variants, number, number * unit.size, source=source)
    ref = make.adopt_ref(table, OwningStructArrayRef, layout, unit, unit.alignment, address, site)
    return open_struct_array(ref, ref._block)


def write_struct(
    table: BlockTable, kind: Any, address: Any, value: Any, inside: Any = None
) -> None:
    """Store a whole structure at an address, which may be one that a pointer points to."""
    variants = variants_of(kind, table.memory)
    notes = Notes(table)
    data = variants.codec.encode_value(value, notes)
    flexible = kind._declaration.flexible
    if flexible is not None:  # padding at the end may be the place of elements, which are not given
        end = variants.layout.fields[flexible.name].offset
        data = data[: end + (notes.tail or 0) * _element_size(variants, flexible)]
    with Pinned(address if inside is None else inside):
        start = table.raw_memory.check_extent(address, len(data), f"write of {kind.__name__}")
        check_aligned(start, variants.layout.alignment, f"a {kind.__name__}")
        table.raw_memory.write_bytes(start, data)
    if not variants.codec.has_pointers:
        return
    around = table.find(start) or table.owner_of(start)
    if around is not None:
        noted = table.places.pointees
        noted.note_all(around[0], start - around[1], len(data), notes.pointees)
