"""What the page shows of heaps: their blocks, their bytes, and how both went over time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TypedDict

from emheap import HeapManager, LiveBlock, Usage

MOST_BLOCKS = 400
"""The blocks that are listed one by one, the largest first."""
MOST_SAMPLES = 240
SECONDS_BETWEEN_SAMPLES = 0.5


class Row(TypedDict):
    """A live block."""

    address: int
    byte_size: int
    kind: str
    site: str


class Group(TypedDict):
    """The live blocks that have something in common."""

    name: str
    blocks: int
    byte_size: int


class Survey(TypedDict):
    """What is on a heap now."""

    memory: str
    memory_size: int
    blocks: int
    byte_size: int
    peak_bytes: int
    """The most at once since the heap was opened; 0 where it does not count allocations."""
    total_blocks: int
    """All that were ever allocated; 0 where it does not count allocations."""
    rows: list[Row]
    by_kind: list[Group]
    by_site: list[Group]


class Sample(TypedDict):
    """How much there was at one moment."""

    seconds: float
    blocks: int
    byte_size: int
    memory_size: int


class Growth(TypedDict):
    """A memory that grew."""

    seconds: float
    before: int
    after: int
    during: str
    """The task that was being done."""


class History(TypedDict):
    """How a heap went over time."""

    seconds: float
    """Now; like all seconds here, since the observer was made."""
    samples: list[Sample]
    growth: list[Growth]


def survey(heap: HeapManager) -> Survey:
    """Tell what is on a heap that tracks its allocations."""
    statistics = heap.statistics()
    counts = statistics.counts
    largest = sorted(heap.live(), key=lambda block: block.byte_size, reverse=True)
    return {
        "memory": heap.memory.name,
        "memory_size": heap.memory.size,
        "blocks": statistics.live.blocks,
        "byte_size": statistics.live.byte_size,
        "peak_bytes": counts.peak_bytes if counts else 0,
        "total_blocks": counts.total_blocks if counts else 0,
        "rows": [_row(block) for block in largest[:MOST_BLOCKS]],
        "by_kind": _groups(statistics.by_kind),
        "by_site": _groups(statistics.by_site),
    }


def _row(block: LiveBlock) -> Row:
    address, byte_size, kind, site = block
    return {"address": address, "byte_size": byte_size, "kind": kind, "site": site}


def _groups(usage: Mapping[str, Usage]) -> list[Group]:
    return [
        {"name": name, "blocks": blocks, "byte_size": byte_size}
        for name, (blocks, byte_size) in usage.items()
    ]


def hexdump(heap: HeapManager, address: int, size: int, per_line: int = 16) -> str:
    """The `size` bytes at an address, as numbers and as text. Raises OutOfBoundsError."""
    data = heap.memory.read_bytes(address, size)
    lines = []
    for offset in range(0, size, per_line):
        piece = data[offset : offset + per_line]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
        lines.append(f"{address + offset:08x}  {piece.hex(' '):{3 * per_line - 1}}  {text}")
    return "\n".join(lines)


class Observer:
    """Looks at heaps again and again, and keeps what it saw."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._start = clock()
        self._heaps: dict[str, tuple[HeapManager, deque[Sample], list[Growth]]] = {}

    @property
    def names(self) -> list[str]:
        """The heaps that are looked at."""
        return list(self._heaps)

    def add(self, name: str, heap: HeapManager) -> None:
        """Look at a heap from now on."""
        samples: deque[Sample] = deque([self._sample(heap)], maxlen=MOST_SAMPLES)
        self._heaps[name] = heap, samples, []

    def heap(self, name: str) -> HeapManager:
        """The heap of that name."""
        return self._heaps[name][0]

    def look(self, during: str) -> None:
        """See whether a memory grew, and now and then how much is live on each heap."""
        seconds = self._now()
        for heap, samples, growth in self._heaps.values():
            last, size = samples[-1], heap.memory.size
            if size > last["memory_size"]:
                before = last["memory_size"]
                growth.append(
                    {"seconds": seconds, "before": before, "after": size, "during": during}
                )
            elif seconds < last["seconds"] + SECONDS_BETWEEN_SAMPLES:
                continue
            samples.append(self._sample(heap))

    def history(self, name: str) -> History:
        """What was seen of a heap."""
        _, samples, growth = self._heaps[name]
        return {"seconds": self._now(), "samples": list(samples), "growth": growth}

    def _now(self) -> float:
        return self._clock() - self._start

    def _sample(self, heap: HeapManager) -> Sample:
        return {
            "seconds": self._now(),
            "blocks": len(heap.live()),
            "byte_size": heap.total_allocated_byte_size,
            "memory_size": heap.memory.size,
        }
