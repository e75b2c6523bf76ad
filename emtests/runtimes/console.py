"""Readable output of several runs at once: one of them has the floor, the others wait for it."""

from __future__ import annotations

import sys
import threading
from collections import deque
from pathlib import Path
from typing import TextIO


class Console:
    """Prints each log as a whole, in the order in which the logs were opened.

    The first open log is printed as it grows; what the next ones hold is printed when their turn
    comes. Every log is kept as a file as well.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._logs: deque[Log] = deque()
        self._lock = threading.Lock()

    def open(self, file: Path) -> Log:
        file.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            log = Log(self, file)
            self._logs.append(log)
        return log

    def _write(self, log: Log, text: str) -> None:
        with self._lock:
            log.file.write(text)
            log.file.flush()
            if log is self._logs[0]:
                self._print(text)
            else:
                log.waiting.append(text)

    def _close(self, log: Log) -> None:
        with self._lock:
            log.file.close()
            while self._logs and self._logs[0].file.closed:
                self._logs.popleft()
                if self._logs:
                    self._print("".join(self._logs[0].waiting))

    def _print(self, text: str) -> None:
        # A terminal that cannot show a character shall not end a run.
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        self._stream.flush()


class Log:
    """The output of one run."""

    def __init__(self, console: Console, file: Path) -> None:
        self._console = console
        self.path = file
        self.file = file.open("w", encoding="utf-8")
        self.waiting: list[str] = []

    def write(self, text: str) -> None:
        self._console._write(self, text)

    def close(self) -> None:
        self._console._close(self)
