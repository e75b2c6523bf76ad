"""Running without coverage what would leave coverage's own lock taken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["unmeasured"]


@contextmanager
def unmeasured() -> Iterator[None]:
    """Do not trace this thread meanwhile.

    Coverage takes a lock when it meets a function for the first time. Nobody releases it where an
    exception is raised between two lines of coverage, nor in a forked child: every later function
    would wait for it. Memory that it takes is not that of what is tested, either.
    """
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)
