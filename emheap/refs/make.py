"""Making references: the one path that every allocation takes, and what wraps and adopts."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeVar

from emheap._util.checks import check_aligned, check_alignment, check_count
from emheap._util.pointers import Pinned
from emheap._util.sites import Site
from emheap.allocators.base import Allocator
from emheap.blocks.block import Block, Layout
from emheap.blocks.region import Region
from emheap.blocks.table import BlockTable
from emheap.memories.base import Elements
from emheap.refs.array import ArrayRef, OwningArrayRef
from emheap.refs.classes import array_ref_class, owning_scalar_ref, wrapping_scalar_ref
from emheap.refs.lifetime import Holder, make_ref
from emheap.refs.scalar import ScalarRef
from emheap.refs.string import StringRef, string_ref_class, string_room
from emheap.types import Scalar, Text, Type, check_type
from emheap.types.arrays import encode_elements, encode_value

__all__ = [
    "NO_NUMBER",
    "adopt",
    "adopt_ref",
    "allocate_array",
    "allocate_ref",
    "allocate_scalar",
    "array_of",
    "encode_array",
    "encode_text",
    "number_of",
    "own",
    "ref_of",
    "resolve",
    "text_of",
    "wrap_array",
    "wrap_scalar",
    "wrap_text",
]

T = TypeVar("T")


def resolve(kind: Any, base: type[Any], example: str, table: BlockTable) -> Any:
    """A type as this heap has it: ``long`` and its like have another size in other memories."""
    text = isinstance(kind, type) and issubclass(kind, Text) and hasattr(kind, "name")
    if text and base is Scalar:
        raise TypeError(
            f"the elements of an array have one size, and texts have not: "
            f"heap.alloc_strings({kind.name}, texts) allocates several, heap.alloc({kind.name}, "
            f"text) one, and heap.read_strings({kind.name}, address) reads several"
        )
    checked: type[Type[Any]] = check_type(kind, base, example)
    return checked.for_abi(table.memory.abi)


def allocate_scalar(
    table: BlockTable,
    scalar: type[Scalar[T]],
    initial: Any,
    align: Any,
    site: Site,
    source: Allocator | None = None,
) -> ScalarRef[T]:
    """A reference to a new `scalar`: zero, or `initial` if that is not None.

    Here and below, `source` is the allocator to use if not the heap's.
    """
    data = None
    if initial is not None:
        number = table.memory.encode(scalar, initial) if scalar.is_pointer else initial
        data = encode_value(scalar, number)
    alignment = _alignment(align, scalar)
    layout: Layout
    if alignment > table.allocator.alignment:
        layout = Layout(table, scalar, None, scalar.size, source=source)
    elif source is None:
        layout = table.scalar_layout(scalar)
    else:
        layout = table.layout_of(scalar, None, source)
    return allocate_ref(  # type: ignore[no-any-return]
        owning_scalar_ref(scalar), layout, scalar, data, site, alignment
    )


def allocate_array(
    table: BlockTable,
    scalar: type[Scalar[T]],
    count_or_values: Any,
    align: Any,
    site: Site,
    source: Allocator | None = None,
) -> ArrayRef[T]:
    """A reference to a new array: of a number of zeros, or of the values given."""
    count, data = encode_array(table, scalar, count_or_values)
    return array_of(table, scalar, count, data, align, site, source)


def array_of(
    table: BlockTable,
    scalar: type[Scalar[T]],
    count: int,
    data: bytes | memoryview | None,
    align: Any,
    site: Site,
    source: Allocator | None = None,
) -> ArrayRef[T]:
    """A reference to a new array: of `count` zeros, or of what `encode_array` gave."""
    alignment = _alignment(align, scalar)
    layout = _layout(table, scalar, count, alignment, source)
    return allocate_ref(  # type: ignore[no-any-return]
        array_ref_class(scalar, True), layout, scalar, data, site, alignment
    )


def encode_array(
    table: BlockTable, scalar: type[Scalar[Any]], count_or_values: Any
) -> tuple[int, bytes | memoryview | None]:
    """The number of elements, and what is in them unless they are zeros."""
    number = number_of(count_or_values)
    if number is not NO_NUMBER:
        return check_count(number, "count", scalar.size, table.memory.largest_block), None
    data = encode_elements(scalar, count_or_values, table.memory.encoder(scalar))
    if not table.memory.stable:
        # The source may lie in this memory, and allocating may move or replace it.
        data = bytes(data)
    return len(data) // scalar.size, data


NO_NUMBER: Any = object()


def number_of(value: Any) -> Any:
    """`value` where a number of elements was meant, or what its own ``__index__`` gives, which is
    asked once; `NO_NUMBER` for the elements themselves. numpy's arrays look like a number, and
    those of one element are one."""
    if value is None or isinstance(value, (int, float)):
        return value
    if not hasattr(type(value), "__index__"):
        return NO_NUMBER
    try:
        return operator.index(value)
    except TypeError:
        return NO_NUMBER


def text_of(
    table: BlockTable,
    text: type[Text],
    room: int,
    data: bytes | None,
    align: Any,
    site: Site,
    source: Allocator | None = None,
) -> StringRef:
    """A reference to a new string: of what `encode_text` gave, or empty."""
    alignment = _alignment(align, text)
    layout = _layout(table, text, room, alignment, source)
    clear = text.size if data is None else 0  # empty, whatever the options say
    return allocate_ref(  # type: ignore[no-any-return]
        string_ref_class(True), layout, text.unit, data, site, alignment, clear
    )


def encode_text(
    table: BlockTable, text: type[Text], text_or_capacity: Any, errors: str
) -> tuple[int, bytes | None]:
    """The elements that a string takes with its terminator, and what is in them unless it is
    empty."""
    if isinstance(text_or_capacity, str):
        data = text.encode(text_or_capacity, errors)
        return len(data) // text.size, data
    if text_or_capacity is None or isinstance(text_or_capacity, (bytes, bytearray, memoryview)):
        given = "nothing" if text_or_capacity is None else f"{text_or_capacity!r:.60}"
        raise TypeError(
            f"{text.name} takes a str, or the number of elements that it is to have room for, not "
            f"{given}; decode() bytes, or store them as they are by alloc_array(uint8, data)"
        )
    return string_room(text, text_or_capacity, table.memory.largest_block), None


def _layout(
    table: BlockTable, kind: type[Type[Any]], count: int, alignment: int, source: Allocator | None
) -> Layout:
    if alignment > (source or table.allocator).alignment:
        return Layout(table, kind, count, count * kind.size, source=source)
    return table.layout_of(kind, count, source)


def _alignment(align: Any, kind: type[Type[Any]]) -> int:
    return kind.alignment if align is None else max(check_alignment(align), kind.alignment)


def allocate_ref(
    cls: Any,
    layout: Layout,
    unit: type[Scalar[Any]],
    data: bytes | memoryview | None,
    site: Site,
    alignment: int,
    clear: int = 0,
) -> Any:
    """A reference of class `cls` to a new block, which holds `data`, or zeros in its first `clear`
    bytes at least."""
    table: BlockTable = layout.table
    block = table.allocate(layout, unit, data, site, alignment)
    try:
        if clear:
            table.memory.fill(block[1], clear)
        return own(cls, block)
    except MemoryError:
        if table.claim(block):
            table.give_back(layout, block[1])
        raise


def own(cls: Any, block: Block) -> Any:
    """The reference that owns a new block, or had none since it was dropped."""
    _, address, layout, _, _ = block
    options = layout.table.options
    region = layout.source if isinstance(layout.source, Region) else None
    # An arena frees what was dropped, so nobody is warned.
    silent = region is not None or options.enable_garbage_collection or not layout.tracked
    cls = _class_for(cls, block[0])
    ref = make_ref(cls._borrowed_class if silent else cls, block)
    if options.enable_garbage_collection:
        ref._holder = layout.table.holders[id(block)] = Holder(block)
        if region is not None:
            region.held[address] = ref._holder
    return ref


def _class_for(cls: Any, elements: Elements) -> Any:
    """The class of references to elements, in place of `cls`."""
    if type(elements) is memoryview or (cls is not ArrayRef and cls is not OwningArrayRef):
        return cls
    if not getattr(elements, "typed", False):
        return cls
    from emheap.refs.typed_array import typed_array_class

    return typed_array_class(cls)


def ref_of(block: Block) -> Any:
    """A further reference to a live block. Only the first one says that it was dropped."""
    _, _, layout, _, _ = block
    kind: Any = layout.kind
    if issubclass(kind, Text):
        cls = string_ref_class(False)
    else:
        cls = wrapping_scalar_ref(kind) if layout.count is None else array_ref_class(kind, False)
    ref = make_ref(_class_for(cls, block[0]), block)
    holder = layout.table.holders.get(id(block))
    if holder is not None:
        ref._holder = holder
    return ref


def wrap_scalar(table: BlockTable, scalar: type[Scalar[T]], address: Any) -> ScalarRef[T]:
    """A reference that borrows the `scalar` at an address."""
    layout = Layout(table, scalar, None, scalar.size, borrowed=True)
    ref: ScalarRef[T] = _borrow(wrapping_scalar_ref(scalar), layout, scalar, address, 1, 1)
    return ref


def wrap_array(table: BlockTable, scalar: type[Scalar[T]], address: Any, count: Any) -> ArrayRef[T]:
    """A reference that borrows `count` elements at an address."""
    number = check_count(count, "count", scalar.size, table.memory.largest_block)
    layout = Layout(table, scalar, number, number * scalar.size, borrowed=True)
    cls = array_ref_class(scalar, False)
    ref: ArrayRef[T] = _borrow(cls, layout, scalar, address, number, scalar.alignment)
    if type(ref._elements) is not memoryview:
        ref.__class__ = _class_for(cls, ref._elements)
    return ref


def wrap_text(table: BlockTable, text: type[Text], address: Any, capacity: Any) -> StringRef:
    """A reference that borrows a string; its room is not known if `capacity` is None."""
    room = None
    if capacity is not None:
        room = string_room(text, capacity, table.memory.largest_block)
    count = 1 if room is None else room
    layout = Layout(table, text, room, count * text.size, borrowed=True)
    ref: StringRef = _borrow(
        string_ref_class(False), layout, text.unit, address, count, text.alignment
    )
    return ref


def _borrow(
    cls: Any, layout: Layout, unit: type[Scalar[Any]], address: Any, count: int, alignment: int
) -> Any:
    if type(address) is int:  # which pins nothing
        return _borrow_at(cls, layout, unit, address, count, alignment)
    with Pinned(address):
        return _borrow_at(cls, layout, unit, address, count, alignment)


def _borrow_at(
    cls: Any, layout: Layout, unit: type[Scalar[Any]], address: Any, count: int, alignment: int
) -> Any:
    owner = layout.table
    size = count * unit.size
    start = owner.raw_memory.check_extent(address, size, f"wrap of {layout.describe()}")
    check_aligned(start, alignment, f"a wrapped {layout.describe()}")
    elements = owner.memory.elements(unit, start, count)
    owner.loans.add_elements(start, size, elements)
    return make_ref(cls, (elements, start, layout, None, 0))


def adopt(
    table: BlockTable,
    kind: type[Type[Any]],
    address: Any,
    count: Any,
    free: Callable[[int], Any] | None,
    site: Site,
) -> Any:
    """A reference that owns what another program allocated at an address."""
    from emheap.allocators.adopted import AdoptedAllocator

    source = AdoptedAllocator(table.allocator, free)
    cls: Any
    if issubclass(kind, Text):
        cls, unit, alignment = string_ref_class(True), kind.unit, kind.alignment
        if count is None:
            count = table.memory.count_elements(address, kind.size)
        number = elements = string_room(kind, count, table.memory.largest_block)
    else:
        unit = check_type(kind, Scalar, "int32 or utf8")
        number, elements, cls, alignment = None, 1, owning_scalar_ref(unit), 1
        if count is not None:
            number = elements = check_count(count, "count", unit.size, table.memory.largest_block)
            cls, alignment = array_ref_class(unit, True), unit.alignment
    layout = Layout(table, kind, number, elements * unit.size, source=source)
    return adopt_ref(table, cls, layout, unit, alignment, address, site)


def adopt_ref(
    table: BlockTable,
    cls: Any,
    layout: Layout,
    unit: type[Scalar[Any]],
    alignment: int,
    address: Any,
    site: Site,
) -> Any:
    """A reference of class `cls` that owns what another program allocated."""
    from emheap.blocks import transfer

    start = table.memory.check_extent(address, layout.byte_size, f"adopt of {layout.describe()}")
    check_aligned(start, alignment, f"an adopted {layout.describe()}")
    block = transfer.adopt(table, layout, unit, start, site)
    try:
        return own(cls, block)
    except MemoryError:
        table.claim(block)  # it is still the caller's
        raise
