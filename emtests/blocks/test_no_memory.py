"""Python itself runs out of memory at any moment: no small block is lost."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

import pytest

from emheap import HeapManager, Struct, float64, int32, uint8, uint128, utf8, utf16
from emheap._util.platform import HAS_GIL
from emtests.blocks.test_interrupts import Subject, pooled, quietly
from emtests.conftest import OpenHeap, skip_for_gap
from emtests.heaps import IN_PYODIDE, RUNNING, HeapKind
from emtests.unmeasured import unmeasured


class Point(Struct):
    x: int32
    y: float64


def resized(heap: HeapManager) -> None:
    with heap.alloc_array(int32, [1, 2, 3]) as numbers:
        numbers.resize(400)


def far_down(statement: str) -> Callable[[HeapManager], None]:
    """Runs a statement so far down in a function that the number of the place takes memory."""
    names: dict[str, Any] = {"int32": int32}
    exec("\n".join(["def run(heap):", *[" heap"] * 200, f" {statement}"]), names)
    run: Callable[[HeapManager], None] = names["run"]
    return run


# No generators: one that there is no memory for ends CPython 3.13.
OPERATIONS: dict[str, Callable[[HeapManager], Any]] = {
    "flat number": lambda heap: heap.alloc_int32(5).free(),
    "number": lambda heap: heap.alloc(int32, 5).free(),
    "array": lambda heap: heap.alloc_array(uint8, 8).free(),
    "string": lambda heap: heap.alloc(utf8, "text").free(),
    "large array": lambda heap: heap.alloc_array(uint8, 5000).free(),
    "array of values": lambda heap: heap.alloc_array(float64, [1.5] * 300).free(),
    "alignment": lambda heap: heap.alloc(int32, align=512).free(),
    "wide number": lambda heap: heap.alloc(uint128, 1 << 100).free(),
    "wide string": lambda heap: heap.alloc(utf16, "text").free(),
    "structure": lambda heap: heap.alloc(Point, x=1, y=2).free(),
    "resize": resized,
    "far down in a function": far_down("heap.alloc(int32, 5).free()"),
    "far down, by the heap": far_down("heap.free(heap.alloc(int32, 5))"),
}

SHORT = {"flat number", "number", "array", "string"}
"""Those that CPython itself survives in every version."""
WEAK = {
    (3, 10): "each call of a function takes memory there, also between two steps",
    (3, 12): "without memory for a function that it makes, it ends",
    (3, 13): "without memory it damages its own lists of objects, and ends at a later collection",
}
PASSED_ON = {"large array", "array of values", "alignment", "resize"}
"""Those whose blocks go back to a free that lies beneath the pool."""


# In Pyodide only the heap of the process: each of the others takes a page's time.
CASES = [
    pytest.param(kind, name, id=f"{kind}-{name}")
    for kind in RUNNING
    for name in OPERATIONS
    if kind.name == "own" or not IN_PYODIDE
]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_no_block_is_lost_where_python_has_no_memory(
    open_heap: OpenHeap, kind: HeapKind, name: str
) -> None:
    if importlib.util.find_spec("_testcapi") is None:
        skip_for_gap("this Python", "it was built without _testcapi, which injects the errors")
    foreign = IN_PYODIDE or kind.name.startswith("guest")
    if foreign and name in PASSED_ON:
        skip_for_gap(f"the free of {kind}", "a call of it that failed may have freed the block")
    if not HAS_GIL:
        skip_for_gap("a free-threaded Python", "taking two values apart takes memory there")
    reason = WEAK.get(sys.version_info[:2])
    short = name in SHORT and kind.name != "debug"
    if reason is not None and not short and not IN_PYODIDE:
        skip_for_gap("CPython {}.{}".format(*sys.version_info), reason)
    hooks: Any = importlib.import_module("_testcapi")
    subject = Subject(open_heap(), pooled)
    operation = OPERATIONS[name]
    operation(subject.heap)
    failed = 0
    for moment in range(1, 150):
        with unmeasured(), quietly():
            _leave_tuples()
            gc.disable()
            hooks.set_nomemory(moment, moment + 1)
            try:
                operation(subject.heap)
            except MemoryError:
                failed += 1
            finally:
                hooks.remove_mem_hooks()
                gc.enable()
        subject.check(0)
    # On CPython 3.15 there is one allocation for a structure that can be made to fail.
    assert failed > 1 or (failed and sys.version_info >= (3, 15) and name == "structure")
    subject.close()


def _leave_tuples() -> None:
    """Leave CPython some tuples, of which it takes one to end a ``with`` statement: without memory
    for it, it would not call what releases a lock."""
    gc.collect(0)
    _ = [(number, number, number) for number in range(50)]
