"""Threads for tests: many at once, switched often, whose errors are the test's."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from emtests.conftest import skip_for_gap
from emtests.heaps import IN_PYODIDE

__all__ = ["need_threads", "often_switched", "run_in_threads"]

SECONDS = 300
"""How long to wait for threads that should have ended: one that hangs is a failure."""


def need_threads() -> None:
    """Skip the test where there are no threads."""
    if IN_PYODIDE:
        skip_for_gap("Pyodide", "it has no threads")


@contextmanager
def often_switched() -> Iterator[None]:
    """Let the interpreter switch threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def run_in_threads(functions: list[Callable[[], None]]) -> None:
    """Run the functions at the same time; raise the first error of any of them."""
    start = threading.Barrier(len(functions))
    errors: list[BaseException] = []

    def run(function: Callable[[], None]) -> None:
        start.wait()
        try:
            function()
        except BaseException as error:  # noqa: BLE001 (it is raised where the test sees it)
            errors.append(error)

    threads = [
        threading.Thread(target=run, args=(function,), daemon=True) for function in functions
    ]
    with often_switched():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in threads), "threads wait for each other"
