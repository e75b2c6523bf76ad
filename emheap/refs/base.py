"""What all references have in common: a block, its address, its life."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from emheap._util.messages import add_note, count_of, format_address
from emheap._util.platform import HAS_GIL
from emheap._util.released import is_released
from emheap._util.sites import Site, caller_site, current_frame
from emheap.blocks.block import Block
from emheap.blocks.kept_exports import CLEARS_EXPORTED, keep_exported
from emheap.blocks.table import BlockTable
from emheap.errors import HeapError, NotAllocatedError, OutOfBoundsError
from emheap.memories.base import Elements, Loan, Memory
from emheap.memories.elements import Pin, exported_view, pin, stored_in
from emheap.memories.window import empty_elements
from emheap.refs.lifetime import Holder, Owner
from emheap.types import Scalar, Type, uint8

if TYPE_CHECKING:
    from emheap.refs.edit import Edit

__all__ = ["HeapRef", "SingleRef", "as_bytes", "as_elements", "describe"]

T = TypeVar("T")
Self = TypeVar("Self", bound="HeapRef[Any]")
_PUBLIC = ("ScalarRef", "ArrayRef", "StringRef", "StringsRef", "StructArrayRef")


class HeapRef(Generic[T]):
    """A typed reference to bytes on a heap.

    It *owns* its block if the heap allocated it, and *borrows* it if it was wrapped around an
    address; only an owned block can be freed through it. References are made by a heap's methods.
    """

    __slots__ = ("_block", "_elements", "_holder")

    _block: Block
    _elements: Elements
    _holder: Holder

    _borrowed_class: ClassVar[Any]
    """The class of a reference that owns nothing: the one that users see."""

    def __init_subclass__(cls, *, abstract: bool = False) -> None:
        super().__init_subclass__()
        if not abstract and not issubclass(cls, Owner):
            cls._borrowed_class = cls
        # Messages name the class that users know, whatever its variants are called.
        public = [base.__name__ for base in cls.__mro__ if base.__name__ in _PUBLIC]
        if public:
            cls.__name__ = cls.__qualname__ = public[0]

    def __init__(self) -> None:
        raise TypeError(
            f"{type(self).__name__} objects are made by a heap: use heap.alloc() or heap.wrap()"
        )

    # Where and what

    @property
    def address(self) -> int:
        """The address of the first byte; it stays readable after the block was freed."""
        return self._block[1]

    @property
    def kind(self) -> type[Type[T]]:
        """The type of the value, or of the elements."""
        return self._block[2].kind

    @property
    def allocated_byte_size(self) -> int:
        """The bytes of the block, without what alignment and the allocator add."""
        return self._block[2].byte_size

    @property
    def is_freed(self) -> bool:
        """Whether the block was freed, by whatever path."""
        return is_released(self._elements) and not self._find_again()

    @property
    def is_not_freed(self) -> bool:
        """The opposite of `is_freed`."""
        return not self.is_freed

    @property
    def _table(self) -> BlockTable:
        return self._block[2].table  # type: ignore[no-any-return]

    @property
    def _memory(self) -> Memory:
        return self._table.raw_memory

    @property
    def _unit(self) -> type[Scalar[Any]]:
        """The type of what lies in the block, one element at a time."""
        return self._block[2].kind  # type: ignore[return-value]

    # Its bytes

    @property
    def allocated_bytes_view(self) -> memoryview:
        """A writable view of all bytes of the block, format ``B``.

        It ends when the block is freed; a slice, a cast or an array made of it keeps the block
        from being freed. Raises UseAfterFreeError.
        """
        return self._view_bytes()

    @property
    def js_view(self) -> Any:
        """A JavaScript typed array on the same bytes, with no copy; only where JavaScript is.

        Each use makes a new one, because a typed array dies when its memory grows. JavaScript
        cannot be kept from using it after the block was freed.
        Raises NotSupportedError elsewhere, UseAfterFreeError.
        """
        block, pinned = self._pin()
        try:
            unit = self._unit
            address, size = self._extent(block)
            return self._memory.js_view(unit, address, size // unit.size)
        finally:
            pinned.release()

    def edit(self) -> Edit[Any]:
        """``with ref.edit() as buffer:`` works on the elements as on any buffer.

        Where views are memoryviews, `buffer` is one. Elsewhere it is a copy, fetched and stored
        back in one step each: changes reach the heap when the block ends, and not at all if it
        ends by an error; what others store there meanwhile is lost.
        Raises UseAfterFreeError, also at the end; then BufferInUseError if a slice of a copy is
        still in use, for what was stored there later would be lost.
        """
        from emheap.refs.edit import Edit

        return Edit(self)

    def clear(self) -> None:
        """Set every byte to 0. Raises UseAfterFreeError."""
        block, pinned = self._pin()
        try:
            block[2].table.raw_memory.fill(*self._extent(block))
        finally:
            pinned.release()

    def __bytes__(self) -> bytes:
        """A copy of the bytes of the block."""
        block, pinned = self._pin()
        try:
            memory: Memory = block[2].table.raw_memory
            return memory.read_bytes(*self._extent(block))
        finally:
            pinned.release()

    def _extent(self, block: Block) -> tuple[int, int]:
        """The address and the bytes of what is referred to, in a block that is pinned."""
        return block[1], block[2].byte_size

    # How its bytes are reached. Whatever may run the user's code, or let another thread run, comes
    # first: indices, values, codecs. Then `self._block` is looked at, once, for `resize` replaces
    # it; and its elements are used in one step, or pinned. An address that was read before is
    # worth nothing: by now it may be another block's.

    def _pin(self) -> tuple[Block, Pin]:
        """The block, and what keeps it from being freed until its ``release()``."""
        while True:
            block = self._block
            try:
                return block, pin(block[0])
            except ValueError:
                self._check_lost(block)

    def _check_lost(self, block: Block) -> None:
        """Raise UseAfterFreeError, unless there is another block to try since `block` ended."""
        if self._block is block and not self._find_again():
            raise block[2].table.use_after_free(block) from None

    def _latest_block(self) -> Block:
        """The block, or what stands for it, if its freeing failed half way."""
        if is_released(self._elements):
            self._find_again()
        return self._block

    def _find_again(self) -> bool:
        """Refer to the block that stands for this one, if its freeing failed half way."""
        block = self._block
        revived = block[2].table.revival_of(block)
        if revived is not None:
            self._hold(revived)
        return revived is not None

    def _is_gone(self, block: Block) -> bool:
        """Whether a block was freed, or what it borrows, for one that was looked at before."""
        layout = block[2]
        return is_released(block[0]) if layout.borrowed else not layout.table.is_live(block)

    def _check_alive(self) -> None:
        if is_released(self._elements):
            self._check_lost(self._block)

    def _encode(self, value: Any) -> Any:
        """The number to store for a value. Of two mistakes a use after free is the worse."""
        try:
            return self._memory.encode(self._unit, value)
        except (TypeError, ValueError, OverflowError):
            self._check_alive()
            raise

    def _retry(self, operation: Callable[[Elements], Any]) -> Any:
        """``operation(elements)``, which is one step, on the elements of the latest block."""
        while True:
            block = self._block
            try:
                return operation(block[0])
            except ValueError:
                if not is_released(block[0]):
                    raise
                self._check_lost(block)

    # Views

    def _view_elements(self) -> memoryview:
        """A view of what is stored, one element at a time."""
        return self._view(as_elements)

    def _view_bytes(self) -> memoryview:
        """A view of the bytes of the block."""
        return self._view(as_bytes, uint8)

    def __buffer__(self, flags: int) -> memoryview:
        """The elements as a buffer, from Python 3.12 on: ``memoryview(ref)``."""
        if not self._memory.zero_copy:
            self._check_alive()
            raise TypeError(
                f"no buffer can share the bytes of {self._memory.name}: work on a copy with "
                "ref.edit(), which stores it back, or take bytes(ref)"
            )
        return self._view_elements() if self._unit.format else self._view_bytes()

    def _view_to_edit(self) -> memoryview:
        what = "buffer being edited"
        if not self._unit.format:
            return self._view(as_bytes, uint8, what)
        return self._view(as_elements, None, what)

    def _view(
        self,
        shape: Callable[[memoryview, int], memoryview],
        unit: type[Scalar[Any]] | None = None,
        what: str = "",
        *,
        recalled: bool = True,
    ) -> memoryview:
        """``shape(view, size)`` of a view of the elements stored, where Python can point at
        them; else, and of what is not ours, a view of as many elements of type `unit`."""
        while True:
            block = self._block
            elements, _, layout, _, _ = block
            stored = stored_in(elements)
            if stored is None or not self._exports():
                unit = unit or self._unit
                size = self.allocated_byte_size
                return self._lend(unit, size // unit.size, what or "view").view  # type: ignore[no-any-return]
            try:
                view = shape(exported_view(stored), layout.byte_size)
            except ValueError:
                self._check_lost(block)
                continue
            if CLEARS_EXPORTED and not layout.tracked:  # else its table keeps it
                keep_exported(stored)
            if what:
                layout.table.views.add_named(view, what, recalled=recalled)
            else:
                layout.table.views.add(view)
            return view

    def _exports(self) -> bool:
        """Whether views are exports of the elements: not where Python cannot point at them, where
        the block is another's, or where a view must keep a block from being collected."""
        elements, _, layout, _, _ = self._block
        collected = layout.table.options.enable_garbage_collection
        return not layout.borrowed and not collected and stored_in(elements) is not None

    def _lend(self, scalar: type[Scalar[Any]], count: int, what: str = "view") -> Loan[Any]:
        """A view of bytes that only the memory can point at, or that another owns."""
        self._check_alive()
        block = self._block
        _, address, layout, _, _ = block
        if not layout.borrowed:  # another thread may have resized it since the count was made
            count = min(count, layout.byte_size // scalar.size)
        loan: Loan[Any] = layout.table.memory.lend(scalar, address, count)
        layout.table.loans.add(address, count * scalar.size, loan, what)
        if self._is_gone(block):
            loan.view.release()  # another thread freed the block meanwhile, or resized it
            self._check_lost(block)
            return self._lend(scalar, count, what)
        holder = getattr(self, "_holder", None)  # only where garbage is collected
        if holder is not None and not layout.borrowed:
            holder.attach(loan.exporter)
        return loan

    # Its address, for others

    @property
    def _as_parameter_(self) -> Any:
        """What ctypes passes to a foreign function: a pointer. The block cannot be freed before
        the function has returned."""
        from emheap.refs.as_parameter import as_parameter

        return as_parameter(self)

    def _address_now(self) -> int:
        """The address of a live block, where a reference stands for it."""
        self._check_alive()
        return self.address

    def _javascript_number(self) -> int:
        """What this is where JavaScript wants a number."""
        return self._address_now()

    def _address_for(self, memory: Memory) -> int:
        """The same, as a pointer in a memory in which it must mean the same byte."""
        if memory.space is not self._memory.space:
            raise self._foreign()
        return self._address_now()

    def _address_within(self, memory: object, size: int = 0, what: str = "access") -> int:
        """The same, for a memory that must be this heap's, and `size` bytes that must lie here."""
        table = self._block[2].table
        if memory is not table.memory and memory is not table.raw_memory:
            raise self._foreign()
        address = self._address_now()
        if size and size > self._room():
            raise OutOfBoundsError(
                f"{what} of {count_of(size, 'byte')}: {self!r} has {self._room()}; allocate more, "
                "or access less"
            )
        return address

    def _room(self) -> int:
        """The bytes of what is referred to."""
        return self._extent(self._block)[1]

    def _foreign(self) -> NotAllocatedError:
        return NotAllocatedError(
            f"{self!r} is a reference of another heap ({self._memory.name}), and says nothing "
            "about this one's memory; use a reference of this heap, or an address in it"
        )

    # Its life

    def free(self) -> None:  # noqa: C901 (in one function: a call more costs a tenth)
        """Give the block back to the allocator.

        Raises DoubleFreeError if that was done before, NotAllocatedError for a wrapped reference
        and BufferInUseError while a slice, a cast or an array made of a view is still in use.
        """
        # What `_free_pooled` does, for the usual case: the call would cost a tenth more.
        block = self._block
        elements, address, layout, _, _ = block
        spare = layout.spare
        if spare is not None and len(spare) < layout.most_spare:
            try:
                frame = current_frame(1)
                if layout.tracked:
                    if elements and not layout.loans:
                        del layout.blocks[address]
                    else:
                        raise LookupError
                elif elements and not layout.loans:
                    pass
                else:
                    raise LookupError
            except (LookupError, ValueError, AttributeError):
                pass
            else:
                try:
                    elements.release()
                    layout.freed[address] = (block, frame.f_code, frame.f_lasti)
                    self.__class__ = self._borrowed_class
                    spare.append(address)
                    return
                except BufferError:
                    if layout.tracked:
                        layout.table.reenter(block)
                except MemoryError:
                    _settle(block, spare)
                    raise
        if not self._free_pooled(2):
            self._free_at(caller_site())

    def _free_pooled(self, depth: int) -> bool:  # noqa: C901 (as above)
        """Free a block that goes back to a list of free ones, in the common case.

        The user's program stands `depth` frames above.
        """
        block = self._block
        elements, address, layout, _, _ = block
        spare = layout.spare
        if spare is None or len(spare) >= layout.most_spare:
            return False
        try:
            frame = current_frame(depth)
            # Elements that are not released are those of the block in the table: looking that up
            # would cost a twentieth. From the look to the removal there is no call, and no jump
            # that is taken, at which CPython 3.10 lets another thread in, too.
            if layout.tracked:
                if elements and not layout.loans:
                    del layout.blocks[address]
                else:
                    return False
            elif elements and not layout.loans:
                pass
            else:
                return False
        except (LookupError, ValueError, AttributeError):
            return False  # freed, or no Python function is the caller: JavaScript, a new thread
        try:
            elements.release()
            layout.freed[address] = (block, frame.f_code, frame.f_lasti)
            self.__class__ = self._borrowed_class
            spare.append(address)
        except BufferError:  # a view is out, or another thread works on the bytes
            if layout.tracked:
                layout.table.reenter(block)
            return False
        except MemoryError:
            _settle(block, spare)
            raise
        return True

    def _free_at(self, site: Site) -> None:
        """Free the block, for the library's own verbs: they say where the user's program is."""
        block = self._latest_block()
        try:
            block[2].table.release(block, site)
        except Exception:
            self._latest_block()
            raise
        self._leave_owner()

    def _leave_owner(self) -> None:
        """Have no finalizer any more, for the block was freed."""
        # Without the interpreter's lock every other thread is stopped for a change of class. That
        # takes a thousand times as long as the finalizer, which finds that the block is gone.
        if HAS_GIL:
            self.__class__ = self._borrowed_class

    def detach(self) -> int:
        """Hand the block over, to C or to JavaScript; returns its address, and this heap frees it
        no more. The reference ends as if the block had been freed.

        A block that only this library could free (in an arena, or between the red zones of a
        debug heap) is copied first to one that the program's own free takes: use the address
        returned. ``heap.adopt()`` is the way back. Raises BufferInUseError while a view is in
        use, NotAllocatedError for a wrapped reference, NotSupportedError for an alignment that
        the program's own malloc does not give, UseAfterFreeError. An interrupt that keeps the
        address from being returned may lose the block.
        """
        from emheap.blocks import transfer

        return transfer.detach(self._latest_block(), caller_site())

    def _hold(self, block: Block) -> None:
        """Refer to another block."""
        holder = getattr(self, "_holder", None)  # only where garbage is collected
        if holder is not None:
            holder.follow(block)
        # The elements go last: a thread that sees the new ones sees the block, too.
        self._block, self._elements = block, block[0]

    def _copy_pointees(self, block: Block) -> None:
        """Let a block to which the contents of this one were copied know of its pointers."""

    def __enter__(self: Self) -> Self:
        self._check_alive()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Free the block, unless that was done. An exception from the body takes precedence."""
        if self._free_pooled(2) or self.is_freed or self._block[2].borrowed:
            return
        try:
            self._free_at(caller_site())
        except HeapError as failure:
            if error is None:
                raise
            add_note(error, f"and then, {failure}")

    def __copy__(self) -> Any:
        raise TypeError("a reference cannot be copied: there is only one block")

    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("a reference cannot be copied: there is only one block")

    def __reduce__(self) -> Any:
        raise TypeError("a reference cannot be pickled: its block is in this process's heap")

    # What it looks like

    def _content(self) -> str:
        """The value or the length, for `repr`."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return describe(self, f"{type(self)._borrowed_class.__name__} {self.kind.__name__}")

    def _repr_html_(self) -> str:
        from emheap.diagnosis.notebook import show_ref

        return show_ref(self)


def describe(ref: HeapRef[Any], name: str) -> str:
    """What `repr` gives for a reference of a kind with this name."""
    place = format_address(ref.address)
    if ref.is_freed:
        return f"<{name} at {place} freed>"
    layout = ref._block[2]
    mapped = layout.is_mapped(ref.address, ref.allocated_byte_size)
    try:
        content = f" {ref._content()}".rstrip() if mapped else " unreadable"
    except (HeapError, ValueError):  # a string that lost its terminator, say
        content = " unreadable"
    state = "borrowed" if layout.borrowed else "owned"
    if hasattr(ref, "_parent"):
        state = "inside a block"
    return f"<{name}{content} at {place} {state}>"


def _settle(block: Block, spare: list[int]) -> None:
    """After an error in the middle of freeing a block: it is free if its references have ended,
    and live if they have not."""
    elements, address, layout, _, _ = block
    if is_released(elements):
        spare.append(address)
    elif layout.tracked:
        layout.blocks[address] = block


class SingleRef(HeapRef[T]):
    """A reference to one value.

    It equals another that names the same place: the same heap, address and type.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SingleRef):
            return NotImplemented
        return self._place() == other._place()

    def __hash__(self) -> int:
        return hash(self._place())

    def _place(self) -> tuple[Any, ...]:
        _, address, layout, _, _ = self._block
        return id(layout.table), address, layout.kind


def as_elements(view: memoryview, size: int) -> memoryview:
    """The first `size` bytes of a view, as its elements."""
    # The elements of a number may go on to the end of the memory.
    return view if view.nbytes == size else view[: size // view.itemsize]


def as_bytes(view: memoryview, size: int) -> memoryview:
    """The first `size` bytes of a view."""
    return as_elements(view, size).cast("B") if size else empty_elements(uint8)
