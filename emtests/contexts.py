"""Errors that have no other one before them."""

from __future__ import annotations

__all__ = ["is_alone"]


def is_alone(error: BaseException, around: BaseException | None) -> bool:
    """Whether an error has no other one as its context, but for what is handled `around` the test.

    In a page the tests themselves may be run by a handler; and an interrupt, as other tests make
    them, may have left a handler without its end.
    """
    context = None if error.__suppress_context__ else error.__context__
    return context is None or context is around
