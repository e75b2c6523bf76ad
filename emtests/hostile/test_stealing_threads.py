"""Eight threads use blocks that the others free: an error, or the right bytes; never another's."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from emheap import BufferInUseError, HeapError, HeapManager, UseAfterFreeError, int32, uint8, utf8
from emtests.blocks.consistency import check_consistent
from emtests.blocks.long import LONG, report
from emtests.conftest import OpenHeap
from emtests.heaps import RUNNING, HeapKind
from emtests.threads import need_threads, run_in_threads

THREADS = 8
MARKS = 15
"""The bytes that a thread marks its blocks with, each in its turn; all are ASCII."""
SLOTS = 12
LEAST_STOLEN, LEAST_REFUSED = 12, 1
"""What each thread does more often than that, for the others to meet it."""
KEPT = 6
KINDS = [kind for kind in RUNNING if kind.name in ("own", "debug", "bytearray-freelist", "mmap")]
SIZES = (4, 24, 24, 24, 200, 5000)

Verb = Callable[[HeapManager, Any, int], Any]


def edit(heap: HeapManager, ref: Any, mark: int) -> bytes:
    with suppress(ValueError), ref.edit() as buffer:  # a view, it ends with its block
        buffer[0] = mark
        return bytes(buffer)
    return b""


def through_view(heap: HeapManager, ref: Any, mark: int) -> bytes:
    view = ref.view
    with suppress(ValueError):  # it ends with its block
        view[-1] = mark
        return view.tobytes()  # type: ignore[no-any-return]
    return b""


ARRAY_VERBS: tuple[Verb, ...] = (
    lambda heap, ref, mark: bytes(ref),
    lambda heap, ref, mark: ref[:],
    lambda heap, ref, mark: ref[1:4],
    lambda heap, ref, mark: [ref[0], ref[-1]],
    lambda heap, ref, mark: list(ref),
    lambda heap, ref, mark: ref.__setitem__(slice(None), bytes([mark]) * len(ref)),
    lambda heap, ref, mark: ref.__setitem__(2, mark),
    lambda heap, ref, mark: ref.clear(),
    lambda heap, ref, mark: heap.fill(ref, mark),
    lambda heap, ref, mark: heap.copy_to(heap, ref, ref),
    # A third thread may write between the two readings.
    lambda heap, ref, mark: heap.compare(heap, ref, ref) and None,
    lambda heap, ref, mark: heap.write(uint8, ref, mark),
    lambda heap, ref, mark: [heap.read(uint8, ref)],
    lambda heap, ref, mark: heap.write_uint8(ref, mark),
    lambda heap, ref, mark: heap.find(ref, 255) and [255],
    edit,
    through_view,
)
TEXT_VERBS: tuple[Verb, ...] = (
    lambda heap, ref, mark: ref.value.encode(),
    lambda heap, ref, mark: ref.write(chr(mark) * 3),
    lambda heap, ref, mark: heap.read(utf8, ref).encode(),
    lambda heap, ref, mark: bytes(ref),
    lambda heap, ref, mark: ref.clear(),
)
NUMBER_VERBS: tuple[Verb, ...] = (
    lambda heap, ref, mark: ref.value.to_bytes(4, "little"),
    lambda heap, ref, mark: setattr(ref, "value", mark * 0x01010101),
    lambda heap, ref, mark: heap.read_int32(ref).to_bytes(4, "little"),
    lambda heap, ref, mark: heap.write_int32(ref, mark * 0x01010101),
    lambda heap, ref, mark: ref.clear(),
)
VERBS = {"ArrayRef": ARRAY_VERBS, "StringRef": TEXT_VERBS, "ScalarRef": NUMBER_VERBS}


class Slots:
    """The references that all threads have, each with the one byte that its block holds."""

    def __init__(self, heap: HeapManager) -> None:
        self.heap = heap
        self.taken: list[tuple[Any, int]] = [self.make(1, 24) for _ in range(SLOTS)]
        self.wrong: list[str] = []

    def make(self, mark: int, size: int) -> tuple[Any, int]:
        if size == 4:
            return self.heap.alloc(int32, mark * 0x01010101), mark
        if size == 200:
            return self.heap.alloc(utf8, chr(mark) * (size - 1)), mark
        return self.heap.alloc_array(uint8, bytes([mark]) * size), mark


class Robber:
    """Uses what is in the slots, and frees it while the others use it."""

    def __init__(self, slots: Slots, number: int) -> None:
        self._slots = slots
        self._chance = random.Random(number)
        self._number = number
        self._mark = 0
        self._own: deque[tuple[Any, int]] = deque()
        """Blocks that nobody else knows, in bytes that belonged to others before."""
        self.uses = self.refused = self.stolen = 0

    def run(self, deadline: float) -> None:
        while time.monotonic() < deadline + self._more_seconds() and not self._slots.wrong:
            for _ in range(20):
                if self._chance.random() < 0.3:
                    self._steal()
                else:
                    self._use()

    def _more_seconds(self) -> float:
        """How long to go on where little has happened, as on a very busy machine."""
        return 60.0 if self.stolen <= LEAST_STOLEN or self.refused <= LEAST_REFUSED else 0.0

    def _use(self) -> None:
        ref, mark = self._chance.choice(self._slots.taken)
        verb = self._chance.choice(VERBS[type(ref).__name__])
        try:
            result = verb(self._slots.heap, ref, mark)
        except (UseAfterFreeError, BufferInUseError):
            self.refused += 1
            return
        self.uses += 1
        if result and not {*result} <= {0, mark}:
            self._slots.wrong.append(f"{ref!r} of {mark} holds { ({*result}) }")

    def _steal(self) -> None:
        place = self._chance.randrange(SLOTS)
        ref, _ = self._slots.taken[place]
        try:
            ref.free()
        except HeapError:  # another was faster, or it is in use
            return
        self.stolen += 1
        self._mark = self._mark % MARKS + 1
        mark = self._number * MARKS + self._mark
        size = self._chance.choice(SIZES)
        self._own.append(self._slots.make(mark, size))
        self._slots.taken[place] = self._slots.make(mark, size)
        if len(self._own) > KEPT:
            self._check(*self._own.popleft())

    def _check(self, ref: Any, mark: int) -> None:
        terminator = {0} if type(ref).__name__ == "StringRef" else set[int]()
        if {*bytes(ref)} - terminator != {mark}:
            self._slots.wrong.append(f"{ref!r} of {mark} was written to: { ({*bytes(ref)}) }")
        ref.free()

    def finish(self) -> None:
        while self._own:
            self._check(*self._own.popleft())


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_threads_that_steal_blocks_from_each_other(kind: HeapKind, open_heap: OpenHeap) -> None:
    need_threads()
    slots = Slots(open_heap())
    robbers = [Robber(slots, number) for number in range(THREADS)]
    deadline = time.monotonic() + (60.0 if LONG else 1.5)
    run_in_threads([lambda robber=robber: robber.run(deadline) for robber in robbers])  # type: ignore[misc]
    for robber in robbers:
        robber.finish()
    for ref, _ in slots.taken:
        with suppress(HeapError):
            ref.free()
    uses, refused, stolen = (
        sum(getattr(robber, name) for robber in robbers) for name in ("uses", "refused", "stolen")
    )
    report(f"{stolen:,} blocks stolen, {uses:,} uses, {refused:,} of blocks that were gone")
    assert not slots.wrong
    assert stolen > THREADS * LEAST_STOLEN
    assert refused > THREADS * LEAST_REFUSED
    assert slots.heap.total_allocated_byte_size == 0
    check_consistent(slots.heap)
