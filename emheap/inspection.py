"""Hexdumps: the bytes of a heap, with the blocks that they belong to and the values they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from emheap.diagnosis import DiagnosisVerbs
from emheap.refs import HeapRef

if TYPE_CHECKING:
    from emheap.markup import Printout

__all__ = ["hexdump"]


@overload
def hexdump(place: HeapRef[Any], /, *, length: int | None = None) -> Printout: ...
@overload
def hexdump(place: DiagnosisVerbs, address: int, length: int, /) -> Printout: ...
def hexdump(place: Any, /, *extent: int, length: int | None = None) -> Printout:
    """The bytes of a reference, or `length` bytes from an address of a heap, as text.

    Each run of bytes stands under the block that it belongs to, live or freed, with the values
    that they hold beside it. Of a reference the first 4096 bytes are shown, or `length`. Raises
    UseAfterFreeError, OutOfBoundsError, TypeError. A debug heap is shown as it is, red zones
    and all.

    >>> import emheap
    >>> heap = emheap.wrap_buffer(bytearray(100))
    >>> with heap.alloc_array(emheap.int16, [1, -2, 3]) as numbers:
    ...     print(emheap.hexdump(heap, numbers.address, 8))
    the int16 array of 6 bytes at 0x10, allocated at ...
      0x10  01 00 fe ff 03 00                                 |......|  1 -2 3
    no known block
      0x16  00 00                                             |..|
    """
    from emheap.dumps import dump_extent, dump_ref

    if isinstance(place, HeapRef):
        if extent:
            raise TypeError("hexdump() of a reference takes length= and nothing else")
        return dump_ref(place, length)
    if not isinstance(place, DiagnosisVerbs) or len(extent) != 2 or length is not None:
        raise TypeError("hexdump() takes a reference, or a heap, an address and a length")
    return dump_extent(place._table, *extent)
