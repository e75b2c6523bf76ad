"""What is typed or pasted at the page's prompt, taken apart."""

from __future__ import annotations

import pytest

from pyodide_demo.statements import session_of


def sources(text: str) -> list[str]:
    return [statement.lstrip("\n") for statement in session_of(text).statements]


def test_a_class_with_an_empty_line_is_one_statement() -> None:
    text = "class A:\n    one = 1\n\n    two = 2\n\nA.two"
    assert sources(text) == ["class A:\n    one = 1\n\n    two = 2\n", "A.two\n"]


def test_a_call_may_follow_a_definition() -> None:
    text = "@staticmethod\ndef f():\n    return 'é'\nf()"
    assert sources(text) == ["@staticmethod\ndef f():\n    return 'é'\n", "f()\n"]


def test_two_statements_may_share_a_line() -> None:
    assert sources("'é'; x = 2; x") == ["'é'\n", "x = 2\n", "x\n"]
    assert sources("'''a\nb'''; 3") == ["'''a\nb'''\n", "3\n"]


def test_a_statement_keeps_its_line() -> None:
    for text in ("x = 1\n\n\nraise ValueError('here')", "x = 1;\\\n\n\nraise ValueError('here')"):
        last = session_of(text).statements[-1]
        with pytest.raises(ValueError, match="here") as caught:
            exec(compile(last, "<test>", "exec"))
        assert caught.traceback[-1].lineno + 1 == 4


def test_an_example_loses_its_prompts_and_its_output() -> None:
    text = """
    >>> for i in range(2):
    ...     print(i)
    ...
    0
    1
    >>> 1 + 1  # a comment
    2
    """
    assert sources(text) == ["for i in range(2):\n    print(i)\n", "1 + 1\n"]


def test_an_example_goes_on_after_an_error_and_a_program_does_not() -> None:
    assert session_of(">>> 1 / 0\n>>> 2").goes_on
    assert not session_of("1 / 0\n2").goes_on


def test_the_code_of_an_example_has_its_lines() -> None:
    assert session_of(">>> if 1:\n...     2\n2\n>>> 3").code == "if 1:\n    2\n3"


def test_an_indented_text_is_read_too() -> None:
    assert sources("    x = 1\n    x") == ["x = 1\n", "x\n"]


def test_nothing_is_run_of_what_cannot_be_read() -> None:
    with pytest.raises(SyntaxError, match="invalid syntax"):
        session_of("x = 1\n1 +* 2")


def test_an_await_stands_at_the_top() -> None:
    assert sources("await f()\nasync with g():\n    pass") == [
        "await f()\n",
        "async with g():\n    pass\n",
    ]
