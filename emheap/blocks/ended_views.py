"""How a view that the user has is ended where there is no interpreter's lock.

There `memoryview.release` does not exclude what another thread does with the view: an access that
has looked whether the view was released goes on, and would reach bytes that are another block's by
then; and an array made of the view at that moment is not noticed.
"""

from __future__ import annotations

from sys import _current_frames
from typing import Any
from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

from emheap._util.platform import HAS_GIL

__all__ = ["end_view", "may_be_in_use", "view_reference"]


class _ViewReference(WeakReference[Any]):
    """A weak reference to a view, which knows whether that was ended."""

    __slots__ = ("has_ended",)

    has_ended: bool


def view_reference(view: Any) -> WeakReference[Any]:
    """A weak reference to a view, for `end_view`."""
    if HAS_GIL or type(view) is not memoryview:
        return WeakReference(view)
    made = _ViewReference(view)
    made.has_ended = False
    return made


def end_view(reference: WeakReference[Any], view: Any) -> None:
    """Release a view, so that no thread reaches bytes through it once this returns.

    Raises BufferError if an array, say, was made of it. Slices and casts are counted by what they
    were made of, and that the caller looks at.
    """
    if not isinstance(reference, _ViewReference):
        view.release()
    elif not reference.has_ended:
        _release_among_threads(view)
        reference.has_ended = True


def _release_among_threads(view: memoryview) -> None:
    kept = None
    try:  # noqa: SIM105 (contextlib takes time to import)
        # Or a slice that another thread makes at this moment might not be counted.
        kept = memoryview(view)
    except ValueError:
        pass  # the user released it, while others used it perhaps
    try:
        view.release()
        # All threads stop for this, between two steps of theirs: no access, slice or array is
        # half made then. Those that began later have found the view released.
        _current_frames()
    finally:
        if kept is not None:
            kept.release()
    view.release()  # raises, though it was released, if an array was made of it meanwhile


def has_ended(reference: Any) -> bool:
    """Whether `end_view` was done. Elements, and their references, do without."""
    return getattr(reference, "has_ended", True)


def may_be_in_use(reference: WeakReference[Any]) -> bool:
    """Whether a thread may be within a view, which the user may have released."""
    return not HAS_GIL and reference() is not None and not has_ended(reference)
