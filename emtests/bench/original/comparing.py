"""The two sides, each in processes of its own, and the rows that come of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from emtests.bench.measuring import Figures
from emtests.bench.original.rows import rows_matching
from emtests.bench.results import Result
from emtests.bench.runtimes import Runtime, lines_of
from emtests.runtimes.processes import Command
from pyodide_demo.environment import CHECKOUT, EnvironmentProblem, find_node, npm_install

__all__ = ["PACKAGES", "compare_with_original"]

PACKAGES = ("wasm-heap-manager@0.5.1", "sql.js@1.16.0")
_PEER = "wasm-heap-manager in Node"
_WORKER = "from emtests.bench.original.worker import run; run({!r}, {!r})"
_TURNS = 3


def compare_with_original(runtime: Runtime, pattern: str, seconds: float) -> Iterator[Result]:
    """The rows that match, each side's fastest batch of several processes, which take turns.

    Raises EnvironmentProblem where the original cannot be had, or a side fails.
    """
    rows = rows_matching(pattern)
    modules = npm_install("original", PACKAGES)
    script = CHECKOUT / "emtests" / "bench" / "original" / "original.mjs"
    share = seconds / _TURNS

    def original() -> Command:
        known = [{"work": row.work, "original": row.original, "most": row.most} for row in rows]
        configuration = {"modules": str(modules), "rows": known, "seconds": share}
        return [find_node(), script, json.dumps(configuration)]

    ours = runtime.command(_WORKER.format(pattern, share))
    mine: dict[str, float] = {}
    theirs: dict[str, float] = {}
    for _ in range(_TURNS):
        mine_results = _measured(runtime, ours, mine)
        its_results = _measured(runtime, original(), theirs)
        for work, result in mine_results.items():
            if result != its_results[work]:
                raise EnvironmentProblem(
                    f"{work}: ours gave {result!r:.100} and the original {its_results[work]!r:.100}"
                )
    for row in rows:
        figures = Figures([(mine[row.work], theirs[row.work])])
        yield Result(row.work, _PEER, row.limit, figures)


def _measured(runtime: Runtime, command: Command, fastest: dict[str, float]) -> dict[str, Any]:
    """Keep the fastest of each row; give the results."""
    results = {}
    for line in lines_of(runtime, command):
        if line.startswith("{"):
            found = json.loads(line)
            work = found["work"]
            fastest[work] = min(fastest.get(work, found["ns"]), found["ns"])
            results[work] = found["result"]
    return results
