"""Running what a module does before anything is called: its start function, and ``_initialize``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from emheap.calls.linker import TrapReport, exited
from emheap.calls.traps import ProgramExitError
from emheap.errors import ForeignTrapError

__all__ = ["run_at_start"]

T = TypeVar("T")


def run_at_start(
    run: Callable[[], T],
    kinds: tuple[type[BaseException], ...],
    explain: Callable[[BaseException], TrapReport | None],
) -> T:
    """What `run` gives; raises ForeignTrapError for an error of one of `kinds`, if `explain` knows
    what it means."""
    try:
        return run()
    except kinds as error:
        report = exited(error.status) if isinstance(error, ProgramExitError) else explain(error)
        if report is None:
            raise
        made = ForeignTrapError(f"the module did not start: {report.reason}")
        made.reason = report.reason
        raise made from error
