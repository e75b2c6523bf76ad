from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

collect_ignore_glob = ["test_*"] if sys.platform in ("emscripten", "win32") else []

Program = Callable[[str, str], Path]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Makes shell scripts that stand alone on PATH, beside what a script itself needs."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def write(name: str, script: str) -> Path:
        file = folder / name
        file.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        return file

    return write
