"""The spectrogram of the page: a column of pixels for every moment of a sound."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TypedDict

from emheap import HeapManager, clamped_uint8

LOWEST = 50.0
"""The frequency at the bottom, in Hz; at the top is half the sampling rate."""
SILENCE = -90.0
"""The level, in decibels, that has the darkest colour; 0 has the brightest."""
_COLOURS = [(13, 18, 16), (10, 55, 62), (15, 107, 92), (214, 152, 60), (255, 248, 214)]

Transform = Callable[[list[float]], list[float]]


class Reading(TypedDict):
    """What one moment of a sound is."""

    peak_bin: int
    bins: int
    peak_frequency: float
    """In Hz, between the bins where the neighbours say so."""
    peak_level: float
    """In decibels; a sine of full scale has 0."""
    lowest: float
    highest: float
    """The frequencies at the ends of the column, in Hz."""


class Tone:
    """A sine that goes on where it was, also when its frequency changes."""

    def __init__(self) -> None:
        self._phase = 0.0

    def samples(self, frequency: float, rate: float, count: int, level: float = 0.5) -> list[float]:
        """The next `count` samples."""
        step = 2 * math.pi * frequency / rate
        phase = self._phase
        self._phase = (phase + count * step) % (2 * math.pi)
        return [level * math.sin(phase + step * i) for i in range(count)]


class Spectrogram:
    """Turns samples into columns of RGBA pixels, which lie on `heap`."""

    def __init__(self, heap: HeapManager, transform: Transform, count: int, rows: int) -> None:
        self._transform = transform
        self.count = count
        self._window = [0.5 - 0.5 * math.cos(2 * math.pi * i / count) for i in range(count)]
        self._rows = rows
        self._rate = 0.0
        self._bins_of_rows: list[slice] = []
        self.column = heap.alloc_array(clamped_uint8, 4 * rows)
        self._palette = heap.alloc_array(clamped_uint8, b"".join(_palette()))

    def add(self, samples: Iterable[float], rate: float) -> Reading:
        """Fill the column with the spectrum of `count` samples taken at `rate` Hz."""
        if rate != self._rate:
            self._rate = rate
            self._bins_of_rows = bins_of_rows(self._rows, self.count, rate)
        weighted = [a * b for a, b in zip(samples, self._window, strict=True)]
        levels = decibels(self._transform(weighted))
        self._paint(levels)
        # The first bin is the sound's offset from 0, which nobody hears.
        peak = max(range(1, len(levels)), key=levels.__getitem__)
        return {
            "peak_bin": peak,
            "bins": len(levels),
            "peak_frequency": (peak + _offset(levels, peak)) * rate / self.count,
            "peak_level": levels[peak],
            "lowest": LOWEST,
            "highest": rate / 2,
        }

    def _paint(self, levels: Sequence[float]) -> None:
        palette = bytes(self._palette)
        pixels = []
        for bins in self._bins_of_rows:
            shade = min(255, max(0, int(255 * (1 - max(levels[bins]) / SILENCE))))
            pixels.append(palette[4 * shade : 4 * shade + 4])
        self.column[:] = b"".join(pixels)


def decibels(coefficients: Sequence[float]) -> list[float]:
    """The level of every bin below half the rate, of samples under a Hann window."""
    # The window halves what a sine has, and a real transform puts half of it into either side.
    full = len(coefficients) / 4
    parts = zip(coefficients[2::2], coefficients[3::2], strict=True)
    sizes = [abs(coefficients[0]) / 2, *(math.hypot(*pair) for pair in parts)]
    return [20 * math.log10(max(size / full, 1e-10)) for size in sizes]


def bins_of_rows(rows: int, count: int, rate: float) -> list[slice]:
    """The bins that each row of a column shows, from the top, at least one; as the ear hears."""
    octaves = math.log2(rate / 2 / LOWEST)
    edges = [rate / 2 * 2 ** (-octaves * row / rows) * count / rate for row in range(rows + 1)]
    last = count // 2 - 1
    lows = [min(last, int(edge)) for edge in edges]
    return [slice(low, max(low + 1, high)) for high, low in pairwise(lows)]


def _offset(levels: Sequence[float], peak: int) -> float:
    """Where between the bins the peak of a tone is: exactly there, under a Hann window.

    A parabola through the levels is off by a third of a hertz here.
    """
    if not 0 < peak < len(levels) - 1:
        return 0.0
    left, middle, right = (10 ** (level / 20) for level in levels[peak - 1 : peak + 2])
    side, sign = (right, 1) if right > left else (left, -1)
    return sign * (2 * side - middle) / (side + middle)


def _palette() -> Iterable[bytes]:
    steps = len(_COLOURS) - 1
    for shade in range(256):
        at, part = divmod(shade * steps / 255, 1)
        one, other = _COLOURS[int(at)], _COLOURS[min(int(at) + 1, steps)]
        yield bytes([*(round(a + (b - a) * part) for a, b in zip(one, other, strict=True)), 255])
