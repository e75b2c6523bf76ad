"""Compiles edit_distance.c to the .wasm file beside it: ``python build_wasm.py``."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "edit_distance"
OPTIONS = [
    "-mexec-model=reactor",  # a library, and no program with a main
    "-O2",
    "-Wl,--strip-all,--export=malloc,--export=free",
]


def build(made: Path) -> None:
    """Compile the library to a file."""
    if importlib.util.find_spec("ziglang") is not None:
        compiler = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi"]
    else:
        compiler = ["clang", "--target=wasm32-wasi"]
    source = FOLDER / "edit_distance.c"
    subprocess.run([*compiler, *OPTIONS, str(source), "-o", str(made)], check=True, timeout=300)
    made.chmod(0o644)


if __name__ == "__main__":
    build(FOLDER / "edit_distance.wasm")
