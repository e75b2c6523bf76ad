"""Merges what coverage measured in every runtime, and judges the sum."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emtests.runtimes.base import Job, Outcome
from emtests.runtimes.checks import python_with_checks
from emtests.runtimes.native import COVERAGE_FILE
from emtests.runtimes.processes import run

MINUTES = 10
LEAST_OF_LINES = 98.0
LEAST_OF_BRANCHES = 96.0


@dataclass(frozen=True)
class Coverage:
    """The lines and branches of emheap that the runs before have reached."""

    runs: Sequence[Path]
    """The folders of the other rows."""
    complete: bool
    """Whether all of them ran every test, so that too little is a failure."""
    name: str = "coverage"

    def run(self, job: Job) -> Outcome:
        data = [file for folder in self.runs for file in sorted(folder.glob(f"{COVERAGE_FILE}*"))]
        if not data:
            return Outcome(missing="no run before it left coverage data")
        python = python_with_checks(job)
        report = job.folder / "coverage.json"
        total = f"--data-file={job.folder / 'total'}"
        for words in (
            ["combine", "--keep", "--quiet", total, *map(str, data)],
            ["report", total],
            ["json", total, "--quiet", "-o", str(report)],
        ):
            ended = run([python, "-m", "coverage", *words], job.log, minutes=MINUTES)
            if not ended.well:
                problem = ended.problem or f"`coverage {words[0]}` ended with {ended.exit_code}"
                return Outcome(problem=problem)
        return self._judge(json.loads(report.read_text(encoding="utf-8"))["totals"])

    def _judge(self, totals: dict[str, int]) -> Outcome:
        lines = _percent(totals["covered_lines"], totals["num_statements"])
        branches = _percent(totals["covered_branches"], totals["num_branches"])
        outcome = Outcome(note=f"{lines:.1f} % of lines, {branches:.1f} % of branches")
        enough = lines >= LEAST_OF_LINES and branches >= LEAST_OF_BRANCHES
        if self.complete:
            outcome.passed, outcome.failed = int(enough), int(not enough)
        if self.complete and not enough:
            outcome.problem = (
                f"{outcome.note}: less than {LEAST_OF_LINES:g} % and {LEAST_OF_BRANCHES:g} %"
            )
        return outcome


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 100.0
