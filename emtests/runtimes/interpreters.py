"""Finds the CPython interpreters of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SUPPORTED = ("3.10", "3.11", "3.12", "3.13", "3.14")
RUNNING = f"{sys.version_info[0]}.{sys.version_info[1]}"

# A shim of pyenv is on PATH for every version, but runs only for the chosen ones; the version that
# answers tells. `ensurepip` is what a virtual environment will need; the base executable is the
# same whichever virtual environment the program itself is started from.
_QUESTION = (
    "import ensurepip, sys, venv; executable = getattr(sys, '_base_executable', sys.executable); "
    "print(sys.implementation.name, '%d.%d' % sys.version_info[:2], executable)"
)


@cache
def find_interpreter(version: str) -> Path | None:
    """The executable of CPython `version`, such as "3.12"; the running one comes first."""
    for candidate in _candidates(version):
        found = _ask(candidate, version)
        if found is not None:
            return found
    return None


def _candidates(version: str) -> Iterator[list[str]]:
    if version == RUNNING:
        yield [sys.executable]
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield [on_path]
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for folder in sorted(versions.glob(f"{version}.*"), key=_patch_number, reverse=True):
        yield [str(folder / "bin" / "python")]
    launcher = shutil.which("py") if sys.platform == "win32" else None
    if launcher:
        yield [launcher, f"-{version}"]


def _patch_number(folder: Path) -> int:
    patch = folder.name.split(".")[2]
    return int(patch) if patch.isdigit() else -1


def _ask(command: list[str], version: str) -> Path | None:
    try:
        done = subprocess.run(
            [*command, "-I", "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    name, its_version, executable = done.stdout.strip().split(maxsplit=2)
    return Path(executable) if (name, its_version) == ("cpython", version) else None
