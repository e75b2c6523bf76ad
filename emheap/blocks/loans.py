"""Views that are out: which bytes users can still reach, and through what.

Python tells when a memoryview, with all its slices, casts and numpy arrays, is gone: the object
that exports the buffer dies. A weak reference to it is all that is kept here. Counting exports
with ``__release_buffer__`` would say the same, but only from Python 3.12 on.
"""

from __future__ import annotations

import weakref
from _thread import RLock
from collections import deque
from collections.abc import Iterator
from typing import Any

from emheap.errors import BufferInUseError
from emheap.memories.base import Elements, Loan

__all__ = ["LoanTable"]

_PAGE_BITS = 12
_MANY_PAGES = 8
_LARGE = -1


class _Entry:
    """One view, or the elements of one wrapped reference, over bytes `start` to `end`."""

    __slots__ = ("end", "exporter", "start", "view", "what")

    def __init__(self, start: int, end: int, view: Any, exporter: Any, what: str) -> None:
        self.start = start
        self.end = end
        self.view = weakref.ref(view)
        self.exporter: Any = exporter
        self.what = what


class LoanTable:
    """The views that are out on one heap, found by the bytes they cover.

    Entries lie in buckets of one page, so that freeing a block looks at its neighbourhood only;
    an entry over many pages lies in a bucket of its own kind.
    """

    def __init__(self) -> None:
        self.buckets: dict[int, dict[int, _Entry]] = {}
        """Empty when nothing is out, but for entries that ended a moment ago."""
        self._ended: deque[tuple[list[int], _Entry]] = deque()
        self._lock = RLock()

    def add(self, start: int, size: int, loan: Loan[Any], what: str) -> None:
        """Remember a view handed to the user, until all that uses it is gone."""
        entry = _Entry(start, start + size, loan.view, None, what)
        keys = self._keys(start, start + size)
        entry.exporter = weakref.ref(loan.exporter, lambda _: self._drop(keys, entry))
        self._insert(keys, entry)

    def add_elements(self, start: int, size: int, elements: Elements) -> None:
        """Remember the elements of a wrapped reference: they die with the block under them."""
        entry = _Entry(start, start + size, elements, None, "wrapped reference")
        keys = self._keys(start, start + size)
        entry.view = weakref.ref(elements, lambda _: self._drop(keys, entry))
        self._insert(keys, entry)

    def recall(self, start: int, size: int, block: str) -> None:
        """Release the views on these bytes; raise BufferInUseError if something still uses one.

        Elements of wrapped references stay, for nothing was freed yet: see `end`.
        """
        in_use = []
        for entry in self._overlapping(start, start + size):
            if entry.exporter is None:
                continue
            view = entry.view()
            if view is not None:
                try:
                    view.release()
                except BufferError:
                    in_use.append(entry.what)
                    continue
                del view
            if entry.exporter() is not None:
                in_use.append(f"a slice or cast of a {entry.what}")
        if in_use:
            raise BufferInUseError(
                f"{block} is not freed: still in use: {', '.join(in_use)}; release or delete every "
                "slice, cast and array made of its views first"
            )

    def overlapping(self, start: int, size: int) -> list[_Entry]:
        """What is out on these bytes, for `end` to be called with once they are freed. By then
        they may be another block's, and what is out on that must stay."""
        return list(self._overlapping(start, start + size)) if self.buckets else []

    def end(self, entries: list[_Entry], block: str) -> None:
        """Release the elements of wrapped references on bytes that are about to be freed, and
        views that another thread took meanwhile. Raises BufferInUseError if one is in use."""
        for entry in entries:
            view = entry.view()
            if view is not None:
                try:
                    view.release()
                except BufferError:
                    raise BufferInUseError(
                        f"{block} is not freed: still in use: {entry.what}; free it when the call "
                        "that uses its bytes has returned"
                    ) from None

    def _keys(self, start: int, end: int) -> list[int]:
        first, last = start >> _PAGE_BITS, max(start, end - 1) >> _PAGE_BITS
        return [_LARGE] if last - first >= _MANY_PAGES else list(range(first, last + 1))

    def _insert(self, keys: list[int], entry: _Entry) -> None:
        for key in keys:
            self._insert_one(key, entry)
        self._sweep()

    def _insert_one(self, key: int, entry: _Entry) -> None:
        bucket: dict[int, _Entry] | None = None
        # The collector may end a view in between, and that take an empty bucket out of the table.
        while bucket is None or self.buckets.get(key) is not bucket:
            with self._lock:
                bucket = self.buckets.setdefault(key, {})
                bucket[id(entry)] = entry

    def _drop(self, keys: list[int], entry: _Entry) -> None:
        self._ended.append((keys, entry))
        self._sweep()

    def _sweep(self) -> None:
        """Take out the entries that ended. Waits for no other thread, for finalizers call this."""
        while self._ended and self._lock.acquire(blocking=False):
            try:
                self._take_out_all()
            finally:
                self._lock.release()

    def _take_out_all(self) -> None:
        try:
            while True:  # to ask whether there are any would help nothing: a finalizer may run then
                self._take_out(*self._ended.popleft())
        except IndexError:
            pass

    def _take_out(self, keys: list[int], entry: _Entry) -> None:
        for key in keys:
            bucket = self.buckets.get(key)
            if bucket is not None:
                bucket.pop(id(entry), None)
                if not bucket:
                    self.buckets.pop(key, None)

    def _overlapping(self, start: int, end: int) -> Iterator[_Entry]:
        self._sweep()
        first, last = start >> _PAGE_BITS, max(start, end - 1) >> _PAGE_BITS
        if last - first < len(self.buckets):
            keys: list[int] = [_LARGE, *range(first, last + 1)]
        else:
            keys = [key for key in list(self.buckets) if key == _LARGE or first <= key <= last]
        found: dict[int, _Entry] = {}
        for key in keys:
            found.update(self.buckets.get(key, {}))
        for entry in found.values():
            # An empty view on a block of no elements still names its address.
            if (entry.start < end and start < entry.end) or start == entry.start:
                yield entry

    def __len__(self) -> int:
        self._sweep()
        entries = {key for bucket in list(self.buckets.values()) for key in list(bucket)}
        return len(entries)
