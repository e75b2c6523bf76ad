"""Python itself runs out of memory at any moment: no small block is lost."""

from __future__ import annotations

import gc
import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import HeapManager, int32, uint8, utf8
from emtests.blocks.test_interrupts import Subject, pooled, quietly
from emtests.conftest import skip_for_gap
from emtests.unmeasured import unmeasured

OPERATIONS: dict[str, Callable[[HeapManager], Any]] = {
    "flat number": lambda heap: heap.alloc_int32(5).free(),
    "number": lambda heap: heap.alloc(int32, 5).free(),
    "array": lambda heap: heap.alloc_array(uint8, 8).free(),
    "string": lambda heap: heap.alloc(utf8, "text").free(),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_block_is_lost_where_python_has_no_memory(name: str) -> None:
    if importlib.util.find_spec("_testcapi") is None:
        skip_for_gap("this Python", "it was built without _testcapi, which injects the errors")
    hooks: Any = importlib.import_module("_testcapi")
    subject = Subject(emheap.open(debug=False), pooled)
    operation = OPERATIONS[name]
    operation(subject.heap)
    failed = 0
    for moment in range(1, 60):
        with unmeasured(), quietly():
            gc.collect(0)
            hooks.set_nomemory(moment, moment + 1)
            try:
                operation(subject.heap)
            except MemoryError:
                failed += 1
            finally:
                hooks.remove_mem_hooks()
        subject.check(0)
    assert failed > 1
    subject.close()
