"""Small blocks in one step: this is where allocations get their speed.

Each function takes a spare block off its list, writes, and enters the block into its table, with no
other function of ours called. Every uncommon case, a value that does not fit or a block
above the window, goes the long way of :mod:`emheap.refs.make`.

The order is what makes them safe. What can fail comes before the block is taken or, once it is,
within a `try` that puts it back; entering it into the table is the last step and calls nothing. So
an interrupt may lose the block right after it was taken, and never lets two have it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

from emheap._util.sites import current_frame, shared_offset
from emheap.allocators.base import Allocator
from emheap.blocks.block import Layout
from emheap.blocks.put_back import put_back
from emheap.blocks.table import BlockTable
from emheap.memories.window import WindowMemory
from emheap.refs.classes import array_ref_class, owning_scalar_ref
from emheap.refs.lifetime import Holder, Owner
from emheap.refs.scalar import ScalarRef
from emheap.refs.string import StringRef, string_ref_class
from emheap.types import Scalar, Text, Type, WideInteger, check_type

__all__ = [
    "ScalarAllocator",
    "SmallAllocator",
    "TextAllocator",
    "scalar_allocator",
    "small_allocator",
    "text_allocator",
]

T = TypeVar("T")
ScalarAllocator = Callable[..., "ScalarRef[T]"]
SmallAllocator = Callable[[Any, int, "bytes | memoryview | None", int], Any]
TextAllocator = Callable[[Any], StringRef]

_SMALL = 1024
"""The most bytes of an array or a string that is made in one step."""
_UNUSUAL = (ValueError, TypeError, ArithmeticError, LookupError)
"""What is raised where no block is spare, a value does not fit, a block lies above the window, or
no Python function is the caller."""


def scalar_allocator(
    table: BlockTable,
    scalar: type[Scalar[T]],
    allocate_any: ScalarAllocator[T],
    depth: int = 1,
    source: Allocator | None = None,
) -> ScalarAllocator[T]:
    """A function ``allocate(initial=None)`` that makes references to new scalars, called by the
    user's program, or by a function of ours that is, at a `depth` of 2.

    `allocate_any` is the long way.
    """
    layout = table.layout_of(scalar, None, source) if source else table.scalar_layout(scalar)
    spare = layout.spare  # once, for an arena that another thread ends has none any more
    if spare is None or (source is not None and table.options.enable_garbage_collection):
        return allocate_any
    owning = table.options.track_allocations and source is None
    cls = owning_scalar_ref(scalar)
    if not owning or table.options.enable_garbage_collection:
        cls = cls._borrowed_class
    memory = table.memory
    if isinstance(memory, WindowMemory) and memory.stable and not scalar.decodes:
        # Only a class that owns its block can be called; in an arena references do not.
        usual = owning and not scalar.encodes and not table.options.enable_garbage_collection
        make = _tracked if usual else _other
        return make(layout, spare, scalar, cls, memory, allocate_any, depth)
    return _indirect(layout, spare, scalar, cls, allocate_any, depth)


def _refilled(layout: Layout) -> int:
    """A block off a list that was empty; raises IndexError if there is no room for more."""
    spare = layout.spare
    if spare is None or not layout.source.refill(layout.byte_size or 1):
        raise IndexError
    return spare.pop()


def _tracked(  # noqa: C901 (in one function: a call more costs a tenth)
    layout: Layout,
    spare: list[int],
    scalar: type[Scalar[T]],
    cls: Any,
    memory: WindowMemory,
    allocate_any: ScalarAllocator[T],
    depth: int,
) -> ScalarAllocator[T]:
    """For numbers that are stored as they are, on heaps that track them."""
    window = memory.typed_window(scalar.format)
    shift = scalar.size.bit_length() - 1
    blocks = layout.blocks
    clears = layout.table.options.clear_allocated_regions
    default = 0 if clears else None

    def allocate(initial: Any = default) -> ScalarRef[T]:  # noqa: C901 (as above)
        nonlocal window
        try:
            frame = current_frame(depth)
            offset = frame.f_lasti
            if offset > 256:
                offset = shared_offset(offset, offset)
            ref: ScalarRef[T] = cls()
            try:
                address = spare.pop()
            except IndexError:
                address = _refilled(layout)
        except _UNUSUAL:
            pass  # outside of the handler an error has no other one as its context
        else:
            try:
                # With an end the slice would cost a tenth of the allocation more.
                elements = window[address >> shift :]
                if initial is not None:
                    elements[0] = initial
                    if layout.spare is None:  # the value's own __index__ has closed the heap
                        raise LookupError
                elif clears:
                    elements[0] = 0
                elif not elements:  # the block lies above the window
                    raise IndexError
                ref._elements = elements
                ref._block = blocks[address] = (elements, address, layout, frame.f_code, offset)
                return ref
            except _UNUSUAL:
                put_back(layout, spare, address)
            except BaseException:  # no memory, or whatever the value's own __index__ raises
                put_back(layout, spare, address)
                raise
            made = allocate_any(initial)
            window = memory.typed_window(scalar.format)  # in case the memory has grown
            return made
        return allocate_any(initial)

    return allocate


def _other(  # noqa: C901 (in one function: a call more costs a tenth)
    layout: Layout,
    spare: list[int],
    scalar: type[Scalar[T]],
    cls: Any,
    memory: WindowMemory,
    allocate_any: ScalarAllocator[T],
    depth: int,
) -> ScalarAllocator[T]:
    """With any options."""
    window = memory.typed_window(scalar.format)
    shift = scalar.size.bit_length() - 1
    blocks, tracked = layout.blocks, layout.tracked
    options, holders = layout.table.options, layout.table.holders
    collects = options.enable_garbage_collection
    default = 0 if options.clear_allocated_regions else None
    encodes = scalar.encodes
    encode = memory.encoder(scalar)
    # Calling the class is quicker, and only those that own a block can be called.
    new: Any = cls if issubclass(cls, Owner) else partial(object.__new__, cls)

    def allocate(initial: Any = default) -> ScalarRef[T]:  # noqa: C901 (in one function: a call more costs a tenth)
        nonlocal window
        try:
            frame = current_frame(depth)
            offset = frame.f_lasti
            if offset > 256:
                offset = shared_offset(offset, offset)
            if initial is None:
                initial = default
            elif encodes:
                initial = encode(initial)
            ref: ScalarRef[T] = new()
            try:
                address = spare.pop()
            except IndexError:
                address = _refilled(layout)
        except _UNUSUAL:
            pass  # outside of the handler an error has no other one as its context
        else:
            try:
                elements = window[address >> shift :]
                if initial is not None:
                    elements[0] = initial
                elif not elements:  # the block lies above the window
                    raise IndexError
                if layout.spare is None:  # the value's own __index__ has ended the arena
                    raise LookupError
                ref._elements = elements
                ref._block = block = (elements, address, layout, frame.f_code, offset)
                if collects:
                    ref._holder = holders[id(block)] = Holder(block)
                if tracked:
                    blocks[address] = block
                return ref
            except _UNUSUAL:
                put_back(layout, spare, address)
            except BaseException:
                put_back(layout, spare, address)
                raise
            made = allocate_any(initial)
            window = memory.typed_window(scalar.format)
            return made
        return allocate_any(initial)

    return allocate


def _indirect(  # noqa: C901 (in one function: a call more costs a tenth)
    layout: Layout,
    spare: list[int],
    scalar: type[Scalar[T]],
    cls: Any,
    allocate_any: ScalarAllocator[T],
    depth: int,
) -> ScalarAllocator[T]:
    """In a memory that may move, and for numbers that are decoded."""
    memory = layout.table.memory
    write = memory.cached_writer(scalar)
    options = layout.table.options
    blocks, clears = layout.blocks, options.clear_allocated_regions
    if options.enable_garbage_collection or not layout.tracked:
        return allocate_any

    def allocate(initial: Any = None) -> ScalarRef[T]:  # noqa: C901 (as above)
        try:
            frame = current_frame(depth)
            offset = shared_offset(frame.f_lasti, frame.f_lasti)
            ref: ScalarRef[T] = object.__new__(cls)
            try:
                address = spare.pop()
            except IndexError:
                address = _refilled(layout)
        except _UNUSUAL:
            pass  # outside of the handler an error has no other one as its context
        else:
            try:
                if initial is not None or clears:
                    write(address, 0 if initial is None else initial)
                if layout.spare is None:  # as above
                    raise LookupError
                elements = memory.elements(scalar, address, 1)
                ref._elements = elements
                ref._block = blocks[address] = (elements, address, layout, frame.f_code, offset)
            except _UNUSUAL:
                put_back(layout, spare, address)
            except BaseException:
                put_back(layout, spare, address)
                raise
            else:
                return ref
        return allocate_any(initial)

    return allocate


def small_allocator(  # noqa: C901 (in one function: a call more costs a tenth)
    table: BlockTable, base: type[Type[Any]], source: Allocator | None = None
) -> SmallAllocator:
    """A function ``allocate(kind, count, data, depth)`` that makes references to small arrays
    (where `base` is Scalar) or strings (Text). Without data they are zeros. The user's program
    stands `depth` frames above. It gives None where the long way must be taken.
    """
    memory = table.memory
    if not (isinstance(memory, WindowMemory) and _is_quick(table)):
        return lambda kind, count, data, depth: None
    window = memory.typed_window("B")
    clears = table.options.clear_allocated_regions
    known: dict[tuple[Any, int], Any] = {}

    def allocate(  # noqa: C901 (in one function: a call more costs a tenth)
        kind: Any, count: int, data: bytes | memoryview | None, depth: int
    ) -> Any:
        nonlocal window
        try:
            layout, spare, new, typed, shift, zeros, size = known[kind, count]
            frame = current_frame(depth)
            offset = frame.f_lasti
            if offset > 256:
                offset = shared_offset(offset, offset)
            ref = new()
            try:
                address = spare.pop()
            except IndexError:
                address = _refilled(layout)
        except _UNUSUAL:
            return allocate(kind, count, data, depth + 1) if learn(kind, count) else None
        try:
            start = address >> shift
            elements = typed[start : start + count]
            if data is not None:  # both raise ValueError where the block lies above the window
                window[address : address + size] = data
            elif clears:
                elements[:] = zeros
            elif len(elements) < count:
                raise IndexError
            ref._elements = elements
            block = (elements, address, layout, frame.f_code, offset)
            ref._block = layout.blocks[address] = block
        except _UNUSUAL:
            put_back(layout, spare, address)
        except BaseException:
            put_back(layout, spare, address)
            raise
        else:
            return ref
        window = memory.typed_window("B")  # in case the memory has grown
        known.clear()
        return None

    def learn(kind: Any, count: int) -> bool:
        """Find out what such blocks take; False where that is known, and did not do."""
        try:
            if (kind, count) in known:
                return False
            own = check_type(kind, base, "int32").for_abi(memory.abi)
            entry = _entry(table, memory, own, count, source)
        except _UNUSUAL:
            return False
        if len(known) > 4000:
            known.clear()
        known[kind, count] = entry
        return True

    return allocate


def text_allocator(  # noqa: C901 (in one function: a call more costs a tenth)
    table: BlockTable, text: type[Text], allocate_any: TextAllocator, source: Allocator | None
) -> TextAllocator:
    """A function ``allocate(text)`` that makes references to small strings whose elements are
    bytes, for `alloc` to call. `allocate_any` is the long way, and that of the first text of each
    length.
    """
    memory = table.memory
    if not (isinstance(memory, WindowMemory) and _is_quick(table)):
        return allocate_any
    known: dict[int, Any] = {}
    codec, is_usual = text.codec, text.codec == "utf-8"

    def allocate(initial: Any) -> StringRef:  # noqa: C901 (as above)
        count = 0
        try:
            # A null inside is for the long way to refuse.
            if type(initial) is not str or "\0" in initial:
                raise TypeError
            # To name the codec takes a fifth longer.
            data = (initial.encode() if is_usual else initial.encode(codec)) + b"\0"
            count = len(data)
            layout, spare, new, window, _, _, _ = known[count]
            frame = current_frame(2)
            offset = frame.f_lasti
            if offset > 256:
                offset = shared_offset(offset, offset)
            ref: StringRef = new()
            try:
                address = spare.pop()
            except IndexError:
                address = _refilled(layout)
        except _UNUSUAL:
            pass  # outside of the handler an error has no other one as its context
        else:
            try:
                elements = window[address : address + count]
                elements[:] = data  # raises ValueError where the block lies above the window
                ref._elements = elements
                block = (elements, address, layout, frame.f_code, offset)
                ref._block = layout.blocks[address] = block
                return ref
            except _UNUSUAL:
                put_back(layout, spare, address)
            except BaseException:
                put_back(layout, spare, address)
                raise
            known.clear()  # in case the memory has grown
        if 0 < count <= _SMALL and count not in known:
            # Now, for afterwards the block would be lost where there is no memory for it.
            known[count] = _entry(table, memory, text, count, source)
        return allocate_any(initial)

    return allocate


def _is_quick(table: BlockTable) -> bool:
    """Whether blocks of a heap that hold more than a number can be made in one step."""
    memory, options = table.memory, table.options
    steady = isinstance(memory, WindowMemory) and memory.stable
    return steady and not options.enable_garbage_collection and table.tracked


def _entry(
    table: BlockTable, memory: WindowMemory, kind: Any, count: int, source: Allocator | None
) -> tuple[Any, ...]:
    """What allocating `count` elements takes; an empty tuple where this way is not for them."""
    text = issubclass(kind, Text)
    unit: type[Scalar[Any]] = kind.unit if text else kind
    size = count * unit.size
    if not 0 < size <= _SMALL or unit.decodes or issubclass(unit, WideInteger):
        return ()
    layout = table.layout_of(kind, count, source)
    spare = layout.spare
    if spare is None or unit.alignment > layout.source.alignment:
        return ()
    new: Any = string_ref_class(True) if text else array_ref_class(kind, True)
    if source is not None:
        new = partial(object.__new__, new._borrowed_class)
    typed = memory.typed_window(unit.format)
    zeros = memoryview(bytes(size)).cast(cast(Any, unit.format))
    return layout, spare, new, typed, unit.size.bit_length() - 1, zeros, size
