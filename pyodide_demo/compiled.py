"""The page's programs as compiled code, which a kept memory of Python has in it.

`compile_all` runs before the memory is kept, and nothing of the programs does: what they have of
JavaScript's objects, and of the functions of C that they looked up, would not be there later.
"""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Callable
from importlib.abc import PathEntryFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from types import CodeType

__all__ = ["compile_all", "start_again"]

_codes: dict[str, CodeType] = {}


class _Loader(SourceFileLoader):
    """Imports what is compiled already as it is."""

    def get_code(self, fullname: str) -> CodeType | None:
        return _codes.get(self.path) or super().get_code(fullname)


def compile_all(folder: str) -> int:
    """Compile the modules below a folder, have imports take them from here; return how many."""
    for path in sorted(Path(folder).rglob("*.py")):
        _codes[str(path)] = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    sys.path_hooks.insert(0, _hook_for(folder))
    sys.path_importer_cache.clear()
    return len(_codes)


def start_again() -> None:
    """In a Python that goes on from a kept memory: forget what only the first one knows."""
    sys.path.remove("")  # each start puts the current folder before all others, this one again
    importlib.invalidate_caches()
    random.seed()


def _hook_for(folder: str) -> Callable[[str], PathEntryFinder]:
    make = FileFinder.path_hook((_Loader, SOURCE_SUFFIXES))

    def hook(path: str) -> PathEntryFinder:
        if not path.startswith(folder):
            raise ImportError(f"{path} is not below {folder}")
        return make(path)

    return hook
