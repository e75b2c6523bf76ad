"""The Python blocks of the documentation's pages, as the tests run them and as its buttons do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["DOCS", "Block", "blocks_of", "pages", "run_together"]

DOCS = Path(__file__).resolve().parent / "docs"
"""The folder of the pages."""

_FENCE = re.compile(
    r"^(?P<fence>`{3,})python(?P<needs>[ \w]*)\n(?P<code>.*?)^(?P=fence)\s*$",
    re.DOTALL | re.MULTILINE,
)
_IN_PAGE = {"pyodide", "wasm"}


class Block(NamedTuple):
    """An example, written as a session with Python's prompt.

    The blocks of a page that need nothing build on each other. One that needs something, named
    after ``python`` in its first line, stands alone.
    """

    page: Path
    line: int
    """Where its code starts, counted from 1."""
    code: str
    needs: tuple[str, ...]
    """``native`` (CPython itself, not Pyodide), ``pyodide`` (which the page is), ``wasm`` (wasmtime
    or, in Pyodide, the browser), or a package."""

    @property
    def runs_in_page(self) -> bool:
        """Whether the site's page can run it."""
        return set(self.needs) <= _IN_PAGE

    @property
    def name(self) -> str:
        """What a failure calls it: ``using.md:27``."""
        return f"{self.page.name}:{self.line}"


def pages() -> list[Path]:
    """The Markdown files of the documentation."""
    return sorted(DOCS.rglob("*.md"))


def blocks_of(page: Path) -> Iterator[Block]:
    """The Python blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start("code")) + 1
        yield Block(page, line, found["code"], tuple(found["needs"].split()))


def run_together(blocks: Sequence[Block], number: int) -> list[Block]:
    """What a button runs for one of the blocks of a page: those before it, and this one; or this
    one alone, if it stands alone."""
    chosen = blocks[number]
    earlier = () if chosen.needs else blocks[:number]
    return [*(block for block in earlier if not block.needs), chosen]
