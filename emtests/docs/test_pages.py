"""Every Python block of the documentation, and of the README, does what it says."""

from __future__ import annotations

import doctest
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from emtests.conftest import skip_for_gap
from emtests.ecosystem.versions import STATED
from pyodide_demo.docs_blocks import DOCS, Block, blocks_of, pages

_FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
_ROOT = DOCS.parent.parent
_BLOCKS = [block for page in pages() for block in blocks_of(page)]


def _run(blocks: list[Block]) -> None:
    """Run blocks one after the other, in one namespace."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(optionflags=_FLAGS)
    parser = doctest.DocTestParser()
    for block in blocks:
        example = parser.get_doctest(block.code, scope, block.name, str(block.page), block.line - 1)
        example.globs = scope  # and not a copy, for functions look for names in theirs
        runner.run(example, clear_globs=False)
    assert not runner.failures


def _skip_without(needed: str) -> None:
    if needed == "native":
        if sys.platform == "emscripten":
            skip_for_gap("a native example", "Pyodide has no processes, threads or other libraries")
    elif find_spec(needed) is None:
        skip_for_gap(f"an example with {needed}", "it is not installed")


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_the_blocks_of_a_page_do_what_they_say(page: Path) -> None:
    _run([block for block in blocks_of(page) if not block.needs])


@pytest.mark.parametrize(
    "block", [block for block in _BLOCKS if block.needs], ids=lambda block: block.name
)
def test_a_block_that_needs_more_stands_alone(block: Block) -> None:
    for needed in block.needs:
        _skip_without(needed)
    _run([block])


@pytest.mark.parametrize("block", _BLOCKS, ids=lambda block: block.name)
def test_every_python_block_is_a_session(block: Block) -> None:
    """So that it is tested: a program that only a browser can run is a file of its own."""
    assert block.code.startswith(">>> "), f"{block.name} has no prompt"


def test_every_page_is_in_a_table_of_contents() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    tables = re.findall(r"(?ms)^```\{toctree\}\n(.*?)^```", index)
    lines = [line for table in tables for line in table.splitlines()]
    listed = {line for line in lines if line and not line.startswith(":")}
    found = {page.relative_to(DOCS).with_suffix("").as_posix() for page in pages()}
    assert found - {"index"} == listed


def test_the_readme_is_short() -> None:
    assert len((_ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 130


def test_the_readme_links_nowhere_that_an_index_lacks() -> None:
    text = (_ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert [target for target in targets if not target.startswith("https://")] == []


def test_the_paths_in_contributing_exist() -> None:
    contributing = _ROOT / ".github" / "CONTRIBUTING.md"
    if not contributing.is_file():
        skip_for_gap("the steps for contributors", "only a checkout has .github")
    named = re.findall(
        r"`((?:emheap|emtests|pyodide_demo|\.ci)/[\w./]*)`", contributing.read_text()
    )
    assert len(named) > 10
    assert [name for name in named if not (_ROOT / name).exists()] == []


@pytest.mark.parametrize("name", STATED)
def test_a_page_states_the_versions_that_were_tried(name: str) -> None:
    stated = (
        (DOCS / name).read_text(encoding="utf-8").partition("*Tried with ")[2].partition(",")[0]
    )
    assert stated == " on ".join(f"{what} {version}" for what, version in STATED[name].items())
