"""The prompt in Firefox, and what is left of the visitor's work when Python is restarted there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emtests.demo.conftest import firefox_or_skip, run_driver
from emtests.demo.test_page_console import last_answers

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def seen(served: str, browsers: Path) -> dict[str, Any]:
    driver = "emtests.demo.browser.firefox_console"
    return run_driver([browsers, "-m", driver, firefox_or_skip(), served])


def test_opening_the_tab_focuses_the_prompt(seen: dict[str, Any]) -> None:
    assert seen["focus"] == "prompt"


def test_a_pasted_text_is_run_as_a_whole(seen: dict[str, Any]) -> None:
    answers = seen["answers"]
    assert answers["a class and its use"] == "2\n"
    assert answers["a definition and a call"] == "'called'\n"
    assert answers["an await"] == "'awaited'\n"
    assert answers["what follows an error"].endswith("ZeroDivisionError: division by zero\n")


def test_the_examples_of_the_readme_answer_as_it_says(seen: dict[str, Any]) -> None:
    assert last_answers(seen["readme"]) == last_answers()


def test_outputs_are_shown_as_they_come_coloured_and_folded(seen: dict[str, Any]) -> None:
    assert seen["streamed"] == "begun\n"
    assert seen["answers"]["colours"] == "red plain\n"
    assert seen["coloured"] == ["red"]
    assert seen["folded"] == "488 more lines"


def test_a_program_can_ask_for_a_line(seen: dict[str, Any]) -> None:
    assert seen["asked"] == "Who? Grüße\nHello Grüße\n"


def test_the_keyboard_is_enough(seen: dict[str, Any]) -> None:
    assert seen["typed"] == "0\n21\n"
    assert seen["recalled"] == "for i in range(2):\n    print(i * 21)\n"
    assert seen["before that"] == "for i in range(500): print(i)"
    assert seen["completed"] == "kept"


def test_micropip_installs_from_an_address(seen: dict[str, Any]) -> None:
    assert seen["installed"] == "True\n"


def test_a_restart_keeps_what_was_typed_and_what_was_run(seen: dict[str, Any]) -> None:
    assert seen["draft"] == "half a thou"
    assert seen["after"]["hero"] == "half a line"
    assert "... A.two2\n" in seen["log"]
    assert "Python was restarted" in seen["log"]


def test_a_restart_keeps_what_was_chosen_in_each_panel(seen: dict[str, Any]) -> None:
    after = seen["after"]
    assert after["picture"].endswith("original → sepia → invert → blur")
    assert after["way"] is True
    assert after["frequency"] == seen["frequency"] != "440 Hz"
    assert after["range"] == "memory"
    assert after["heap"] == "A debug heap"
    assert after["dump"].startswith("00000030  00 00")
    assert "beyond its end" in after["mistake"]
    assert "OutOfBoundsError" in after["accounts"]
    assert after["bytes"] == "40420f00" + 24 * "0"
    assert after["structure"] == "Point: 4 bytes, aligned to 2, for wasm32"
    assert after["declaration"].startswith("class Point(Struct):\n    x: int16\n")
    assert after["module"] == "harfbuzz-subset.wasm"
    assert after["module log"].startswith(">>> 1 + 23\n")
    assert after["part"] == "emtests/refs"
