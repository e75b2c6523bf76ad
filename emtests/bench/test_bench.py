"""The benchmark measures what it says: its rows run, and its figures are those of the statements.

No figure is judged here: a busy machine would fail the test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from emheap._util.platform import IN_PYODIDE
from emtests.bench import measuring, worker
from emtests.bench.measuring import Contest, Figures, Statement, measure
from emtests.bench.results import Result, table
from emtests.bench.rows import NATIVE, PYODIDE, ROWS

RUNTIME = PYODIDE if IN_PYODIDE else NATIVE
QUICK = r"an address|ref\.value|array element|10 chars|wasmtime|module's heap"


def test_rows_run_and_their_results_are_right(capsys: pytest.CaptureFixture[str]) -> None:
    worker.run(RUNTIME, QUICK, 0.0)
    lines = capsys.readouterr().out.splitlines()
    results = [Result.from_json(json.loads(line)) for line in lines]
    assert [result.work for result in results] == [
        row.work for row in worker.rows_of(RUNTIME, QUICK)
    ]
    assert len(results) > 15
    assert all(result.figures.ours > 0 and result.figures.theirs > 0 for result in results)


def test_every_row_is_named_once() -> None:
    for runtime in (NATIVE, PYODIDE):
        names = [(row.work, row.peer) for row in ROWS if runtime in row.limits]
        assert len(names) == len(set(names))


def test_a_statement_may_use_any_name() -> None:
    names = {"start": 1, "clock": 2, "items": 4, "loop": 8}
    statement = Statement("result = start + clock + items + loop", names)
    nanoseconds, result = statement.batch()(3)
    assert result == 15
    assert nanoseconds >= 0


def test_items_are_gone_through_in_order() -> None:
    seen: list[int] = []
    statement = Statement("note(item)", {"note": seen.append}, lambda count: range(count))
    assert statement.batch()(4)[1] is None
    assert seen == [0, 1, 2, 3]


def test_work_that_was_not_done_stops_the_measurement() -> None:
    @contextmanager
    def prepare() -> Iterator[Contest]:
        def check(ours: Any, peer: Any) -> None:
            assert ours == peer, "they differ"

        yield Contest(Statement("result = 1", {}), Statement("result = 2", {}), check)

    with pytest.raises(AssertionError, match="they differ"):
        measure(prepare, 0.0)


def test_each_way_is_charged_with_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0]

    def spend(nanoseconds: int) -> None:
        now[0] += nanoseconds

    @contextmanager
    def prepare() -> Iterator[Contest]:
        ours = Statement("spend(600)", {"spend": spend})
        peer = Statement("spend(200)", {"spend": spend})
        yield Contest(ours, peer, lambda ours, peer: None)

    monkeypatch.setattr(measuring, "_clock", lambda: now[0])
    figures = measure(prepare, 0.0)
    assert set(figures.rounds) == {(600.0, 200.0)}
    assert figures.ratio == 3.0


def test_figures_are_medians_and_quartiles() -> None:
    figures = Figures([(10.0, 10.0), (30.0, 10.0), (20.0, 10.0), (40.0, 10.0), (50.0, 10.0)])
    assert (figures.ours, figures.theirs) == (30.0, 10.0)
    assert figures.quartiles == (2.0, 3.0, 4.0)


def test_rounds_of_several_processes_count_alike() -> None:
    first = Result("read", "a peer", 1.0, Figures([(1.0, 1.0), (1.0, 1.0)]))
    second = Result("read", "a peer", 1.0, Figures([(3.0, 1.0)]))
    assert first.with_rounds_of(second).figures.quartiles == (1.0, 1.0, 2.0)


def test_the_table_says_what_is_within_its_limit() -> None:
    figures = Figures([(48.0, 40.0), (50.0, 40.0), (60.0, 40.0)])
    rows = [Result("read", "a peer", 1.0, figures), Result("write", "another", 1.5, figures)]
    header, read, write = table(rows).splitlines()
    assert header.split()[:4] == ["work", "peer", "ours", "peer's"]
    assert read.split() == [
        "read",
        "a",
        "peer",
        "50.0",
        "ns",
        "40.0",
        "ns",
        "1.25",
        "1.23-1.38",
        "1",
        "over",
    ]
    assert write.split()[-2:] == ["1.5", "within"]


def test_a_row_without_a_limit_has_no_verdict() -> None:
    result = Result("read", "a peer", None, Figures([(30.0, 10.0)])).allowed(1.5)
    assert result.verdict == ""
    assert table([result]).splitlines()[1].endswith("3.00-3.00")


def test_an_older_python_is_allowed_more() -> None:
    result = Result("read", "a peer", 1.0, Figures([(12.0, 10.0)]))
    assert result.verdict == "over"
    assert Result.from_json(result.as_json()).allowed(1.5).verdict == "within"
