"""Child processes that never outlive their time limit or this program, nor do their children."""

from __future__ import annotations

import codecs
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from emtests.runtimes.console import Log
from pyodide_demo.environment import CHECKOUT, EnvironmentProblem

Command = Sequence[str | Path]

_GRACE_SECONDS = 5
_living: set[subprocess.Popen[bytes]] = set()
_stopping = threading.Event()


@dataclass(frozen=True)
class Ended:
    """How a child process ended."""

    exit_code: int
    problem: str = ""

    @property
    def well(self) -> bool:
        return self.exit_code == 0 and not self.problem


def run(
    command: Command,
    log: Log,
    *,
    minutes: float,
    environment: Mapping[str, str] | None = None,
    folder: Path = CHECKOUT,
) -> Ended:
    """Run a command in a folder with its output going to `log`, for `minutes` at most."""
    process = start(command, environment=environment, output=subprocess.PIPE, folder=folder)
    late = threading.Event()

    def too_late() -> None:
        late.set()
        stop(process)

    timer = threading.Timer(minutes * 60, too_late)
    timer.start()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    assert process.stdout is not None
    try:
        # Line by line would hold back the dots that show a test run's progress.
        while data := os.read(process.stdout.fileno(), 65536):
            log.write(decoder.decode(data).replace("\r\n", "\n"))
        exit_code = process.wait()
    finally:
        timer.cancel()
        stop(process)
        process.stdout.close()
    if late.is_set():
        return Ended(exit_code, f"stopped: it did not end within {minutes:g} minutes")
    return Ended(exit_code, _describe_signal(exit_code))


def start(
    command: Command,
    *,
    environment: Mapping[str, str] | None = None,
    output: int | IO[bytes] = subprocess.DEVNULL,
    folder: Path = CHECKOUT,
) -> subprocess.Popen[bytes]:
    """Start a command as the head of a process group of its own, to be ended by `stop`."""
    if _stopping.is_set():
        raise EnvironmentProblem("interrupted")
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    _living.add(process)
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the process and of its group."""
    _signal_group(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)
    if sys.platform != "win32":
        _signal_group(process, signal.SIGKILL)
    process.wait()
    _living.discard(process)


def stop_all() -> None:
    """End every child process, and start no other: this program is being interrupted."""
    _stopping.set()
    for process in list(_living):
        stop(process)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if sys.platform == "win32":
        command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(command, capture_output=True, check=False)
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


def _describe_signal(exit_code: int) -> str:
    if exit_code >= 0:
        return ""
    try:
        return f"killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"killed by signal {-exit_code}"
