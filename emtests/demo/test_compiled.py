"""What a later start of the page has compiled already."""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyodide_demo import compiled


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a package in it, and everything put back afterwards."""
    package = tmp_path / "packed_program"
    package.mkdir()
    (package / "__init__.py").write_text("from packed_program.inner import value\n")
    (package / "inner.py").write_text("value = 'compiled'\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "path_hooks", [*sys.path_hooks])
    yield tmp_path
    for name in ("packed_program", "packed_program.inner"):
        sys.modules.pop(name, None)
        compiled._codes.clear()
    sys.path_importer_cache.clear()


def test_imports_take_what_was_compiled(program: Path) -> None:
    assert compiled.compile_all(str(program)) == 2
    (program / "packed_program" / "inner.py").write_text("value = 'read again'\n")
    assert importlib.import_module("packed_program").value == "compiled"


def test_a_module_that_came_later_is_compiled_then(program: Path) -> None:
    compiled.compile_all(str(program))
    (program / "packed_program" / "later.py").write_text("value = 'later'\n")
    importlib.invalidate_caches()
    assert importlib.import_module("packed_program.later").value == "later"
    sys.modules.pop("packed_program.later")


def test_other_folders_are_imported_from_as_before(program: Path) -> None:
    before = [*sys.path_hooks]
    compiled.compile_all(str(program))
    with pytest.raises(ImportError, match=r" is not below "):
        sys.path_hooks[0](str(program.parent))
    assert sys.path_hooks[1:] == before


def test_a_start_from_a_kept_memory_forgets_what_was_of_the_first(program: Path) -> None:
    sys.path[:0] = ["", str(program), ""]
    state = random.getstate()
    compiled.start_again()
    assert sys.path[:2] == [str(program), ""]
    assert random.getstate() != state
