"""The end of many blocks at once: every one is freed that can be, then what failed is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from emheap._util.messages import add_note
from emheap.errors import BufferInUseError

__all__ = ["raise_problems", "try_each"]

T = TypeVar("T")


def try_each(items: list[T], end: Callable[[T], None], problems: list[Exception]) -> None:
    """End the items, the last one first, and empty the list; add what was raised to `problems`.

    An item is held until it is ended, for a dropped reference would warn. What an interrupt finds
    begun is done all the same, so `end` may be called twice with an item.
    """
    try:
        _try_each(items, end, problems)
    except BaseException:
        _try_each(items, end, problems)
        raise


def _try_each(items: list[T], end: Callable[[T], None], problems: list[Exception]) -> None:
    while items:
        try:
            end(items[-1])
        except Exception as problem:  # noqa: BLE001 (a user's free function may raise anything; it is raised when the others are done)
            problems.append(problem)
        items.pop()


def raise_problems(problems: list[Exception], where: str, error: BaseException | None) -> None:
    """Raise what went wrong, in one: what is no view in use before those that are.

    The rest are notes on it (from Python 3.11 on). If `error`, of the body of a ``with`` block,
    is on its way already, all of them are notes on that.
    """
    in_use = [str(problem) for problem in problems if isinstance(problem, BufferInUseError)]
    told: list[Exception] = [
        problem for problem in problems if not isinstance(problem, BufferInUseError)
    ]
    if in_use:
        told.append(BufferInUseError(f"{where}{'; '.join(in_use)}"))
    if not told:
        return
    first = told.pop(0) if error is None else error
    for problem in told:
        text = str(problem) if isinstance(problem, BufferInUseError) else f"{where}{problem!r}"
        add_note(first, f"and then, {text}")
    if error is None:
        raise first
