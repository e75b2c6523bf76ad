"""References to null-terminated strings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from emheap._util.checks import check_count
from emheap._util.messages import count_of
from emheap._util.sites import caller_site
from emheap.blocks.block import Block, describe_block
from emheap.errors import CapacityError
from emheap.memories.base import Elements, Memory
from emheap.refs.base import SingleRef, as_bytes, as_elements
from emheap.refs.lifetime import Owner
from emheap.types import Scalar, Text, uint8

if TYPE_CHECKING:
    from emheap.refs.edit import Edit

__all__ = ["StringRef", "string_ref_class"]

_SMALL = 256
"""Up to so many bytes, copying all of a block costs less than looking for the terminator first."""


class StringRef(SingleRef[str]):
    """A null-terminated string on a heap, with the room it has.

    Capacity counts elements (bytes in ASCII and UTF-8, code units in UTF-16 and UTF-32) without
    the terminator, for which there is always room besides.

    >>> import emheap
    >>> name = emheap.open().alloc(emheap.utf8, "héllo")
    >>> name.value, name.encoded_byte_length, name.capacity
    ('héllo', 6, 6)
    >>> name.value = "hi"
    >>> str(name), name.allocated_byte_size
    ('hi', 7)
    >>> name.free()
    """

    __slots__ = ()

    @property
    def _text(self) -> type[Text]:
        return self._block[2].kind  # type: ignore[return-value]

    @property
    def _unit(self) -> type[Scalar[Any]]:
        return self._text.unit

    @property
    def capacity(self) -> int | None:
        """The most elements the string may have; None for a wrapped one of unknown room."""
        count = self._block[2].count
        return None if count is None else count - 1

    @property
    def bytes_per_element(self) -> int:
        """The bytes of one element: 1, 2 or 4."""
        return self._text.size

    # The text

    @property
    def value(self) -> str:
        """The text up to the terminator. Setting it checks everything first, then writes.

        Raises UnicodeDecodeError, UnterminatedStringError, UseAfterFreeError; setting it
        CapacityError, UnicodeEncodeError, EmbeddedNullError for a null character, TypeError.
        """
        return self.read()

    @value.setter
    def value(self, text: str) -> None:
        self.write(text)

    def read(self, errors: str = "strict") -> str:
        """`value`, with the error handling of ``bytes.decode``."""
        text = self._text
        elements, _, layout, _, _ = self._block
        if layout.count is not None and layout.byte_size <= _SMALL and type(elements) is memoryview:
            try:
                data = elements.tobytes()
            except ValueError:
                pass
            else:
                end = text.find_terminator(data)
                if end >= 0:
                    return text.decode(data[:end], errors)
        block, pinned = self._pin()
        try:
            count = block[2].count
            room = None if count is None else count - 1
            read = block[2].table.raw_memory.cached_text_reader(text)
            return read(block[1], room, errors)  # type: ignore[no-any-return]
        finally:
            pinned.release()

    def write(self, text: str, errors: str = "strict") -> None:
        """Set `value`, with the error handling of ``str.encode``."""
        data = self._text.encode(text, errors)
        needed = len(data) // self._text.size
        code: Any = self._unit.format
        numbers = data if code == "B" else memoryview(data).cast(code)
        if self._block[2].count is None:
            self._write_borrowed(data, needed)
        else:
            self._retry(lambda elements: self._store(elements, numbers, needed))

    def _store(self, elements: Elements, numbers: Any, needed: int) -> None:
        room = len(elements)
        if needed > room:
            raise self._too_long(needed - 1, room - 1)
        elements[:needed] = numbers

    def _write_borrowed(self, data: bytes, needed: int) -> None:
        block, pinned = self._pin()
        try:
            # Nobody said how much room there is; what is there now has room for sure.
            memory: Memory = block[2].table.raw_memory
            capacity = memory.count_elements(block[1], self._text.size)
            if needed > capacity + 1:
                raise self._too_long(needed - 1, capacity)
            memory.write_bytes(block[1], data)
        finally:
            pinned.release()

    def _too_long(self, needed: int, capacity: int) -> CapacityError:
        return CapacityError(
            f"{count_of(needed, 'element')} {'does' if needed == 1 else 'do'} not fit "
            f"{describe_block(self._block)}, which has room for "
            f"{capacity} and the terminator; shorten the text, or resize({needed}) a string that "
            "was allocated"
        )

    def __str__(self) -> str:
        return self.read()

    def __format__(self, specification: str) -> str:
        return format(self.read(), specification)

    def resize(self, capacity: int) -> None:
        """Give the string room for `capacity` elements and the terminator; the text stays.

        As `ArrayRef.resize`; besides, raises CapacityError if the text would not fit.
        """
        room = string_room(self._text, capacity, self._memory.largest_block)
        needed = self.encoded_element_count
        if needed >= room:
            raise CapacityError(
                f"{describe_block(self._block)} cannot be resized to "
                f"{count_of(room - 1, 'element')}: its text has {needed}; shorten that first"
            )
        from emheap.refs.resize import resize

        resize(self, room, self._unit, caller_site())

    if TYPE_CHECKING:

        def edit(self) -> Edit[int]:
            """As `HeapRef.edit`; only a type checker sees this one."""
            ...

    # Its encoded form

    @property
    def encoded_element_count(self) -> int:
        """The elements before the terminator. Scans for it: O(length)."""
        block, pinned = self._pin()
        try:
            return self._count_elements(block)
        finally:
            pinned.release()

    def _count_elements(self, block: Block) -> int:
        """The elements before the terminator of a block that is pinned."""
        _, address, layout, _, _ = block
        limit = None if layout.count is None else layout.count - 1
        return layout.table.raw_memory.count_elements(address, self._text.size, limit)  # type: ignore[no-any-return]

    @property
    def encoded_byte_length(self) -> int:
        """The bytes before the terminator. Scans for it: O(length)."""
        return self.encoded_element_count * self._text.size

    @property
    def encoded_elements_view(self) -> memoryview:
        """A view of the elements before the terminator, as ``B``, ``H`` or ``I``."""
        return self._view_text(self._unit, as_elements)

    @property
    def encoded_bytes_view(self) -> memoryview:
        """A view of the bytes before the terminator."""
        return self._view_text(uint8, as_bytes)

    def _view_text(
        self, unit: type[Scalar[Any]], shape: Callable[[memoryview, int], memoryview]
    ) -> memoryview:
        size = self.encoded_byte_length
        if not self._exports():
            return self._lend(unit, size // unit.size).view  # type: ignore[no-any-return]
        return self._view(lambda view, room: shape(view, min(size, room)), unit)

    @property
    def allocated_byte_size(self) -> int:
        """The bytes of the block with the terminator's; of the text now, if room is unknown."""
        if self._block[2].count is None:
            return self.encoded_byte_length + self._text.size
        return self._block[2].byte_size

    def _extent(self, block: Block) -> tuple[int, int]:
        if block[2].count is None:
            return block[1], (self._count_elements(block) + 1) * self._text.size
        return super()._extent(block)

    def _content(self) -> str:
        return repr(self.read("replace"))


class OwningStringRef(Owner, StringRef):
    __slots__ = ()


def string_ref_class(owning: bool) -> Any:
    """The class of a reference to a string."""
    return OwningStringRef if owning else StringRef


def string_room(text: type[Text], capacity: Any, limit: int) -> int:
    """The elements that a string of `capacity` takes in memory, with its terminator."""
    return check_count(capacity, "capacity", text.size, limit - text.size) + 1
