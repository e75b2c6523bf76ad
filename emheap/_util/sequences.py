"""What all sequences of emheap do in the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["index_in"]


def index_in(
    count: int,
    copy: Callable[[], list[Any]],
    value: Any,
    start: int,
    stop: int | None,
    describe: Callable[[], str],
) -> int:
    """The index of the first of `count` elements that is equal to `value`, as ``list.index`` finds
    it in the `copy` that is made of them.

    Raises ValueError, which says where there is none.
    """
    first, last, _ = slice(start, stop).indices(count)  # may run the user's code: before the copy
    values = copy()
    try:
        return values.index(value, first, last)
    except ValueError:
        pass  # list's message does not say where, and Sequence's nothing at all
    raise ValueError(f"{value!r:.60} is not in {describe()}")
