"""Advice about blocks that are in use, freed, or somebody else's."""

from __future__ import annotations

from typing import Any

import pytest

import emheap
from emheap import HeapManager, Pointer, Struct, field, int32, pointer64, uint8, utf8
from emheap._util.platform import IN_PYODIDE
from emtests.advice.telling import advised
from emtests.conftest import OpenHeap


class Node(Struct):
    number: int32
    next: Pointer[Node] = field()


def test_views_in_use(heap: HeapManager) -> None:
    numbers = heap.alloc_array(int32, [1, 2, 3])
    part, cast = numbers.view[1:], numbers.allocated_bytes_view.cast("b")
    for free in (numbers.free, heap.free_all):
        with advised("release or delete every slice, cast and array made of"):
            free()
    part.release()
    del cast
    numbers.free()
    assert heap.live() == []


def test_views_in_use_at_the_end(open_heap: OpenHeap) -> None:
    heap = open_heap()
    numbers = heap.alloc_array(int32, [1, 2, 3])
    part = numbers.view[1:]
    with advised("release or delete every slice, cast and array made of its views first"):
        heap.close()
    part.release()
    heap.close()
    assert heap.is_closed


def test_use_after_free(heap: HeapManager) -> None:
    number = heap.alloc(int32, 7)
    number.free()
    with advised("use after free", "allocate another block, or free it later"):
        _ = number.value
    another = heap.alloc(int32, 8)
    assert another.value == 8
    another.free()


def test_a_closed_heap(open_heap: OpenHeap) -> None:
    heap = open_heap()
    heap.close()
    with advised("was closed at ", "open another one, or close it later"):
        heap.alloc(int32)
    with open_heap() as another, another.alloc(int32, 7) as number:
        assert number.value == 7


def test_a_block_of_another_heap(heap: HeapManager, open_heap: OpenHeap) -> None:
    other = open_heap()
    number: Any = other.alloc(int32, 7)
    with advised("belongs to another heap", "free it there"):
        heap.free(number)
    with advised(
        f"is a reference of another heap ({other.memory.name}), and says nothing about this one's "
        "memory; use a reference of this heap, or an address in it"
    ):
        heap.read(int32, number)
    with heap.alloc(int32, 8) as own:
        assert heap.read(int32, own) == heap.read(int32, own.address) == 8
    other.free(number)
    assert number.is_freed


def test_what_was_wrapped(heap: HeapManager) -> None:
    number = heap.alloc(int32, 7)
    wrapped = heap.wrap(int32, number.address)
    with advised("is a wrapped reference: the code that allocated it must free it"):
        wrapped.free()
    number.free()
    assert wrapped.is_freed


def test_what_was_handed_over(heap: HeapManager) -> None:
    numbers = heap.alloc_array(int32, [1, 2, 3])
    address = numbers.detach()
    with advised("the code that owns it now must free it, or heap.adopt() it back"):
        numbers.free()
    with heap.adopt(int32, address, 3) as again:
        assert again[:] == [1, 2, 3]
    assert heap.live() == []


def test_an_alignment_that_cannot_be_handed_over() -> None:
    heap = emheap.wrap_buffer(bytearray(4096))
    block = heap.alloc_array(uint8, 8, align=256)  # the buffer's first block would lie lower
    with advised("cannot be detached", "allocate it without align="):
        block.detach()
    heap.adopt(uint8, heap.alloc_array(uint8, 8).detach(), 8).free()
    block.free()
    assert heap.live() == []


def test_what_lies_in_a_block_is_wrapped_or_has_its_own_free(heap: HeapManager) -> None:
    freed: list[int] = []
    with heap.alloc_array(uint8, 64, align=16) as block:
        inside = block.address + 16
        with advised("wrap it, or pass the free= of the allocator that it came from"):
            heap.adopt(int32, inside)
        assert heap.wrap(int32, inside).value == 0
        heap.adopt(int32, inside, None, freed.append).free()
        assert freed == [inside]


def test_what_an_arena_keeps(heap: HeapManager) -> None:
    outside = heap.alloc(int32, 7)
    with heap.arena() as scratch:
        with advised("keep what this arena allocated and has not kept already"):
            scratch.keep(outside)
        kept = scratch.keep(scratch.alloc(int32, 8))
    with advised("allocate within its with block"):
        scratch.alloc(int32)
    with heap.arena() as scratch:
        assert scratch.alloc(int32, 9).value == 9
    assert kept.value == 8
    kept.free()
    outside.free()


def test_tables_and_red_zones(open_heap: OpenHeap) -> None:
    blind = open_heap(track_allocations=False, debug=False)
    for ask in (blind.live, blind.free_all, blind.check_leaks, blind.snapshot):
        with advised("open the heap with track_allocations=True"):
            ask()
    seeing = open_heap(track_allocations=True)
    assert seeing.live() == []
    seeing.free_all()
    with advised("open the heap with debug=True, or set EMHEAP_DEBUG=1 in the environment"):
        open_heap(debug=False).verify()
    open_heap(debug=True).verify()
    with advised("needs the table of live blocks: track_allocations=True"):
        open_heap(debug=True, track_allocations=False)


def test_addresses_on_a_debug_heap(open_heap: OpenHeap) -> None:
    heap = open_heap(debug=True)
    block = heap.alloc_array(uint8, 8)
    foreign = heap.alloc(int32, 7).detach()
    with advised(
        "lies in no live block",
        "use an address of a live block, or, for what C allocated, heap.adopt() it first, with "
        "free=lambda address: None where it is not ours to free",
    ):
        heap.read(int32, foreign)
    with heap.adopt(int32, foreign, free=lambda address: None):
        assert heap.read(int32, foreign) == 7
    heap.adopt(int32, foreign).free()
    with advised("allocate more, or access less"):
        heap.write(int32, block.address + 6, 5)
    heap.write(int32, block.address + 4, 5)
    with heap.alloc_array(uint8, 10) as more:
        heap.write(int32, more.address + 6, 5)
    heap.verify()
    block.free()


def test_pointers(heap: HeapManager, open_heap: OpenHeap) -> None:
    other = open_heap()
    here, there = heap.alloc(Node, number=1), other.alloc(Node, number=2)
    if heap.memory.space is not other.memory.space:
        with advised("cannot leave its heap", "allocate a copy on this one and point to that"):
            here.next = there
        there.next = there
        with advised("is on another heap", "allocate a copy on this one and point to that"):
            here.next = there.next
        there.next = None
    copy = heap.alloc(Node, there)
    here.next = copy
    assert here.next.target.number == 2
    value = Node(number=3, next=copy.address)
    with advised("make the structure with a reference, or call heap.wrap(kind, pointer.address)"):
        _ = value.next.target
    assert Node(number=3, next=copy).next.target.number == 2
    assert heap.wrap(Node, value.next.address).number == 2
    with advised("is on no heap, and", "store its address, if that is one of this heap"):
        here.next = value.next
    here.next = value.next.address
    assert here.next.target.number == 2
    anything: Any = heap.alloc(Pointer[None], copy)
    with advised("say what it points to, by pointer.cast(kind)"):
        _ = anything.value.target
    assert anything.value.cast(Pointer[Node]).target.number == 2
    for ref in (anything, here, copy):
        ref.free()
    there.free()


def test_strings_and_arrays_change_their_length(heap: HeapManager) -> None:
    text = heap.alloc(utf8, "seven")
    with advised(
        f"15 elements do not fit the utf8 string of 6 bytes at 0x{text.address:x}, allocated at ",
        "which has room for 5 and the terminator; shorten the text, or resize(15) a string that "
        "was allocated",
    ):
        text.value = "fifteen letters"
    text.resize(15)
    text.value = "fifteen letters"
    with advised("cannot be resized to 3 elements: its text has 15; shorten that first"):
        text.resize(3)
    text.value = "abc"
    text.resize(3)
    assert text.value == "abc"
    text.free()
    numbers = heap.alloc_array(int32, [1, 2])
    with advised(
        "a slice of 2 elements takes as many, not 3: an array on a heap cannot change its length; "
        "assign as many, or resize() it first"
    ):
        numbers[:] = [1, 2, 3]
    numbers.resize(3)
    numbers[:] = [1, 2, 3]
    with advised("was resized while it was iterated over; iterate over array[:]"):
        for number in numbers:
            numbers.resize(100 * number)
    for number in numbers[:3]:
        numbers.resize(3 + number)
    assert numbers[:3] == [1, 2, 3]
    numbers.free()
    names = heap.alloc_strings(utf8, ["a", "b"])
    with advised(
        f"of {names.allocated_byte_size} bytes at 0x{names.address:x}",
        "points to strings in itself and cannot be resized: allocate another with alloc_strings()",
    ):
        names.resize(3)
    with heap.alloc_strings(utf8, ["a", "b", "c"]) as others:
        assert heap.read_strings(utf8, others.address) == ["a", "b", "c"]
    names.free()


def test_copies_being_edited(heap: HeapManager) -> None:
    if heap.memory.zero_copy:
        return  # there the buffer is the block itself
    numbers = heap.alloc_array(int32, [1, 2, 3])
    with advised("the changes are lost; edit it after resizing"), numbers.edit() as buffer:
        numbers.resize(4)
    with numbers.edit() as buffer:
        buffer[3] = 4
    lost = (
        "the changes to <ArrayRef int32 of 4 elements at 0x",
        "were stored, but a slice or an array made of the edited buffer is still in use, and "
        "what is stored there from now on would be lost: release or delete it before the with "
        "block ends",
    )
    with advised(*lost), numbers.edit() as buffer:
        part = buffer[1:]
    with numbers.edit() as buffer:
        part = buffer[1:]
        part[0] = 9
        part.release()
    assert numbers[:] == [1, 9, 3, 4]
    numbers.free()


def test_no_buffer_shares_the_bytes(heap: HeapManager) -> None:
    if heap.memory.zero_copy:
        return
    with heap.alloc_array(int32, [1, 2, 3]) as numbers:
        with advised("work on a copy with ref.edit(), which stores it back, or take bytes(ref)"):
            numbers.__buffer__(0)
        with numbers.edit() as buffer:
            memoryview(buffer)[0] = 7
        assert bytes(numbers) == b"\7\0\0\0\2\0\0\0\3\0\0\0"


@pytest.mark.needs("host address")
def test_javascript_shares_no_memory_of_a_process(heap: HeapManager) -> None:
    with heap.alloc(int32) as number:
        if not IN_PYODIDE:
            with advised("in Pyodide, open the heap with emheap.open()"):
                _ = number.js_view
        elif heap.memory.space is emheap.open().memory.space:
            assert number.js_view[0] == 0


def test_references_are_made_by_heaps() -> None:
    with advised("objects are made by a heap: use heap.alloc() or heap.wrap()"):
        emheap.ScalarRef()
    with emheap.wrap_buffer(bytearray(64)) as heap, heap.alloc(int32, 7) as number:
        assert heap.wrap(int32, number.address).value == 7


def test_pointers_of_more_bits_than_a_javascript_number(heap: HeapManager) -> None:
    with heap.alloc(emheap.uint64, 2**60) as stored:
        with advised("read them as pointer64"):
            heap.read(emheap.pointer53, stored.address)
        assert heap.read(pointer64, stored.address) == 2**60


def test_an_index_beyond_what_a_pointer_points_into(heap: Any) -> None:
    with heap.alloc_array(int32, [1, 2]) as few, heap.alloc(Pointer[int32], few) as pointer:
        with advised(
            f"4 bytes at 0x{few.address + 8:x} are not inside of the int32 array of 8 bytes at "
            f"0x{few.address:x}, allocated at ",
            "which the pointer points to; use another index, or allocate more",
        ):
            _ = pointer.value[2]
        assert pointer.value[1] == 2
        with heap.alloc_array(int32, [1, 2, 3]) as more:
            pointer.value = more
            assert pointer.value[2] == 3
