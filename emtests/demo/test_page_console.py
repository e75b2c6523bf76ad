"""The panel of the prompt and of the tests in headless Chromium."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from emtests.demo.conftest import Drive
from pyodide_demo.archives import archive_of
from pyodide_demo.docs_blocks import blocks_of
from pyodide_demo.environment import CHECKOUT

pytestmark = pytest.mark.once

HOSTS = ["pypi.org", "files.pythonhosted.org"]
README = CHECKOUT / "README.md"
FIRST = "emtests/heap/test_first_steps.py"


@pytest.fixture(scope="module")
def seen(drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("console")
    files = {
        "stand_in.py": b"answer = 42\n",
        "stand_in-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: stand-in\nVersion: 1.0\n",
        "stand_in-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n",
        "stand_in-1.0.dist-info/RECORD": b"",
    }
    (folder / "stand_in-1.0-py3-none-any.whl").write_bytes(archive_of(files))
    return drive("console", folder)


def test_opening_the_tab_focuses_the_prompt(seen: dict[str, Any]) -> None:
    assert seen["focus"] == "prompt"


def test_the_prompt_answers(seen: dict[str, Any]) -> None:
    answers = seen["answers"]
    assert answers["a number"] == "3\n"
    assert answers["an array"] == ""
    assert "OutOfBoundsError: index 5 is outside the 5 elements" in answers["beyond it"]
    assert "allocated at <python-input-1>:1 in <module>" in answers["beyond it"]


def test_a_pasted_text_is_run_as_a_whole(seen: dict[str, Any]) -> None:
    answers = seen["answers"]
    assert answers["a class and its use"] == "2\n"
    assert answers["a definition and a call"] == "'called'\n"
    assert answers["an await"] == "'awaited'\n"


def test_what_follows_an_error_is_not_run(seen: dict[str, Any]) -> None:
    answers = seen["answers"]
    assert answers["what follows an error"].endswith("ZeroDivisionError: division by zero\n")
    assert "line 1" in answers["what follows an error"]
    assert answers["what cannot be read"].endswith("SyntaxError: invalid syntax\n")
    assert "too " not in answers["what cannot be read"].replace("'too early'", "")


def test_the_prompt_stays(seen: dict[str, Any]) -> None:
    assert seen["answers"]["the end"] == "The prompt stays: close the page to leave.\n"
    assert "ModuleNotFoundError: No module named 'numpy'" in seen["answers"]["a missing package"]


def test_the_colours_of_a_terminal_are_shown(seen: dict[str, Any]) -> None:
    assert seen["answers"]["colours"] == "red plain\n"
    assert seen["coloured"] == "red"


def test_the_keyboard_is_enough(seen: dict[str, Any]) -> None:
    assert seen["typed"] == "0\n21\n"
    assert seen["recalled"].splitlines()[:2] == ["for i in range(2):", "    print(i * 21)"]
    assert seen["before that"] == "large = heap.alloc_array(uint8, 100_000_000)"


def last_answers(shown: Sequence[str] = ()) -> list[str]:
    """What the last line of each example of the README answers: as it says, or as was shown."""
    parser = doctest.DocTestParser()
    examples = [parser.get_examples(block.code + "\n")[-1] for block in blocks_of(README)]
    answers = [example.exc_msg or example.want for example in examples]
    found = [text.strip().splitlines()[-1] for text in shown or answers]
    # Where it lies and which lines it names are not the same everywhere.
    return [re.sub(r"^emheap\.errors\.|0x[0-9a-f]+.*", "", line) for line in found]


def test_the_examples_of_the_readme_answer_as_it_says(seen: dict[str, Any]) -> None:
    assert last_answers(seen["readme"]) == last_answers()


def test_long_outputs_are_folded(seen: dict[str, Any]) -> None:
    assert seen["folded"] == "488 more lines"
    assert seen["unfolded"].splitlines() == [str(i) for i in range(12)]
    assert seen["folded line"] == "49,000 more characters"
    assert seen["unfolded line"] == 50_000 + 1  # and one in the code


def test_what_prints_without_an_end_can_be_interrupted(seen: dict[str, Any]) -> None:
    assert "KeyboardInterrupt" in seen["flood"]


def test_what_is_entered_meanwhile_runs_afterwards(seen: dict[str, Any]) -> None:
    assert seen["queued"] == [["'first'\n"], ["'second'\n"]]
    assert seen["condition of a program that waits"] is False


def test_a_program_can_be_interrupted_whatever_it_does(seen: dict[str, Any]) -> None:
    assert seen["interrupted"].pop("asks") == "begunKeyboardInterrupt\n"
    assert set(seen["interrupted"].values()) == {"begun\nKeyboardInterrupt\n"}
    assert seen["after"] == "'alive'\n"


def test_enter_runs_what_is_whole(seen: dict[str, Any]) -> None:
    assert seen["whole"]["a class and its use"] == ["'B'\n"]
    assert "".join(seen["whole"]["examples"]) == "5\n0\n1\n'last'\n"


def test_micropip_installs_from_an_address(seen: dict[str, Any]) -> None:
    assert seen["installed"] == "True\n"


def test_micropip_asks_pypi_where_the_visitor_does(seen: dict[str, Any]) -> None:
    assert seen["asked unasked"] == []
    assert seen["installed by name"] == "42\n"
    assert [urlsplit(each).netloc for each in seen["asked"]] == HOSTS


def test_no_other_host_can_be_asked(seen: dict[str, Any]) -> None:
    assert "Failed to fetch" in seen["another host"]


def test_a_link_carries_the_code(seen: dict[str, Any]) -> None:
    assert seen["linked"] == "console?code=6%20*%207%20%2B%200"


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
