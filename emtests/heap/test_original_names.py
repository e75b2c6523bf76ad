"""The names of wasm-heap-manager, which its documentation gives, are ours in snake case."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import emheap
from emheap import pointer32, utf8
from emheap.blocks.options import Options
from emtests.bench.original.comparing import PACKAGES
from emtests.conftest import skip_for_gap
from emtests.heaps import IN_PYODIDE
from pyodide_demo.docs_blocks import DOCS
from pyodide_demo.environment import EnvironmentProblem, npm_install

pytestmark = pytest.mark.once
_NAME = re.compile(r"`(?:\w+\.)?([a-z]\w*)(?=[`(:=])")


@pytest.fixture(scope="module")
def original() -> str:
    """What its package says of itself: its README, then its declarations."""
    if IN_PYODIDE:
        skip_for_gap("wasm-heap-manager", "Pyodide has no npm")
    try:
        modules = npm_install("original", PACKAGES)
    except EnvironmentProblem as problem:
        skip_for_gap("wasm-heap-manager", str(problem).splitlines()[0])
    package: Path = modules / "wasm-heap-manager"
    declared = (package / "dist" / "heap-manager").glob("*.d.ts")
    files = [package / "README.md", *declared]
    return "\n## ".join(file.read_text(encoding="utf-8") for file in files)


def snake_case(name: str) -> str:
    """As the page says: Python has one kind of int, and the documentation's clamped numbers."""
    name = name.replace("Uint8Clamped", "ClampedUint8").replace("BigInt", "Int")
    name = name.replace("BigUint", "Uint").replace("ByteCount", "ByteSize")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def test_a_heap_has_every_method(original: str) -> None:
    methods = set(re.findall(r"\bheapManager\.(\w+)", original))
    assert len(methods) > 100
    heap = emheap.open()
    assert [name for name in methods if not hasattr(heap, snake_case(name))] == []
    openers = set(re.findall(r"import \{ (\w+) \} from 'wasm-heap-manager'", original))
    assert openers == {"createWasmHeapManager", "wrapEmscriptenModuleHeap"}
    assert all(snake_case(name) in emheap.__all__ for name in openers)


def test_references_have_every_member(original: str) -> None:
    listed = re.split(r"(?m)^### Allocating (numeric values|strings|typed arrays) ", original)
    kinds = dict(zip(listed[1::2], listed[2::2], strict=True))
    with emheap.open() as heap:
        refs: dict[str, Any] = {
            "numeric values": heap.alloc_int32(),
            "strings": heap.alloc_null_terminated_utf8_string(5),
            "typed arrays": heap.alloc_int32_array(5),
        }
        for kind, text in kinds.items():
            text = text.partition("\n## ")[0]
            members = re.findall(r"(?m)^\* `(\w+)(?:\([\w, ]*\))?`:", text)
            assert len(members) > 8, kind
            assert [name for name in members if not hasattr(refs[kind], snake_case(name))] == []


def test_options_have_their_names(original: str) -> None:
    text = original.partition("## Constructor options")[2].partition("\n## ")[0]
    options = set(re.findall(r"(?m)^\* `(\w+)`:", text))
    assert options == {"clearAllocatedRegions", "pollingMode", "trackAllocations"}
    assert all(hasattr(Options(), snake_case(name)) for name in options)


def test_the_page_gives_names_of_both(original: str) -> None:
    page = (DOCS / "wasm_heap_manager.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| (`.*?) \| (.*) \|$", page)
    assert len(rows) > 14
    heap = emheap.open()
    with heap.arena() as scratch:
        refs = (scratch.alloc_int32(), scratch.alloc(utf8, 3), scratch.alloc_array(pointer32, 1))
        owners: tuple[Any, ...] = (emheap, heap, *refs, Options())
        for old, new in rows:
            ours = _NAME.findall(new)
            assert all(any(hasattr(each, name) for each in owners) for name in ours), new
            theirs = _NAME.findall(old.partition(" (")[0])
            assert theirs, old
            assert {*map(snake_case, theirs)} & {*ours} or new.startswith("the same"), old
            if "gone since" not in old:
                assert all(re.search(rf"\b{name}\b", original) for name in theirs), old
