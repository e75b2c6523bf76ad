"""The page as a set of files: addresses, relative to wherever it is put, and their contents."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from pyodide_demo.filters import FILTERS, summary

HERE = Path(__file__).resolve().parent

Content = Path | bytes

_RUNTIME = (
    "pyodide.mjs",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "python_stdlib.zip",
    "pyodide-lock.json",
)
_PROGRAM = ("__init__.py", "program.py", "filters.py", "lanes.py")


def site_files(
    distribution: Path, wheel: Path, picture: Path, chosen: Sequence[str]
) -> dict[str, Content]:
    """Everything the page needs, by address; it starts with `picture` and the `chosen` filters."""
    files: dict[str, Content] = {path.name: path for path in sorted((HERE / "page").iterdir())}
    files |= {f"pyodide/{name}": distribution / name for name in _RUNTIME}
    files |= {f"python/pyodide_demo/{name}": HERE / name for name in _PROGRAM}
    files[f"wheel/{wheel.name}"] = wheel
    files[f"picture{picture.suffix}"] = picture
    fetched = [f"pyodide/{name}" for name in _RUNTIME if not name.endswith(".mjs")]
    files["site.json"] = json.dumps(
        {
            "wheel": f"wheel/{quote(wheel.name)}",
            "program": [f"pyodide_demo/{name}" for name in _PROGRAM],
            "picture": {"address": f"picture{quote(picture.suffix)}", "name": picture.name},
            "filters": [{"name": name, "summary": summary(name)} for name in FILTERS],
            "chosen": list(chosen),
            # For the progress bar: the bytes that are fetched before Python runs.
            "bytesToFetch": sum(_size(files[address]) for address in fetched),
        }
    ).encode()
    return files


def _size(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size
