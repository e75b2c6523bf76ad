"""Signals that come again and again: of a timer natively, of another thread in Pyodide."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from emtests.conftest import skip_for_gap
from emtests.heaps import IN_PYODIDE

__all__ = ["Storm"]

Handler = Callable[[int, "FrameType | None"], None]

_START_THREAD = """
() => {
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  const shared = new SharedArrayBuffer(8);
  const program = `
    const { workerData } = require("node:worker_threads");
    const signals = new Uint8Array(workerData, 0, 1);
    const ended = new Int32Array(workerData, 4, 1);
    while (Atomics.wait(ended, 0, 0, 0.4) === "timed-out") signals[0] = 2;  // SIGINT
  `;
  const worker = new Worker(program, { eval: true, workerData: shared });
  worker.unref();
  const ended = new Int32Array(shared, 4, 1);
  const end = () => { Atomics.store(ended, 0, 1); Atomics.notify(ended, 0); };
  return { signals: new Uint8Array(shared, 0, 1), end };
}
"""


@contextmanager
def _signals(handler: Handler) -> Iterator[None]:
    """Have a handler called several thousand times a second."""
    if IN_PYODIDE:
        yield from _of_a_thread(handler)
    elif hasattr(signal, "setitimer"):
        yield from _of_a_timer(handler)
    else:
        skip_for_gap("this system", "it has no timers that signal")


def _of_a_timer(handler: Handler) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0003)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _of_a_thread(handler: Handler) -> Iterator[None]:
    import js
    import pyodide_js
    from pyodide.code import run_js

    if not hasattr(js, "process"):
        skip_for_gap("browsers", "no thread starts there before Python has come to its end")
    before = signal.signal(signal.SIGINT, handler)
    thread: Any = run_js(_START_THREAD)()
    pyodide_js.setInterruptBuffer(thread.signals)
    try:
        yield
    finally:
        thread.end()
        run_js("(pyodide) => pyodide.setInterruptBuffer(undefined)")(pyodide_js)
        signal.signal(signal.SIGINT, before)


class Storm:
    """Signals each of which is an exception in whatever runs."""

    def __init__(self, exception: type[BaseException]) -> None:
        self.count = 0
        self._exception = exception
        self._armed = False
        self._signals = _signals(self._strike)

    def _strike(self, number: int, frame: FrameType | None) -> None:
        if self._armed:
            self._armed = False
            self.count += 1
            raise self._exception

    def __enter__(self) -> Storm:
        self._signals.__enter__()
        return self

    def run(self, function: Callable[[], Any]) -> None:
        """Call a function, which may end at any moment."""
        try:
            self._armed = True
            try:
                function()
            finally:  # whatever it raised: nothing strikes outside
                self._armed = False
        except self._exception:
            pass

    def __exit__(self, *error: object) -> None:
        self._armed = False
        self._signals.__exit__(None, None, None)
