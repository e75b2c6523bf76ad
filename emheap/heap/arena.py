"""Scopes: blocks that die together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, TypeAlias, TypeVar, overload

from emheap._util.free_each import raise_problems, try_each
from emheap._util.sites import Site, caller_site, describe_site
from emheap.allocators.chunks import ChunkAllocator
from emheap.blocks.table import BlockTable
from emheap.errors import NotAllocatedError, UseAfterFreeError
from emheap.heap import struct_verbs
from emheap.heap.flat_names import AllocNames
from emheap.refs import ArrayRef, HeapRef, ScalarRef, StringRef, make
from emheap.refs.pointer import Pointer
from emheap.refs.struct import Struct
from emheap.refs.struct_array import StructArrayRef
from emheap.types import Scalar, Text, Type

__all__ = ["Arena"]

T = TypeVar("T")
K = TypeVar("K")
P = ParamSpec("P")
S = TypeVar("S", bound=Struct)
StructValues: TypeAlias = "Iterable[S | tuple[Any, ...] | Mapping[str, Any]] | bytes | memoryview"
Ref = TypeVar("Ref", bound="HeapRef[Any]")
Item = TypeVar("Item", bound="HeapRef[Any] | Arena")


class Arena(AllocNames):
    """Allocates as its heap does, and frees all of it, last first, when its ``with`` block ends.

    Small blocks lie in chunks, so that many cost few calls of malloc: C must not free one. A
    block may be freed earlier by hand, or taken out by `keep`. One that a view is still using
    at the end stays live and belongs to the heap; a single BufferInUseError names all of those,
    and never hides an error of the body. Where freeing a block fails the others are freed first,
    then the error is raised. Arenas that were opened in it end with it.

    >>> import emheap
    >>> with emheap.open().arena() as scratch:
    ...     numbers = scratch.alloc_array(emheap.int16, [1, 2, 3])
    ...     total = scratch.alloc(emheap.int32, sum(numbers))
    ...     total.value
    6
    >>> numbers.is_freed
    True
    """

    _closed: Site | None = None
    _chunks: ChunkAllocator | None = None

    def __init__(self, table: BlockTable, site: Site) -> None:
        self._table = table
        self._opened: Site = site
        self._contents: dict[int, HeapRef[Any] | Arena] = {}
        """What dies with it, by id, oldest first."""
        if table.options.track_allocations and not table.allocator.needs_every_call:
            # Without a table, freeing by address could not tell a block in a chunk from others.
            self._chunks = ChunkAllocator(table.allocator)

    @overload
    def alloc(
        self, kind: type[Scalar[T]], initial: T | None = None, /, *, align: int | None = None
    ) -> ScalarRef[T]: ...
    @overload
    def alloc(
        self,
        kind: type[Text],
        text_or_capacity: str | int,
        /,
        *,
        align: int | None = None,
        errors: str = "strict",
    ) -> StringRef: ...
    @overload
    def alloc(
        self, kind: type[Pointer[K]], target: Any = None, /, *, align: int | None = None
    ) -> ScalarRef[Pointer[K]]: ...
    @overload
    def alloc(self, kind: type[S], value: S | None = None, /) -> S: ...
    @overload
    def alloc(self, kind: Callable[P, S], /, *args: P.args, **fields: P.kwargs) -> S: ...
    def alloc(  # type: ignore[misc]  # the last overload has *args, for type checkers only
        self,
        kind: Any,
        initial: Any = None,
        /,
        *,
        align: int | None = None,
        errors: str = "strict",
        **fields: Any,
    ) -> Any:
        """A reference to a new number, string, structure or pointer, as `HeapManager.alloc` makes
        it."""
        self._check_open()
        site = caller_site()
        table, source = self._table, self._chunks
        if isinstance(kind, struct_verbs.COMPOUND):
            return self._keep(struct_verbs.alloc, table, kind, initial, fields, align, site, source)
        kind = struct_verbs.resolve(kind, Type, "int32 or utf8", table)
        if fields:
            raise TypeError(f"a new {kind.name} takes no {', '.join(fields)}")
        if issubclass(kind, Text):
            return self._keep(make.allocate_text, table, kind, initial, errors, align, site, source)
        return self._keep(make.allocate_scalar, table, kind, initial, align, site, source)

    @overload
    def alloc_array(
        self,
        kind: type[Scalar[T]],
        count_or_values: int | Iterable[T],
        /,
        *,
        align: int | None = None,
    ) -> ArrayRef[T]: ...
    @overload
    def alloc_array(
        self, kind: type[S], count_or_values: int | StructValues[S], /
    ) -> StructArrayRef[S]: ...
    @overload
    def alloc_array(
        self,
        kind: type[Pointer[K]],
        count_or_values: int | Iterable[Any],
        /,
        *,
        align: int | None = None,
    ) -> ArrayRef[Pointer[K]]: ...
    def alloc_array(self, kind: Any, count_or_values: Any, /, *, align: int | None = None) -> Any:
        """A reference to a new array, as `HeapManager.alloc_array` makes it."""
        self._check_open()
        site, source = caller_site(), self._chunks
        table = self._table
        if isinstance(kind, struct_verbs.COMPOUND):
            return self._keep(
                struct_verbs.alloc_array, table, kind, count_or_values, align, site, source
            )
        scalar = struct_verbs.resolve(kind, Scalar, "float32", table)
        return self._keep(make.allocate_array, table, scalar, count_or_values, align, site, source)

    def _scalar_allocator(self, scalar: type[Scalar[T]]) -> make.ScalarAllocator[T]:
        def allocate(initial: T | None = None) -> ScalarRef[T]:
            return self.alloc(scalar, initial)

        return allocate

    def arena(self) -> Arena:
        """A scope inside this one, which ends with this one at the latest."""
        self._check_open()
        return self._keep(Arena, self._table, caller_site())

    def keep(self, ref: Ref) -> Ref:
        """Let a block outlive the arena: from now on it is freed like any other of the heap.

        The chunk that it lies in stays as long. Raises NotAllocatedError if the block is not of
        this arena, or was freed.
        """
        self._check_open()
        found = self._contents.get(id(ref))
        if found is None or isinstance(found, Arena) or found is not ref or found.is_freed:
            raise NotAllocatedError(
                f"{ref!r} is no live block of the arena opened at {describe_site(self._opened)}; "
                "keep what this arena allocated, by the reference that it returned"
            )
        del self._contents[id(ref)]
        return ref

    def _keep(self, make: Callable[..., Item], *arguments: Any) -> Item:
        """What ``make(*arguments)`` gives, which dies with the arena."""
        item: Item | None = None
        try:
            item = make(*arguments)
            self._contents[id(item)] = item
            return item
        except BaseException:  # an interrupt, or there was no room
            if item is not None:
                self._contents.pop(id(item), None)
                if not isinstance(item, Arena):
                    item._free_at(self._opened)
            raise

    def _check_open(self) -> None:
        if self._closed is not None:
            raise UseAfterFreeError(
                f"the arena opened at {describe_site(self._opened)} was closed at "
                f"{describe_site(self._closed)}; allocate within its with block"
            )

    def __enter__(self) -> Arena:
        self._check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._check_open()
        problems = self._close(caller_site())
        where = f"at the end of the arena opened at {describe_site(self._opened)}: "
        raise_problems(problems, where, error)

    def _close(self, site: Site) -> list[Exception]:
        """Free everything; give what was raised by the blocks that stay, as those in use do."""
        problems: list[Exception] = []
        try:
            self._end_contents(site, problems)
        except BaseException:  # an interrupt: what was begun is done all the same
            self._end_contents(site, problems)
            raise
        return problems

    def _end_contents(self, site: Site, problems: list[Exception]) -> None:
        self._closed = site
        if self._chunks is not None:
            # Before the blocks: each chunk then goes back with its last block, the newest first.
            try_each([self._chunks], ChunkAllocator.close, problems)

        def end(item: HeapRef[Any] | Arena) -> None:
            if isinstance(item, Arena):
                if item._closed is None:
                    problems.extend(item._close(site))
            elif self._table.is_live(item._block):
                self._table.release(item._block, site)

        try_each(list(self._contents.values()), end, problems)
        self._contents.clear()

    def __del__(self) -> None:
        if self._chunks is not None and self._closed is None:
            self._chunks.close()  # an interrupt came before the end of the with block

    def __repr__(self) -> str:
        state = "open" if self._closed is None else "closed"
        return f"<Arena of {len(self._contents)} blocks, {state}>"
