"""Arrays of very many lengths, and what is detached where there is no room."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

import emheap
from emheap import Array, HeapManager, OutOfMemoryError, Struct, array, int32, uint8


def test_what_is_known_of_lengths_does_not_grow_without_end() -> None:
    heap = emheap.open()
    with heap.alloc_array(uint8, [1, 2, 3]) as kept:
        for count in range(1, 4500):
            heap.alloc_array(uint8, count).free()
        assert len(heap._table._layouts) < 4500
        assert kept[:] == [1, 2, 3]
        with heap.alloc_array(uint8, 3) as other:
            assert other.address != kept.address


def test_arrays_in_structures_of_very_many_lengths() -> None:
    heap = emheap.open()
    for count in range(1, 1100):
        kind = type(
            "Row", (Struct,), {"__annotations__": {"row": Array[uint8]}, "row": array(count)}
        )
        made: Any
        with heap.alloc(kind) as made:
            made.row[count - 1] = 7
            assert bytes(made.row)[-1] == 7
    assert len(heap._table.places._layouts) <= 1000


def fill(heap: HeapManager) -> list[Any]:
    """Blocks for as long as there is room."""
    made: list[Any] = []
    with suppress(OutOfMemoryError):
        while True:
            made.append(heap.alloc_array(uint8, 12))
    return made


def test_a_block_of_an_arena_stays_where_there_is_no_room_to_detach_it() -> None:
    heap = emheap.wrap_buffer(bytearray(8192))
    with heap.arena() as scratch:
        ref = scratch.alloc_array(int32, [1, 2, 3])
        filling = fill(heap)
        with pytest.raises(OutOfMemoryError, match="no room for 12 bytes to detach the int32 arr"):
            ref.detach()
        assert ref[:] == [1, 2, 3]
        for each in filling:
            each.free()
        with heap.adopt(int32, ref.detach(), 3) as adopted:
            assert adopted[:] == [1, 2, 3]
    assert heap.total_allocated_byte_size == 0
