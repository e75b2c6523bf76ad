"""Views of blocks that users have, so that they end when their block is freed.

Whether anything still uses a block, Python itself counts: a view is made of an *export* of the
block's elements, and so is every slice, cast and array made of it; while one lives the elements
cannot be released (see `emheap.memories.elements`). What is recorded here is only which views
the user was given, for those may be released on the user's behalf.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

from emheap._util.locks import Locked
from emheap.errors import BufferInUseError
from emheap.memories.base import Elements
from emheap.memories.elements import stored_in

__all__ = ["MOST_LATEST", "ViewTable"]

MOST_LATEST = 256
"""How many views are made before those that are gone are forgotten."""
_FEW = 1024
_MANY = 16


class _NamedReference(WeakReference[memoryview]):
    """What messages call otherwise than "view", or what must not be released."""

    __slots__ = ("recalled", "what")

    recalled: bool
    what: str


class ViewTable(Locked):
    """The views that users have of the blocks of one heap.

    A view is noted in a list, which is all that is done for most of them: they are gone before
    any block is freed that has one. Those that are not are filed by what they are exports of.
    """

    def __init__(self) -> None:
        self.latest: list[WeakReference[memoryview]] = []
        """Those that are not filed yet. From MOST_LATEST on, what adds one calls `file`."""
        self._filed: dict[int, list[WeakReference[memoryview]]] = {}
        """By the id of the memoryview that they are exports of, which lives while one of them
        does. Later another may have that id; then all that is filed is gone or released."""
        self._sweep_at = _FEW

    def add(self, view: memoryview) -> None:
        """Remember a view of a block."""
        self._note(WeakReference(view))

    def add_named(self, view: memoryview, what: str, *, recalled: bool) -> None:
        """Remember a view that messages call `what`; one that is not `recalled` is in use for as
        long as it exists, because something that Python does not count looks through it."""
        named = _NamedReference(view)
        named.what, named.recalled = what, recalled
        self._note(named)

    def _note(self, entry: WeakReference[memoryview]) -> None:
        self.latest.append(entry)
        if len(self.latest) > MOST_LATEST:
            self.file()

    def file(self) -> None:
        """File the latest views, and forget those that are gone."""
        with self._lock:
            batch = self.latest[:]
            self._file_alive(batch)
            # An interrupt before this leaves some filed twice, which does no harm. Where the list
            # begins with another one by now, a finalizer has freed a block meanwhile.
            if batch and self.latest and self.latest[0] is batch[0]:
                del self.latest[: len(batch)]
            if len(self._filed) > self._sweep_at:
                self._sweep()

    def _file_alive(self, batch: list[WeakReference[memoryview]]) -> None:
        for entry in _alive(batch):
            self._file(entry)

    def _file(self, entry: WeakReference[memoryview]) -> None:
        view = entry()
        try:
            exported = view.obj  # type: ignore[union-attr]
        except (AttributeError, ValueError):
            return  # it is gone by now, or was released
        known = self._filed.setdefault(id(exported), [entry])
        if known[-1] is entry:
            return
        count = len(known)
        if count >= _MANY and count & (count - 1) == 0:
            known[:] = [*_alive(known), entry]
        else:
            known.append(entry)

    def _sweep(self) -> None:
        """Forget what is filed and gone."""
        # A copy, for list(items()) makes tuples, which lets the collector run, and other threads.
        for key, known in self._filed.copy().items():
            if not _alive(known):
                self._filed.pop(key, None)
        self._sweep_at = 2 * len(self._filed) + _FEW

    def release(self, elements: Elements, describe: Callable[[], str]) -> None:
        """Release the elements of a block, and first the views of it.

        Raises BufferInUseError, having released the views that nothing uses, if something made of
        a view is still in use, or a function that was given the bytes has not returned.
        """
        try:
            elements.release()
            return
        except BufferError:
            in_use, recalled = self._recall(elements)
        try:
            elements.release()
        except BufferError:
            in_use = in_use or [f"a slice or cast of a {what}" for what in recalled]
            unknown = "a slice or cast of a view, or a call on its bytes that is under way"
            in_use = in_use or [unknown]
            raise BufferInUseError(
                f"{describe()} is not freed: still in use: {', '.join(in_use)}; release or delete "
                "every slice, cast and array made of its views first"
            ) from None

    def _recall(self, elements: Elements) -> tuple[list[str], list[str]]:
        """Release the views of a block: what messages call those in use, and the others."""
        self.file()
        in_use, recalled = [], []
        for entry in list(self._filed.get(id(stored_in(elements)), ())):
            what, kept = "view", False
            if isinstance(entry, _NamedReference):
                what, kept = entry.what, not entry.recalled
            view = entry()
            try:
                if view is not None:
                    if kept:
                        raise BufferError
                    view.release()
            except BufferError:
                in_use.append(what)
            else:
                recalled.append(what)
            del view
        return in_use, list(dict.fromkeys(recalled))


def _alive(entries: list[WeakReference[memoryview]]) -> list[WeakReference[memoryview]]:
    return [entry for entry in entries if entry() is not None]
