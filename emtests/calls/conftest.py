"""A heap and the library of the tests, once for each way to call it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emheap import HeapManager
from emheap._util.platform import IN_PYODIDE
from emtests.calls.declared import Calls
from emtests.calls.ways import RUNNING, Way

# wasmtime runs native code.
collect_ignore_glob = ["test_wasmtime_*"] if IN_PYODIDE else []


@pytest.fixture(params=RUNNING, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    way: Way = request.param
    return way


@pytest.fixture
def c_heap(way: Way) -> Iterator[HeapManager]:
    heap = way.open_heap()
    yield heap
    assert heap.total_allocated_byte_size == 0, "the test left blocks behind"


@pytest.fixture
def calls(way: Way, c_heap: HeapManager) -> Calls:
    return way.bind(Calls, c_heap)
