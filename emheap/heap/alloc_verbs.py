"""The verbs that allocate: a heap's, and an arena's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar, overload

from emheap._util.sites import caller_site
from emheap.blocks.region import Region
from emheap.blocks.table import BlockTable
from emheap.heap.flat_names import AllocNames
from emheap.refs import ArrayRef, ScalarRef, StringRef, make
from emheap.refs.short_cuts import (
    ScalarAllocator,
    TextAllocator,
    scalar_allocator,
    small_allocator,
    text_allocator,
)
from emheap.types import Scalar, Text, Type, scalar_types, text_types, wide_types
from emheap.types.base import Compound

if TYPE_CHECKING:
    from emheap.refs.pointer import Pointer
    from emheap.refs.struct import Like, Struct
    from emheap.refs.struct_array import StructArrayRef
    from emheap.types.arrays import BufferLike

__all__ = ["AllocVerbs"]

T = TypeVar("T")
K = TypeVar("K")
P = ParamSpec("P")
S = TypeVar("S", bound="Struct")
StructValues: TypeAlias = "Iterable[Like[S] | tuple[Any, ...] | Mapping[str, Any]] | BufferLike"

_EVERYWHERE = frozenset((*scalar_types, *wide_types, *text_types))
"""The types that are the same in every memory."""


class AllocVerbs(AllocNames):
    """The verbs that allocate."""

    def __init__(self, table: BlockTable, region: Region | None = None) -> None:
        self._table = table
        self._region = region
        """Where the blocks of an arena come from."""
        self._allocators: dict[Any, Callable[[Any], Any]] = {}
        """What `alloc` calls for a number or a text with no alignment of its own."""
        self._struct_allocators: dict[Any, Callable[..., Any] | None] = {}
        """What `alloc` calls for a structure with some fields, where that can be quick."""
        self._small_array = small_allocator(table, Scalar, region)
        self._small_text = small_allocator(table, Text, region)

    def _check_open(self) -> None:
        """Raise UseAfterFreeError where nothing can be allocated any more."""

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
    def alloc(self, kind: type[S], value: Like[S] | None = None, /) -> S: ...
    @overload
    def alloc(self, kind: Callable[P, S], /, *args: P.args, **fields: P.kwargs) -> S: ...
    def alloc(  # type: ignore[misc]  # the last overload has *args, for type checkers only
        self, kind: Any, initial: Any = None, /, **options: Any
    ) -> Any:
        """A reference to a new number, string, structure or pointer.

        A number is 0 or `initial`. A string holds the text given, sized to fit, or is empty with
        room for as many elements as the int given. A structure has the fields given, or is like
        another one given, or is zeros. A pointer points to what is given, or is null. `align` is
        in bytes and a power of two.

        Raises OverflowError or TypeError for a value that does not fit, EmbeddedNullError or
        UnicodeEncodeError for such a text, OutOfMemoryError; then nothing was allocated.

        >>> import emheap
        >>> class Point(emheap.Struct):
        ...     x: emheap.int32
        ...     y: emheap.int32
        >>> with emheap.open().alloc(Point, x=1, y=2) as point:
        ...     point.to_tuple()
        (1, 2)
        """
        # Parameters with names would cost a call without them three times as much.
        if options:
            allocate = self._struct_allocators.get(kind)
            if allocate is not None and initial is None:
                return allocate(options)
        else:
            allocate = self._allocators.get(kind) or self._open_allocator(kind)
            if allocate is not None:
                return allocate(initial)
        return self._alloc_otherwise(kind, initial, options)

    def _open_allocator(self, kind: Any) -> Callable[[Any], Any] | None:
        """What `alloc` calls for a type from now on; None for structures and pointers."""
        if isinstance(kind, Compound):
            return None
        own: Any = kind
        if kind not in _EVERYWHERE:
            own = make.resolve(kind, Type, "int32 or utf8", self._table)
        text = issubclass(own, Text)
        made = self._text_allocator(own) if text else self._scalar_allocator(own, 2)
        self._allocators[kind] = made
        return made

    def _alloc_otherwise(self, kind: Any, initial: Any, options: dict[str, Any]) -> Any:
        self._check_open()
        if isinstance(kind, Compound):
            return self._alloc_compound(kind, initial, options)
        table = self._table
        own: Any = make.resolve(kind, Type, "int32 or utf8", table)
        align, errors = options.pop("align", None), options.pop("errors", "strict")
        if options:
            raise TypeError(f"a new {own.name} takes no {', '.join(options)}")
        if issubclass(own, Text):
            return self._alloc_text(own, initial, align, errors, 4)
        return make.allocate_scalar(table, own, initial, align, caller_site(), self._region)

    def _alloc_compound(self, kind: Any, initial: Any, options: dict[str, Any]) -> Any:
        from emheap.heap import struct_verbs

        table, site = self._table, caller_site()
        made = struct_verbs.alloc(table, kind, initial, options, site, self._region)
        if self._region is None and kind not in self._struct_allocators:
            self._struct_allocators[kind] = struct_verbs.allocator(table, kind)
        return made

    @overload
    def alloc_array(
        self,
        kind: type[Scalar[T]],
        count_or_values: int | Iterable[T] | BufferLike,
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
        """A reference to a new array: `count` zeros, or the elements of an iterable or a buffer.

        Raises OverflowError or TypeError naming the first element that does not fit, and
        OutOfMemoryError; then nothing was allocated.
        """
        if align is None and type(count_or_values) is int:
            ref = self._small_array(kind, count_or_values, None, 2)
            if ref is not None:
                return ref
        return self._alloc_array(kind, count_or_values, align, 3)

    def _alloc_array(self, kind: Any, count_or_values: Any, align: Any, depth: int) -> Any:
        self._check_open()
        table, region = self._table, self._region
        if isinstance(kind, Compound):
            from emheap.heap import struct_verbs

            return struct_verbs.alloc_array(
                table, kind, count_or_values, align, caller_site(), region
            )
        scalar = make.resolve(kind, Scalar, "float32", table)
        count, data = make.encode_array(table, scalar, count_or_values)
        ref = self._small_array(scalar, count, data, depth) if align is None else None
        if ref is None:
            ref = make.array_of(table, scalar, count, data, align, caller_site(), region)
        return ref

    def _text_allocator(self, text: type[Text]) -> TextAllocator:
        long_way = partial(self._alloc_text, text, align=None, errors="strict")
        if text.size > 1:
            return partial(long_way, depth=3)
        return text_allocator(self._table, text, partial(long_way, depth=4), self._region)

    def _alloc_text(
        self, text: type[Text], initial: Any, align: Any, errors: str, depth: int
    ) -> StringRef:
        self._check_open()
        table = self._table
        room, data = make.encode_text(table, text, initial, errors)
        ref = None
        if align is None and (data is not None or table.options.clear_allocated_regions):
            ref = self._small_text(text, room, data, depth)
        if ref is None:
            ref = make.text_of(table, text, room, data, align, caller_site(), self._region)
        return ref

    def _scalar_allocator(self, scalar: type[Scalar[T]], depth: int = 1) -> ScalarAllocator[T]:
        table, region = self._table, self._region

        def allocate(initial: Any = None) -> ScalarRef[T]:
            self._check_open()
            return make.allocate_scalar(table, scalar, initial, None, caller_site(), region)

        return scalar_allocator(table, scalar, allocate, depth, region)
