"""For users' tests: a heap that must be empty when the test ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from emheap.heap.manager import HeapManager

__all__ = ["emheap_heap"]


@pytest.fixture
def emheap_heap() -> Iterator[HeapManager]:
    """The process's own heap. Where a test leaves a block live on it, a LeakError says where the
    block was allocated; it is freed then, unless a view of it is in use."""
    import emheap  # late, for coverage to see the import where a project measures its own use

    heap = emheap.open()
    yield heap
    if heap.is_closed:
        return
    try:
        heap.check_leaks()
    finally:
        with suppress(emheap.BufferInUseError):  # of a block that the LeakError names
            heap.free_all()
