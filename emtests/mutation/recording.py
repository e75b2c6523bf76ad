"""A pytest plugin under `coverage run`: it records which test runs which line, and for how long."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path

import pytest

__all__ = ["RECORD_VARIABLE"]

RECORD_VARIABLE = "EMHEAP_MUTATION_RECORD"
"""Names the file that is written: the seconds of each test, and whether it hides what it runs."""

_HIDING = ("subprocess", "run_program", "unmeasured")
"""What a module of tests imports that runs code where coverage does not see it."""

_record: dict[str, tuple[float, bool]] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    import coverage  # here, for the same reason as in `covering`

    measuring = coverage.Coverage.current()
    assert measuring is not None, "coverage does not run"
    measuring.switch_context(item.nodeid)
    result = yield
    measuring.switch_context("")
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.passed:
        module = getattr(item, "module", None)
        hides = any(hasattr(module, name) for name in _HIDING)
        _record[item.nodeid] = (report.duration, hides)
    return report


def pytest_sessionfinish() -> None:
    Path(os.environ[RECORD_VARIABLE]).write_text(json.dumps(_record), encoding="utf-8")
