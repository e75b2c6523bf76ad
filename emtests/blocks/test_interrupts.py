"""A KeyboardInterrupt before any line of the library: nothing is lost, nothing has two owners.

What a heap's allocator handed out is then in the heap's table, where `free_all` frees it, or
waits in a pool or a quarantine for the next allocation.
"""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
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
    PageAllocator,
    PoolAllocator,
    QuotaAllocator,
    float64,
    int32,
    uint8,
    utf8,
    wrap_buffer,
)
from emheap._util.platform import IN_PYODIDE
from emheap.allocators.debug import DebugAllocator
from emheap.allocators.functions import FunctionsAllocator
from emheap.allocators.wrapping import WrappingAllocator
from emtests.blocks.consistency import check_consistent
from emtests.blocks.long import LONG
from emtests.blocks.scenarios import SCENARIOS, Scenario, arenas, arrays, resizing, scalars
from emtests.conftest import OpenHeap
from emtests.heaps import RUNNING

LIBRARY = str(Path(emheap.__file__).parent)
NATIVE = ("home", "debug", "bytearray-freelist")
INTERRUPTED = [
    kind
    for kind in RUNNING
    if LONG or kind.name in (("home", "wasm-memory") if IN_PYODIDE else NATIVE)
]


class Ledger(Allocator):
    """Knows the blocks of another allocator that were not given back."""

    def __init__(self, allocator: Allocator) -> None:
        self._allocator = allocator
        self.alignment = allocator.alignment
        self.out: set[int] = set()

    @property
    def native(self) -> Allocator:
        return self

    def allocate(self, size: int) -> int:
        address = self._allocator.allocate(size)
        self.out |= {address} - {0}
        return address

    def free(self, address: int) -> None:
        self._drop(address)

    def take_back(self, owed: list[int], size: int | None = None) -> None:
        self._drop(owed.pop())

    def _drop(self, address: int) -> None:
        self.out.remove(address)
        self._allocator.free(address)


def pooled(allocator: Allocator) -> Allocator:
    return PoolAllocator(allocator)


def plain(allocator: Allocator) -> Allocator:
    return allocator


def counted(allocator: Allocator) -> Allocator:
    return CountingAllocator(QuotaAllocator(PoolAllocator(allocator), 1 << 20))


def of_functions(allocator: Allocator) -> Allocator:
    return PoolAllocator(FunctionsAllocator(allocator.allocate, allocator.free))


CASES = [
    pytest.param(kind, front, used, id=f"{kind}-{front.__name__}-{'used' if used else 'new'}")
    for kind in INTERRUPTED
    # What may lie between a heap and the program's own malloc.
    for front in (pooled, plain, counted, of_functions)
    for used in (True, False)
    if LONG or (front is pooled and used) or kind.name == "home"
]


def held_back(allocator: Allocator) -> set[int]:
    """The blocks that wait in pools and quarantines."""
    if isinstance(allocator, PoolAllocator):
        return {address for spare in allocator._spare for address in spare}
    if isinstance(allocator, DebugAllocator):
        waiting = {address for record in allocator._waiting for address in record.owed}
        return waiting | held_back(allocator._allocator)
    return held_back(allocator._allocator) if isinstance(allocator, WrappingAllocator) else set()


def open_on_ledger(
    heap: HeapManager, front: Callable[[Allocator], Allocator]
) -> tuple[HeapManager, Ledger]:
    """Another heap in the memory of `heap`, and what it has from the allocator there."""
    ledger = Ledger(heap.allocator.native)
    return HeapManager(heap.memory, front(ledger), heap.options), ledger


def nothing_lost(heap: HeapManager, ledger: Ledger) -> None:
    held = held_back(heap.allocator)
    assert held <= ledger.out
    lost = ledger.out - held
    assert not lost, f"{len(lost)} blocks are lost"


def interrupt(
    program: Callable[[HeapManager], Any],
    heap: HeapManager,
    moment: int,
    trace: Callable[[int], LineTracer] | None = None,
) -> LineTracer:
    """Run a program until the line of the library that runs at a moment; see LineTracer."""
    tracer = (trace or LineTracer)(moment)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # of references that got lost
        try:
            with tracer:
                program(heap)
        except KeyboardInterrupt:
            tracer.struck = True
        gc.collect(0)  # what it left may refer to itself
    return tracer


def name_of(scenario: Scenario) -> str:
    return scenario.__name__


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
@pytest.mark.parametrize(("kind", "front", "used"), CASES)
def test_nothing_is_lost_wherever_a_program_is_interrupted(
    open_heap: OpenHeap, front: Callable[[Allocator], Allocator], used: bool, scenario: Scenario
) -> None:
    # Other lines run on a heap that was used before, for a pool has blocks by then.
    base = open_heap()
    heap, ledger = open_on_ledger(base, front)
    if used:
        scenario(heap)
    moments = LineTracer()
    with moments:
        scenario(heap)
    struck = 0
    for moment in range(len(moments.lines)) if LONG else first_of_each(moments.lines):
        if not used:
            heap, ledger = open_on_ledger(base, front)
        struck += interrupt(scenario, heap, moment).struck
        check_consistent(heap)
        nothing_lost(heap, ledger)
    assert struck > 50


class Calls:
    """Counts calls of what lies beneath a heap, and interrupts one before it does anything."""

    def __init__(self) -> None:
        self.left = -1

    def before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return function(*arguments, **named)

        return call


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
@pytest.mark.parametrize("front", [pooled, plain, counted], ids=lambda front: front.__name__)
@pytest.mark.parametrize("kind", INTERRUPTED, ids=str)
def test_nothing_is_lost_wherever_what_lies_beneath_is_interrupted(
    open_heap: OpenHeap,
    front: Callable[[Allocator], Allocator],
    scenario: Scenario,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heap, ledger = open_on_ledger(open_heap(), front)
    calls = Calls()
    beneath: list[tuple[type, str]]
    beneath = [(Ledger, name) for name in ("allocate", "free", "take_back")]
    beneath += [(type(heap.memory), name) for name in ("fill", "read_bytes", "write_bytes")]
    for kind, name in beneath:
        monkeypatch.setattr(kind, name, calls.before(getattr(kind, name)))
    for moment in count(1):
        calls.left = moment
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # of references that got lost
            with suppress(KeyboardInterrupt):
                scenario(heap)
            struck, calls.left = calls.left <= 0, -1
            gc.collect(0)
        check_consistent(heap)
        nothing_lost(heap, ledger)
        if not struck:
            assert moment > 2
            break


@pytest.mark.parametrize("scenario", [scalars, arrays, resizing, arenas], ids=name_of)
@pytest.mark.parametrize("kind", [kind for kind in INTERRUPTED if kind.name == "home"], ids=str)
def test_no_block_has_two_owners_whichever_instruction_is_interrupted(
    open_heap: OpenHeap, scenario: Scenario
) -> None:
    # A signal comes between instructions, where a block can still be lost: between the one that
    # takes it off a list, say, and the one that gives it a name.
    heap, ledger = open_on_ledger(open_heap(), pooled)
    scenario(heap)
    moments = InstructionTracer()
    with moments:
        scenario(heap)
    struck = 0
    for moment in first_of_each(moments.lines)[:: 1 if LONG else 5]:
        struck += interrupt(scenario, heap, moment, InstructionTracer).struck
        check_consistent(heap)
        held = held_back(heap.allocator)
        assert held <= ledger.out
        ledger.out &= held
    assert struck > 50


def two_arrays(heap: HeapManager) -> None:
    heap.alloc_array(uint8, 1000).free()
    heap.alloc_array(uint8, 2000).free()


@pytest.mark.parametrize("page_size", [256, 1])
def test_the_pages_that_an_interrupted_allocation_added_are_used(page_size: int) -> None:
    buffer = bytearray(256 * 256)
    for moment in count():
        pages = 0

        def grow(count: int) -> int:
            nonlocal pages
            before, pages = pages, pages + count
            return before

        allocator = PageAllocator(grow, page_size=page_size)
        heap = wrap_buffer(buffer, allocator=allocator)
        tracer = interrupt(two_arrays, heap, moment)
        heap.free_all()
        # The first bytes of the memory stay unused.
        assert allocator.available_byte_size in (0, pages * page_size - allocator.alignment)
        allocator.free(allocator.allocate(1000))
        assert allocator.available_byte_size == pages * page_size - allocator.alignment
        if not tracer.struck:
            assert moment > 50
            break


def arena_number(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        scratch.alloc(int32, 5)
        scratch.alloc_array(uint8, 3000)


ALLOCATIONS: tuple[Callable[[HeapManager], Any], ...] = (
    lambda heap: heap.alloc_int32(5),
    lambda heap: heap.alloc(float64, 0.5),
    lambda heap: heap.alloc(int32, 5, align=512),
    lambda heap: heap.alloc_array(uint8, [1, 2, 3]),
    lambda heap: heap.alloc_array(float64, 1000),
    lambda heap: heap.alloc(utf8, "text"),
    lambda heap: heap.alloc(utf8, 300),
    arena_number,
)


@pytest.mark.parametrize("number", range(len(ALLOCATIONS)))
@pytest.mark.parametrize("garbage", [False, True] if LONG else [False])
@pytest.mark.parametrize("kind", INTERRUPTED, ids=str)
def test_an_interrupted_allocation_allocates_nothing(
    open_heap: OpenHeap, garbage: bool, number: int
) -> None:
    allocate = ALLOCATIONS[number]
    heap, ledger = open_on_ledger(open_heap(enable_garbage_collection=garbage), pooled)
    for moment in count():
        tracer = interrupt(allocate, heap, moment)
        allocated = heap._table.block_count
        heap.free_all()
        if not tracer.struck:
            assert moment > 5
            break
        assert not allocated or tracer.where == "__exit__", tracer.place
        nothing_lost(heap, ledger)


def first_of_each(lines: list[tuple[str, int]]) -> list[int]:
    """The first moment at which each line is about to run."""
    return sorted({line: moment for moment, line in reversed(list(enumerate(lines)))}.values())


class LineTracer:
    """Notes the lines of the library that run, and interrupts before one of them."""

    event = "line"

    def __init__(self, interrupt_before: int | None = None) -> None:
        self.lines: list[tuple[str, int]] = []
        self.interrupt_before = interrupt_before
        self.struck = False
        self.where = ""
        """The function of ours that the program called."""
        self.place = ""
        self._finalizers = 0
        """Those that are running."""

    def __enter__(self) -> None:
        # Else the collector may come now, and finalizers of what other programs left behind run
        # lines of the library: an exception in there goes nowhere.
        gc.disable()
        self._before = sys.gettrace()
        sys.settrace(self._trace)

    def __exit__(self, *error: object) -> None:
        sys.settrace(self._before)
        gc.enable()

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(LIBRARY):
            return None
        if event == "call" and _is_finalizer(code):
            self._finalizers += 1
            return self._trace_finalizer
        if event == self.event and not self._finalizers:
            if len(self.lines) == self.interrupt_before:
                self._tell(frame)
                sys.settrace(None)
                raise KeyboardInterrupt
            self.lines.append(self._place(frame))
        return self._trace

    def _place(self, frame: FrameType) -> tuple[str, int]:
        return frame.f_code.co_filename, frame.f_lineno

    def _trace_finalizer(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "return":
            self._finalizers -= 1
        return self._trace_finalizer

    def _tell(self, frame: FrameType) -> None:
        inner: FrameType | None = frame
        self.place = ""
        while inner is not None and inner.f_code.co_filename.startswith(LIBRARY):
            self.place += f"{Path(inner.f_code.co_filename).name}:{inner.f_lineno} "
            self.where = inner.f_code.co_name
            inner = inner.f_back


class InstructionTracer(LineTracer):
    """The same with instructions."""

    event = "opcode"

    def __enter__(self) -> None:
        # CPython 3.12 tells of instructions only if some frame asked before the tracing began.
        sys._getframe().f_trace_opcodes = True
        super().__enter__()

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        frame.f_trace_opcodes = True
        return super()._trace(frame, event, argument)

    def _place(self, frame: FrameType) -> tuple[str, int]:
        return f"{frame.f_code.co_filename} {frame.f_code.co_firstlineno}", frame.f_lasti


def _is_finalizer(code: CodeType) -> bool:
    """Whether an exception in a function, or below it, would go nowhere."""
    callback = code.co_name == "<lambda>" and code.co_filename.endswith("loans.py")
    return callback or code.co_name == "__del__"
