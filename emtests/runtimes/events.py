"""Reads what the reporting plugin wrote, and judges a run of pytest by it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from emtests.reporting import EVENTS_FILE
from emtests.runtimes.base import Outcome
from emtests.runtimes.processes import Ended

_NOTHING_SELECTED = 5


@dataclass
class Events:
    """The story of one run."""

    passed: int = 0
    failed: set[str] = field(default_factory=set)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    last_started: str = ""
    finished: bool = False


def read_events(folder: Path) -> Events:
    events = Events()
    file = folder / EVENTS_FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    for line in lines:
        kind, *details = json.loads(line)
        if kind == "started":
            (events.last_started,) = details
        elif kind == "passed":
            events.passed += 1
        elif kind == "failed":
            events.failed.update(details)
        elif kind == "skipped":
            test, reason = details
            events.skipped.append((test, reason))
        elif kind == "finished":
            events.finished = True
    return events


def judge(folder: Path, ended: Ended) -> Outcome:
    """What a run of pytest came to, also where it had no chance to say so itself."""
    events = read_events(folder)
    outcome = Outcome(events.passed, len(events.failed), events.skipped)
    where = f"; the last test started was {events.last_started}" if events.last_started else ""
    if ended.problem:
        outcome.problem = ended.problem + where
    elif not events.finished:
        outcome.problem = f"ended with exit code {ended.exit_code} before pytest did{where}"
    elif ended.exit_code not in (0, _NOTHING_SELECTED) and not events.failed:
        outcome.problem = f"ended with exit code {ended.exit_code}, though no test failed"
    return outcome
