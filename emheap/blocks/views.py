"""Views of blocks that users have, so that they end when their block is freed.

Whether anything still uses a block, Python itself counts: a view is made of an *export* of the
block's elements, and so is every slice, cast and array made of it; while one lives the elements
cannot be released (see `emheap.memories.elements`). What is recorded here is only which views
the user was given, for those may be released on the user's behalf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

from emheap.errors import BufferInUseError
from emheap.memories.base import Elements

__all__ = ["ViewTable"]

_FEW = 1024
_MANY = 16


class _NamedReference(WeakReference[memoryview]):
    """What messages call otherwise than "view", or what must not be released."""

    __slots__ = ("recalled", "what")

    recalled: bool
    what: str


class ViewTable:
    """The views that users have of the blocks of one heap, by the address of the block.

    An entry may be about a block that was freed long ago; then all views in it are gone or
    released. Freeing a block of which no view exists does not look here.
    """

    def __init__(self) -> None:
        self._views: dict[int, Any] = {}
        """For each address one weak reference, or a list of them: most blocks have one view."""
        self._sweep_at = _FEW

    def add(self, address: int, view: memoryview) -> None:
        """Remember a view of the block at an address."""
        entry = WeakReference(view)
        known = self._views.setdefault(address, entry)
        if type(known) is list and len(known) < _MANY:
            known.append(entry)
        elif known is not entry:
            self._add(address, entry)
        elif len(self._views) > self._sweep_at:
            self._sweep()

    def add_named(self, address: int, view: memoryview, what: str, *, recalled: bool) -> None:
        """Remember a view that messages call `what`; one that is not `recalled` is in use for as
        long as it exists, because something that Python does not count looks through it."""
        named = _NamedReference(view)
        named.what, named.recalled = what, recalled
        self._add(address, named)

    def _add(self, address: int, entry: WeakReference[memoryview]) -> None:
        known = self._views.setdefault(address, entry)
        if known is entry:
            if len(self._views) > self._sweep_at:
                self._sweep()
        elif type(known) is not list:
            self._views[address] = entry if known() is None else [known, entry]
        else:
            count = len(known)
            if count >= _MANY and count & (count - 1) == 0:
                known[:] = _alive(known)
            known.append(entry)

    def _sweep(self) -> None:
        """Forget blocks that have no views any more."""
        # A copy, for list(items()) makes tuples, which lets the collector run, and other threads.
        for address, known in self._views.copy().items():
            if not _alive(known if type(known) is list else [known]):
                self._views.pop(address, None)
        self._sweep_at = 2 * len(self._views) + _FEW

    def release(self, address: int, elements: Elements, describe: Callable[[], str]) -> None:
        """Release the elements of a block, and first the views of it.

        Raises BufferInUseError, having released the views that nothing uses, if something made of
        a view is still in use, or a function that was given the bytes has not returned.
        """
        try:
            elements.release()
            return
        except BufferError:
            in_use, recalled = self._recall(address)
        try:
            elements.release()
        except BufferError:
            in_use = in_use or [f"a slice or cast of a {what}" for what in recalled]
            in_use = in_use or ["a call on its bytes that is under way"]
            raise BufferInUseError(
                f"{describe()} is not freed: still in use: {', '.join(in_use)}; release or delete "
                "every slice, cast and array made of its views first"
            ) from None

    def _recall(self, address: int) -> tuple[list[str], list[str]]:
        """Release the views of a block: what messages call those in use, and the others."""
        known = self._views.get(address, [])
        in_use, recalled = [], []
        for entry in list(known) if type(known) is list else [known]:
            named = type(entry) is _NamedReference
            what = entry.what if named else "view"
            view = entry()
            try:
                if view is not None:
                    if named and not entry.recalled:
                        raise BufferError
                    view.release()
            except BufferError:
                in_use.append(what)
            else:
                recalled.append(what)
            del view
        return in_use, list(dict.fromkeys(recalled))


def _alive(entries: Iterable[WeakReference[memoryview]]) -> list[WeakReference[memoryview]]:
    return [entry for entry in entries if entry() is not None]
