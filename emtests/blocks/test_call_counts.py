"""How many Python functions the common verbs call: what makes them slow where timers lie."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import emheap
from emheap import int32, uint8, utf8
from emheap._util.platform import HAS_GIL
from emtests.conftest import skip_for_gap

# Of the package alone: the folder of a checkout is called emheap, too.
_PACKAGE = str(Path(emheap.__file__).parent) + os.sep


class Count:
    """The calls of Python functions while a function runs, and the files that they are in."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.calls: list[str] = []
        before = sys.getprofile()
        sys.setprofile(self._profile)
        try:
            self.result = function()
        finally:
            sys.setprofile(before)

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(_PACKAGE):
            self.calls.append(f"{frame.f_code.co_filename}:{frame.f_code.co_name}")

    @property
    def number(self) -> int:
        return len(self.calls)

    @property
    def files(self) -> set[str]:
        return {call.rpartition(":")[0] for call in self.calls}


@pytest.fixture
def heap() -> emheap.HeapManager:
    if not HAS_GIL:
        skip_for_gap("small blocks in one step", "that takes the interpreter's lock")
    # Not a debug heap, whatever the environment says: that calls more.
    return emheap.open(debug=False)


def test_the_first_number_of_a_type(heap: emheap.HeapManager) -> None:
    count = Count(lambda: heap.alloc(int32, 7))
    assert count.number <= 20, count.calls
    assert len(count.files) <= 9, count.files
    count.result.free()


def test_a_number_where_the_pool_is_empty(heap: emheap.HeapManager) -> None:
    refs = [heap.alloc_int32(1)]
    most = 0
    for _ in range(6):  # the pool is filled by 1, 2, 4 ... blocks
        count = Count(heap.alloc_int32)
        most = max(most, count.number)
        refs.append(count.result)
    assert 2 < most <= 15
    heap.free_all()


@pytest.mark.parametrize(
    ("free", "most"),
    [
        (lambda heap, ref: heap.free(ref), 4),
        (lambda heap, ref: ref.free(), 1),
        (lambda heap, ref: ref.__exit__(None, None, None), 2),
    ],
    ids=["heap.free", "free", "with"],
)
@pytest.mark.parametrize("kind", ["number", "array", "string"])
def test_freeing_a_small_block(
    heap: emheap.HeapManager, kind: str, free: Callable[[Any, Any], None], most: int
) -> None:
    makers: dict[str, Callable[[], Any]] = {
        "number": lambda: heap.alloc(int32, 5),
        "array": lambda: heap.alloc_array(uint8, 20),
        "string": lambda: heap.alloc(utf8, "text"),
    }
    ref = makers[kind]()
    count = Count(lambda: free(heap, ref))
    # An array's own free calls the one that all references have.
    assert count.number <= most + (kind == "array"), count.calls
    assert ref.is_freed


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"clear_allocated_regions": False},
        {"track_allocations": False},
        {"enable_garbage_collection": True},
    ],
    ids=lambda options: "".join(options) or "the defaults",
)
def test_small_blocks_that_were_there_before(options: dict[str, bool]) -> None:
    if not HAS_GIL:
        skip_for_gap("small blocks in one step", "that takes the interpreter's lock")
    heap = emheap.open(debug=False, **options)  # type: ignore[arg-type]
    numbers: list[Callable[[], Any]] = [lambda: heap.alloc(int32, 5), lambda: heap.alloc_int32(5)]
    others: list[Callable[[], Any]] = [
        lambda: heap.alloc_array(uint8, 20),
        lambda: heap.alloc(utf8, "some text"),
    ]
    tracked_and_freed_by_hand = not options or "clear_allocated_regions" in options
    most = 2 if tracked_and_freed_by_hand else 3
    for make in [*numbers, *others] if tracked_and_freed_by_hand else numbers:
        make().free()
        make().free()
        count = Count(make)
        assert count.number <= most, count.calls
        count.result.free()
