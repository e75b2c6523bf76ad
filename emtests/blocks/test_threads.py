"""Heaps and allocators in many threads at once."""

from __future__ import annotations

import _thread
import gc
import queue
import random
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from emheap import (
    Allocator,
    BufferInUseError,
    BumpAllocator,
    FreeListAllocator,
    HeapManager,
    PageAllocator,
    UseAfterFreeError,
    int32,
    int64,
    uint8,
    utf8,
    wrap_buffer,
)
from emheap._util.platform import HAS_GIL
from emheap._util.released import is_released
from emtests.blocks.consistency import check_consistent, check_disjoint
from emtests.blocks.long import LONG, report
from emtests.conftest import OpenHeap
from emtests.heaps import RUNNING, HeapKind
from emtests.threads import need_threads, run_in_threads

THREADS = 8
KINDS = [kind for kind in RUNNING if kind.name in ("own", "debug", "bytearray-freelist", "mmap")]
"""Heaps that threads may share: wasmtime allows a store to one thread at a time."""
ROUNDS = 10_000
each_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


# Allocating, handing on, freeing


class Worker:
    """Allocates blocks with contents that only it would write, hands them to any thread, and
    frees what it is handed, having looked whether the contents are whole."""

    def __init__(self, heap: HeapManager, number: int, posts: list[queue.SimpleQueue[Any]]) -> None:
        self._heap = heap
        self._number = number
        self._posts = posts
        self._chance = random.Random(number)
        self.handled = 0

    def run(self, deadline: float) -> None:
        cookie = self._number << 40
        # Longer on a machine so busy that nobody has handed anything on to this thread yet.
        while time.monotonic() < deadline + (0 if self.handled else 60):
            cookie += 1
            self._chance.choice(self._posts).put(self._make(cookie))
            while not self._posts[self._number].empty():
                self._take()

    def finish(self) -> None:
        while not self._posts[self._number].empty():
            self._take()

    def _make(self, cookie: int) -> tuple[Any, int]:
        way = self._chance.randrange(4)
        if way == 0:
            return self._heap.alloc_int64(cookie), cookie
        if way == 1:
            return self._heap.alloc(int64, cookie), cookie
        if way == 2:
            return self._heap.alloc(utf8, str(cookie)), cookie
        length = 1 + self._chance.randrange(60)
        return self._heap.alloc_array(int64, [cookie] * length), cookie

    def _take(self) -> None:
        ref, cookie = self._posts[self._number].get()
        if hasattr(ref, "element_count"):
            assert set(ref.view) == {cookie}
        else:
            assert int(ref.value) == cookie
        if self._chance.random() < 0.3:
            self._heap.free(ref.address)
        else:
            ref.free()
        self.handled += 1


@each_kind
def test_blocks_change_hands_between_threads(kind: HeapKind, open_heap: OpenHeap) -> None:
    need_threads()
    heap = open_heap()
    seconds = 60.0 if LONG else 2.0 if kind.name == "own" else 0.5
    posts: list[queue.SimpleQueue[Any]] = [queue.SimpleQueue() for _ in range(THREADS)]
    workers = [Worker(heap, number, posts) for number in range(THREADS)]
    deadline = time.monotonic() + seconds
    run_in_threads([lambda worker=worker: worker.run(deadline) for worker in workers])  # type: ignore[misc]
    for worker in workers:
        worker.finish()
    assert all(worker.handled for worker in workers)
    report(f"{sum(worker.handled for worker in workers):,} blocks changed hands on {kind}")
    assert heap.total_allocated_byte_size == 0
    check_consistent(heap)


@each_kind
def test_types_that_several_threads_use_first(kind: HeapKind, open_heap: OpenHeap) -> None:
    need_threads()
    for _ in range(50):
        check_first_use(open_heap())


def check_first_use(heap: HeapManager) -> None:
    refs: list[Any] = []
    run_in_threads([lambda: refs.append(heap.alloc(int64, 1))] * THREADS)
    assert heap.total_allocated_byte_size == 8 * THREADS
    for ref in refs:
        heap.free(ref.address)


@each_kind
def test_what_a_thread_begins_with(kind: HeapKind, open_heap: OpenHeap) -> None:
    """No Python function calls it, as where JavaScript does."""
    need_threads()
    heap = open_heap()
    for ref in [heap.alloc_int32(number) for number in range(3)]:
        _thread.start_new_thread(ref.free, ())
        wait_until(lambda ref=ref: ref.is_freed)  # type: ignore[misc]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of what the threads drop at once
        _thread.start_new_thread(heap.alloc_int32, (5,))
        _thread.start_new_thread(heap.alloc, (int32, 6))
        _thread.start_new_thread(heap.alloc_array, (uint8, [7]))
        wait_until(lambda: len(heap.live()) == 3)
        time.sleep(0.01)
    assert [block.site for block in heap.live()] == ["an unknown place"] * 3
    heap.free_all()


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.001)


# Freeing, handing over and resizing while another thread takes a view


def an_array(heap: HeapManager) -> Any:
    return heap.alloc_array(uint8, [7] * 64)


def a_number(heap: HeapManager) -> Any:
    return heap.alloc_int64(0x0707070707070707)


def free(heap: HeapManager, ref: Any) -> Any:
    ref.free()
    return ref


def detach(heap: HeapManager, ref: Any) -> Any:
    size = ref.allocated_byte_size
    return heap.adopt(uint8, ref.detach(), size)


def resize(heap: HeapManager, ref: Any) -> Any:
    ref.resize(5000)
    return ref


RACES = [(an_array, free), (a_number, free), (an_array, detach), (an_array, resize)]


class Race:
    """One thread ends a block while another takes a view of it, again and again."""

    def __init__(
        self,
        heap: HeapManager,
        make: Callable[[HeapManager], Any],
        end: Callable[[HeapManager, Any], Any],
        rounds: int,
    ) -> None:
        self._heap = heap
        self._make = make
        self._end = end
        self._rounds = range(rounds)
        self._ref: Any = None
        self._turn = threading.Barrier(2, timeout=60)
        self.freed = 0
        self.viewed = 0

    def take_views(self) -> None:
        for _ in self._rounds:
            self._turn.wait()
            try:
                view = self._ref.allocated_bytes_view
                part = view[:4]
            except (UseAfterFreeError, ValueError):
                view = part = None
            self._turn.wait()
            # Without the interpreter's lock a slice can be made of a view that is being released;
            # every use of it raises, so neither was first.
            if part is not None and (HAS_GIL or not is_released(part)):
                # Both cannot have been first.
                assert not self._ref.is_freed, "a view is in use on freed bytes"
                assert bytes(part) == b"\7" * 4
                part[0] = 8
                assert bytes(self._ref)[:2] == b"\10\7", "a view is in use on freed bytes"
                self.viewed += 1
            del view, part
            self._turn.wait()

    def end(self) -> None:
        for _ in self._rounds:
            self._ref = self._make(self._heap)
            self._turn.wait()
            left = self._ref
            with suppress(BufferInUseError):
                left = self._end(self._heap, self._ref)
                self.freed += 1
            self._turn.wait()
            self._turn.wait()
            if not left.is_freed:
                left.free()


@each_kind
@pytest.mark.parametrize(("make", "end"), RACES, ids=lambda function: function.__name__)
def test_the_end_of_a_block_against_a_view(
    kind: HeapKind,
    open_heap: OpenHeap,
    make: Callable[[HeapManager], Any],
    end: Callable[[HeapManager, Any], Any],
) -> None:
    need_threads()
    heap = open_heap()
    rounds = ROUNDS if kind.name == "own" and end is free else ROUNDS // 10
    race = Race(heap, make, end, rounds)
    run_in_threads([race.take_views, race.end])
    # A view that was released between being taken and being sliced counts as neither. One of the
    # block that another was resized to counts as well.
    assert rounds // 2 < race.freed + race.viewed
    assert race.freed + race.viewed <= rounds or end is resize
    assert heap.total_allocated_byte_size == 0
    assert not len(heap._table.loans)
    check_consistent(heap)


@each_kind
def test_views_come_and_go_in_all_threads(kind: HeapKind, open_heap: OpenHeap) -> None:
    need_threads()
    heap = open_heap()
    with heap.alloc_array(uint8, 8192) as array:

        def use() -> None:
            for _ in range(300):
                views = [array.view for _ in range(5)]
                part = views[0][3:]
                assert len(part) == 8189
                del part, views

        run_in_threads([use] * THREADS)
        part = array.view[3:]
        with pytest.raises(BufferInUseError):
            array.free()
        del part


def test_references_are_listed_while_other_threads_make_tuples() -> None:
    """CPython raises SystemError where somebody else has a tuple that is being made."""
    need_threads()
    heap = wrap_buffer(bytearray(4096))
    refs = [heap.alloc_array(int32, [number]) for number in range(5)]
    wanted = {id(ref) for ref in refs}
    listed = threading.Event()

    def list_references() -> None:
        try:
            for _ in range(20):
                assert {id(ref) for ref in heap.allocated_heap_refs} == wanted
        finally:
            listed.set()

    def make_tuples() -> None:
        while not listed.is_set():
            assert tuple(number for number in range(50))[-1] == 49

    run_in_threads([list_references, make_tuples, make_tuples])
    heap.free_all()


# Finalizers


@each_kind
def test_blocks_are_collected_in_whatever_thread(kind: HeapKind, open_heap: OpenHeap) -> None:
    need_threads()
    heap = open_heap(enable_garbage_collection=True)

    def drop() -> None:
        for number in range(200):
            ref: Any = heap.alloc_array(int64, [number] * 5)
            cycle: list[Any] = [ref, ref.view]
            cycle.append(cycle)
            del ref, cycle
            if number % 20 == 0:
                gc.collect(0)

    run_in_threads([drop] * THREADS)
    gc.collect()
    assert heap.total_allocated_byte_size == 0
    assert not len(heap._table.loans)
    check_consistent(heap)


# Allocators


class Grower:
    """A memory that grows, and notices two threads in it at once."""

    def __init__(self) -> None:
        self.pages = 1
        self.inside = 0
        self.overlaps = 0

    def grow(self, pages: int) -> int:
        self.inside += 1
        before = self.pages
        for _ in range(2000):  # long enough for another thread to come by
            self.overlaps += self.inside > 1
        self.pages = before + pages
        self.inside -= 1
        return before


def allocate_in_threads(allocator: Allocator, rounds: int) -> list[tuple[int, int]]:
    """Allocate and free in many threads; give what is live in the end."""
    kept: list[tuple[int, int]] = []

    def allocate(number: int) -> None:
        chance = random.Random(number)
        for _ in range(rounds):
            size = chance.randrange(1, 200)
            address = allocator.allocate(size)
            assert address
            if chance.random() < 0.3:
                allocator.free(address)
            else:
                kept.append((address, size))

    run_in_threads([lambda number=number: allocate(number) for number in range(THREADS)])  # type: ignore[misc]
    return kept


def test_threads_get_different_blocks() -> None:
    need_threads()
    makers: list[Callable[[], Allocator]] = [
        lambda: BumpAllocator(16, 1 << 30),
        lambda: FreeListAllocator(16, 1 << 30),
        lambda: PageAllocator(Grower().grow),
    ]
    for make in makers:
        for _ in range(3):
            check_disjoint(allocate_in_threads(make(), 500))


def test_one_thread_at_a_time_grows_a_memory() -> None:
    need_threads()
    grower = Grower()
    allocator = PageAllocator(grower.grow, page_size=1024)
    kept = allocate_in_threads(allocator, 300)
    check_disjoint(kept)
    assert grower.overlaps == 0
    for address, _ in kept:
        allocator.free(address)
    # Everything came back, in one piece: no page was added twice, none was lost.
    assert allocator.available_byte_size == allocator.largest_gap == (grower.pages - 1) * 1024


def test_an_arena_for_each_thread() -> None:
    need_threads()
    heap = wrap_buffer(bytearray(1 << 22))

    def use() -> None:
        for _ in range(30):
            with heap.arena() as scratch:
                refs = [scratch.alloc(int64, number) for number in range(50)]
                assert [ref.value for ref in refs] == list(range(50))

    run_in_threads([use] * THREADS)
    assert heap.total_allocated_byte_size == 0
    check_consistent(heap)
