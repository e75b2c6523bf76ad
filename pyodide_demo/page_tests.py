"""Runs the tests of the checkout in the page, and tells of each one as it ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

Tell = Callable[[str, str, str], object]
"""Is given what happened, to which test, and words about it."""

ARGUMENTS = ["-p", "no:cacheprovider", "--tb=short", "-q"]
# A page that its host does not isolate has no SharedArrayBuffer.
WITHOUT_SHARED_MEMORY = [
    "--ignore=emtests/backends/javascript",
    "--ignore=emtests/demo/test_fft.py",
    "-k",
    "not shared and not Shared",
]


class Narrator:
    """A plugin of pytest."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell of a file that cannot be imported."""
        if report.failed:
            self._tell("failed", report.nodeid, report.longreprtext)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell how many tests there are."""
        self._tell("collected", "", str(len(session.items)))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell which one starts."""
        self._tell("started", nodeid, "")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell what came of it."""
        if report.failed:
            self._tell("failed", report.nodeid, report.longreprtext)
        elif report.skipped:
            self._tell("skipped", report.nodeid, _reason(report))
        elif report.when == "call":
            self._tell("passed", report.nodeid, "")


def run_tests(parts: Sequence[str], tell: Tell, *, folder: str, shared_memory: bool = True) -> int:
    """Run parts of the suite, which lies in `folder`; return pytest's exit code."""
    import pytest

    os.chdir(folder)
    left_out = [] if shared_memory else WITHOUT_SHARED_MEMORY
    return int(pytest.main([*ARGUMENTS, *left_out, *parts], plugins=[Narrator(tell)]))


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return report.longreprtext
