"""Lines of progress with the seconds since the start."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from types import TracebackType
from typing import TextIO

_SECONDS_BETWEEN_UPDATES = 0.1


class Progress:
    """Says what goes on; on a terminal, the last line counts its seconds until the next one.

    It writes to standard error: what the command prints as its result stays clean.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._start = time.monotonic()
        self._text = ""
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def __call__(self, text: str) -> None:
        """Start the next line."""
        with self._lock:
            if self._text:
                self._stream.write("\n")
            self._text = text
            self._write()

    def __enter__(self) -> Progress:
        if self._stream.isatty():
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._text:
            self._stream.write("\n")
            self._stream.flush()

    def _count(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN_UPDATES):
            with self._lock:
                if self._text:
                    self._stream.write("\r")
                    self._write()

    def _write(self) -> None:
        line = f"{time.monotonic() - self._start:5.1f} s  {self._text}"
        if self._stream.isatty():  # a line that wraps could not be written over
            line = line[: shutil.get_terminal_size().columns - 1]
        self._stream.write(line)
        self._stream.flush()
