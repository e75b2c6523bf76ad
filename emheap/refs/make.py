"""Making references: the one path that every allocation takes, and the short cut for scalars."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from emheap._util.checks import check_aligned, check_alignment, check_count
from emheap._util.sites import Site, caller_site, current_frame, shared_offset
from emheap.allocators.adopted import AdoptedAllocator
from emheap.allocators.base import Allocator
from emheap.blocks import transfer
from emheap.blocks.block import Block, Layout
from emheap.blocks.table import BlockTable
from emheap.errors import HeapError
from emheap.memories.base import Memory
from emheap.memories.window import WindowMemory
from emheap.refs.array import ArrayRef
from emheap.refs.lifetime import Holder, make_ref
from emheap.refs.pointer import array_ref_class, owning_scalar_ref, wrapping_scalar_ref
from emheap.refs.scalar import ScalarRef
from emheap.refs.string import StringRef, string_ref_class, string_room
from emheap.types import Scalar, Text, Type, check_type
from emheap.types.arrays import encode_elements, encode_value

__all__ = [
    "adopt",
    "adopt_ref",
    "allocate_array",
    "allocate_ref",
    "allocate_scalar",
    "allocate_text",
    "is_count",
    "ref_of",
    "scalar_allocator",
    "wrap_array",
    "wrap_scalar",
    "wrap_text",
]

T = TypeVar("T")
ScalarAllocator = Callable[..., "ScalarRef[T]"]


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
    layout = table.scalar_layout(scalar)
    alignment = _alignment(align, scalar)
    if source is not None or alignment > table.allocator.alignment:
        layout = Layout(table, scalar, None, scalar.size, source=source)
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
    data: bytes | memoryview | None = None
    if is_count(count_or_values):
        count = check_count(count_or_values, "count", scalar.size, table.memory.largest_block)
    else:
        encode = partial(table.memory.encode, scalar) if scalar.is_pointer else None
        data = encode_elements(scalar, count_or_values, encode)
        if not table.memory.stable:
            # The source may lie in this memory, and allocating may move or replace it.
            data = bytes(data)
        count = len(data) // scalar.size
    layout = Layout(table, scalar, count, count * scalar.size, source=source)
    alignment = _alignment(align, scalar)
    return allocate_ref(  # type: ignore[no-any-return]
        array_ref_class(scalar, True), layout, scalar, data, site, alignment
    )


def is_count(value: Any) -> bool:
    """Whether a number was meant; numpy's arrays look like one, and those of one element are."""
    if value is None or isinstance(value, (int, float)):
        return True
    if not hasattr(type(value), "__index__"):
        return False
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def allocate_text(
    table: BlockTable,
    text: type[Text],
    text_or_capacity: Any,
    errors: str,
    align: Any,
    site: Site,
    source: Allocator | None = None,
) -> StringRef:
    """A reference to a new string: holding a text, or empty with room for so many elements."""
    data = None
    if isinstance(text_or_capacity, str):
        data = text.encode(text_or_capacity, errors)
        room = len(data) // text.size
    else:
        room = string_room(text, text_or_capacity, table.memory.largest_block)
    layout = Layout(table, text, room, room * text.size, source=source)
    alignment = _alignment(align, text)
    clear = text.size if data is None else 0  # empty, whatever the options say
    return allocate_ref(  # type: ignore[no-any-return]
        string_ref_class(True), layout, text.unit, data, site, alignment, clear
    )


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
    table = layout.table
    block: Block | None = None
    try:
        block = made = table.allocate(layout, unit, data, site, alignment)
        if clear:
            table.memory.fill(made[1], clear)
        return _own(cls, made)
    except BaseException:
        if block is not None and table.is_live(block):
            table.release(block, site)
        raise


def _own(cls: Any, block: Block) -> Any:
    """The reference that owns a new block, or had none since it was dropped."""
    options = block[2].table.options
    ref: Any = make_ref(cls if options.track_allocations else cls._borrowed_class, block)
    if options.enable_garbage_collection:
        ref.__class__ = cls._borrowed_class
        ref._holder = Holder(block)
        block[2].table.holders[id(block)] = ref._holder
    return ref


def ref_of(block: Block) -> Any:
    """A further reference to a live block. Only the first one says that it was dropped."""
    _, _, layout, _, _ = block
    kind: Any = layout.kind
    if issubclass(kind, Text):
        cls = string_ref_class(False)
    else:
        cls = wrapping_scalar_ref(kind) if layout.count is None else array_ref_class(kind, False)
    ref = make_ref(cls, block)
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
    start = table.memory.check_extent(address, layout.byte_size, f"adopt of {layout.describe()}")
    check_aligned(start, alignment, f"an adopted {layout.describe()}")
    try:
        return _own(cls, transfer.adopt(table, layout, unit, start, site))
    except BaseException:  # an interrupt, or refused: it stays the other program's
        block = table.find(start)
        if block is not None and block[2] is layout:
            table.claim(block)
        raise


def scalar_allocator(
    table: BlockTable, scalar: type[Scalar[T]], depth: int = 1
) -> ScalarAllocator[T]:
    """A function ``allocate(initial=0)`` that makes references to new scalars, called by the
    user's program, or by a function of ours that is, at a `depth` of 2.

    With the default options it takes a spare block and writes the value in one step: this is
    where small allocations get their speed. Whatever is out of the ordinary, an empty list or a
    value that does not fit, goes the long way.
    """

    def allocate(initial: Any = None) -> ScalarRef[T]:
        return allocate_scalar(table, scalar, initial, None, caller_site())

    layout = table.scalar_layout(scalar)
    spare = layout.spare
    memory = table.memory
    if spare is None or not table.options.clear_allocated_regions:
        return allocate
    if isinstance(memory, WindowMemory) and memory.stable and not scalar.decodes:
        return _short_cut(layout, scalar, spare, memory, allocate, depth)
    return _indirect_short_cut(layout, scalar, spare, memory, allocate, depth)


def _short_cut(
    layout: Layout,
    scalar: type[Scalar[T]],
    spare: list[int],
    memory: WindowMemory,
    allocate_any: ScalarAllocator[T],
    depth: int,
) -> ScalarAllocator[T]:
    window = memory.typed_window(scalar.format)
    shift = scalar.size.bit_length() - 1
    blocks = layout.blocks
    encode = scalar.encode if scalar.encodes else None
    cls: Any = owning_scalar_ref(scalar)
    intern = shared_offset

    def allocate(initial: Any = 0) -> ScalarRef[T]:
        nonlocal window
        address = 0
        try:
            try:
                frame = current_frame(depth)
                address = spare.pop()
                # With an end the slice would cost a tenth of the allocation more.
                elements = window[address >> shift :]
                elements[0] = initial if encode is None else encode(initial)
            except (IndexError, ValueError, TypeError, OverflowError):
                # None is spare, the value does not fit, the block lies above the window (there the
                # slice is empty), or no Python function is the caller.
                if address:
                    spare.append(address)
            else:
                ref: ScalarRef[T] = cls()
                ref._elements = elements
                offset = frame.f_lasti
                if offset > 256:
                    offset = intern(offset, offset)
                ref._block = blocks[address] = (elements, address, layout, frame.f_code, offset)
                return ref
        except BaseException:  # an interrupt: nothing was allocated
            if address and address not in spare:
                blocks.pop(address, None)
                spare.append(address)
            raise
        made = allocate_any(initial)
        window = memory.typed_window(scalar.format)  # in case the memory has grown
        return made

    return allocate


def _indirect_short_cut(
    layout: Layout,
    scalar: type[Scalar[T]],
    spare: list[int],
    memory: Memory,
    allocate_any: ScalarAllocator[T],
    depth: int,
) -> ScalarAllocator[T]:
    write = memory.cached_writer(scalar)
    blocks = layout.blocks
    cls: Any = owning_scalar_ref(scalar)

    def allocate(initial: Any = 0) -> ScalarRef[T]:
        address = 0
        try:
            try:
                frame = current_frame(depth)
                address = spare.pop()
                write(address, initial)
                elements = memory.elements(scalar, address, 1)
            except (IndexError, HeapError, ValueError, TypeError, OverflowError):
                # None is spare, the value does not fit, or no Python function is the caller.
                if address:
                    spare.append(address)
            else:
                ref: ScalarRef[T] = cls()
                ref._elements = elements
                offset = shared_offset(frame.f_lasti, frame.f_lasti)
                ref._block = blocks[address] = (elements, address, layout, frame.f_code, offset)
                return ref
        except BaseException:  # an interrupt: nothing was allocated
            if address and address not in spare:
                blocks.pop(address, None)
                spare.append(address)
            raise
        return allocate_any(initial)

    return allocate
