"""The page's prompt: Python's own interactive console, with a heap in scope."""

from __future__ import annotations

import io
from code import InteractiveConsole
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, TypedDict

import emheap
from emheap import HeapManager, Type


class Answer(TypedDict):
    """What a line came to."""

    output: str
    more: bool
    """Whether the statement goes on in the next line."""


class Prompt:
    """Runs what is typed, line by line."""

    def __init__(self, heap: HeapManager) -> None:
        kinds = {name: kind for name, kind in vars(emheap).items() if _is_type(kind)}
        scope = {**kinds, "emheap": emheap, "heap": heap, "__name__": "__console__"}
        self._console = InteractiveConsole(scope, "<prompt>")

    def enter(self, text: str) -> Answer:
        """Run a line, or several; an empty one ends a statement that goes on."""
        output = io.StringIO()
        more = False
        with redirect_stdout(output), redirect_stderr(output):
            try:
                for line in text.split("\n"):
                    more = self._console.push(line)
            except SystemExit:
                self._console.resetbuffer()
                print("The prompt stays: close the page to leave.")
        return {"output": output.getvalue(), "more": more}


def _is_type(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Type)
