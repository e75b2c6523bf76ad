"""Runs the native tests on a copy of the checkout with one mutant in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from emtests.mutation.covering import CoveringTests
from emtests.mutation.mutants import Mutant
from emtests.mutation.recording import RECORD_VARIABLE
from emtests.mutation.selecting import LIST_VARIABLE
from pyodide_demo.environment import CHECKOUT, private_folder

__all__ = ["Copy"]

_PARTS = ("emheap", "emtests", "pyodide_demo", "README.md", "pyproject.toml", "CHANGELOG.md")

_WITHOUT = ("machinery", "demo", "docs", "ecosystem", "bench", "mutation", "typing_checks")
"""What tests other things than the library, or starts programs that do."""

_MEASURING_SECONDS = 3600
_STARTING_SECONDS = 60
_SLOWER = 10
"""How many times as long as without a mutant the tests may take: beyond that it hangs."""

_COVERAGE_SETTINGS = """\
[run]
source = emheap
relative_files = true
"""


class Copy:
    """A copy of the checkout, for one mutant after the other."""

    def __init__(self, folder: Path, arguments: Sequence[str]) -> None:
        self.folder = folder
        self._arguments = arguments
        for name in _PARTS:
            source = CHECKOUT / name
            if source.is_dir():
                unwanted = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, folder / name, ignore=unwanted)
            elif source.exists():
                shutil.copy(source, folder / name)

    def measure(self, results: Path) -> CoveringTests:
        """Run every test once, on the code as it is, and see what it runs.

        What an earlier run left in the folder `results` is taken as it is.
        """
        settings, data, record = (
            results / f"measured-{name}" for name in ("settings", "lines", "tests")
        )
        if not record.exists():
            settings.write_text(_COVERAGE_SETTINGS, encoding="utf-8")
            command = ["-m", "coverage", "run", f"--rcfile={settings}", f"--data-file={data}"]
            without = (f"--ignore=emtests/{name}" for name in _WITHOUT)
            run = self._run_pytest(
                [*command, "-m", "pytest", "-p", "emtests.mutation.recording"],
                ["-m", "not slow and not once", *without],
                {RECORD_VARIABLE: str(record)},
                _MEASURING_SECONDS,
            )
            if run.exit_code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
                record.unlink(missing_ok=True)
                raise SystemExit(f"The tests cannot be run: {run.killer()}")
            for name in run.failed():
                print(f"It fails without any mutant, and is left out: {name}", flush=True)
        return CoveringTests(CHECKOUT, data, record)

    def failing(self, names: Sequence[str]) -> list[str]:
        """Those of some tests that fail on the code as it is."""
        return self._run_some(names, _MEASURING_SECONDS).failed()

    def try_out(self, mutant: Mutant, tests: CoveringTests, limit: float) -> str:
        """What notices the mutant: the first test that fails, or how the run ends."""
        file = self.folder / mutant.path.relative_to(CHECKOUT)
        source = file.read_bytes()
        file.write_bytes(mutant.apply(source))
        try:
            for names, seconds in tests.of(mutant, limit):
                run = self._run_some(names, _STARTING_SECONDS + _SLOWER * seconds, "-x")
                killer = run.killer()
                if killer:
                    return killer
        finally:
            file.write_bytes(source)
            # Python knows a file by its size and the second that it was written in.
            for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
                compiled.unlink()
        return ""

    def _run_some(self, names: Sequence[str], seconds: float, *options: str) -> _Run:
        chosen = self.folder / "chosen-tests"
        chosen.write_text("\n".join(names), encoding="utf-8")
        return self._run_pytest(
            ["-m", "pytest", "-p", "emtests.mutation.selecting"],
            [*options, *dict.fromkeys(name.split("::")[0] for name in names)],
            {LIST_VARIABLE: str(chosen)},
            seconds,
        )

    def _run_pytest(
        self,
        start: Sequence[str],
        selected: Sequence[str],
        variables: Mapping[str, str],
        seconds: float,
    ) -> _Run:
        options = ["-q", "--tb=no", "-p", "no:cacheprovider"]
        process = subprocess.Popen(
            [sys.executable, *start, *options, *selected, *self._arguments],
            cwd=self.folder,
            # What other programs made for the tests is not made again for each copy.
            env={**os.environ, "EMHEAP_ENVIRONMENT": str(private_folder()), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return _Run(None, f"it hangs: stopped after {seconds:.0f} s")
        finally:
            # A mutant may leave children behind.
            if sys.platform != "win32":
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return _Run(process.returncode, output.strip())


@dataclass(frozen=True)
class _Run:
    """How a run of pytest ended."""

    exit_code: int | None
    """None where it was stopped."""
    output: str

    def failed(self) -> list[str]:
        """The tests that failed, and the files that could not be collected."""
        return [
            line.split(" - ")[0].split(maxsplit=1)[1]
            for line in self.output.splitlines()
            if line.startswith(("FAILED", "ERROR"))
        ]

    def killer(self) -> str:
        """The test that failed first, or how the run ended; empty where all is well."""
        if self.exit_code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return ""
        if self.exit_code is not None and self.exit_code < 0:
            return f"the process ends by signal {-self.exit_code}"
        failed = self.failed()
        if failed:
            return failed[0]
        last = self.output.splitlines()[-1] if self.output else ""
        return last if self.exit_code is None else f"exit code {self.exit_code}: {last}"
