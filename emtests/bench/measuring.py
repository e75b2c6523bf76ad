"""Two statements that do the same work, timed in turns."""

from __future__ import annotations

import gc
import statistics
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter
from typing import Any, cast

Batch = Callable[[int], tuple[int, Any]]
"""Runs a statement so many times; gives the nanoseconds, and its last result."""

_BATCH_NANOSECONDS = 1_000_000
_BATCHES_A_ROUND = 3
_FEWEST_ROUNDS, _MOST_ROUNDS = 7, 101

_clock: Callable[[], int] = getattr(time, "thread_time_ns", time.perf_counter_ns)
"""Counts no time that other programs took, where the system can tell; WebAssembly's cannot."""


@dataclass(frozen=True)
class Figures:
    """What was measured: rounds, each with what our way took and what the peer's did."""

    rounds: Sequence[tuple[float, float]]
    unit: str = "ns"

    @property
    def ours(self) -> float:
        """The median of our way."""
        return statistics.median(ours for ours, _ in self.rounds)

    @property
    def theirs(self) -> float:
        """The median of the peer's way."""
        return statistics.median(theirs for _, theirs in self.rounds)

    @property
    def quartiles(self) -> tuple[float, float, float]:
        """The quartiles of the ratios of ours to the peer's."""
        ratios = [ours / theirs for ours, theirs in self.rounds]
        # A figure that does not vary, such as bytes, is measured once.
        spread = ratios if len(ratios) > 1 else ratios * 2
        low, middle, high = statistics.quantiles(spread, n=4, method="inclusive")
        return low, middle, high

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return self.quartiles[1]


def nothing_each_time(count: int) -> Iterable[None]:
    """What a loop goes over whose statement does not use `item`."""
    return repeat(None, count)


@dataclass(frozen=True)
class Statement:
    """One way to do the work: Python code, and the objects it names.

    The code may leave something in `result`, and use `item`, which goes through what `items`
    prepares before the clock is started.
    """

    code: str
    names: Mapping[str, Any]
    items: Callable[[int], Iterable[Any]] = nothing_each_time

    def batch(self) -> Batch:
        """The statement in a loop. Its objects are locals of the loop, as with `timeit`."""
        source = "\n".join(
            (
                f"def loop(_items, _clock, {', '.join(self.names)}):",
                "    result = None",
                "    _start = _clock()",
                "    for item in _items:",
                textwrap.indent(self.code, " " * 8),
                "    return _clock() - _start, result",
            )
        )
        scope: dict[str, Any] = {}
        exec(source, scope)
        loop = scope["loop"]

        def run(count: int) -> tuple[int, Any]:
            return cast("tuple[int, Any]", loop(self.items(count), _clock, **self.names))

        return run


@dataclass(frozen=True)
class Contest:
    """Our statement and the peer's, and what tells whether they did their work."""

    ours: Statement
    peer: Statement
    check: Callable[[Any, Any], None]
    """Called with the last result of each, before the measurement and after it."""
    most: int = 1 << 30
    """The most times that the statements can run in one batch."""


Prepare = Callable[[], AbstractContextManager[Contest]]


def measure(prepare: Prepare, seconds: float) -> Figures:
    """Time a contest for about so many seconds."""
    with prepare() as contest:
        ours, peer = contest.ours.batch(), contest.peer.batch()
        contest.check(ours(1)[1], peer(1)[1])
        counts = [calibrated(batch, contest.most) for batch in (ours, peer)]
        gc.collect()
        rounds = list(_rounds((ours, peer), counts, perf_counter() + seconds))
        contest.check(ours(1)[1], peer(1)[1])
    return Figures(rounds)


def calibrated(batch: Batch, most: int) -> int:
    """How many times make a batch that is long enough to be timed."""
    count = 1
    # The faster of two: one pause of the machine would make a batch of one, too short for a clock.
    while count * 2 <= most and min(batch(count)[0], batch(count)[0]) < _BATCH_NANOSECONDS:
        count *= 2
    return count


def _rounds(
    batches: tuple[Batch, Batch], counts: Sequence[int], deadline: float
) -> Iterator[tuple[float, float]]:
    """Nanoseconds of one time, ours and the peer's."""
    for index in range(_MOST_ROUNDS):
        if index >= _FEWEST_ROUNDS and perf_counter() > deadline:
            break
        fastest = [float("inf"), float("inf")]
        for _ in range(_BATCHES_A_ROUND):
            # The second finds warmer caches: take turns in that as well.
            for way in (0, 1) if index % 2 else (1, 0):
                nanoseconds = batches[way](counts[way])[0] / counts[way]
                fastest[way] = min(fastest[way], nanoseconds)
        yield fastest[0], fastest[1]
