"""The page's prompt, here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import emheap
from pyodide_demo.prompt import Prompt


@pytest.fixture
def prompt() -> Iterator[Prompt]:
    with emheap.open() as heap:
        yield Prompt(heap)


def test_an_expression_is_shown(prompt: Prompt) -> None:
    assert prompt.enter("1 + 2") == {"output": "3\n", "more": False}
    assert prompt.enter("_ * 2")["output"] == "6\n"
    assert prompt.enter("None")["output"] == ""


def test_the_heap_and_the_types_are_in_scope(prompt: Prompt) -> None:
    assert prompt.enter("number = heap.alloc(int32, 41); number.value += 1")["output"] == ""
    assert prompt.enter("heap.live()[0].kind, number.value")["output"] == "('int32', 42)\n"
    assert prompt.enter("emheap.__name__")["output"] == "'emheap'\n"
    assert prompt.enter("number.free()")["output"] == ""


def test_a_statement_may_go_on(prompt: Prompt) -> None:
    assert prompt.enter("for i in range(2):")["more"]
    assert prompt.enter("    print(i)") == {"output": "", "more": True}
    assert prompt.enter("") == {"output": "0\n1\n", "more": False}


def test_several_lines_are_run_in_turn(prompt: Prompt) -> None:
    text = "if True:\n    print('one')\n\nprint('two')"
    assert prompt.enter(text) == {"output": "one\ntwo\n", "more": False}


def test_an_error_is_shown_with_its_line(prompt: Prompt) -> None:
    prompt.enter("number = heap.alloc(int32); number.free()")
    output = prompt.enter("number.value")["output"]
    assert output.startswith("Traceback (most recent call last):\n")
    assert "UseAfterFreeError: use after free: the int32 of 4 bytes" in output
    assert "allocated at <prompt>:1 in <module>, freed at <prompt>:1 in <module>" in output
    assert "prompt.py" not in output
    assert "SyntaxError" in prompt.enter("1 +* 2")["output"]


def test_the_prompt_stays(prompt: Prompt) -> None:
    assert prompt.enter("raise SystemExit")["output"].startswith("The prompt stays")
    assert prompt.enter("'still here'")["output"] == "'still here'\n"
