"""References to null-terminated strings."""

from __future__ import annotations

from typing import Any

from emheap._util.checks import check_count
from emheap._util.sites import caller_site
from emheap.blocks.block import describe_block
from emheap.errors import CapacityError
from emheap.refs.base import SingleRef
from emheap.refs.lifetime import Owner
from emheap.refs.resize import resize
from emheap.types import Scalar, Text, uint8

__all__ = ["StringRef", "string_ref_class"]


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
        CapacityError, UnicodeEncodeError, ValueError for a null character, TypeError.
        """
        return self.read()

    @value.setter
    def value(self, text: str) -> None:
        self.write(text)

    def read(self, errors: str = "strict") -> str:
        """`value`, with the error handling of ``bytes.decode``."""
        count = self.encoded_element_count
        data = self._memory.read_bytes(self.address, count * self._text.size)
        return self._text.decode(data, errors)

    def write(self, text: str, errors: str = "strict") -> None:
        """Set `value`, with the error handling of ``str.encode``."""
        self._check_alive()
        data = self._text.encode(text, errors)
        needed = len(data) // self._text.size - 1
        capacity = self.capacity
        if capacity is None:
            # Nobody said how much room there is; what is there now has room for sure.
            capacity = self.encoded_element_count
        if needed > capacity:
            raise CapacityError(
                f"{needed} elements do not fit {describe_block(self._block)}, "
                f"which has room for {capacity} and the terminator"
            )
        self._memory.write_bytes(self.address, data)

    def __str__(self) -> str:
        return self.read()

    def resize(self, capacity: int) -> None:
        """Give the string room for `capacity` elements and the terminator; the text stays.

        As `ArrayRef.resize`; besides, raises CapacityError if the text would not fit.
        """
        room = string_room(self._text, capacity, self._memory.largest_block)
        needed = self.encoded_element_count
        if needed >= room:
            raise CapacityError(
                f"{describe_block(self._block)} cannot be resized to {room - 1} elements: its text "
                f"has {needed}; shorten that first"
            )
        resize(self, room, self._unit, caller_site())

    # Its encoded form

    @property
    def encoded_element_count(self) -> int:
        """The elements before the terminator. Scans for it: O(length)."""
        self._check_alive()
        return self._memory.count_elements(self.address, self._text.size, self.capacity)

    @property
    def encoded_byte_length(self) -> int:
        """The bytes before the terminator. Scans for it: O(length)."""
        return self.encoded_element_count * self._text.size

    @property
    def encoded_elements_view(self) -> memoryview:
        """A view of the elements before the terminator, as ``B``, ``H`` or ``I``."""
        return self._lend(self._unit, self.encoded_element_count).view  # type: ignore[no-any-return]

    @property
    def encoded_bytes_view(self) -> memoryview:
        """A view of the bytes before the terminator."""
        return self._lend(uint8, self.encoded_byte_length).view  # type: ignore[no-any-return]

    @property
    def allocated_byte_size(self) -> int:
        """The bytes of the block with the terminator's; of the text now, if room is unknown."""
        if self._block[2].count is None:
            return self.encoded_byte_length + self._text.size
        return self._block[2].byte_size

    def _content(self) -> str:
        return repr(self.read("replace"))


class OwningStringRef(Owner, StringRef):
    __slots__ = ()


StringRef._borrowed_class = StringRef


def string_ref_class(owning: bool) -> Any:
    """The class of a reference to a string."""
    return OwningStringRef if owning else StringRef


def string_room(text: type[Text], capacity: Any, limit: int) -> int:
    """The elements that a string of `capacity` takes in memory, with its terminator."""
    return check_count(capacity, "capacity", text.size, limit - text.size) + 1
