"""A memory shared with a worker that runs JavaScript: what each stores, the other sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import emtests_modules
import js
import pytest

import emheap
from emheap import Arena, HeapManager, OutOfBoundsError, float64, int32, uint8, utf8
from emheap.allocators.pages import PageAllocator

TURN, TASK, FIRST = 0, 1, 2
PYTHON, PEER = 0, 1
FAILED = -1
ADD_TO_EACH, WRITE_TEXT, GROW, COUNT, SUM, ADD_ONES, EXCHANGE = 1, 2, 3, 4, 5, 6, 7
TIMES = 3_000_000
"""How often the peer changes a number while Python does: for a few hundredths of a second."""


class Peer:
    """The other worker, which waits for tasks; see peer.mjs."""

    def __init__(self) -> None:
        self.memory = emtests_modules.memory
        self.words = js.Int32Array.new(emtests_modules.control)

    def start(self, task: int, *numbers: int) -> None:
        self.words[TASK] = task
        for index, number in enumerate(numbers):
            self.words[FIRST + index] = number
        js.Atomics.store(self.words, TURN, PEER)
        js.Atomics.notify(self.words, TURN)

    @property
    def is_done(self) -> bool:
        return bool(js.Atomics.load(self.words, TURN) == PYTHON)

    def finish(self) -> int:
        # A page's main thread may not wait: it asks again and again.
        while not self.is_done:
            pass
        assert self.words[TASK] != FAILED, "the peer failed; its words are in the output"
        return int(self.words[FIRST])

    def ask(self, task: int, *numbers: int) -> int:
        self.start(task, *numbers)
        return self.finish()


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def heap(peer: Peer) -> HeapManager:
    pages = PageAllocator(peer.memory.grow)
    return emheap.create_wasm_heap_manager(lambda: peer.memory.buffer, pages.allocate, pages.free)


@pytest.fixture
def scratch(heap: HeapManager) -> Iterator[Arena]:
    with heap.arena() as arena:
        yield arena


def test_the_memory_is_shared(heap: HeapManager) -> None:
    assert heap.memory.shared


def test_numbers_go_there_and_come_back(scratch: Arena, peer: Peer) -> None:
    numbers = scratch.alloc_array(int32, range(100))
    assert peer.ask(ADD_TO_EACH, numbers.address, 100, -7) == 100
    assert numbers == list(range(-7, 93))
    numbers[3] = 2**31 - 1
    peer.ask(ADD_TO_EACH, numbers.address, 4, -1)
    assert numbers[3] == 2**31 - 2


def test_floats_are_summed_there(scratch: Arena, peer: Peer) -> None:
    numbers = scratch.alloc_array(float64, [0.5] * 10)
    numbers[0] = -0.0
    with numbers.edit() as buffer:
        parts: Any = buffer
        parts[1] = 100.5
    assert peer.ask(SUM, numbers.address, 10) == 104


def test_a_text_from_there(scratch: Arena, peer: Peer) -> None:
    room = scratch.alloc(utf8, 100)
    view = room.allocated_bytes_view
    length = peer.ask(WRITE_TEXT, room.address)
    assert room.value == "grüße vom Nachbarn \U0001f41d"
    assert room.encoded_byte_length == length
    assert view[:2].tobytes() == b"gr"
    view.release()


def test_growth_over_there_is_noticed(heap: HeapManager, scratch: Arena, peer: Peer) -> None:
    ref = scratch.alloc(int32, 5)
    read = heap.read_int32
    end = heap.memory.size
    with pytest.raises(OutOfBoundsError):
        read(end)
    for number in (11, 12, 13):
        place = peer.ask(GROW, 1, number)
        assert place >= end
        assert read(place) == number
        heap.write_int32(place, -number)
        assert peer.ask(ADD_TO_EACH, place, 1, 100) == 1
        assert read(place) == 100 - number
        end = place + 4
        assert heap.memory.size == end
    assert ref.value == 5


def test_pages_added_by_both_are_told_apart(scratch: Arena, peer: Peer) -> None:
    blocks = []
    for number in range(5):
        blocks.append(scratch.alloc_array(uint8, bytes([number]) * 70000))
        place = peer.ask(GROW, 1, -1)
        assert all(not block.address <= place < block.address + 70000 for block in blocks)
    assert [bytes(block) for block in blocks] == [bytes([n]) * 70000 for n in range(5)]


def test_atomic_steps_are_seen_in_order(scratch: Arena, peer: Peer) -> None:
    counter = scratch.alloc(int32, 0)
    limit = 20000
    peer.start(COUNT, counter.address, limit)
    seen = [counter.read_atomic()]
    while seen[-1] < limit:
        seen.append(counter.read_atomic())
    assert peer.finish() == limit
    assert seen == sorted(seen)
    counter.write_atomic(-3)
    assert counter.value == -3


def test_no_number_that_is_added_is_lost(scratch: Arena, peer: Peer) -> None:
    ref = scratch.alloc(int32)
    number = ref.atomic

    def add_by_comparing() -> None:
        before = number.load()
        while (found := number.compare_exchange(before, before + 1)) != before:
            before = found

    for add in (lambda: number.add(1), add_by_comparing):
        number.store(0)
        peer.start(ADD_ONES, ref.address, TIMES)
        added = 0
        while not peer.is_done:
            add()
            added += 1
        assert peer.finish() == TIMES
        assert added
        assert number.load() == TIMES + added


def test_each_number_that_is_exchanged_is_taken_once(scratch: Arena, peer: Peer) -> None:
    ref = scratch.alloc(int32)
    peer.start(EXCHANGE, ref.address, TIMES)
    stored = taken = 0
    while not peer.is_done:
        stored -= 1
        taken += ref.atomic.exchange(stored)
    assert stored
    taken += peer.finish() + ref.value
    given = TIMES * (TIMES + 1) // 2 - stored * (stored - 1) // 2
    assert (taken - given) % 2**32 == 0  # the peer's sum wraps around


def test_a_second_heap_on_the_same_memory(scratch: Arena, peer: Peer) -> None:
    other: Any = emheap.create_wasm_heap_manager(
        lambda: peer.memory.buffer, lambda size: 0, lambda address: None
    )
    ref = scratch.alloc_array(int32, [1, 2, 3])
    assert other.wrap_array(int32, ref.address, 3) == [1, 2, 3]
