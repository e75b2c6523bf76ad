"""Verbs for text with a length, for several strings, and for several numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from emheap._util.checks import check_aligned, check_count
from emheap._util.messages import count_of
from emheap._util.pointers import Pinned, pin_of
from emheap._util.sites import caller_site
from emheap.blocks.table import BlockTable
from emheap.errors import CapacityError, HeapError, ShapeError
from emheap.memories.base import Memory
from emheap.refs import ArrayRef, make
from emheap.types import Scalar, Text, check_type, uint32, uint64
from emheap.types.arrays import decode_elements, stored_numbers

if TYPE_CHECKING:
    from emheap.heap.bulk import Place
    from emheap.refs.strings import StringsRef

__all__ = ["TextAllocVerbs", "TextVerbs"]

T = TypeVar("T")


class TextAllocVerbs:
    """The verbs that allocate text with a length, and several strings: a heap's and an arena's."""

    _table: BlockTable
    _region: Any
    """Where the blocks of an arena come from."""

    def _check_open(self) -> None:
        raise NotImplementedError

    def alloc_text(
        self, kind: type[Text], text: str, /, *, align: int | None = None, errors: str = "strict"
    ) -> ArrayRef[int]:
        """A reference to the encoded elements of a text, without a terminator: for functions that
        take a pointer and a length, which are ``ref.address`` and ``len(ref)``.

        >>> import emheap
        >>> with emheap.open().alloc_text(emheap.utf8, "héllo") as text:
        ...     len(text), bytes(text)
        (6, b'h\\xc3\\xa9llo')
        """
        self._check_open()
        own: type[Text] = check_type(kind, Text, "utf8")
        data = own.encode_counted(text, errors)
        count = len(data) // own.size
        return make.array_of(self._table, own.unit, count, data, align, caller_site(), self._region)

    def alloc_strings(
        self, kind: type[Text], texts: Iterable[str], /, *, errors: str = "strict"
    ) -> StringsRef:
        """A reference to an array of pointers to null-terminated strings, C's ``char **``.

        Pointers and strings are one block, so one ``free()`` ends all; after the last pointer
        there is a null one. Errors name the index of the text.

        >>> import emheap
        >>> heap = emheap.open()
        >>> with heap.alloc_strings(emheap.utf8, ["a", "bc"]) as names:
        ...     heap.read_strings(emheap.utf8, names.address)
        ['a', 'bc']
        """
        from emheap.refs.strings import allocate_strings

        self._check_open()
        own = check_type(kind, Text, "utf8")
        return allocate_strings(self._table, own, texts, errors, caller_site(), self._region)


class TextVerbs:
    """The verbs of a heap that read and write text with a length, and several values at once."""

    _memory: Memory

    def read_text(
        self, kind: type[Text], address: Place, length: int, /, errors: str = "strict"
    ) -> str:
        """The text of `length` elements at an address, null characters and all.

        What functions return as a pointer and a length, in Rust, Go, WASI or AssemblyScript.
        Raises OutOfBoundsError, MisalignedError, UnicodeDecodeError.
        """
        own: type[Text] = check_type(kind, Text, "utf8")
        count = check_count(length, "length", own.size, self._memory.largest_block)
        size = count * own.size
        with Pinned(address):
            start = self._memory.check_extent(address, size, f"read of {own.name}")
            check_aligned(start, own.alignment, f"a {own.name} string")
            data = self._memory.read_bytes(start, size) if size else b""
        return own.decode(data, errors)

    def write_text(
        self,
        kind: type[Text],
        address: Place,
        text: str,
        /,
        capacity: int | None = None,
        errors: str = "strict",
    ) -> int:
        """Store a text without a terminator; returns the number of its elements.

        `capacity` is how many may be. Everything is checked before the first byte is written.
        Raises OutOfBoundsError, MisalignedError, CapacityError, UnicodeEncodeError.
        """
        own: type[Text] = check_type(kind, Text, "utf8")
        data = own.encode_counted(text, errors)
        count = len(data) // own.size
        if capacity is not None:
            room = check_count(capacity, "capacity", own.size, self._memory.largest_block)
            if count > room:
                elements = f"{count_of(count, 'element')} of {own.name}"
                raise CapacityError(
                    f"{elements} {'does' if count == 1 else 'do'} not fit the capacity of {room}; "
                    "shorten the text, or give it more room"
                )
        with Pinned(address):
            start = self._memory.check_extent(address, len(data), f"write of {own.name}")
            check_aligned(start, own.alignment, f"a {own.name} string")
            if data:
                self._memory.write_bytes(start, data)
        return count

    # Several at once

    def read_strings(
        self,
        kind: type[Text],
        address: Place,
        /,
        count: int | None = None,
        errors: str = "strict",
    ) -> list[str]:
        """The null-terminated strings that `count` pointers at an address point to; all up to a
        null pointer, if `count` is None. Errors name the index.

        Raises NullPointerError for a null pointer among `count`, and what `read` raises.
        """
        own: type[Text] = check_type(kind, Text, "utf8")
        memory = self._memory
        pointer: Any = uint32 if memory.pointer_size == 4 else uint64
        if count is not None:
            count = check_count(count, "count", pointer.size, memory.largest_block)
        with Pinned(address):
            if count is None:
                count = memory.count_elements(address, pointer.size)
            size = count * pointer.size
            start = memory.check_extent(address, size, "read of pointers")
            data = memory.read_bytes(start, size) if size else b""
            addresses: list[int] = decode_elements(pointer, data)
            try:
                return memory.read_texts(own, addresses, errors)
            except (HeapError, UnicodeError, MemoryError):
                from emheap.refs.strings import at_each

                read = memory.cached_text_reader(own)
                return at_each(addresses, lambda each: read(each, None, errors))

    def read_many(self, kind: type[Scalar[T]], addresses: Iterable[int], /) -> list[T]:
        """The numbers at several addresses, wherever they are. An error names the index."""
        own: type[Scalar[T]] = check_type(kind, Scalar, "int32")
        places = addresses if type(addresses) is list else list(addresses)
        try:
            return self._memory.read_many(own, places)
        except (HeapError, TypeError):
            pass  # outside of the handler an error has no other one as its context
        from emheap.refs.strings import at_each

        return at_each(places, self._memory.cached_reader(own))

    def write_many(
        self, kind: type[Scalar[T]], addresses: Iterable[int], values: Iterable[T], /
    ) -> None:
        """Store a number at each of several addresses. An error names the index, and then nothing
        was written.

        Raises ShapeError where there are not as many values as addresses.
        """
        from emheap.refs.strings import access_at, at_each

        own: type[Scalar[T]] = check_type(kind, Scalar, "int32")
        encode = self._memory.encoder(own)
        numbers = decode_elements(own, memoryview(stored_numbers(own, values, encode)).cast("B"))
        places = list(addresses)
        if len(places) != len(numbers):
            takes = "address takes" if len(places) == 1 else "addresses take"
            raise ShapeError(
                f"{len(places)} {takes} as many values, not {len(numbers)}: nothing was written"
            )
        memory = self._memory
        what = f"write of {own.name}"
        starts = at_each(places, lambda place: memory.check_extent(place, own.size, what))
        write = memory.cached_writer(own)
        pins: list[Any] = []
        try:
            for index, place in enumerate(places):
                # An address after it may have run the user's code, which frees or resizes a block.
                pinned = None if type(place) is int else access_at(index, place, pin_of)
                if pinned is not None:
                    pins.append(pinned)
                    starts[index] = memory.check_extent(place, own.size, what)
            for start, number in zip(starts, numbers, strict=True):
                write(start, number)
        finally:
            for pinned in pins:
                pinned.release()
