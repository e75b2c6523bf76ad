"""Runs the chosen runtimes, a few at a time."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from emtests.runtimes.base import Job, Outcome, Runtime
from emtests.runtimes.console import Console
from emtests.runtimes.processes import stop_all
from pyodide_demo.environment import EnvironmentProblem, private_folder


def run_all(
    runtimes: Iterable[Runtime],
    pytest_arguments: Sequence[str] = (),
    *,
    at_a_time: int = 1,
    focused: bool = False,
    may_install: bool = False,
) -> dict[str, Outcome]:
    """Run each runtime; return the outcomes by name, in the same order. See `Job` for the rest."""
    console = Console()

    def run_one(runtime: Runtime, job: Job) -> Outcome:
        start = time.monotonic()
        job.say(f"\n======== {runtime.name} ========")
        try:
            outcome = runtime.run(job)
        except EnvironmentProblem as problem:
            job.say(f"not run: {problem}")
            outcome = Outcome(missing=str(problem))
        finally:
            job.log.close()
        outcome.seconds = time.monotonic() - start
        return outcome

    with ThreadPoolExecutor(at_a_time) as executor, _ending_children(executor):
        futures = {}
        for runtime in runtimes:
            folder = run_folder(runtime.name)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            log = console.open(folder / "output.txt")
            job = Job(runtime.name, folder, log, pytest_arguments, focused, may_install)
            futures[runtime.name] = executor.submit(run_one, runtime, job)
        return {name: future.result() for name, future in futures.items()}


def run_folder(name: str) -> Path:
    """Where a runtime leaves its output, its events and its coverage data."""
    return private_folder() / "runs" / name


@contextmanager
def _ending_children(executor: ThreadPoolExecutor) -> Iterator[None]:
    """However this program is ended, end what it started first."""

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = {name: signal.signal(name, end) for name in _ending_signals()}
    try:
        yield
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        stop_all()
        raise
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def _ending_signals() -> list[signal.Signals]:
    if sys.platform == "win32":
        return [signal.SIGTERM, signal.SIGINT]
    return [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
