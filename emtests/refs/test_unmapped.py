"""What was wrapped and is no memory can be shown: debuggers, and pytest's reports, show everything.

In a process most addresses lead nowhere, and reading there ends it.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import HeapManager, Pointer, int32, utf8, utf16
from emheap._util.mapped import is_mapped
from emheap._util.platform import IN_PYODIDE
from emtests.conftest import skip_for_gap
from emtests.structures.kinds import Message, Node, Vec

NOWHERE = 0x1000
"""In the first pages that no system gives to programs."""

WRAPS: dict[str, Callable[[HeapManager], Any]] = {
    "a number": lambda heap: heap.wrap(int32, NOWHERE),
    "an array": lambda heap: heap.wrap_array(int32, NOWHERE, 2000),
    "a string": lambda heap: heap.wrap(utf8, NOWHERE, 10),
    "a wide string": lambda heap: heap.wrap(utf16, NOWHERE, 10),
    "a structure": lambda heap: heap.wrap(Node, NOWHERE),
    "one with a tail": lambda heap: heap.wrap(Message, NOWHERE, tail=5000),
    "structures": lambda heap: heap.wrap_array(Node, NOWHERE, 3),
    "structures apart": lambda heap: heap.wrap_array(Vec, NOWHERE, 3, stride=4096),
    "an element": lambda heap: heap.wrap_array(Node, NOWHERE, 3)[1],
    "a nested structure": lambda heap: heap.wrap(Node, NOWHERE).at,
    "an array inside": lambda heap: heap.wrap(Node, NOWHERE).pos,
    "structures inside": lambda heap: heap.wrap(Node, NOWHERE).corners,
    "a string inside": lambda heap: heap.wrap(Node, NOWHERE).label,
    "a pointer": lambda heap: heap.wrap(Pointer[Node], NOWHERE),
    "pointers": lambda heap: heap.wrap_array(Pointer[Node], NOWHERE, 3),
    "what a pointer leads to": lambda heap: heap.alloc(Pointer[Vec], NOWHERE).value.target,
}


@pytest.fixture
def process() -> HeapManager:
    if IN_PYODIDE:
        skip_for_gap("addresses that are no memory", "in WebAssembly all of a memory can be read")
    return emheap.open(debug=False, enable_garbage_collection=True)


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
def test_a_reference_to_no_memory_is_shown(
    process: HeapManager, wrap: Callable[[HeapManager], Any]
) -> None:
    ref = wrap(process)
    assert " unreadable at 0x" in repr(ref)
    assert "borrowed, and cannot be read" in ref._repr_html_()


ADOPTIONS: dict[str, Callable[[HeapManager], Any]] = {
    "a number": lambda heap: heap.adopt(int32, NOWHERE, free=lambda _: None),
    "an array": lambda heap: heap.adopt(int32, NOWHERE, 2000, free=lambda _: None),
    "a string": lambda heap: heap.adopt(utf8, NOWHERE, 10, free=lambda _: None),
    "a structure": lambda heap: heap.adopt(Node, NOWHERE, free=lambda _: None),
}


@pytest.mark.parametrize("adopt", ADOPTIONS.values(), ids=ADOPTIONS)
def test_an_adopted_reference_to_no_memory_is_shown(
    process: HeapManager, adopt: Callable[[HeapManager], Any]
) -> None:
    ref = adopt(process)
    assert " unreadable at 0x" in repr(ref)
    assert "cannot be read" in ref._repr_html_()
    ref.free()


def test_a_reference_to_memory_is_shown_with_what_is_there(process: HeapManager) -> None:
    room = mmap.mmap(-1, 3 * mmap.PAGESIZE)
    first = ctypes.addressof(ctypes.c_char.from_buffer(room))
    across = process.wrap(Vec, first + mmap.PAGESIZE - 4)
    across.y = 2.0
    assert repr(across).startswith("<Vec x=0.0 y=2.0 at ")
    room.close()


@pytest.mark.usefixtures("process")
def test_memory_is_found_page_by_page() -> None:
    data = bytearray(5 * mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(data))
    assert is_mapped(start, len(data))
    assert not is_mapped(start, 1 << 46)  # more than all that is mapped
    assert not is_mapped(NOWHERE, 1)
    assert not is_mapped(NOWHERE, 0)


@pytest.mark.usefixtures("process")
def test_where_no_more_files_can_be_opened_nothing_is_found() -> None:
    import resource  # which Pyodide has not got

    data = bytearray(1)
    start = ctypes.addressof(ctypes.c_char.from_buffer(data))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        assert not is_mapped(start, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
