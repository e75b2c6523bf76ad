"""Finds the CPython interpreters of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

SUPPORTED = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.13t", "3.14t")
"""With a "t" where threads run without the interpreter's lock, as CPython names such builds."""
FOR_PYODIDE_BUILD = tuple(
    version for version in reversed(SUPPORTED) if version not in ("3.10", "3.11")
)
"""The newest first. The lock-file command of pyodide-build needs CPython 3.12."""
RUNNING = "{}.{}{}".format(
    *sys.version_info[:2], "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
)

# A shim of pyenv is on PATH for every version, but runs only for the chosen ones; the version that
# answers tells. `ensurepip` is what a virtual environment will need; the base executable is the
# same whichever virtual environment the program itself is started from.
_QUESTION = """
import ensurepip, sys, sysconfig, venv
executable = getattr(sys, "_base_executable", sys.executable)
threaded = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
print(sys.implementation.name, "%d.%d" % sys.version_info[:2] + threaded, executable)
"""


class Interpreter(NamedTuple):
    """A CPython that can make virtual environments."""

    version: str
    executable: Path


@cache
def find_interpreter(version: str) -> Path | None:
    """The executable of CPython `version`, such as "3.12"; the running one comes first."""
    for candidate in _candidates(version):
        found = identify(candidate)
        if found is not None and found.version == version:
            return found.executable
    return None


def identify(command: Sequence[str]) -> Interpreter | None:
    """What a command starts, where that is a CPython that can make virtual environments."""
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
    name, version, executable = done.stdout.strip().split(maxsplit=2)
    return Interpreter(version, Path(executable)) if name == "cpython" else None


def _candidates(version: str) -> Iterator[list[str]]:
    if version == RUNNING:
        yield [sys.executable]
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield [on_path]
    for folder in _pyenv_folders(version):
        yield [str(folder / "bin" / "python")]
    launcher = shutil.which("py") if sys.platform == "win32" else None
    if launcher:
        yield [launcher, f"-{version}"]


def _pyenv_folders(version: str) -> list[Path]:
    """What pyenv installed of a version, as 3.13.1 or 3.13.1t, the newest first."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    series, threaded = version.rstrip("t"), "t" if version.endswith("t") else ""
    name = re.compile(rf"{re.escape(series)}\.(\d+){threaded}")
    found = [(name.fullmatch(folder.name), folder) for folder in versions.glob(f"{series}.*")]
    patches = [(int(match[1]), folder) for match, folder in found if match]
    return [folder for _, folder in sorted(patches, reverse=True)]
