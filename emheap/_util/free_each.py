"""The end of many blocks at once: every one is freed that can be, then errors are raised."""

from __future__ import annotations

from collections.abc import Callable

from emheap._util.messages import add_note
from emheap.errors import BufferInUseError

__all__ = ["problem_of", "raise_problems"]


def problem_of(action: Callable[[], object]) -> Exception | None:
    """What is raised where something is freed, to be raised when all the others are freed.

    Of a BufferInUseError the message is what counts. The exception itself refers to the frames that
    it passed, and so to what is in use, which would wait for the garbage collector.
    """
    try:
        action()
    except BufferInUseError as problem:
        text = str(problem)
    except Exception as problem:  # noqa: BLE001 (a user's free function may raise anything)
        return problem
    else:
        return None
    return BufferInUseError(text)


def raise_problems(problems: list[Exception], where: str, error: BaseException | None) -> None:
    """Raise what went wrong, in one: what is no view in use before those that are.

    The rest are notes on it (from Python 3.11 on). If `error`, of the body of a ``with`` block,
    is being raised already, all of them are notes on that.
    """
    in_use = [str(problem) for problem in problems if isinstance(problem, BufferInUseError)]
    reported: list[Exception] = [
        problem for problem in problems if not isinstance(problem, BufferInUseError)
    ]
    problems.clear()  # or the caller's frame would refer to what is raised through it
    if in_use:
        reported.append(BufferInUseError(f"{where}{'; '.join(in_use)}"))
    if not reported:
        return
    first = reported.pop(0) if error is None else error
    for problem in reported:
        text = str(problem) if isinstance(problem, BufferInUseError) else f"{where}{problem!r}"
        add_note(first, f"and then, {text}")
        del problem
    reported.clear()
    if error is None:
        try:
            raise first
        finally:
            del first
