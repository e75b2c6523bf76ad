"""Ends the program of a prompt, whatever it does at the time. It runs inside Pyodide only.

What computes looks at signals, and what waits while the event loop goes on has room for a message:
an interrupt comes as both, and the first that sees it takes it away.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from types import CodeType, FrameType
from typing import Any

from pyodide import ffi, webloop

__all__ = ["PREFIX", "Programs"]

PREFIX = "<python-input-"
"""How the names of the files begin that programs are said to come from."""


class _Wait:
    """What a program waits for while its stack is put aside."""

    task: asyncio.Future[Any] | None = None
    is_ended = False

    def end(self) -> None:
        self.is_ended = True
        if self.task is not None:
            self.task.cancel()


class Programs:
    """The programs that run now, and what ends them."""

    def __init__(self, runner: CodeType) -> None:
        """Take over interrupts. `runner` is the code below which programs run."""
        self.ends: list[Callable[[], None]] = []
        """What ends each of them at its next ``await`` or statement."""
        self._runner = runner
        self._waiter = Programs._wait_for.__code__
        self._waits: list[_Wait] = []
        self._run_sync = webloop.run_sync
        # Where a browser switches stacks, `time.sleep` and `asyncio.run` wait by this function.
        webloop.run_sync = ffi.run_sync = self._wait_for
        signal.signal(signal.SIGINT, self._interrupt)
        # A task that was interrupted tells what awaits it, and the loop as well. There it would be
        # an error of the worker; and what nobody awaits is to end the program too.
        loop: Any = asyncio.get_event_loop()
        loop._keyboard_interrupt_handler = self.end

    def end(self) -> None:
        """End what waits."""
        if self._waits:
            self._waits[-1].end()
            return
        for end in self.ends:
            end()

    def _interrupt(self, _signal: int, frame: FrameType | None) -> None:
        if not self.ends:
            raise KeyboardInterrupt
        while frame is not None and not self._is_of_a_program(frame.f_code):
            # Pyodide may be on its way from Python to JavaScript and back: an error in its place.
            if frame.f_code is self._waiter and "wait" in frame.f_locals:
                frame.f_locals["wait"].end()
                return
            frame = frame.f_back
        if frame is None:
            self.end()  # raised in the event loop, it would lose the task that is next
        else:
            raise KeyboardInterrupt

    def _is_of_a_program(self, code: CodeType) -> bool:
        return code is self._runner or code.co_filename.startswith(PREFIX)

    def _wait_for(self, awaitable: Awaitable[Any]) -> Any:
        """Wait as Pyodide's `run_sync` does, until an interrupt."""
        wait = _Wait()
        self._waits.append(wait)
        try:
            wait.task = task = asyncio.ensure_future(awaitable)
            if not wait.is_ended:
                # Awaited itself, a task that is cancelled would print its traceback.
                self._run_sync(asyncio.wait([task]))
        finally:
            self._waits.remove(wait)
            if wait.task is not None:
                wait.task.cancel()  # an interrupt may have come before the wait began
        result = None if wait.is_ended else task.result()
        if wait.is_ended:
            raise KeyboardInterrupt
        return result
