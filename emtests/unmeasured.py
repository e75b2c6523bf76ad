"""Running without coverage what would leave coverage's own lock taken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["unmeasured"]


@contextmanager
def unmeasured() -> Iterator[None]:
    """Do not trace this thread meanwhile.

    Coverage takes a lock when it meets a function for the first time. Nobody releases it where an
    exception is raised between two lines of coverage, nor in a forked child: every later function
    would wait for it. Memory that it takes is not that of what is tested, either; and its functions
    are calls, after which an interrupt may come.
    """
    tracer = sys.gettrace()
    callbacks = _exchange_callbacks({})
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)
        _exchange_callbacks(callbacks)


def _exchange_callbacks(callbacks: dict[int, Any]) -> dict[int, Any]:
    """What coverage has the interpreter call for each event, and put other functions there."""
    monitoring: Any = getattr(sys, "monitoring", None)  # from Python 3.12 on
    if monitoring is None or monitoring.get_tool(monitoring.COVERAGE_ID) is None:
        return {}
    events = [event for event in vars(monitoring.events).values() if event.bit_count() == 1]
    return {
        event: monitoring.register_callback(monitoring.COVERAGE_ID, event, callbacks.get(event))
        for event in events
    }
