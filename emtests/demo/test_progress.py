"""What a person sees while the command works."""

from __future__ import annotations

import re
import threading
from io import StringIO

from pyodide_demo.progress import Progress


class Terminal(StringIO):
    """Remembers that its line was written over."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if text == "\r":
            self.counted.set()
        return super().write(text)


def test_a_file_gets_one_line_for_each_step() -> None:
    stream = StringIO()
    with Progress(stream) as say:
        say("Making ...")
        say("Running ...")
    assert re.fullmatch(r" +0\.\d s  Making \.\.\.\n +0\.\d s  Running \.\.\.\n", stream.getvalue())


def test_nothing_said_is_nothing_written() -> None:
    stream = StringIO()
    with Progress(stream):
        pass
    assert stream.getvalue() == ""


def test_on_a_terminal_the_last_line_counts_its_seconds() -> None:
    terminal = Terminal()
    with Progress(terminal) as say:
        say("Loading ...")
        assert terminal.counted.wait(timeout=30)
    assert re.fullmatch(r"( +\d+\.\d s  Loading \.\.\.\r?)+\n", terminal.getvalue())
