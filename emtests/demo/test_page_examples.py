"""The Run buttons of the documentation: each example answers in the page as it is written."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from typing import Any

import pytest

from emtests.demo.conftest import Drive
from pyodide_demo.docs_blocks import DOCS, Block, blocks_of, pages, run_together

pytestmark = pytest.mark.once

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PAGES = {
    path.relative_to(DOCS).with_suffix("").as_posix(): blocks
    for path in pages()
    if (blocks := [block for block in blocks_of(path) if block.runs_in_page])
}


def expected(blocks: list[Block]) -> str:
    """What the last of some blocks answers, after those before it, which leave out their errors."""
    return "".join(_answers(blocks))


def _answers(blocks: list[Block]) -> Iterator[str]:
    for block in blocks:
        for example in doctest.DocTestParser().get_examples(block.code):
            if example.exc_msg is None:
                yield example.want
            elif block is not blocks[-1]:
                continue
            elif doctest.IGNORE_EXCEPTION_DETAIL in example.options:
                kind = example.exc_msg.partition(":")[0]
                yield f"Traceback (most recent call last):\n...{kind}...\n"
            else:
                yield f"Traceback (most recent call last):\n...\n{example.exc_msg}"


@pytest.fixture(scope="module")
def seen(drive: Drive, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return drive("examples", tmp_path_factory.mktemp("examples"))


def test_every_example_has_been_run(seen: dict[str, Any]) -> None:
    ran = {name: len(answers) for name, answers in seen["answers"].items() if answers}
    assert ran == {name: len(blocks) for name, blocks in PAGES.items()}


@pytest.mark.parametrize("name", PAGES)
def test_an_example_answers_as_it_is_written(seen: dict[str, Any], name: str) -> None:
    checker = doctest.OutputChecker()
    for number, answer in enumerate(seen["answers"][name]):
        want = expected(run_together(PAGES[name], number))
        assert checker.check_output(want, answer, FLAGS), (
            f"{PAGES[name][number].name}: it should answer\n{want}and answered\n{answer}"
        )


def test_all_examples_are_run_in_one_window(seen: dict[str, Any]) -> None:
    assert seen["windows"] == 2
