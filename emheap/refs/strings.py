"""Several strings in one block: C's ``char **``, with the text behind the pointers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import TypeVar

from emheap._util.messages import raise_at
from emheap._util.sites import Site
from emheap.allocators.base import Allocator
from emheap.blocks.block import Layout, describe_block
from emheap.blocks.table import BlockTable
from emheap.errors import HeapError, NotSupportedError
from emheap.refs import make
from emheap.refs.array import ArrayRef
from emheap.refs.lifetime import Owner
from emheap.types import Text, pointer32, pointer64
from emheap.types.arrays import encode_elements

__all__ = ["StringsRef", "access_at", "allocate_strings", "at_each"]

T = TypeVar("T")
U = TypeVar("U")


class StringsRef(ArrayRef[int]):
    """Pointers to null-terminated strings, which lie in the same block, and a null pointer after
    the last.

    >>> import emheap
    >>> heap = emheap.open()
    >>> with heap.alloc_strings(emheap.utf8, ["a", "bc"]) as names:
    ...     len(names), heap.read(emheap.utf8, names[1])
    (2, 'bc')
    """

    __slots__ = ()
    __hash__ = None

    def resize(self, count: int) -> None:
        """Not possible: the pointers point into the block, which would move."""
        raise NotSupportedError(
            f"{describe_block(self._block)} points to strings in itself and cannot be resized: "
            "allocate another with alloc_strings()"
        )

    def detach(self) -> int:
        """As `HeapRef.detach`; the pointers follow the block where that has to be copied."""
        table: BlockTable = self._block[2].table
        before, unit, pointers = self.address, self._unit, self[:]
        after = super().detach()
        if after != before:
            moved = [pointer + after - before if pointer else 0 for pointer in pointers]
            table.memory.write_bytes(after, encode_elements(unit, moved))
        return after


class OwningStringsRef(Owner, StringsRef):
    __slots__ = ()
    __hash__ = None


def _encode_each(text: type[Text], texts: Iterable[str], errors: str) -> list[bytes]:
    """The bytes of texts, each with its terminator; an error names the index."""
    if isinstance(texts, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"several strings are an iterable of str, not a {type(texts).__name__}")
    values = list(texts)
    try:
        if text.size == 1:
            codec = text.codec
            encoded = [str.encode(value, codec, errors) + b"\0" for value in values]
            if b"".join(encoded).count(0) == len(encoded):
                return encoded
    except (TypeError, ValueError):
        pass  # the error is to name the index
    return at_each(values, lambda value: text.encode(value, errors))


def at_each(items: Iterable[T], access: Callable[[T], U]) -> list[U]:
    """``access(item)`` for each item; an error names the index."""
    found: list[U] = []
    for item in items:
        found.append(access_at(len(found), item, access))
    return found


def access_at(index: int, item: T, access: Callable[[T], U]) -> U:
    """``access(item)``; an error names the index."""
    try:
        return access(item)
    except (HeapError, TypeError, UnicodeEncodeError, UnicodeDecodeError) as error:
        raise_at(error, f"element {index}")


def allocate_strings(
    table: BlockTable,
    text: type[Text],
    texts: Iterable[str],
    errors: str,
    site: Site,
    source: Allocator | None,
) -> StringsRef:
    """A reference to a block of pointers and of the strings that they point to."""
    encoded = _encode_each(text, texts, errors)
    pointer = pointer32 if table.memory.pointer_size == 4 else pointer64
    count = len(encoded)
    head = (count + 1) * pointer.size
    data = bytes(head) + b"".join(encoded)
    layout = Layout(table, pointer, count, len(data), source=source)
    ref = make.allocate_ref(
        OwningStringsRef, layout, pointer, data, site, max(pointer.size, text.alignment)
    )
    starts = list(accumulate(map(len, encoded), initial=ref.address + head))
    ref[:] = starts[:-1]
    return ref  # type: ignore[no-any-return]
