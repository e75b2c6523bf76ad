"""Scopes: blocks that die together."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any, TypeVar, overload

from emheap import allocation
from emheap.blocks import BlockTable
from emheap.errors import BufferInUseError, UseAfterFreeError, add_note
from emheap.names import AllocNames
from emheap.refs import ArrayRef, HeapRef, ScalarRef, StringRef
from emheap.sites import Site, caller_site, describe_site
from emheap.types import Scalar, Text, Type, check_type

__all__ = ["Arena"]

T = TypeVar("T")
Ref = TypeVar("Ref", bound="HeapRef[Any]")


class Arena(AllocNames):
    """Allocates as its heap does, and frees all of it, last first, when its ``with`` block ends.

    A block may be freed earlier by hand. One that a view is still using at the end stays live,
    and a single BufferInUseError names all of those; it never hides an error of the body.

    >>> import emheap
    >>> with emheap.open().arena() as scratch:
    ...     numbers = scratch.alloc_array(emheap.int16, [1, 2, 3])
    ...     total = scratch.alloc(emheap.int32, sum(numbers))
    ...     total.value
    6
    >>> numbers.is_freed
    True
    """

    def __init__(self, table: BlockTable, site: Site) -> None:
        self._table = table
        self._opened: Site = site
        self._closed: Site | None = None
        self._refs: list[HeapRef[Any]] = []

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
    def alloc(
        self,
        kind: type[Type[Any]],
        initial: Any = None,
        /,
        *,
        align: int | None = None,
        errors: str = "strict",
    ) -> Any:
        """A reference to a new number or string, as `HeapManager.alloc` makes it."""
        self._check_open()
        check_type(kind, Type, "int32 or utf8")
        site = caller_site()
        if issubclass(kind, Text):
            ref = allocation.allocate_text(self._table, kind, initial, errors, align, site)
            return self._keep(ref)
        scalar: Any = kind
        return self._keep(allocation.allocate_scalar(self._table, scalar, initial, align, site))

    def alloc_array(
        self,
        kind: type[Scalar[T]],
        count_or_values: int | Iterable[T],
        /,
        *,
        align: int | None = None,
    ) -> ArrayRef[T]:
        """A reference to a new array, as `HeapManager.alloc_array` makes it."""
        self._check_open()
        check_type(kind, Scalar, "float32")
        site = caller_site()
        return self._keep(
            allocation.allocate_array(self._table, kind, count_or_values, align, site)
        )

    def _scalar_allocator(self, scalar: type[Scalar[T]]) -> allocation.ScalarAllocator[T]:
        def allocate(initial: T | None = None) -> ScalarRef[T]:
            return self.alloc(scalar, initial)

        return allocate

    def arena(self) -> Arena:
        """A scope inside this one; it must end before this one does."""
        self._check_open()
        return Arena(self._table, caller_site())

    def _keep(self, ref: Ref) -> Ref:
        self._refs.append(ref)
        return ref

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
        self._closed = site = caller_site()
        in_use = []
        while self._refs:
            ref = self._refs.pop()  # held until its block is freed: a dropped one would warn
            block = ref._block
            if not self._table.is_live(block):
                continue
            try:
                self._table.release(block, site)
            except BufferInUseError as failure:
                in_use.append(str(failure))
        if not in_use:
            return
        message = f"at the end of an arena: {'; '.join(in_use)}"
        if error is None:
            raise BufferInUseError(message)
        add_note(error, f"and then, {message}")

    def __repr__(self) -> str:
        state = "open" if self._closed is None else "closed"
        return f"<Arena of {len(self._refs)} blocks, {state}>"
