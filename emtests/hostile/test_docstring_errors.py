"""The errors that public docstrings name: each is raised on every heap, and none is left out."""

from __future__ import annotations

import builtins
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import emheap
from emtests.conftest import skip_for_gap
from emtests.heaps import HeapKind
from emtests.hostile import heap_mistakes as heap_mistakes
from emtests.hostile import ref_mistakes as ref_mistakes
from emtests.hostile.mistakes import MISTAKES

ELSEWHERE = {
    ("CapturedMemory.instance", "NotSupportedError"): "backends/javascript",
    ("CapturedMemory.memory", "NotSupportedError"): "backends/javascript",
    ("HeapManager.library", "OSError"): "calls/test_binding.py",
    ("Library.callback", "UseAfterFreeError"): "calls/test_callbacks.py",
    ("Library.function_at", "NullPointerError"): "calls/test_structures.py",
    ("Library.is_closed", "ForeignTrapError"): "calls/test_traps.py",
    ("Memory.open_atomics", "NotSupportedError"): "memories/test_atomics.py",
    ("StructArrayRef.numpy", "ImportError"): "refs/test_without_numpy.py",
    ("load_wasm", "ImportError"): "backends/wasmtime/test_opening.py",
    ("load_wasm", "NotSupportedError"): "calls/test_load_wasm.py",
    ("wrap_wasm_instance", "ForeignTrapError"): "backends/wasmtime/test_traps.py",
    ("wrap_wasm_instance", "ImportError"): "backends/wasmtime/test_opening.py",
    ("wrap_wasm_instance", "NotSupportedError"): "backends/wasmtime",
    ("wrap_wasm_instance", "ValueError"): "backends/wasmtime",
    ("wrap_emscripten_module_heap", "TypeError"): "backends/javascript",
    ("capture_memory", "NotSupportedError"): "backends/javascript/outside/test_programs.py",
    ("wrap_emscripten_module_heap", "NotSupportedError"): "backends/test_opening.py",
}
"""What needs a module, a machine or an installation of its own, and the tests that have it."""

AT_LARGE = {"Elements"}
"""What only an implementation of the library meets."""

MEMORYVIEWS = {
    ("ArrayRef.numpy", "NotSupportedError"),
    ("HeapView.index", "ValueError"),
    ("StructArrayRef.numpy", "NotSupportedError"),
}
"""What is an error only where views are no memoryviews."""


def documented() -> Iterator[tuple[str, str]]:
    """The public names with a docstring, and the docstrings without their examples."""
    for module in map(importlib.import_module, ("emheap", "emheap.memories.base")):
        names = [*module.__all__, *(("open", "ascii") if module is emheap else ())]
        for name in names:
            thing = getattr(module, name)
            yield name, prose(thing)
            if isinstance(thing, type):
                for cls in thing.__mro__:
                    if cls.__module__.startswith("emheap."):
                        for member in vars(cls).keys() - {"__doc__"}:
                            if not member.startswith("_"):
                                yield f"{cls.__name__}.{member}", prose(vars(cls)[member])


def prose(thing: Any) -> str:
    thing = getattr(thing, "__func__", thing)
    text = getattr(thing, "__doc__", None)
    own = text is not getattr(type(thing), "__doc__", None)
    return text.partition(">>>")[0] if isinstance(text, str) and own else ""


def named() -> set[tuple[str, str]]:
    """The names, and the errors that their docstrings mention."""
    texts = {name: text for name, text in documented() if name not in AT_LARGE}
    return {
        (name, error)
        for name, text in texts.items()
        for error in re.findall(
            r"\b[A-Z]\w*Error\b",
            text + (texts["BulkVerbs.copy_to"] if "Raises as `copy_to`" in text else ""),
        )
    }


def test_every_error_that_is_named_is_made_and_every_one_that_is_made_is_named() -> None:
    assert named() == MISTAKES.keys() | ELSEWHERE.keys()
    assert not MISTAKES.keys() & ELSEWHERE.keys()


def test_what_is_made_elsewhere_is_made_there() -> None:
    for (_, error), place in ELSEWHERE.items():
        path = Path(__file__).parents[1] / place
        files = [path] if path.is_file() else list(path.rglob("*.py"))
        assert any(error in file.read_text(encoding="utf-8") for file in files), (error, place)


@pytest.mark.parametrize(("name", "error"), sorted(MISTAKES), ids=str)
def test_it_raises_what_its_docstring_says(kind: HeapKind, name: str, error: str) -> None:
    if (name, error) in MEMORYVIEWS and kind.can("zero copy"):
        skip_for_gap("views that are no memoryviews", "here they are memoryviews")
    with kind.open() as heap:
        expected = getattr(emheap, error, None) or getattr(builtins, error)
        with pytest.raises(expected) as caught:
            MISTAKES[name, error](heap)
        assert str(caught.value)
        if heap.options.track_allocations:
            assert heap.live() == []
