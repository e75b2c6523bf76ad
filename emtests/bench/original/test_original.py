"""What is compared with wasm-heap-manager is the same work: both sides give the same results."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import pytest

from emtests.bench.original import comparing, worker
from emtests.bench.original.rows import ORIGINAL_ROWS, rows_matching
from emtests.bench.rows import NATIVE
from emtests.bench.runtimes import Runtime
from emtests.conftest import skip_for_gap

QUICK = r"100 chars|view|_at|free by"


def test_our_side_does_its_work(capsys: pytest.CaptureFixture[str]) -> None:
    worker.run(QUICK, 0.0)
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    results = {each["work"]: each["result"] for each in found}
    assert list(results) == [row.work for row in rows_matching(QUICK)]
    assert results["read UTF-16, 100 chars"] == "helloworld" * 10
    assert results["write UTF-32, 100 chars"] == 100
    assert results["array.view"] == [1000, 0, 1, 2, 3]
    assert results["array.read_at(i)"] == 500
    assert all(each["ns"] > 0 for each in found)


def test_every_row_is_named_once() -> None:
    names = [row.work for row in ORIGINAL_ROWS]
    assert len(names) == len(set(names))


@pytest.fixture
def runtime() -> Runtime:
    if sys.platform == "emscripten":
        skip_for_gap("other programs", "no process can be started here")
    from pyodide_demo.environment import EnvironmentProblem, npm_install

    try:
        npm_install("original", comparing.PACKAGES)
    except EnvironmentProblem as problem:
        skip_for_gap("wasm-heap-manager", str(problem).splitlines()[0])

    def command(program: str) -> list[Any]:
        return [sys.executable, "-c", program]

    return Runtime("here", NATIVE, command, command, command, 1, 1, 1)


def test_both_sides_give_the_same(runtime: Runtime) -> None:
    results = list(comparing.compare_with_original(runtime, QUICK, 0.0))
    assert [result.work for result in results] == [row.work for row in rows_matching(QUICK)]
    assert all(result.figures.ours > 0 < result.figures.theirs for result in results)


def test_a_side_that_does_other_work_is_noticed(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyodide_demo.environment import EnvironmentProblem

    (row,) = rows_matching("read_at")
    wrong = replace(row, original=row.original.replace("500", "501"))
    monkeypatch.setattr(comparing, "rows_matching", lambda pattern: [wrong])
    with pytest.raises(EnvironmentProblem, match="ours gave 500 and the original 501"):
        list(comparing.compare_with_original(runtime, "read_at", 0.0))
