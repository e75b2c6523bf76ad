"""The panel of the prompt and of the tests in headless Chromium."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emtests.demo.conftest import Drive
from pyodide_demo.environment import CHECKOUT

pytestmark = pytest.mark.once

FIRST = "emtests/heap/test_first_steps.py"


@pytest.fixture(scope="module")
def seen(drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return drive("console", tmp_path_factory.mktemp("console"))


def test_the_prompt_answers(seen: dict[str, Any]) -> None:
    answers = seen["answers"]
    assert answers["1 + 2"] == ["3", ">>>"]
    assert answers["kept = heap.alloc_array(uint8, 5)"] == ["", ">>>"]
    assert "OutOfBoundsError: index 5 is outside the 5 elements" in answers["kept[5]"][0]
    assert answers["for i in range(2):"] == ["", "..."]
    assert answers["    print(i * 21)"] == ["", "..."]
    assert answers[""] == ["0\n21", ">>>"]


def test_the_arrow_recalls_what_was_typed(seen: dict[str, Any]) -> None:
    assert seen["recalled"] == "for i in range(2):"


def test_the_heap_is_that_of_the_page(seen: dict[str, Any]) -> None:
    assert "kind='clamped_uint8 array', site='/program/pyodide_demo/program.py:" in seen["live"]
    assert "byte_size=5, kind='uint8 array', site='<prompt>:1 in <module>'" in seen["live"]


def test_an_endless_loop_can_be_interrupted(seen: dict[str, Any]) -> None:
    assert seen["interrupted"].splitlines()[-1] == "KeyboardInterrupt"
    assert seen["after"] == ["'alive'", ">>>"]


def test_the_tests_run_in_the_page(seen: dict[str, Any]) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", FIRST],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    tests = [line for line in listed.splitlines() if line.startswith(FIRST)]
    functions = {test.partition("[")[0] for test in tests}
    assert seen["ended"] == "All of them passed."
    ((name, passed, failed, skipped),) = seen["files"]
    assert name == FIRST
    assert (failed, skipped) == ("", "")
    assert int(passed) >= len(functions)
    assert seen["counts"] == f"{passed} of {passed}: {passed} passed, 0 failed, 0 skipped"


def test_every_part_can_be_chosen(seen: dict[str, Any]) -> None:
    folders = {path.parent.name for path in (Path(CHECKOUT) / "emtests").glob("*/test_*.py")}
    assert seen["parts"][0] == "first steps"
    assert seen["parts"][-1] == "all of them (many minutes)"
    assert set(seen["parts"][1:-1]) <= folders
    assert {"types", "backends", "hostile", "model"} <= set(seen["parts"])


def test_they_can_be_stopped(seen: dict[str, Any]) -> None:
    assert seen["stopped"] == "Stopped."
