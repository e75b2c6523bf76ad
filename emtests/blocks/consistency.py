"""Whether the records of a heap agree with each other and with what its allocator returned."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from emheap import FreeListAllocator, HeapManager, PoolAllocator, int32, uint8
from emheap._util.released import is_released
from emheap.allocators.wrapping import WrappingAllocator


def check_consistent(heap: HeapManager) -> None:
    """Fail unless every record of the heap holds, and the heap works on."""
    table = heap._table
    blocks = list(table)
    for block in blocks:
        assert not is_released(block[0]), "a live block whose elements are gone"
        assert table.find(block[1]) is block
    check_disjoint([(block[1], max(block[2].byte_size, 1)) for block in blocks])
    assert table.block_count == len(blocks)
    assert table.total_byte_size == sum(block[2].byte_size for block in blocks)
    check_allocator(heap.allocator, {block[1] for block in blocks})
    heap.free_all()
    assert heap.total_allocated_byte_size == 0
    refs = [heap.alloc_array(uint8, [index] * 20) for index in range(10)]
    numbers = [heap.alloc(int32, index) for index in range(10)]
    check_disjoint([(ref.address, 20) for ref in refs] + [(ref.address, 4) for ref in numbers])
    assert all(ref[:] == [index] * 20 for index, ref in enumerate(refs))
    assert all(ref.value == index for index, ref in enumerate(numbers))
    heap.free_all()


def check_disjoint(extents: list[tuple[int, int]]) -> None:
    for (address, size), (following, _) in pairwise(sorted(extents)):
        assert address + size <= following, f"0x{address:x} of {size} bytes and 0x{following:x}"


def check_allocator(allocator: Any, live: set[int]) -> None:
    if isinstance(allocator, WrappingAllocator):
        check_allocator(allocator._allocator, live)
    elif isinstance(allocator, PoolAllocator):
        kept = [address for spare in allocator._spare for address in spare]
        assert len(kept) == len(set(kept)), "a block is in a pool's lists twice"
        assert not live.intersection(kept), "a live block is in a pool's list"
        check_allocator(allocator._allocator, live)
    elif isinstance(allocator, FreeListAllocator):
        gaps = [(address, size) for size, address in allocator._free_by_size]
        check_disjoint([*gaps, *allocator._used.items()])
