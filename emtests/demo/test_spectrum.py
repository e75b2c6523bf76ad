"""The spectrogram, on a transform by its definition; in Pyodide test_fft.py has the real one."""

from __future__ import annotations

import cmath
import math
from itertools import pairwise

import pytest

import emheap
from pyodide_demo.spectrum import LOWEST, Spectrogram, Tone, bins_of_rows, decibels

COUNT = 128
RATE = 12_800.0  # a bin is 100 Hz


def transform(samples: list[float]) -> list[float]:
    """The coefficients in the order of pffft."""
    count = len(samples)
    turns = [cmath.exp(-2j * math.pi * k / count) for k in range(count)]
    bins = [
        sum(sample * turns[k * n % count] for n, sample in enumerate(samples))
        for k in range(count // 2 + 1)
    ]
    return [bins[0].real, bins[-1].real, *(p for z in bins[1:-1] for p in (z.real, z.imag))]


@pytest.mark.parametrize("frequency", [300, 1000, 5900])
@pytest.mark.parametrize("level", [1.0, 0.1])
def test_a_tone_has_its_peak_and_its_level(frequency: int, level: float) -> None:
    with emheap.open() as heap:
        spectrogram = Spectrogram(heap, transform, COUNT, 32)
        reading = spectrogram.add(Tone().samples(frequency, RATE, COUNT, level), RATE)
    assert reading["peak_bin"] == frequency // 100
    assert reading["bins"] == COUNT // 2
    assert reading["peak_frequency"] == pytest.approx(frequency, abs=2)
    assert reading["peak_level"] == pytest.approx(20 * math.log10(level), abs=0.05)
    assert (reading["lowest"], reading["highest"]) == (LOWEST, RATE / 2)


def test_a_tone_between_two_bins_is_found_there() -> None:
    with emheap.open() as heap:
        spectrogram = Spectrogram(heap, transform, COUNT, 32)
        reading = spectrogram.add(Tone().samples(1234, RATE, COUNT), RATE)
    assert reading["peak_bin"] == 12
    assert reading["peak_frequency"] == pytest.approx(1234, abs=5)


def test_the_column_is_bright_where_the_tone_is() -> None:
    with emheap.open() as heap:
        spectrogram = Spectrogram(heap, transform, COUNT, 32)
        spectrogram.add(Tone().samples(1000, RATE, COUNT, 1.0), RATE)
        pixels = [tuple(spectrogram.column[i : i + 4]) for i in range(0, 4 * 32, 4)]
    bright = {row for row, pixel in enumerate(pixels) if pixel == (255, 248, 214, 255)}
    bins = bins_of_rows(32, COUNT, RATE)
    assert bright == {row for row in range(32) if bins[row].start <= 10 < bins[row].stop} != set()
    # The top row shows no tone at all.
    assert pixels[0] == (13, 18, 16, 255)
    assert {pixel[3] for pixel in pixels} == {255}


def test_silence_is_dark_and_in_range() -> None:
    with emheap.open() as heap:
        spectrogram = Spectrogram(heap, transform, COUNT, 8)
        reading = spectrogram.add([0.0] * COUNT, RATE)
        assert reading["peak_level"] == -200
        assert spectrogram.column == [13, 18, 16, 255] * 8


def test_too_few_samples_are_refused() -> None:
    with emheap.open() as heap:
        spectrogram = Spectrogram(heap, transform, COUNT, 8)
        with pytest.raises(ValueError, match="zip"):
            spectrogram.add([0.0], RATE)


def test_a_tone_goes_on_where_it_was() -> None:
    tone, whole = Tone(), Tone().samples(440, 48_000, 300)
    parts = [tone.samples(440, 48_000, 100) for _ in range(3)]
    assert [sample for part in parts for sample in part] == pytest.approx(whole, abs=1e-9)
    before = tone.samples(440, 48_000, 1)[0]
    after = tone.samples(880, 48_000, 1)[0]
    assert abs(after - before) < 0.06


def test_the_offset_counts_half() -> None:
    assert decibels([4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])[0] == 0.0


@pytest.mark.parametrize(("rows", "count", "rate"), [(256, 2048, 48_000.0), (16, 64, 8000.0)])
def test_the_rows_cover_the_bins_from_the_top(rows: int, count: int, rate: float) -> None:
    slices = bins_of_rows(rows, count, rate)
    assert len(slices) == rows
    assert slices[0].stop >= count // 2 - 1
    assert slices[-1].start == int(LOWEST * count / rate)
    assert all(one.start >= other.start for one, other in pairwise(slices))
    assert all(0 <= each.start < each.stop <= count // 2 for each in slices)
