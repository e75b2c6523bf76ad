from __future__ import annotations

import emheap


def test_frees_what_it_allocates(emheap_heap: emheap.HeapManager) -> None:
    with emheap_heap.alloc_array(emheap.int32, 10) as numbers:
        assert sum(numbers) == 0
