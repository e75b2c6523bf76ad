"""A drill: damage that must be found, and right use that must not be taken for damage."""

from __future__ import annotations

import random
import re
from contextlib import suppress
from typing import Any

import pytest

from emheap import HeapCorruptionError, HeapManager, OutOfMemoryError, uint8
from emtests.blocks.long import LONG
from emtests.conftest import OpenHeap
from emtests.diagnosis.random_use import RandomUser
from emtests.heaps import HeapKind

OVERRUNS = 1000
FEWER = OVERRUNS if LONG else 150
"""On the heaps other than the own module's or the C library's."""
CLEAN = 1_000_000 if LONG else 4_000


def test_every_overrun_is_found(kind: HeapKind, open_heap: OpenHeap) -> None:
    overruns = OVERRUNS if kind.name == "own" else FEWER
    heap = open_heap(debug=True)
    overrunner = Overrunner(heap, random.Random(7))
    neighbours = [heap.alloc_array(uint8, [5] * size) for size in range(1, 60)]
    for _ in range(overruns):
        overrunner.overrun()
    assert sum(overrunner.found.values()) == overruns
    assert min(overrunner.found.values()) > overruns // 5
    heap.verify()
    for size, neighbour in enumerate(neighbours, start=1):
        assert neighbour[:] == [5] * size
        neighbour.free()


def _span(first: int, last: int) -> str:
    return f"byte {first}" if first == last else f"bytes {first} to {last}"


def _verb(length: int) -> str:
    return "was" if length == 1 else "were"


class Overrunner:
    """Writes where nobody may, and sees to it that this is found, with the block named."""

    def __init__(self, heap: HeapManager, chance: random.Random) -> None:
        self.heap = heap
        self.found = {"after": 0, "before": 0, "freed": 0}
        self._chance = chance
        self._late: list[Any] = []

    def overrun(self) -> None:
        where = self._chance.choice(tuple(self.found))
        getattr(self, f"_write_{where}")(self._chance.randrange(1, 17))
        self.found[where] += 1

    def _block(self) -> tuple[Any, int]:
        size = self._chance.randrange(1, 80)
        return self.heap.alloc_array(uint8, [1] * size), size

    def _write(self, address: int, length: int, unlike: int) -> None:
        values = [value for value in range(256) if value != unlike]
        data = bytes(self._chance.choices(values, k=length))
        self.heap.memory.write_bytes(address, data)

    def _write_after(self, length: int) -> None:
        ref, size = self._block()
        self._write(ref.address + size, length, unlike=0xFD)
        written = f"{_span(0, length - 1)} after its end {_verb(length)} written"
        self._expect(ref, f"was overrun: {written}")

    def _write_before(self, length: int) -> None:
        ref, _ = self._block()
        self._write(ref.address - length, length, unlike=0xFD)
        written = f"{_span(1, length)} before its start {_verb(length)} written"
        self._expect(ref, f"was underrun: {written}")

    def _expect(self, ref: Any, words: str) -> None:
        named = rf"{size_of(ref)} bytes? at 0x{ref.address:x}, allocated at .*\n?.*{words}"
        find = self._chance.choice((ref.free, self.heap.verify))
        with pytest.raises(HeapCorruptionError, match=re.compile(named, re.DOTALL)) as caught:
            find()
        assert len(re.findall("was (?:overrun|underrun): ", str(caught.value))) == 1
        ref.free()  # it was reported, and repaired

    def _write_freed(self, length: int) -> None:
        ref, size = self._block()
        ref.free()
        start = self._chance.randrange(size)
        length = min(length, size - start)
        self._write(ref.address + start, length, unlike=0xDD)
        named = (
            rf"{size} bytes? at 0x{ref.address:x}, allocated at .*, freed at .*, was written to "
            rf"after it was freed: {_span(start, start + length - 1)}\n"
        )
        with pytest.raises(HeapCorruptionError, match=re.compile(named, re.DOTALL)) as caught:
            self.heap.verify()
        assert str(caught.value).count("was ") == 2


def size_of(ref: Any) -> int:
    return int(ref.allocated_byte_size)


def test_right_use_is_never_reported(open_heap: OpenHeap) -> None:
    heap = open_heap(debug=True)
    with suppress(OutOfMemoryError):
        # Whether a memory may grow at any moment is for other tests: where resizable buffers were
        # used before, V8 of Node 20 tells a wrong length of a typed array that growth detached.
        heap.alloc_array(uint8, 1 << 21).free()
    user = RandomUser(heap)
    while user.operations < CLEAN:
        user.run(CLEAN // 20)
        heap.verify()
    user.finish()
    heap.verify()
    heap.check_leaks()
