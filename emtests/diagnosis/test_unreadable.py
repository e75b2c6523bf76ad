"""Notebooks and messages about what cannot be read."""

from __future__ import annotations

from typing import Any

import pytest

import emheap
from emheap import HeapManager, NotSupportedError, OutOfBoundsError, int32, uint8
from emtests.conftest import OpenHeap
from emtests.structures.kinds import Node


def test_a_field_that_holds_no_member_of_its_enumeration(heap: HeapManager) -> None:
    with heap.alloc(Node, id=7) as node:
        color: Any = heap.layout(Node).fields["color"]
        heap.write_uint8(node.address + color.offset, 9)
        shown: Any = node._repr_html_()
        assert "unreadable: Node.color holds 9, which is no Color" in shown
        assert "7" in shown
        assert repr(node).startswith("<Node unreadable at ")


def test_a_borrowed_array_whose_block_was_freed(open_heap: OpenHeap) -> None:
    heap = open_heap(debug=True)
    block = heap.alloc_array(uint8, 16, align=4)
    borrowed = heap.wrap_array(int32, block.address, 2)
    block.free()
    shown: Any = borrowed._repr_html_()
    assert "freed" in shown
    assert "value" not in shown


def test_a_debug_heap_without_blocks_names_none(open_heap: OpenHeap) -> None:
    heap = open_heap(debug=True)
    with heap.alloc(int32) as number:
        address = number.address
    fresh = open_heap(debug=True)
    with pytest.raises((OutOfBoundsError, emheap.UseAfterFreeError)) as caught:
        fresh.read_int32(address)
    assert "before the start of" not in str(caught.value)
    assert "after the end of" not in str(caught.value)


# Options


def test_a_heap_shows_its_options(heap: HeapManager) -> None:
    shown = repr(heap.options)
    assert shown.startswith("Options(clear_allocated_regions=True, polling_mode='when_empty', ")
    assert "debug=" in shown
    assert eval(shown, {"Options": dict})["track_allocations"] is True


def test_what_a_heap_that_only_wraps_cannot_free() -> None:
    heap = emheap.create_wasm_heap_manager(
        lambda: bytearray(256), lambda size: 0, lambda address: None, track_allocations=False
    )
    assert repr(heap).endswith("not tracking>")
    only = emheap.HeapManager(heap.memory, _wrap_only(), heap.options)
    with pytest.raises(NotSupportedError, match="this heap cannot free a block: it was opened to"):
        only.free(64)
    with pytest.raises(NotSupportedError, match="this heap cannot allocate 4 bytes: it was opened"):
        only.alloc(int32)
    with pytest.raises(NotSupportedError, match=r"free_all\(\) needs a table of live blocks"):
        only.free_all()


def _wrap_only() -> Any:
    from emheap.allocators.wrap_only import WrapOnlyAllocator

    return WrapOnlyAllocator()


def test_long_values_are_cut_in_messages(heap: HeapManager) -> None:
    wrong: Any = list(range(100))
    with pytest.raises(TypeError, match=r"must be an int, not list \[0, 1, 2, .*\.\.\.$") as caught:
        heap.read_int32(wrong)
    assert len(str(caught.value)) < 120
    with pytest.raises(TypeError, match=r"must be an int, not list \[0, 1, 2, .*\.\.\.$") as caught:
        heap.free(wrong)
    assert len(str(caught.value)) < 140
