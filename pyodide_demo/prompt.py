"""The page's prompt: Pyodide's own console, with a heap in scope. It runs inside Pyodide only."""

from __future__ import annotations

import asyncio
import builtins
import linecache
from collections.abc import Callable
from typing import Any, TypedDict

from pyodide.console import ConsoleFuture, PyodideConsole, repr_shorten

import emheap
from emheap import HeapManager, Type
from pyodide_demo.interrupts import PREFIX, Programs
from pyodide_demo.statements import session_of

__all__ = ["Outcome", "Prompt", "end_programs", "scope_of"]

MOST_OF_A_RESULT = 20_000
"""Characters of a value that are shown; a console that draws more of them stands still."""

Write = Callable[[str, str], object]
"""Is given "out", "result" or "error", and a text, as it comes."""


class Outcome(TypedDict):
    """What a text came to."""

    filename: str
    """What it is called in tracebacks and in the sites of blocks."""
    error: str
    """The class of the error that ended it; empty where there was none."""


_INTERRUPTED = {"KeyboardInterrupt", "CancelledError"}


class _EndedError(Exception):
    """A program that was ended: by an interrupt, by a cancellation, by itself."""


class _Console(PyodideConsole):  # type: ignore[misc,unused-ignore]
    """Keeps what would end the event loop's task away from it, for it is reported there as well."""

    task: asyncio.Task[Any] | None = None
    is_ended = False
    """Whether the statements that have not begun are not to begin."""

    async def runcode(self, source: str, code: Any) -> Any:
        """Execute a code object, and raise _EndedError where it was ended."""
        self.task = asyncio.current_task()
        try:
            if self.is_ended:
                raise KeyboardInterrupt
            return await super().runcode(source, code)
        except (KeyboardInterrupt, SystemExit, asyncio.CancelledError) as end:
            raise _EndedError(type(end).__name__) from None
        finally:
            self.task = None

    def end(self) -> None:
        """End what runs at its next ``await``, and begin no more."""
        self.is_ended = True
        if self.task is not None:
            self.task.cancel()


_programs = Programs(_Console.runcode.__code__)


def end_programs() -> None:
    """End the programs that wait for something; a signal ends what computes."""
    _programs.end()


class Prompt:
    """Runs texts of Python: statement by statement, and programs as far as the first that fails.

    Each may use ``await``, and each expression shows its value. Every text has a file name of its
    own, as at CPython's prompt, so that errors name the line of the text that they are about.
    """

    def __init__(
        self, scope: dict[str, Any], write: Write, read: Callable[[], str | None] | None = None
    ) -> None:
        self._write = write
        self._read = read
        self._count = 0
        self._console = _Console(
            scope,
            stdin_callback=None if read is None else lambda _: self._read_line(),
            stdout_callback=lambda text: self._tell("out", text),
            stderr_callback=lambda text: self._tell("error", text),
        )

    async def run(self, text: str) -> Outcome:
        """Run a text; what it shows goes to `write` as it comes."""
        filename = f"{PREFIX}{self._count}>"
        self._count += 1
        self._console.is_ended = False
        _programs.ends.append(self._console.end)
        try:
            error = await self._run(text, filename)
        except KeyboardInterrupt:  # it came as a statement began or ended
            error = "KeyboardInterrupt"
            self._tell("error", f"{error}\n")
        finally:
            _programs.ends.remove(self._console.end)
        return {"filename": filename, "error": error}

    def complete(self, text: str) -> tuple[list[str], int]:
        """The names that the end of a text may become, and where in it they start."""
        names, start = self._console.complete(text)
        return names, start

    async def _run(self, text: str, filename: str) -> str:
        """Run a text; return the class of the error that ended it, or an empty text."""
        try:
            session = session_of(text)
        except SyntaxError as problem:
            problem.filename = filename
            self._tell("error", self._console.formatsyntaxerror(problem))
            return "SyntaxError"
        lines = session.code.splitlines(keepends=True)
        linecache.cache[filename] = (len(session.code), None, lines, filename)
        self._console.filename = filename
        for statement in session.statements:
            error = await self._run_statement(statement, filename)
            if error and (error in _INTERRUPTED or not session.goes_on):
                return error
        return ""

    async def _run_statement(self, source: str, filename: str) -> str:
        """Run one statement; return the class of its error, or an empty text."""
        future: ConsoleFuture = self._console.runsource(source, filename)
        try:
            value = await future
        except _EndedError as end:
            stays = str(end) == "SystemExit"
            words = "The prompt stays: close the page to leave." if stays else "KeyboardInterrupt"
            self._tell("error", f"{words}\n")
            return str(end)
        except Exception as error:  # noqa: BLE001 - it is shown, and the prompt goes on
            self._tell("error", future.formatted_error or f"{error!r}\n")
            return type(error).__name__
        if value is not None:
            builtins._ = value  # type: ignore[attr-defined]
            self._tell("result", f"{repr_shorten(value, limit=MOST_OF_A_RESULT)}\n")
        return ""

    def _read_line(self) -> str:
        line = None if self._read is None else self._read()
        if line is None:
            raise KeyboardInterrupt
        return line

    def _tell(self, kind: str, text: str) -> None:
        self._write(kind, text)


def scope_of(**names: Any) -> dict[str, Any]:
    """The names that a prompt starts with: those of emheap's types, and `names`."""
    kinds = {name: kind for name in dir(emheap) if _is_type(kind := getattr(emheap, name))}
    return {**kinds, "emheap": emheap, **names, "__name__": "__console__", "__doc__": None}


def scope_of_heap(heap: HeapManager) -> dict[str, Any]:
    """The names that the console starts with."""
    return scope_of(heap=heap)


def _is_type(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Type)
