"""The events that the page gets of its tests, from a run of them here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pyodide_demo.environment import CHECKOUT

pytestmark = pytest.mark.once

SUITE = """
import pytest

def test_well(): pass
def test_badly(): assert 1 == 2
def test_never(): pytest.skip("for a reason")

@pytest.fixture
def broken(): raise RuntimeError("no fixture")

def test_not_at_all(broken): pass
"""
PROGRAM = """
import json, sys
from pyodide_demo.page_tests import run_tests

seen = []
code = run_tests(sys.argv[2:], lambda *each: seen.append(each), folder=sys.argv[1])
print(json.dumps([code, seen]), file=sys.stderr)
"""


def run_in(folder: Path, *parts: str) -> tuple[int, list[tuple[str, str, str]]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, folder, *parts],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    code, events = json.loads(done.stderr.splitlines()[-1])
    return code, [tuple(event) for event in events]


def test_each_test_is_reported_as_it_ends(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    code, events = run_in(tmp_path, "test_suite.py")
    assert code == 1
    assert events[0] == ("collected", "", "4")
    kinds = [(kind, test.partition("::")[2]) for kind, test, _ in events[1:]]
    assert kinds == [
        ("started", "test_well"),
        ("passed", "test_well"),
        ("started", "test_badly"),
        ("failed", "test_badly"),
        ("started", "test_never"),
        ("skipped", "test_never"),
        ("started", "test_not_at_all"),
        ("failed", "test_not_at_all"),
    ]
    words = {(kind, test.partition("::")[2]): text for kind, test, text in events}
    assert "assert 1 == 2" in words["failed", "test_badly"]
    assert words["skipped", "test_never"] == "for a reason"
    assert "no fixture" in words["failed", "test_not_at_all"]


def test_a_file_that_cannot_be_imported_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text("import nothing_of_that_name")
    code, events = run_in(tmp_path, "test_broken.py")
    assert code == 2
    (failure,) = [event for event in events if event[0] == "failed"]
    assert failure[1] == "test_broken.py"
    assert "nothing_of_that_name" in failure[2]
