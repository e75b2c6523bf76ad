"""Interrupts at every moment: nothing has two owners, no lock stays taken, and the heap works on.

What may be lost is the block in hand. The rule and its reasons stand in `emheap.blocks`.
"""

from __future__ import annotations

import gc
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from itertools import count
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import emheap
from emheap import (
    Allocator,
    CountingAllocator,
    HeapManager,
    OutOfMemoryError,
    PageAllocator,
    Pointer,
    PoolAllocator,
    QuotaAllocator,
    Struct,
    UseAfterFreeError,
    int32,
    uint8,
    wrap_buffer,
)
from emheap._util.platform import HAS_GIL
from emheap.allocators.debug import DebugAllocator
from emheap.allocators.functions import FunctionsAllocator
from emheap.allocators.wrapping import SizingAllocator, WrappingAllocator
from emtests.blocks.consistency import check_consistent
from emtests.blocks.long import LONG, report
from emtests.blocks.scenarios import SCENARIOS, Scenario
from emtests.blocks.storms import Storm
from emtests.conftest import OpenHeap
from emtests.heaps import IN_PYODIDE, RUNNING
from emtests.unmeasured import unmeasured

LIBRARY = str(Path(emheap.__file__).parent)
SECONDS = 20.0 if LONG else 0.2
WITNESS = bytes(range(200))


class Ledger(Allocator):
    """Knows the blocks of another allocator that were not given back."""

    def __init__(self, allocator: Allocator) -> None:
        self._allocator = allocator
        self.alignment = allocator.alignment
        self.out: set[int] = set()
        self.twice: set[int] = set()
        """Those that were given back and were not out."""

    @property
    def trusted(self) -> bool:  # type: ignore[override]
        return self._allocator.trusted

    @property
    def refusals(self) -> tuple[type[Exception], ...]:  # type: ignore[override]
        return self._allocator.refusals

    @property
    def native(self) -> Allocator:
        return self

    def allocate(self, size: int) -> int:
        address = self._allocator.allocate(size)
        if address:
            try:
                self.out.add(address)
            except MemoryError:
                self._allocator.free(address)
                raise
        return address

    def free(self, address: int) -> None:
        if address not in self.out:
            self.twice.add(address)
            return
        self.out.discard(address)
        try:
            self._allocator.free(address)
        except MemoryError:  # it did not
            self.out.add(address)
            raise


def pooled(allocator: Allocator) -> Allocator:
    return PoolAllocator(allocator)


def plain(allocator: Allocator) -> Allocator:
    return allocator


def counted(allocator: Allocator) -> Allocator:
    return CountingAllocator(QuotaAllocator(PoolAllocator(allocator), 1 << 20))


def of_functions(allocator: Allocator) -> Allocator:
    return PoolAllocator(FunctionsAllocator(allocator.allocate, allocator.free))


FRONTS = (pooled, plain, counted, of_functions)
"""What may lie between a heap and the program's own malloc."""
CASES = [
    pytest.param(kind, front, id=f"{kind}-{front.__name__}")
    for kind in RUNNING
    for front in FRONTS
    if LONG or front is pooled or kind.name in ("own", "debug", "bytearray-freelist")
]


class Subject:
    """A heap to interrupt, and what is known of it from outside."""

    def __init__(self, base: HeapManager, front: Callable[[Allocator], Allocator]) -> None:
        self.ledger = Ledger(base.allocator.native)
        self.heap = HeapManager(base.memory, front(self.ledger), base.options)
        self.lost: set[int] = set()
        """Blocks that nobody has any more."""
        self._witness = self.heap.alloc_array(uint8, WITNESS)
        self._number = self.heap.alloc_int32(12345)

    def check(self, interrupts: int) -> None:
        """Fail unless the heap is whole, but for a block for each interrupt."""
        assert bytes(self._witness) == WITNESS
        assert self._number.value == 12345
        assert not self.ledger.twice, "a block was given back twice"
        if not IN_PYODIDE:  # where there are no threads, and locks do not know who has them
            for lock in _locks_of(self.heap):
                assert not lock._is_owned(), "a lock stayed taken"
        self._witness.free()
        self._number.free()
        check_consistent(self.heap)
        held = _held_back(self.heap.allocator) | _chunks_of(self.heap)
        assert held <= self.ledger.out, "a block waits for its next use and was given back"
        lost = self.ledger.out - held - self.lost
        assert len(lost) <= interrupts, f"{len(lost)} blocks are lost by {interrupts} interrupts"
        self.lost |= lost
        _check_sums(self.heap.allocator, self.ledger.out)
        self._witness = self.heap.alloc_array(uint8, WITNESS)
        self._number = self.heap.alloc_int32(12345)

    def close(self, interrupts: int = 0) -> None:
        """Fail if the end of the heap leaves more than was lost before, but for a block for each
        of the latest interrupts."""
        self.heap.close()
        left = self.ledger.out - self.lost
        assert len(left) <= interrupts, f"the end of the heap left {len(left)} blocks"


def _chain(allocator: Any) -> Iterator[Any]:
    while True:
        yield allocator
        if not isinstance(allocator, (WrappingAllocator, PoolAllocator)):
            return
        allocator = allocator._allocator


def _locks_of(heap: HeapManager) -> list[Any]:
    owners = [heap._table, heap._table.loans, *_chain(heap.allocator)]
    return [owner._lock for owner in owners if hasattr(owner, "_lock")]


def _held_back(allocator: Allocator) -> set[int]:
    """The blocks that wait in pools and quarantines."""
    held: set[int] = set()
    for each in _chain(allocator):
        if isinstance(each, PoolAllocator):
            held |= {address for spare in each._spare for address in spare}
        elif isinstance(each, DebugAllocator):
            held |= {record.base for record in each._waiting}
    return held


def _chunks_of(heap: HeapManager) -> set[int]:
    """The chunks of arenas that an interrupt kept from their end: they go back when the collector
    finds the arena, or with the heap."""
    return {chunk for region in heap._table._regions.values() for chunk in region._chunks}


def _check_sums(allocator: Allocator, out: set[int]) -> None:
    """Fail unless allocators that count agree with themselves, and count blocks that there are."""
    for each in _chain(allocator):
        if isinstance(each, SizingAllocator):
            assert each.live_byte_size == sum(each._sizes.values())
            assert each._sizes.keys() <= out, "blocks are counted that there are not"
            assert not each._sizes.keys() & _pooled(each), "blocks are counted that nobody has"
            assert not each._asked


def _pooled(allocator: Allocator) -> set[int]:
    pools = [each for each in _chain(allocator) if isinstance(each, PoolAllocator)]
    return {address for pool in pools for spare in pool._spare for address in spare}


@contextmanager
def quietly() -> Iterator[None]:
    """Say nothing of references that an interrupt lost, nor of one that came in a finalizer."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            yield
            gc.collect(0)  # what it left may refer to itself
    finally:
        sys.unraisablehook = hook


# Without the interpreter's lock the collector knows no generations, and looks at every object: once
# for all rounds of a test.
in_all, in_each = (nullcontext, quietly) if HAS_GIL else (quietly, nullcontext)


# After every call


EVENTS = {"c_return", "call"} if LONG else {"c_return"}
if sys.version_info < (3, 11):
    EVENTS.add("return")
"""After what the interpreter looks for signals: after most calls it is where that of C returns."""


class CallHook:
    """Notes the moments at which the library may be interrupted, and does so at one."""

    def __init__(self, interrupt_after: int | None = None) -> None:
        self.places: list[tuple[CodeType, int]] = []
        self._interrupt_after = interrupt_after
        self.struck = False

    def __enter__(self) -> None:
        # Else the collector may come now, and what it finalizes is other programs'.
        gc.disable()
        sys.setprofile(self._profile)

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)
        gc.enable()

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event not in EVENTS or not code.co_filename.startswith(LIBRARY) or _finalizes(frame):
            return
        if len(self.places) == self._interrupt_after:
            sys.setprofile(None)
            self.struck = True
            raise KeyboardInterrupt
        self.places.append((code, frame.f_lasti))


def _finalizes(frame: FrameType | None) -> bool:
    """Whether an exception here would go nowhere."""
    while frame is not None and frame.f_code.co_filename.startswith(LIBRARY):
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def until_none_strikes() -> Iterator[CallHook]:
    """Hooks that interrupt after the first call, after the second, and so on."""
    with in_all():
        for moment in count():
            hook = CallHook(moment)
            yield hook
            if not hook.struck:
                assert moment > 10
                return


def first_of_each(places: list[Any]) -> list[int]:
    """The first moment at which each place is reached."""
    return sorted({place: moment for moment, place in reversed(list(enumerate(places)))}.values())


def name_of(scenario: Scenario) -> str:
    return scenario.__name__


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
@pytest.mark.parametrize(("kind", "front"), CASES)
def test_a_heap_recovers_from_an_interrupt_after_any_call(
    open_heap: OpenHeap, front: Callable[[Allocator], Allocator], scenario: Scenario
) -> None:
    subject = Subject(open_heap(), front)
    struck = 0
    with in_all():
        for _ in range(2):  # other calls are made on a heap that was used before
            moments = CallHook()
            with in_each(), moments:
                scenario(subject.heap)
            chosen = range(len(moments.places)) if LONG else first_of_each(moments.places)
            for moment in chosen:
                hook = CallHook(moment)
                with in_each(), suppress(KeyboardInterrupt), hook:
                    scenario(subject.heap)
                struck += hook.struck
                subject.check(hook.struck)
    subject.close()
    assert struck > 20


def test_an_arena_ends_what_an_interrupt_left_of_one_inside_it(open_heap: OpenHeap) -> None:
    subject = Subject(open_heap(), plain)
    for hook in until_none_strikes():
        with in_each(), suppress(KeyboardInterrupt), subject.heap.arena() as outer:
            inner = outer.arena()
            for size in (10, 300, 2000):
                inner.alloc_array(uint8, size)
            with hook, inner:
                pass
            assert inner._finished
        assert not subject.heap._table._regions, "an arena waits for the collector"
        subject.check(hook.struck)
    subject.close()


class Named(Struct):
    number: int32
    target: Pointer[int32]


@pytest.mark.parametrize("length", [2, 20])
def test_an_array_knows_its_length_and_pointers_after_an_interrupt(
    open_heap: OpenHeap, length: int
) -> None:
    heap = open_heap()
    for hook in until_none_strikes():
        target = heap.alloc(int32, 5)
        structures = heap.alloc_array(Named, [(index, target) for index in range(8)])
        pointers = heap.alloc_array(Pointer[int32], [target] * 8)
        with in_each(), suppress(KeyboardInterrupt), hook:
            structures.resize(length)
            pointers.resize(length)
        target.free()
        if heap._table.is_live(structures._block):
            assert len(structures.tolist()) * structures.bytes_per_element == len(bytes(structures))
            for index, each in enumerate(structures[: min(8, length)]):
                assert each.number == index
                with pytest.raises(UseAfterFreeError):
                    _ = each.target.target
        if heap._table.is_live(pointers._block):
            for pointer in pointers[: min(8, length)]:
                with pytest.raises(UseAfterFreeError):
                    _ = pointer.target
        heap.free_all()


# By signals


class Alarm(Exception):  # noqa: N818
    """What a signal handler of a program may raise instead of KeyboardInterrupt."""


@pytest.mark.parametrize("exception", [KeyboardInterrupt, Alarm])
@pytest.mark.parametrize(("kind", "front"), CASES)
def test_a_heap_recovers_from_a_storm_of_signals(
    open_heap: OpenHeap, front: Callable[[Allocator], Allocator], exception: type[BaseException]
) -> None:
    subject = Subject(open_heap(), front)
    if any(Exception in each.refusals for each in _chain(subject.heap.allocator)):
        exception = KeyboardInterrupt  # as which it could be an error of the free function
    name = subject.heap.memory.name
    deadline = time.monotonic() + SECONDS
    storm = Storm(exception)
    judged = 0
    with unmeasured(), quietly():
        try:
            with storm:
                while time.monotonic() < deadline or not storm.count:
                    with quietly():
                        for scenario in SCENARIOS:
                            storm.run(partial(scenario, subject.heap))
                    subject.check(storm.count - judged)
                    judged = storm.count
        except OutOfMemoryError:
            pass  # each signal may lose a block: thousands of them fill a small heap
        finally:
            gc.collect()  # what a signal left is nothing for the next test to find
            subject.close(storm.count - judged)
    report(f"{storm.count} signals on {name}: {len(subject.lost)} blocks lost")
    assert storm.count


# Memories that grow


def two_arrays(heap: HeapManager) -> None:
    heap.alloc_array(uint8, 1000).free()
    heap.alloc_array(uint8, 2000).free()


@pytest.mark.parametrize("page_size", [256, 1])
def test_an_allocator_of_pages_works_on_after_an_interrupt(page_size: int) -> None:
    buffer = bytearray(256 * 256)
    for hook in until_none_strikes():
        pages = 0

        def grow(count: int) -> int:
            nonlocal pages
            before, pages = pages, pages + count
            return before

        allocator = PageAllocator(grow, page_size=page_size)
        heap = wrap_buffer(buffer, allocator=allocator)
        with in_each(), suppress(KeyboardInterrupt), hook:
            two_arrays(heap)
        heap.free_all()
        assert IN_PYODIDE or not allocator._lock._is_owned()  # type: ignore[attr-defined]
        # What is used and what is free are all the bytes that it has, and none twice.
        known = sum(end - start for start, end in allocator._ranges)
        assert allocator.available_byte_size + sum(allocator._used.values()) == known
        first = allocator.allocate(1000)
        second = allocator.allocate(1000)
        assert second >= first + 1000 or first >= second + 1000


def test_a_quota_counts_no_bytes_of_nothing(open_heap: OpenHeap) -> None:
    quota = QuotaAllocator(emheap.FreeListAllocator(16, 1 << 16), 1 << 15)
    heap = wrap_buffer(bytearray(1 << 16), allocator=quota)
    for hook in until_none_strikes():
        with (
            in_each(),
            suppress(KeyboardInterrupt),
            hook,
            heap.alloc(int32, 5),
            heap.alloc_array(uint8, 100),
        ):
            pass
        heap.free_all()
        used = quota._allocator._used  # type: ignore[attr-defined]
        assert quota._sizes.keys() <= used.keys(), "the quota counts a block that is free"
        assert quota.live_byte_size == sum(quota._sizes.values())
