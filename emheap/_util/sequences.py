"""What all sequences of emheap do in the same way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emheap._util.messages import count_of
from emheap._util.released import not_released
from emheap.errors import ShapeError

__all__ = ["index_in", "row_of"]


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


def row_of(values: Any, what: str) -> Any:
    """`values`, for `what` to iterate over. Of memoryviews, of which Python's own errors say too
    little, raises ValueError for one that was released, ShapeError if it has not one dimension."""
    dimensions = not_released(values, what).ndim if isinstance(values, memoryview) else 1
    if dimensions != 1:
        number = count_of(dimensions, "dimension")
        raise ShapeError(f"{what} takes values in one row, not a memoryview of {number}")
    return values
