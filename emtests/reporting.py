"""A pytest plugin that tells the program around it, test by test, what happens.

`python -m emtests` loads it with `-p` in every runtime. Each event is written before the next test
starts, so that even a run that ends in a crash, a fatal error of Pyodide or a hang leaves the name
of its last test. pytest's own JUnit file is written at the end only.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # the program that reads the events runs where nothing is installed
    import pytest

FOLDER_VARIABLE = "EMHEAP_RUN_FOLDER"
EVENTS_FILE = "events.jsonl"


class Sink(Protocol):
    def __call__(self, lines: str, /) -> object: ...


class Reporter:
    """Turns pytest's hooks into lines of JSON: an event's name, a test, and a reason."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._waiting: list[str] = []

    def _note(self, *event: str) -> None:
        self._waiting.append(json.dumps(event) + "\n")

    def _send(self) -> None:
        self._sink("".join(self._waiting))
        self._waiting.clear()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._note("started", nodeid)
        self._send()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._note("failed", report.nodeid)
        elif report.skipped:
            self._note("skipped", report.nodeid, _reason(report))
        elif report.when == "call":
            self._note("passed", report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._note("failed", report.nodeid)
        elif report.skipped:
            self._note("skipped", report.nodeid, _reason(report))

    def pytest_sessionfinish(self) -> None:
        self._note("finished")
        self._send()


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    expected_failure: str | None = getattr(report, "wasxfail", None)
    if expected_failure is not None:
        return f"expected to fail: {expected_failure}"
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Reporter(_sink()), "emtests-reporter")


def _sink() -> Sink:
    try:
        # In a browser there is no folder to share; the page passes the lines on.
        from emtests_page import send_events
    except ImportError:
        return _append_to_file
    sink: Sink = send_events
    return sink


def _append_to_file(lines: str, /) -> None:
    with (Path(os.environ[FOLDER_VARIABLE]) / EVENTS_FILE).open("a", encoding="utf-8") as file:
        file.write(lines)
