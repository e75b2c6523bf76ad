"""Which block an address lies in, found among many that come and go."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import emheap
from emheap import HeapManager, int32, uint8, wrap_buffer
from emheap._util.platform import HAS_GIL
from emheap.blocks.extents import ExtentIndex
from emtests.blocks.test_call_counts import Count
from emtests.conftest import skip_for_gap


@pytest.fixture
def heap() -> HeapManager:
    return wrap_buffer(bytearray(1 << 20), debug=False)


def owner_of(heap: HeapManager, address: int) -> Any:
    block = heap._table.owner_of(address)
    return None if block is None else block[1]


def test_every_byte_of_a_block_is_found_and_none_beside_it(heap: HeapManager) -> None:
    refs = [heap.alloc_array(uint8, size) for size in (1, 7, 64, 65, 4096, 100_000)]
    for ref in refs:
        size = ref.allocated_byte_size
        for offset in {0, 1, size // 2, size - 1} & set(range(size)):
            assert owner_of(heap, ref.address + offset) == ref.address
        assert owner_of(heap, ref.address + size) != ref.address
        assert owner_of(heap, ref.address - 1) != ref.address
    heap.free_all()
    assert owner_of(heap, refs[0].address) is None


def test_random_blocks_are_found_while_they_live() -> None:
    heap = wrap_buffer(bytearray(1 << 20), debug=False)
    choice = random.Random(7)
    live: dict[int, Any] = {}
    for _ in range(3000):
        if live and choice.random() < 0.45:
            live.pop(choice.choice(list(live))).free()
        elif choice.random() < 0.5:
            ref: Any = heap.alloc(int32)
            live[ref.address] = ref
        else:
            ref = heap.alloc_array(uint8, choice.randrange(1, 300))
            live[ref.address] = ref
        if choice.random() < 0.2:
            address = choice.randrange(1, 1 << 20)
            inside = [
                start
                for start, ref in live.items()
                if start <= address < start + ref.allocated_byte_size
            ]
            assert owner_of(heap, address) == (inside[0] if inside else None)
    heap.free_all()


def test_blocks_that_are_gone_are_forgotten() -> None:
    heap = wrap_buffer(bytearray(1 << 18), debug=False)
    for _ in range(2):
        refs = [heap.alloc(int32) for _ in range(3000)]
        assert owner_of(heap, refs[-1].address + 1) == refs[-1].address
        assert len(heap._table._extents._known) >= 3000
        heap.free_all()
        with heap.alloc(int32) as one:
            assert owner_of(heap, one.address + 1) == one.address
            assert len(heap._table._extents._known) == 1


def test_a_block_that_could_not_be_freed_hides_no_newer_one(heap: HeapManager) -> None:
    old = heap.alloc_array(uint8, 100)
    assert owner_of(heap, old.address + 1) == old.address  # it is known from now on
    new = heap.alloc_array(uint8, 100)
    part = old.view[:1]
    with pytest.raises(emheap.BufferInUseError):
        old.free()
    assert owner_of(heap, new.address + 1) == new.address
    assert owner_of(heap, old.address + 1) == old.address
    part.release()
    heap.free_all()


def test_adopting_walks_over_no_blocks_but_those_nearby() -> None:
    calls = []
    for others in (10, 2000):
        heap = wrap_buffer(bytearray(1 << 20), debug=False)
        refs = [heap.alloc_array(uint8, 24) for _ in range(others)]
        given = [heap.alloc_array(uint8, 24).detach() for _ in range(2)]
        refs.append(heap.adopt(uint8, given[0], 24))
        calls.append(Count(partial(heap.adopt, uint8, given[1], 24)))
        assert len(refs) == others + 1
        heap.free_all()
    few, many = calls
    assert many.number < few.number + 20, (few.calls, many.calls)


def test_looking_changes_neither_the_blocks_nor_their_order() -> None:
    heap = wrap_buffer(bytearray(1 << 20), debug=False)
    refs = [heap.alloc_array(uint8, 40) for _ in range(50)]
    numbers = [heap.alloc(int32) for _ in range(50)]
    for ref in refs[20::3] + numbers[30:]:
        ref.free()
    live = list(heap._table)
    for _ in range(100):
        assert owner_of(heap, refs[0].address + 39) == refs[0].address
        heap.alloc_array(uint8, 40).free()  # a gap at the end of the table
        assert list(heap._table) == live
    heap.free_all()
    assert owner_of(heap, refs[0].address) is None


class _Table(dict[int, Any]):
    def __init__(self, blocks: dict[int, Any], index: ExtentIndex) -> None:
        super().__init__(blocks)
        self.index = index


class _Exhausted(_Table):
    """A table that finds no memory for what enters it again, until the index gives its own back."""

    updates = 0

    def update(self, *given: Any) -> None:
        self.updates += 1
        if self.updates > 1:
            assert self.updates > 2 or not self.index._known, "there is no memory still"
            super().update(*given)
            return
        super().update((address, None) for address, _ in given[0])
        super().popitem()
        raise MemoryError


class _Emptied(_Table):
    """A table whose last block another thread frees after it was found not to be empty."""

    def __bool__(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [_Exhausted, _Emptied])
def test_no_block_is_lost_where_closing_gaps_fails(heap: HeapManager, kind: Any) -> None:
    if kind is _Exhausted and not HAS_GIL:
        skip_for_gap("free-threaded CPython", "tables keep their gaps there")
    refs = [heap.alloc_array(uint8, 40) for _ in range(3)]
    blocks = {block[1]: block for block in heap._table if kind is _Exhausted}
    index = ExtentIndex()
    table = kind(blocks, index)
    for _ in range(100):
        found = index.containing(refs[-1].address + 1, [table], heap._table.is_live)
        assert found is blocks.get(refs[-1].address)
    assert list(table.items()) == list(blocks.items())
    assert kind is _Emptied or table.updates > 2, "gaps were closed no more"
    heap.free_all()


class _LayoutAskedOnce:
    """Runs a function when its size is asked for first, as a finalizer may run at any moment."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._functions = [function]

    @property
    def byte_size(self) -> int:
        while self._functions:
            self._functions.pop()()
        return 16


def test_an_index_that_is_begun_again_while_it_is_brought_up_to_date_is_complete() -> None:
    index = ExtentIndex()
    layouts = [_LayoutAskedOnce(lambda: None) for _ in range(3)]
    layouts[1] = _LayoutAskedOnce(index.forget)  # once the first block is entered
    table: dict[int, Any] = {
        start: (None, start, layout, None, 0)
        for start, layout in zip((16, 32, 48), layouts, strict=True)
    }
    for start in table:
        assert index.containing(start + 15, [table], lambda block: True) is table[start]


def test_of_blocks_in_each_other_the_innermost_is_found(heap: HeapManager) -> None:
    outer = heap.alloc_array(uint8, 100)
    inner = heap.adopt(uint8, outer.address + 16, 32, free=lambda address: None)
    assert owner_of(heap, outer.address + 15) == outer.address
    assert owner_of(heap, inner.address + 31) == inner.address
    assert owner_of(heap, inner.address + 32) == outer.address
    inner.free()
    assert owner_of(heap, outer.address + 20) == outer.address
    outer.free()
