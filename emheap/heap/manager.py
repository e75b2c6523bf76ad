"""HeapManager: the methods of a heap. It puts memory, allocator, types and lifetimes together."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from emheap._util.checks import check_integer
from emheap._util.free_each import raise_problems
from emheap._util.messages import count_of
from emheap._util.sites import caller_site, describe_site
from emheap.allocators.base import Allocator
from emheap.allocators.wrapping import CheckedAllocator, checked
from emheap.blocks.options import Options
from emheap.blocks.table import BlockTable
from emheap.errors import NotAllocatedError, NotSupportedError
from emheap.heap.alloc_verbs import AllocVerbs
from emheap.heap.bulk import BulkVerbs
from emheap.heap.diagnosis_verbs import DiagnosisVerbs
from emheap.heap.flat_names import FlatNames
from emheap.heap.text_verbs import TextAllocVerbs, TextVerbs
from emheap.memories.base import Memory
from emheap.refs import ArrayRef, HeapRef, ScalarRef, StringRef, make
from emheap.refs.existing import existing_refs
from emheap.refs.wrapping import array_viewer
from emheap.types import Scalar, Text, Type, check_type
from emheap.types.base import Compound

if TYPE_CHECKING:
    from emheap.calls.library import Library
    from emheap.calls.linker import Linker
    from emheap.calls.traps import CallState
    from emheap.heap.arena import Arena
    from emheap.heap.bulk import Place
    from emheap.refs.places import Places
    from emheap.refs.pointer import Pointer
    from emheap.refs.struct import Like, Struct
    from emheap.refs.struct_array import StructArrayRef
    from emheap.types.structs import StructLayout

__all__ = ["HeapManager"]

T = TypeVar("T")
L = TypeVar("L", bound="Library")
K = TypeVar("K")
P = ParamSpec("P")
S = TypeVar("S", bound="Struct")


class HeapManager(AllocVerbs, TextAllocVerbs, TextVerbs, BulkVerbs, DiagnosisVerbs, FlatNames):
    """A heap: one memory, one allocator, and every block that is live on it.

    Heaps are opened by :func:`emheap.open` and the other functions of this package that return
    one. The generic verbs below take a type; the flat names (``read_int32``,
    ``alloc_float64_array`` ...) are bound to the same code and are the fastest way to a raw
    address. Addresses and sizes are in bytes, counts in elements.

    >>> import emheap
    >>> heap = emheap.open()
    >>> with heap.alloc(emheap.int32, 7) as number:
    ...     heap.write(emheap.int32, number.address, 8)
    ...     heap.read_int32(number.address), number.value
    (8, 8)
    """

    def __init__(
        self,
        memory: Memory,
        allocator: Allocator,
        options: Options,
        open_linker: Callable[[Any], Linker] | None = None,
    ) -> None:
        open_table: Callable[..., BlockTable] = BlockTable
        allocator = checked(allocator, memory.pointer_size)
        if options.debug:
            from emheap.diagnosis.debug_heap import GuardedTable, guard

            open_table, allocator = GuardedTable, guard(memory, allocator, options)
        if options.count_allocations:
            allocator = _counting(allocator)
        super().__init__(open_table(memory, allocator, options))
        self._table.open_places = _open_places
        self._memory = self._table.raw_memory
        self._open_linker = open_linker
        self._viewers: dict[Any, Callable[[Any, int], Any]] = {}
        """What `view` calls for a type of numbers."""
        self._calls: CallState | None = None
        """What the libraries on this heap share."""

    # Raw addresses

    @overload
    def read(self, kind: type[Scalar[T]], address: Place, /) -> T: ...
    @overload
    def read(
        self,
        kind: type[Text],
        address: Place,
        /,
        max_elements: int | None = None,
        errors: str = "strict",
    ) -> str: ...
    @overload
    def read(
        self, kind: type[S], address: Place | Pointer[S], /, *, tail: int | None = None
    ) -> S: ...
    @overload
    def read(self, kind: type[Pointer[K]], address: Place, /) -> Pointer[K]: ...
    def read(self, kind: Any, address: Any, /, *limits: Any, **options: Any) -> Any:
        """The number, the null-terminated string, the pointer or a copy of the structure at an
        address.

        The scan for the terminator stops after `max_elements`, or where the memory ends. A
        structure that ends with a flexible array is copied with `tail` elements, or with as many
        as it was allocated with, if it is a block of this heap.
        Raises OutOfBoundsError, NullPointerError, TypeError, MisalignedError for wide strings and
        structures, and for strings UnterminatedStringError, UnicodeDecodeError; for a reference
        given as the address also UseAfterFreeError, NotAllocatedError if it is another heap's.
        """
        if isinstance(kind, Compound):
            from emheap.heap import struct_verbs

            return struct_verbs.read(self._table, kind, address, *limits, **options)
        check_type(kind, Type, "int32 or utf8")
        if issubclass(kind, Text):
            return self._memory.cached_text_reader(kind)(address, *limits, **options)
        if limits or options:
            raise TypeError(f"reading {kind.name} takes an address and nothing else")
        return self._memory.cached_reader(kind)(address)

    @overload
    def write(self, kind: type[Scalar[T]], address: Place, value: T, /) -> None: ...
    @overload
    def write(
        self,
        kind: type[Text],
        address: Place,
        value: str,
        /,
        capacity: int | None = None,
        errors: str = "strict",
    ) -> int: ...
    @overload
    def write(self, kind: type[S], address: Place | Pointer[S], value: Like[S], /) -> None: ...
    @overload
    def write(
        self, kind: type[S], address: Place | Pointer[S], value: tuple[Any, ...], /
    ) -> None: ...
    @overload
    def write(self, kind: type[Pointer[K]], address: Place, value: Any, /) -> None: ...
    def write(
        self, kind: Any, address: Any, value: Any, /, *limits: Any, **options: Any
    ) -> int | None:
        """Store a number, a string with its terminator, a pointer or a whole structure at an
        address.

        A string gives the number of elements written before the terminator; `capacity` is how
        many may be. Everything is checked before the first byte is written.
        Raises OutOfBoundsError, NullPointerError, OverflowError, TypeError, MisalignedError for
        wide strings and structures, and for strings CapacityError, EmbeddedNullError,
        UnicodeEncodeError. A reference given as the address raises UseAfterFreeError if it was
        freed, NotAllocatedError if it is another heap's.
        """
        if isinstance(kind, Compound):
            from emheap.heap import struct_verbs

            struct_verbs.write(self._table, kind, address, value, *limits, **options)
            return None
        check_type(kind, Type, "int32 or utf8")
        if issubclass(kind, Text):
            return self._memory.cached_text_writer(kind)(address, value, *limits, **options)
        if limits or options:
            raise TypeError(f"writing {kind.name} takes an address, a value and nothing else")
        self._memory.cached_writer(kind)(address, value)
        return None

    def view(self, kind: type[Scalar[T]], address: Place, count: int, /) -> memoryview[T]:
        """A writable view of `count` elements at an address, with no copy.

        If it lies on a live block it ends when that is freed; a slice, a cast or an array made of
        it keeps the block from being freed. Raises OutOfBoundsError, NullPointerError,
        MisalignedError, and OverflowError or TypeError for a bad count.
        """
        view = self._viewers.get(kind)
        if view is None:
            scalar: type[Scalar[Any]] = make.resolve(kind, Scalar, "float64", self._table)
            view = self._viewers[kind] = array_viewer(self._table, scalar)
        return view(address, count)  # type: ignore[no-any-return]

    def get_element_count_of_null_terminated_string(
        self, address: Place, bytes_per_element: int, max_elements: int | None = None
    ) -> int:
        """The elements, of 1, 2 or 4 bytes, before the terminator of a string."""
        width = check_integer(bytes_per_element, "bytes_per_element")
        if width not in (1, 2, 4):
            raise ValueError(f"bytes_per_element must be 1, 2 or 4, got {width}")
        return self._memory.count_elements(address, width, max_elements)

    # Wrapping what other code allocated

    @overload
    def wrap(self, kind: type[Scalar[T]], address: Place, /) -> ScalarRef[T]: ...
    @overload
    def wrap(
        self, kind: type[Text], address: Place, /, capacity: int | None = None
    ) -> StringRef: ...
    @overload
    def wrap(
        self, kind: type[S], address: Place | Pointer[S], /, *, tail: int | None = None
    ) -> S: ...
    @overload
    def wrap(self, kind: type[Pointer[K]], address: Place, /) -> ScalarRef[Pointer[K]]: ...
    def wrap(self, kind: Any, address: Any, /, *capacity: Any, **named: Any) -> Any:
        """A borrowed reference to a number, a string, a structure or a pointer that exists already.
        Freeing it is its owner's business.

        If it lies on a block of this heap it ends with that block. A string without `capacity`
        can grow no longer than it is; a structure that ends with a flexible array has `tail`
        elements in it, or as many as it was allocated with, if it is a block of this heap. Raises
        OutOfBoundsError, NullPointerError, TypeError, for strings and structures MisalignedError.
        """
        if isinstance(kind, Compound):
            from emheap.heap import struct_verbs

            return struct_verbs.wrap(self._table, kind, address, *capacity, **named)
        kind = make.resolve(kind, Type, "int32 or utf8", self._table)
        if issubclass(kind, Text):
            return _wrap_text(self._table, kind, address, *capacity, **named)
        if capacity or named:
            raise TypeError(f"wrapping {kind.name} takes an address and nothing else")
        scalar: Any = kind
        return make.wrap_scalar(self._table, scalar, address)

    @overload
    def wrap_array(self, kind: type[Scalar[T]], address: Place, count: int, /) -> ArrayRef[T]: ...
    @overload
    def wrap_array(
        self,
        kind: type[S],
        address: Place | Pointer[S],
        count: int,
        /,
        *,
        stride: int | None = None,
    ) -> StructArrayRef[S]: ...
    @overload
    def wrap_array(
        self, kind: type[Pointer[K]], address: Place, count: int, /
    ) -> ArrayRef[Pointer[K]]: ...
    def wrap_array(
        self, kind: Any, address: Any, count: int, /, *, stride: int | None = None
    ) -> Any:
        """A borrowed reference to `count` elements that exist already.

        Structures may lie `stride` bytes apart, where a C program puts more behind each. Raises
        OutOfBoundsError, NullPointerError, MisalignedError, OverflowError or TypeError for a bad
        count, ValueError for a bad stride.
        """
        if stride is not None or isinstance(kind, Compound):
            from emheap.heap import struct_verbs

            return struct_verbs.wrap_array(self._table, kind, address, count, stride)
        scalar = make.resolve(kind, Scalar, "float32", self._table)
        return make.wrap_array(self._table, scalar, address, count)

    @overload
    def adopt(
        self,
        kind: type[Scalar[T]],
        address: int,
        count: None = None,
        free: Callable[[int], Any] | None = None,
    ) -> ScalarRef[T]: ...
    @overload
    def adopt(
        self,
        kind: type[Scalar[T]],
        address: int,
        count: int,
        free: Callable[[int], Any] | None = None,
    ) -> ArrayRef[T]: ...
    @overload
    def adopt(
        self,
        kind: type[Text],
        address: int,
        count: int | None = None,
        free: Callable[[int], Any] | None = None,
    ) -> StringRef: ...
    @overload
    def adopt(
        self,
        kind: type[S],
        address: int | Pointer[S],
        count: None = None,
        free: Callable[[int], Any] | None = None,
        *,
        tail: int | None = None,
    ) -> S: ...
    @overload
    def adopt(
        self,
        kind: type[S],
        address: int | Pointer[S],
        count: int,
        free: Callable[[int], Any] | None = None,
    ) -> StructArrayRef[S]: ...
    @overload
    def adopt(
        self,
        kind: type[Pointer[K]],
        address: int,
        count: None = None,
        free: Callable[[int], Any] | None = None,
    ) -> ScalarRef[Pointer[K]]: ...
    @overload
    def adopt(
        self,
        kind: type[Pointer[K]],
        address: int,
        count: int,
        free: Callable[[int], Any] | None = None,
    ) -> ArrayRef[Pointer[K]]: ...
    def adopt(
        self,
        kind: Any,
        address: Any,
        count: int | None = None,
        free: Callable[[int], Any] | None = None,
        *,
        tail: int | None = None,
    ) -> Any:
        """A reference that owns what C allocated in this memory: one number, structure or pointer,
        `count` elements, or a string with room for `count` elements (as many as it has now, if that
        is None). A structure that ends with a flexible array has `tail` elements in it.

        It is freed by ``free(address)``, or as the heap's own allocator does. What lies inside of a
        live block of this heap needs a function of its own to free it; if that block is freed
        first, what was adopted ends with it, and the function is not called.

        Raises AlreadyOwnedError for a live block of this heap, OutOfBoundsError,
        NullPointerError, MisalignedError, TypeError, OverflowError for a bad count.
        """
        if tail is not None or isinstance(kind, Compound):
            from emheap.heap import struct_verbs

            return struct_verbs.adopt(self._table, kind, address, count, free, tail, caller_site())
        own = make.resolve(kind, Type, "int32 or utf8", self._table)
        return make.adopt(self._table, own, address, count, free, caller_site())

    # Freeing

    def free(self, ref_or_address: HeapRef[Any] | int, /) -> None:
        """Free a block by its reference or its address, as a pointer of ctypes or cffi perhaps.

        Raises DoubleFreeError, NotAllocatedError for what this heap did not allocate,
        NullPointerError for address 0 and None, TypeError, and BufferInUseError while views of the
        block are in use.
        """
        if isinstance(ref_or_address, HeapRef):
            _, _, layout, _, _ = ref_or_address._block
            if layout.table is not self._table:
                raise NotAllocatedError(
                    f"{ref_or_address!r} belongs to another heap ({layout.table.memory.name}); "
                    "free it there"
                )
            if not ref_or_address._free_pooled(2):
                ref_or_address._free_at(caller_site())
            return
        address = ref_or_address
        if type(address) is not int:
            address = self._table.memory.address_of(address, "the address to free")
        self._table.release_address(address, caller_site())

    def free_all(self) -> None:
        """Free every live block: the scalars, then arrays and strings, each kind last first.

        Blocks with views in use stay, and one BufferInUseError at the end names them. Where
        freeing a block fails otherwise, the others are freed first, then its error is raised.
        Raises NotSupportedError on a heap with ``track_allocations=False``.
        """
        self._check_tracking("free_all()")
        raise_problems(self._table.release_all(list(self._table), caller_site()), "", None)

    def close(self) -> None:
        """Free every live block, and let go of the memory: what the heap keeps for later blocks
        goes back to the allocator, and the owner of a buffer can close it.

        Then references are freed, arenas are closed, and whatever is asked of the heap raises
        UseAfterFreeError, but for `close` itself, which does nothing, and `is_closed`. A heap that
        does not track its blocks leaves them to their references.

        Where views are in use, of blocks or of addresses, one BufferInUseError names them, and the
        heap stays open with their blocks. At the end of ``with heap:`` it stays open too: its
        blocks are freed, and no more.

        >>> import emheap
        >>> heap = emheap.wrap_buffer(bytearray(1024))
        >>> number = heap.alloc(emheap.int32, 7)
        >>> heap.close()
        >>> number.is_freed, heap.is_closed
        (True, True)
        >>> heap.alloc(emheap.int32)
        Traceback (most recent call last):
        emheap.errors.UseAfterFreeError: the heap of the buffer was closed at ...
        """
        table, site = self._table, caller_site()
        problems = table.close(site)
        where = f"at the end of the heap of {table.memory.name}: "
        if table.closed_at is None:
            raise_problems(problems, f"the heap of {table.memory.name} is not closed: ", None)
        if self._calls is not None:
            why = f"the heap was closed at {describe_site(site)}"
            self._calls.close(why, "bind it to another heap, or close this one later")
        # Functions that were left here would be found before the class is asked.
        heap: Any = self
        heap.__dict__.clear()
        heap._table = table
        heap.__class__ = _ClosedHeap
        table.release_memory()
        raise_problems(problems, where, None)

    @property
    def is_closed(self) -> bool:
        """Whether `close` has closed the heap."""
        return False

    def arena(self) -> Arena:
        """A scope: ``with heap.arena() as scratch:`` frees at its end what it allocated."""
        from emheap.heap.arena import Arena

        return Arena(self._table, caller_site())

    def __enter__(self) -> HeapManager:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Free every live block, if the heap keeps track of them and was not closed. An exception
        from the body takes precedence."""
        # Of the class at the start, though `close` has changed it meanwhile.
        if not self.is_closed and self._table.options.track_allocations:
            problems = self._table.release_all(list(self._table), caller_site())
            raise_problems(problems, "at the end of the heap: ", error)

    # Calling C

    def library(self, library: type[L], source: Any = None, /) -> L:
        """The functions that a `Library` class declares, found in `source` and ready to be called.

        On a heap of this process `source` is the path or the name of a shared library, a
        ``ctypes.CDLL``, or None for the program itself and its C library. On the heap of a module
        it may be left out.

        Raises NotSupportedError where a function is missing, or is another one than is declared
        as far as that can be known, TypeError for a declaration that C cannot have, and OSError
        for a shared library that cannot be loaded.
        """
        from emheap.calls.library import bind_library

        if self._open_linker is None:
            raise NotSupportedError(
                f"{self._memory.name} has no code whose functions could be called: open the heap "
                "of a module, or of this process"
            )
        return bind_library(library, self, self._open_linker(source))

    # What there is

    @property
    def allocated_heap_refs(self) -> list[HeapRef[Any]]:
        """A reference for each live block: the one that the program holds, or a new one.

        The table of blocks holds no references, so they are looked for among all objects.
        """
        self._check_tracking("allocated_heap_refs")
        living = {
            id(candidate._block): candidate
            for candidate in existing_refs()
            # Those that have one are parts of a block.
            if not hasattr(candidate, "_parent") and hasattr(candidate, "_block")
        }
        return [living.get(id(block)) or self._table.places.ref_of(block) for block in self._table]

    @property
    def total_allocated_byte_size(self) -> int:
        """The bytes of all live blocks, without what alignment and the allocator add."""
        self._check_tracking("total_allocated_byte_size")
        return self._table.total_byte_size

    @property
    def memory(self) -> Memory:
        """The memory that this heap is in. A debug heap does not see what is done to it directly,
        until it looks for damage."""
        return self._table.memory

    @property
    def allocator(self) -> Allocator:
        """The allocator that this heap's blocks come from."""
        allocator = self._table.allocator
        return allocator.checks if isinstance(allocator, CheckedAllocator) else allocator

    @property
    def options(self) -> Options:
        """The options the heap was opened with."""
        return self._table.options

    @property
    def pointer_size(self) -> int:
        """The bytes of a pointer that programs in this memory use."""
        return self._memory.pointer_size

    def layout(self, structure: type[Struct], /) -> StructLayout:
        """How the C code in this memory lays out a structure: its size, its alignment, and where
        each field is. Printed, it shows the holes too.

        >>> import emheap
        >>> class Mixed(emheap.Struct):
        ...     tag: emheap.uint8
        ...     link: emheap.Pointer[emheap.uint8]
        >>> print(emheap.wrap_buffer(bytearray(64)).layout(Mixed))
        Mixed: 8 bytes, alignment 4, wasm32
           0     1  tag: uint8
           1     3  padding
           4     4  link: Pointer[uint8]
        """
        from emheap.types.structs import layout_of

        return layout_of(structure, self._memory.abi)

    def _check_tracking(self, what: str) -> None:
        if not self._table.options.track_allocations:
            raise NotSupportedError(
                f"{what} needs a table of live blocks; open the heap with track_allocations=True"
            )

    def __reduce__(self) -> Any:
        raise TypeError(
            f"a heap cannot be pickled or copied: {self._memory.name} is in this process; open it "
            "again there"
        )

    def __repr__(self) -> str:
        if not self._table.options.track_allocations:
            return f"<HeapManager on {self._memory.name}, not tracking>"
        return (
            f"<HeapManager on {self._memory.name}: "
            f"{count_of(self._table.block_count, 'block')}, "
            f"{count_of(self._table.total_byte_size, 'byte')}>"
        )


def _counting(allocator: Allocator) -> Allocator:
    from emheap.allocators.counting import CountingAllocator

    counts = isinstance(allocator, CountingAllocator)
    return allocator if counts else CountingAllocator(allocator)


def _open_places(table: BlockTable) -> Places:
    from emheap.refs.places import Places

    return Places(table)


class _ClosedHeap(HeapManager):
    """What a heap becomes when it is closed: an open one is not slowed down by asking."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("close", "is_closed") or name.startswith("__"):
            return super().__getattribute__(name)
        table: BlockTable = super().__getattribute__("_table")
        table.check_open()
        raise AttributeError(name)

    def close(self) -> None:
        pass

    @property
    def is_closed(self) -> bool:
        return True

    def __enter__(self) -> HeapManager:
        return self.arena  # type: ignore[return-value]  # which raises

    def __repr__(self) -> str:
        return "<HeapManager, closed>"


def _wrap_text(
    table: BlockTable, text: type[Text], address: Any, capacity: int | None = None
) -> StringRef:
    return make.wrap_text(table, text, address, capacity)
