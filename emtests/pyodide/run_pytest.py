"""Runs pytest inside Pyodide, in Node and in the browser alike."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

PROJECT = "/project"
RUN_FOLDER = "/run-folder"


def run_pytest(arguments: Sequence[str], *, measure: bool) -> int:
    """Run pytest in the checkout; return its exit code. `measure` leaves coverage data as well."""
    os.chdir(PROJECT)
    Path(RUN_FOLDER).mkdir(exist_ok=True)
    with _coverage() if measure else nullcontext():
        import pytest

        exit_code = pytest.main(["-p", "emtests.reporting", "-p", "no:cacheprovider", *arguments])
    sys.stdout.flush()
    sys.stderr.flush()
    return int(exit_code)


@contextmanager
def _coverage() -> Iterator[None]:
    import coverage

    # pytest-cov would be one more package to bring, and it prints a report of its own.
    measurement = coverage.Coverage(data_file=f"{RUN_FOLDER}/coverage-data", data_suffix=True)
    with measurement.collect():
        yield
    measurement.save()
