"""What is typed or pasted at the prompt, taken apart into statements."""

from __future__ import annotations

import ast
import textwrap
from typing import NamedTuple

__all__ = ["Session", "session_of"]

_PROMPT, _CONTINUED = ">>> ", "... "


class Session(NamedTuple):
    """A text that is to be run."""

    code: str
    """The text; without prompts and output where it is an example with ``>>>``."""
    statements: list[str]
    """Those at the top level, each below as many empty lines as stand above it in the code."""
    goes_on: bool
    """Whether an error ends one statement only: in an example, which may show errors."""


def session_of(text: str) -> Session:
    """Take a text apart.

    Raises SyntaxError for the whole, so that nothing of a text that cannot be read is run.
    """
    is_example = any(line.lstrip().startswith(_PROMPT.rstrip()) for line in text.splitlines())
    code = _without_prompts(text) if is_example else textwrap.dedent(text)
    lines = code.splitlines()
    statements = []
    for node in ast.parse(code).body:
        first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        last = node.end_lineno or node.lineno
        # Two statements may share a line: each is its own part of it.
        source = ast.get_source_segment(code, node) or ""
        if lines[first - 1][: node.col_offset].strip() == "":
            source = "\n".join([*lines[first - 1 : last - 1], _upto(lines[last - 1], node)])
        statements.append("\n" * (first - 1) + source + "\n")
    return Session(code, statements, is_example)


def _upto(line: str, node: ast.stmt) -> str:
    """A line as far as a statement goes; columns are counted in bytes."""
    return line.encode()[: node.end_col_offset].decode()


def _without_prompts(text: str) -> str:
    prompts = (_PROMPT.rstrip(), _CONTINUED.rstrip())
    lines = map(str.lstrip, text.splitlines())
    return "\n".join(line[4:] for line in lines if line[:4].rstrip() in prompts)
