"""Whether a compiler of this machine can be used."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

__all__ = ["GCC", "WASM", "missing"]

GCC = ("gcc", "-shared", "-fPIC")
"""gcc, as it links shared libraries."""
WASM = ("clang", "--target=wasm32", "-nostdlib", "-Wl,--no-entry")
"""clang, as it links modules that need no C library."""

_SECONDS = 120


@cache
def missing(*command: str, header: str = "") -> str:
    """Why a compiler with these options cannot make a small program here; empty where it can.

    It may be here without its linker, its C library or its tools: Debian's clang comes without lld
    and wasi-libc. So it is asked to include a `header` and to link.
    """
    if sys.platform == "emscripten":
        return "Pyodide starts no processes"
    if shutil.which(command[0]) is None:
        return f"there is no {command[0]} on this machine"
    if command[0] == "rustc":
        name, program = "small.rs", "#[no_mangle]\npub extern fn one() -> i32 { 1 }\n"
    else:
        include = f"#include <{header}>\n" if header else ""
        name, program = "small.c", f"{include}int one(void) {{ return 1; }}\n"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, name)
        source.write_text(program, encoding="utf-8")
        ended = subprocess.run(
            [*command, str(source), "-o", str(Path(folder, "small.js"))],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    if ended.returncode == 0:
        return ""
    errors = [line for line in ended.stdout.splitlines() if "rror" in line or "cannot" in line]
    return f"{' '.join(command)} cannot be used here: {errors[0] if errors else ended.stdout}"
