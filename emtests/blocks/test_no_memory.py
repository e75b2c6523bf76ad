"""Python itself runs out of memory at any moment: no small block is lost."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import HeapManager, Struct, float64, int32, uint8, uint128, utf8, utf16
from emtests.blocks.test_interrupts import Subject, pooled, quietly
from emtests.conftest import skip_for_gap
from emtests.heaps import IN_PYODIDE
from emtests.unmeasured import unmeasured


class Point(Struct):
    x: int32
    y: float64


def resized(heap: HeapManager) -> None:
    with heap.alloc_array(int32, [1, 2, 3]) as numbers:
        numbers.resize(400)


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
}

SHORT = {"flat number", "number", "array", "string"}
"""Those that CPython itself survives in every version."""
WEAK = {
    (3, 10): "each call of a function takes memory there, also between two steps",
    (3, 13): "without memory it damages its own lists of objects, and ends at a later collection",
}
PASSED_ON = {"large array", "array of values", "alignment", "resize"}
"""Those whose blocks go back to the program's own free."""


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_block_is_lost_where_python_has_no_memory(name: str) -> None:
    if importlib.util.find_spec("_testcapi") is None:
        skip_for_gap("this Python", "it was built without _testcapi, which injects the errors")
    if IN_PYODIDE and name in PASSED_ON:
        skip_for_gap("Pyodide", "a call of its free that failed may have freed the block")
    reason = WEAK.get(sys.version_info[:2])
    if reason is not None and name not in SHORT and not IN_PYODIDE:
        skip_for_gap("CPython {}.{}".format(*sys.version_info), reason)
    hooks: Any = importlib.import_module("_testcapi")
    subject = Subject(emheap.open(debug=False), pooled)
    operation = OPERATIONS[name]
    operation(subject.heap)
    failed = 0
    for moment in range(1, 150):
        unnoticed = 0
        with unmeasured(), quietly():
            gc.collect(0)
            hooks.set_nomemory(moment, moment + 1)
            try:
                operation(subject.heap)
            except MemoryError:
                failed += 1
            except SystemError:  # CPython lost the error, and reported that to somebody
                unnoticed = 1
            finally:
                hooks.remove_mem_hooks()
        subject.check(unnoticed)
    assert failed > 1
    subject.close()
