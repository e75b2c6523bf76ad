"""For users' tests: a heap that must be empty when the test ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from emheap.heap.manager import HeapManager

__all__ = ["emheap_heap"]


@pytest.fixture
def emheap_heap() -> Iterator[HeapManager]:
    """The process's own heap. A test that leaves a block live on it fails with a LeakError, which
    says where the block was allocated; the block is freed all the same."""
    import emheap  # late, for coverage to see the import where a project measures its own use

    heap = emheap.open()
    yield heap
    try:
        heap.check_leaks()
    finally:
        heap.free_all()
