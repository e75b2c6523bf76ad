"""The runs in both runtimes, and the comparison of their reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from emtests.demo.pictures import noise
from emtests.demo.prepared import Prepared
from pyodide_demo import comparison, runs
from pyodide_demo.filters import FILTERS
from pyodide_demo.program import run

pytestmark = pytest.mark.once


@pytest.fixture
def pixels(tmp_path: Path) -> runs.Pixels:
    (tmp_path / "pixels.rgba").write_bytes(noise(40, 30))
    return runs.Pixels(tmp_path / "pixels.rgba", 40, 30)


def test_every_filter_gives_the_same_in_both_runtimes(
    prepared: Prepared, pixels: runs.Pixels
) -> None:
    said: list[str] = []
    native = runs.run_natively(prepared.runtimes, pixels, list(FILTERS))
    pyodide = runs.run_in_pyodide(prepared.runtimes, pixels, list(FILTERS), said.append)
    expected, report = run(noise(40, 30), 40, 30, list(FILTERS))
    for runtime in ("native", "pyodide"):
        assert runs.result_of(pixels, runtime).file.read_bytes() == expected
    assert native["checksum"] == pyodide["checksum"] == report["checksum"]
    assert native["allocations"] == pyodide["allocations"] == report["allocations"]
    assert native["peak_bytes"] == pyodide["peak_bytes"]
    assert comparison.problem_of(native, pyodide) is None
    assert native["runtime"].startswith("CPython")
    assert pyodide["runtime"].startswith("Pyodide")
    # Both ran what would be published, not the checkout.
    assert native["library"].startswith(str(prepared.runtimes.wheel))
    assert "site-packages" in pyodide["library"]
    assert [line.split()[0] for line in said] == ["Starting", "Installing", "Running"]


def test_runs_that_differ_are_told_apart(prepared: Prepared, pixels: runs.Pixels) -> None:
    one = runs.run_natively(prepared.runtimes, pixels, ["invert"])
    other = runs.run_natively(prepared.runtimes, pixels, ["sepia"])
    problem = comparison.problem_of(one, other)
    assert problem is not None
    assert problem.startswith("The two runs differ")
    assert one["checksum"] in problem
    assert other["checksum"] in problem


def test_a_run_that_leaves_blocks_is_a_problem() -> None:
    _, report = run(noise(2, 2), 2, 2, [])
    leaking = report.copy()
    leaking["bytes_left"] = 4096
    assert comparison.problem_of(report, leaking) == "The Pyodide run left 4,096 bytes on the heap."
    assert comparison.problem_of(leaking, report) == "The native run left 4,096 bytes on the heap."


def test_the_table_has_a_row_for_each_filter_in_order() -> None:
    _, report = run(noise(2, 2), 2, 2, ["blur", "invert", "blur"])
    lines = comparison.table(report, report).splitlines()
    assert lines[0].split() == report["runtime"].split() * 2
    assert [line.split()[0] for line in lines[-4:]] == ["blur", "invert", "blur", "all"]
    total = sum(timing["seconds"] for timing in report["filters"])
    assert lines[-1].endswith(f"{total * 1000:,.1f} ms")


def test_a_failing_program_is_a_failed_run(prepared: Prepared, pixels: runs.Pixels) -> None:
    short = pixels._replace(height=31)
    with pytest.raises(runs.RunFailedError, match=r"failed natively:(\n.*)*ValueError"):
        runs.run_natively(prepared.runtimes, short, [])
    with pytest.raises(runs.RunFailedError, match=r"failed in Pyodide:(\n.*)*ValueError"):
        runs.run_in_pyodide(prepared.runtimes, short, [], print)


def test_a_runtime_that_does_not_start_is_a_failed_run(
    prepared: Prepared, pixels: runs.Pixels, tmp_path: Path
) -> None:
    broken = prepared.runtimes._replace(distribution=tmp_path / "nothing")
    with pytest.raises(runs.RunFailedError, match=r"failed in Pyodide:\n.*nothing.pyodide\.mjs"):
        runs.run_in_pyodide(broken, pixels, [], print)
