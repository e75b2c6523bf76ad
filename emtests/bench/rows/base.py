"""What a row of the table is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from emtests.bench.measuring import Figures, Prepare, measure

NATIVE, PYODIDE = "native", "pyodide"


@dataclass(frozen=True)
class Row:
    """Some work, and the peer that does it too."""

    work: str
    peer: str
    limits: Mapping[str, float]
    """The ratio aimed at in each runtime that has this row."""
    measure: Callable[[float], Figures]
    """Takes the seconds it may need."""
    quick: bool = True
    """Whether it can be measured several times."""


def timed(work: str, peer: str, prepare: Prepare, **limits: float) -> Row:
    """A row whose two ways are timed in loops."""
    return Row(work, peer, limits, partial(measure, prepare))


def pattern(size: int) -> bytes:
    """Bytes of which no two parts look the same: a shift or a gap in a copy shows.

    They repeat, but after a prime number of bytes.
    """
    period = bytes(range(251))
    return (period * (size // len(period) + 1))[:size]
