"""The end of many blocks at once: every one is freed that can be, then errors are raised."""

from __future__ import annotations

from emheap._util.messages import add_note
from emheap.errors import BufferInUseError

__all__ = ["raise_problems"]


def raise_problems(problems: list[Exception], where: str, error: BaseException | None) -> None:
    """Raise what went wrong, in one: what is no view in use before those that are.

    The rest are notes on it (from Python 3.11 on). If `error`, of the body of a ``with`` block,
    is being raised already, all of them are notes on that.
    """
    in_use = [str(problem) for problem in problems if isinstance(problem, BufferInUseError)]
    reported: list[Exception] = [
        problem for problem in problems if not isinstance(problem, BufferInUseError)
    ]
    if in_use:
        reported.append(BufferInUseError(f"{where}{'; '.join(in_use)}"))
    if not reported:
        return
    first = reported.pop(0) if error is None else error
    for problem in reported:
        text = str(problem) if isinstance(problem, BufferInUseError) else f"{where}{problem!r}"
        add_note(first, f"and then, {text}")
    if error is None:
        raise first
