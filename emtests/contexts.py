"""What errors have besides their messages: the one before them, and notes."""

from __future__ import annotations

import sys

__all__ = ["is_alone", "notes_of"]


def is_alone(error: BaseException, around: BaseException | None) -> bool:
    """Whether an error has no other one as its context, but for what is handled `around` the test.

    In a page the tests themselves may be run by a handler; and an interrupt, as other tests make
    them, may have left a handler without its end.
    """
    context = None if error.__suppress_context__ else error.__context__
    return context is None or context is around


def notes_of(error: BaseException, otherwise: list[str]) -> list[str]:
    """The notes on an error. Python 3.10 has none: there `otherwise` stands for them."""
    return getattr(error, "__notes__", []) if sys.version_info >= (3, 11) else otherwise
