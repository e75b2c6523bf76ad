"""Runs the native tests on a copy of the checkout with one mutant in it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from emtests.mutation.mutants import Mutant
from pyodide_demo.environment import CHECKOUT

__all__ = ["STAGES", "Copy", "Verdict"]

_SECONDS = 600
"""A mutant that takes longer hangs, which is noticed too."""
_PARTS = ("emheap", "emtests", "pyodide_demo", "README.md", "pyproject.toml", "CHANGELOG.md")

_QUICK_KINDS = "--kinds=own,debug,bytearray-freelist,guest32"
STAGES: Sequence[Sequence[str]] = (
    # Most mutants die here, in seconds.
    (
        _QUICK_KINDS,
        *(f"emtests/{name}" for name in ("heap", "refs", "types", "blocks/test_free.py")),
        "emtests/blocks/test_accounting.py",
        "emtests/allocators",
        "emtests/diagnosis",
    ),
    # The rest of them meets everything that the native rows have, but for what starts programs.
    ("-m", "not slow and not once", "--ignore=emtests/machinery"),
)


@dataclass(frozen=True)
class Verdict:
    """What the tests said of a mutant."""

    mutant: Mutant
    killer: str
    """The test that failed first, or how the run ended; empty where nothing was noticed."""


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

    def try_out(self, mutant: Mutant | None) -> str:
        """What notices the mutant: the first test that fails, or how the run ends."""
        if mutant is None:
            return self._run_stages()
        file = self.folder / mutant.path.relative_to(CHECKOUT)
        source = file.read_bytes()
        file.write_bytes(mutant.apply(source))
        try:
            return self._run_stages()
        finally:
            file.write_bytes(source)

    def _run_stages(self) -> str:
        for stage in STAGES:
            killer = self._run(stage)
            if killer:
                return killer
        return ""

    def _run(self, arguments: Sequence[str]) -> str:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
        process = subprocess.Popen(
            [*command, *arguments, *self._arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            return f"it hangs: stopped after {_SECONDS} s"
        finally:
            # A mutant may leave children behind.
            if sys.platform != "win32":
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return _killer(process.returncode, output)


def _killer(exit_code: int, output: str) -> str:
    if exit_code == 0:
        return ""
    if exit_code < 0:
        return f"the process ends by signal {-exit_code}"
    for line in output.splitlines():
        if line.startswith(("FAILED", "ERROR")):
            return line.split(" - ")[0].split(maxsplit=1)[1]
    return f"exit code {exit_code}: {output.strip().splitlines()[-1] if output.strip() else ''}"
