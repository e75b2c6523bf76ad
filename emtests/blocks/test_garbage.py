"""Views in cycles that the garbage collector breaks.

CPython before 3.12.7 crashes where it clears a memoryview that has exports. The programs run in
processes of their own.
"""

from __future__ import annotations

import gc
import warnings

import pytest

import emheap
from emheap import int32
from emtests.blocks.test_interpreter_ends import need_processes
from emtests.processes import run_program

VIEWS = {
    "a view": "array.view",
    "a slice": "array.view[1:]",
    "a cast": "array.view.cast('B')",
    "bytes": "array.allocated_bytes_view[2:]",
    "a string's": "heap.alloc(utf8, 'text').encoded_elements_view[1:]",
    "an edit's": "array.edit().__enter__()[1:]",
    "by address": "heap.view(int32, array.address, 3)[1:]",
    "wrapped": "heap.wrap_array(int32, array.address, 2).view[1:]",
    "structures": "heap.alloc_array(Pair, 2).view[1:]",
    "a column": "heap.alloc_array(Pair, 2).column('y')[1:]",
    "in an arena": "heap.arena().alloc_array(int32, 3).view[1:]",
    "a ctypes array": "(ctypes.c_int32 * 4).from_buffer(array.view)",
}
CYCLES = """
import ctypes, gc, warnings
import emheap
from emheap import Struct, int32, utf8

class Pair(Struct):
    x: int32
    y: int32

def leave(heap, order):
    "A cycle of garbage around a view, its reference and its heap, in each order."
    array = heap.alloc_array(int32, [1, 2, 3, 4])
    view = VIEW
    parts = {"view": view, "reference": array, "heap": heap}
    cycle = [parts[name] for name in order]
    cycle.append(cycle)

OPTIONS = (
    {}, {"track_allocations": False}, {"enable_garbage_collection": True}, {"debug": True},
)
ORDERS = (
    ("view",), ("view", "reference"), ("reference", "view"), ("heap", "view"),
    ("view", "reference", "heap"), ("heap", "reference", "view"),
)
warnings.simplefilter("ignore")
for options in OPTIONS:
    for order in ORDERS:
        leave(emheap.open(**options), order)
        gc.collect()
        buffer = bytearray(8192)
        leave(emheap.wrap_buffer(buffer, **options), order)
        while gc.collect():  # finalizers keep some for the next time
            pass
        if "debug" not in options:  # which is kept for the report at exit
            buffer.append(1)  # raises BufferError while anything is exported
print("collected")
gc.disable()
for options in OPTIONS:
    leave(emheap.wrap_buffer(bytearray(8192), **options), ORDERS[-1])  # for the end of all
"""


def test_what_is_kept_goes_at_the_end_of_the_same_collection() -> None:
    buffer = bytearray(8192)

    def leave() -> None:
        heap = emheap.wrap_buffer(buffer)
        array = heap.alloc_array(int32, 4)
        cycle = [array.view[1:], array, heap]
        cycle.append(cycle)
        with pytest.raises(BufferError):
            buffer.append(1)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the block is dropped
        leave()
        gc.collect()
    buffer.append(1)


@pytest.mark.once
@pytest.mark.parametrize("view", VIEWS)
def test_views_may_be_garbage_together_with_their_heap(view: str) -> None:
    need_processes()
    assert run_program(CYCLES.replace("VIEW", VIEWS[view])) == "collected\n"
