"""What was lent by address: views of raw addresses, and references wrapped around them.

Nobody says which block such a view is on, so they are found by the bytes they cover. Python tells
when a memoryview, with all its slices, casts and numpy arrays, is gone: the object that exports
the buffer dies. Weak references to the two are all that is kept, and nothing is called when they
die: an entry is over when its references are dead, which is looked at when a block is freed.
"""

from __future__ import annotations

from collections.abc import Iterable
from sys import getrefcount
from typing import Any
from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

from emheap._util.locks import Locked
from emheap._util.released import is_released
from emheap.blocks.ended_views import end_view, has_ended, may_be_in_use, view_reference
from emheap.errors import BufferInUseError
from emheap.memories.base import Elements, Loan

__all__ = ["LoanTable"]

_PAGE_BITS = 12
_MANY_PAGES = 8
_LARGE = -1
_FEW = 256

_Entry = tuple[int, int, Any, Any, str]
"""Start, end, a weak reference to a view or to elements, what tells whether the view is in use
(None for elements, which die with the block under them), and what messages call it.

That is a weak reference to the exporter of the view, or a memoryview that the view is an export
of: then it can be released when the view, with all that was made of it, is gone.

Two take less time, and less memory, in a form of their own until they are put into buckets. Such a
view is entered as that memoryview, the address, a weak reference to the view, and what messages
call it. A wrapped number is entered as its block. It is over when nothing else refers to the
block; a build without the interpreter's lock does not count that, and enters none."""


class LoanTable(Locked):
    """What is lent by address on one heap.

    Freeing a block looks at its neighbourhood only: entries lie in buckets of one page, those over
    many pages in a bucket of their own.
    """

    def __init__(self) -> None:
        self.entries: list[Any] = []
        """All of them, and some that are over."""
        self.most = _FEW
        """How many there may be before those that are over are taken out."""
        self._buckets: dict[int, list[_Entry]] = {}
        """The first `_indexed` entries, by page."""
        self._indexed = 0
        self._looks = 0
        """How often blocks were freed since the entries that are over were last taken out."""

    def add(self, start: int, size: int, loan: Loan[Any], what: str) -> None:
        """Remember a view handed to the user, until all that uses it is gone."""
        view, exporter = view_reference(loan.view), WeakReference(loan.exporter)
        self.entries.append((start, start + size, view, exporter, what))
        if len(self.entries) > self.most:
            self.sweep()

    def add_elements(self, start: int, size: int, elements: Elements) -> None:
        """Remember the elements of a wrapped reference: they die with the block under them."""
        entry = (start, start + size, WeakReference(elements), None, "wrapped reference")
        self.entries.append(entry)
        if len(self.entries) > self.most:
            self.sweep()

    def recall(self, start: int, size: int, block: str) -> None:
        """Release the views on these bytes; raise BufferInUseError if something still uses one.

        Elements of wrapped references stay, for nothing was freed yet: see `end`.
        """
        in_use = self._recall(self.overlapping(start, size))
        if in_use:
            raise BufferInUseError(
                f"{block} is not freed: still in use: {', '.join(in_use)}; release or delete every "
                "slice, cast and array made of its views first"
            )

    def end_all(self) -> None:
        """Release all that is lent; raise BufferInUseError if something still uses one."""
        entries = list(map(_entry_of, self.entries))
        in_use = self._recall(entries)
        if in_use:
            raise BufferInUseError(
                f"still in use: {', '.join(in_use)}; release or delete every slice, cast and array "
                "made of these views first"
            )
        self.end(entries, "the heap")

    def _recall(self, entries: Iterable[_Entry]) -> list[str]:
        """Release views; gives what messages call those that are in use."""
        in_use = []
        for _, _, view_ref, exporter, what in entries:
            if exporter is None:
                continue
            view = view_ref()
            if view is not None:
                try:
                    end_view(view_ref, view)
                except BufferError:
                    in_use.append(what)
                    continue
                del view
            if _is_used(exporter):
                in_use.append(f"a slice or cast of a {what}")
        return in_use

    def end(self, entries: Iterable[_Entry], block: str) -> bool:
        """Release the elements of wrapped references on bytes that are about to be freed, and
        views that another thread took meanwhile; tells whether there was one that was not released
        before. Raises BufferInUseError if one is in use."""
        ended = False
        for _, _, view_ref, exporter, what in entries:
            view = view_ref()
            if view is not None and not (is_released(view) and has_ended(view_ref)):
                ended = True
                try:
                    if exporter is None:
                        view.release()
                    else:
                        end_view(view_ref, view)
                except BufferError:
                    raise BufferInUseError(
                        f"{block} is not freed: still in use: {what}; free it when the call that "
                        "uses its bytes has returned"
                    ) from None
        return ended

    def overlapping(self, start: int, size: int) -> list[_Entry]:
        """What is lent of these bytes."""
        if not self.entries:
            return []
        end = start + size
        with self._lock:
            self._looks += 1
            count = len(self.entries)
            # Where most are new, most of those are over, and need no bucket.
            if self._looks >= count or 2 * self._indexed < count:
                self.sweep()
            self._index()
            found = self._near(start, end)
        # An empty view on a block of no elements still names its address.
        return [
            entry for entry in found if (entry[0] < end and start < entry[1]) or start == entry[0]
        ]

    def _near(self, start: int, end: int) -> Iterable[_Entry]:
        """The entries in the buckets of these bytes, each once."""
        first, last = start >> _PAGE_BITS, max(start, end - 1) >> _PAGE_BITS
        if last - first < len(self._buckets):
            keys: list[int] = [_LARGE, *range(first, last + 1)]
        else:
            keys = [key for key in self._buckets if key == _LARGE or first <= key <= last]
        found = {id(entry): entry for key in keys for entry in self._buckets.get(key, ())}
        return found.values()

    def _index(self) -> None:
        """Put the latest entries into their buckets."""
        while self._indexed < len(self.entries):
            entry = _entry_of(self.entries[self._indexed])
            for key in _pages(entry):
                self._buckets.setdefault(key, []).append(entry)
            # Counted last: an interrupt before leaves it in a bucket twice, which does no harm.
            self._indexed += 1

    def sweep(self) -> None:
        """Take out what is over."""
        with self._lock:
            count = len(self.entries)  # another thread may add some meanwhile
            alive = _alive(self.entries[:count])
            # First no bucket, then fewer entries: an interrupt between the two loses none.
            self._buckets, self._indexed = {}, 0
            self.entries[:count] = alive
            self._looks, self.most = 0, 2 * len(alive) + _FEW

    def __len__(self) -> int:
        self.sweep()
        return len(self.entries)


def _entry_of(lent: Any) -> _Entry:
    """What is in the buckets for an entry, whichever form that has."""
    if type(lent[0]) is int:
        return lent  # type: ignore[no-any-return]
    if len(lent) == 4:
        elements, address, view, what = lent
        try:
            end = address + elements.nbytes
        except ValueError:  # it is over, and was looked at before
            end = address
        return address, end, view, elements, what
    elements, address, layout, _, _ = lent
    end = address + layout.byte_size
    return address, end, WeakReference(elements), None, "wrapped reference"


def _alive(entries: list[Any]) -> list[Any]:
    """Those that are not over, of a copy of the list that they are in."""
    for entry in [(object(),)]:
        alone = getrefcount(entry) + 1  # with the list that it was copied from
    alive = []
    for entry in entries:
        lent = entry[0]
        if type(lent) is int:
            exporter = entry[3]
            used = (entry[2] if exporter is None else exporter)() is not None
            if used or may_be_in_use(entry[2]):
                alive.append(entry)
        elif len(entry) == 4:
            try:  # as in `_is_used`: a call more costs as much as the rest
                lent.release()
            except BufferError:
                alive.append(entry)
        elif getrefcount(entry) > alone:
            alive.append(entry)
    return alive


def _is_used(exporter: Any) -> bool:
    if type(exporter) is not memoryview:
        return exporter() is not None
    try:
        exporter.release()
    except BufferError:
        return True
    return False


def _pages(entry: _Entry) -> list[int]:
    """The buckets that an entry lies in."""
    start, end = entry[0], entry[1]
    first, last = start >> _PAGE_BITS, max(start, end - 1) >> _PAGE_BITS
    return [_LARGE] if last - first >= _MANY_PAGES else list(range(first, last + 1))
