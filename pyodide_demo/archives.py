"""Folders as zip files in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ["archive", "archive_of"]


def archive(root: Path, parts: Iterable[Path]) -> bytes:
    """A zip of `parts`, files and folders under `root`, without caches."""
    files: dict[str, bytes] = {}
    for part in sorted(parts):
        for path in [part] if part.is_file() else sorted(part.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                files[path.relative_to(root).as_posix()] = path.read_bytes()
    return archive_of(files)


def archive_of(files: Mapping[str, bytes], *, compressed: bool = True) -> bytes:
    """A zip of files by name.

    Equal files make equal bytes, because the zip carries no time of theirs.
    """
    memory = io.BytesIO()
    how = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(memory, "w", how) as target:
        for name, content in files.items():
            target.writestr(zipfile.ZipInfo(name), content, compress_type=how)
    return memory.getvalue()
