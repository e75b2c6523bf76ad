"""What is live on a heap: its references, its bytes, and no trace of what is not."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import HeapManager, ScalarRef, float64, int32, pointer53, uint8, uint128, utf8, utf16
from emtests.conftest import OpenHeap
from emtests.heaps import HeapKind


def test_bytes_are_those_asked_for(heap: HeapManager) -> None:
    assert heap.total_allocated_byte_size == 0
    total = 0
    refs: list[Any] = []
    for make, size in (
        (lambda: heap.alloc(int32), 4),
        (heap.alloc_float64, 8),
        (lambda: heap.alloc(uint128), 16),
        (lambda: heap.alloc_array(float64, 5), 40),
        (lambda: heap.alloc_array(uint8, 0), 0),
        (lambda: heap.alloc_array(uint8, 3, align=128), 3),
        (lambda: heap.alloc(int32, align=32), 4),
        (lambda: heap.alloc(utf8, "h\u00e9"), 4),
        (lambda: heap.alloc(utf16, 7), 16),
    ):
        ref: Any = make()
        refs.append(ref)
        total += size
        assert ref.allocated_byte_size == size
        assert heap.total_allocated_byte_size == total
    heap.wrap_array(uint8, refs[3].address, 40)
    assert heap.total_allocated_byte_size == total
    for ref in refs:
        total -= ref.allocated_byte_size
        ref.free()
        assert heap.total_allocated_byte_size == total
    assert total == 0


def test_allocated_refs_are_the_living_ones(heap: HeapManager) -> None:
    refs: list[Any] = [
        heap.alloc(int32, 5),
        heap.alloc_int32(6),
        heap.alloc_array(float64, 3),
        heap.alloc(utf8, "abc"),
        heap.alloc(int32, 7, align=64),
    ]
    heap.wrap(int32, refs[0].address)
    found = heap.allocated_heap_refs
    assert {id(ref) for ref in found} == {id(ref) for ref in refs}
    refs[2].free()
    assert {id(ref) for ref in heap.allocated_heap_refs} == {
        id(ref) for ref in refs if ref.is_not_freed
    }
    found.clear()  # it is a copy
    assert len(heap.allocated_heap_refs) == 4
    heap.free_all()
    assert heap.allocated_heap_refs == []


@pytest.mark.filterwarnings("ignore:.*was dropped and not freed")
def test_a_dropped_reference_is_made_again(heap: HeapManager) -> None:
    for make, words in (
        (lambda: heap.alloc(int32, 5), "<ScalarRef int32 5 at"),
        (lambda: heap.alloc(pointer53, 6), "<ScalarRef pointer53 6 at"),
        (lambda: heap.alloc_array(float64, [0.5, 1.5]), "<ArrayRef float64 of 2 elements at"),
        (lambda: heap.alloc_array(pointer53, [7]), "<ArrayRef pointer53 of 1 element at"),
        (lambda: heap.alloc(utf8, "abc"), "<StringRef utf8 'abc' at"),
    ):
        address = make().address
        (ref,) = heap.allocated_heap_refs
        assert ref.address == address
        assert repr(ref).startswith(words)
        assert repr(ref).endswith("owned>")
        ref.free()
        assert ref.is_freed
        assert heap.total_allocated_byte_size == 0


def test_dead_weak_proxies_do_no_harm(heap: HeapManager) -> None:
    class Thing:
        pass

    thing = Thing()
    proxy = weakref.proxy(thing)
    del thing
    with heap.alloc(int32, 5) as ref:
        assert heap.allocated_heap_refs == [ref]
    with pytest.raises(ReferenceError, match="no longer exists"):
        _ = proxy.anything


def test_what_fails_leaves_no_trace(heap: HeapManager) -> None:
    wild: Any = heap
    with heap.alloc(int32, 5) as ref:
        calls: tuple[Callable[[], Any], ...] = (
            lambda: wild.alloc(int32, "x"),
            lambda: wild.alloc_int32(2**31),
            lambda: wild.alloc(int32, 5, align=3),
            lambda: wild.alloc_array(int32, [1, 2, None]),
            lambda: wild.alloc_array(int32, -1),
            lambda: wild.alloc_array(int32, 2**70),
            lambda: wild.alloc_array(uint8, heap.memory.largest_block + 1),
            lambda: wild.alloc(utf8, "a\0"),
            lambda: wild.alloc(utf8, "\ud800"),
            lambda: wild.alloc(utf8, "abc", errors="no such handler", align=5),
            lambda: wild.wrap(int32, 0),
            lambda: wild.wrap(utf16, ref.address + 1),
        )
        for call in calls:
            # LookupError: development mode looks for the error handler of a text that needs none.
            with pytest.raises((ValueError, TypeError, ArithmeticError, MemoryError, LookupError)):
                call()
            assert heap.total_allocated_byte_size == 4
            assert ref.value == 5
        assert heap.allocated_heap_refs == [ref]


def test_without_tracking_nothing_is_known(open_heap: OpenHeap) -> None:
    heap = open_heap(track_allocations=False)
    ref = heap.alloc_array(int32, 5)
    for call in (
        lambda: heap.allocated_heap_refs,
        lambda: heap.total_allocated_byte_size,
        heap.free_all,
    ):
        with pytest.raises(emheap.NotSupportedError, match="with track_allocations=True"):
            call()
    assert "not tracking" in repr(heap)
    # With a table it is refused, for a block has one owner.
    second = heap.adopt(int32, ref.address, 5)
    second.detach()
    heap.free(ref)
    assert ref.is_freed


def test_without_tracking_an_address_is_freed_on_trust(open_heap: OpenHeap) -> None:
    heap = open_heap(track_allocations=False)
    for make in (
        lambda: heap.alloc(int32),
        lambda: heap.alloc_array(uint8, 300),
        lambda: heap.alloc_array(uint8, 30, align=512),
        lambda: heap.alloc(utf8, "abc"),
    ):
        for _ in range(20):
            ref: Any = make()
            heap.free(ref.address)
    with pytest.raises(emheap.NullPointerError):
        heap.free(0)
    with pytest.raises(emheap.NotAllocatedError):
        heap.free(-8)


def test_the_heap_tells_what_it_is(kind: HeapKind, heap: HeapManager) -> None:
    assert isinstance(heap.memory, emheap.Memory)
    assert isinstance(heap.allocator, emheap.Allocator)
    assert heap.pointer_size == heap.memory.pointer_size
    of_this_process = ("own", "debug", "libc", "module", "module-functions")
    own, other = ctypes.sizeof(ctypes.c_void_p), 8 if kind.name == "guest64" else 4
    assert heap.pointer_size == (own if kind.name in of_this_process else other)
    assert heap.options.polling_mode == "when_empty"
    assert heap.options.clear_allocated_regions
    assert heap.options.track_allocations
    assert not heap.options.enable_garbage_collection
    with heap.alloc(int32), heap.alloc_array(uint8, 10):
        assert repr(heap) == f"<HeapManager on {heap.memory.name}: 2 blocks, 14 bytes>"
    with pytest.raises(AttributeError, match="no attribute 'read_int24'"):
        _ = heap.read_int24  # type: ignore[attr-defined]


def test_references_compare_by_place(kind: HeapKind, heap: HeapManager) -> None:
    with heap.alloc(int32, 5) as ref, heap.alloc(int32, 5) as other:
        same: ScalarRef[int] = heap.wrap(int32, ref.address)
        assert ref == same
        assert hash(ref) == hash(same)
        assert ref != other
        assert ref != heap.wrap(uint8, ref.address)
        assert ref != 5
        with kind.open() as elsewhere:
            twin = elsewhere.alloc(int32, 5)
            assert ref != twin
            twin.free()
    assert len({ref, same, other}) == 2


def test_references_are_neither_copied_nor_pickled(heap: HeapManager) -> None:
    import copy
    import pickle

    for make in (lambda: heap.alloc(int32), lambda: heap.alloc_array(int32, 2)):
        with make() as ref:
            for duplicate in (copy.copy, copy.deepcopy):
                with pytest.raises(TypeError, match="cannot be copied: there is only one block"):
                    duplicate(ref)
            with pytest.raises(TypeError, match="cannot be pickled: its block is in this process"):
                pickle.dumps(ref)
            for name in ("address", "kind", "is_freed", "something_else"):
                with pytest.raises(AttributeError, match=f"{name}|no setter|can't set"):
                    setattr(ref, name, 5)
    for made in (emheap.ScalarRef, emheap.ArrayRef, emheap.StringRef, emheap.HeapRef):
        wild: Any = made
        with pytest.raises(TypeError, match=r"made by a heap: use heap.alloc\(\) or heap.wrap\(\)"):
            wild()
