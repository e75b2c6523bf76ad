"""The transform by pffft, a C library, in its own heap; in Pyodide, where that library runs."""

from __future__ import annotations

import random

import emtests_modules
import pytest

import emheap
from emtests.demo.test_spectrum import transform
from pyodide_demo.fft import Fft
from pyodide_demo.spectrum import Spectrogram, Tone


@pytest.mark.parametrize("count", [32, 256])
def test_it_is_the_transform_by_its_definition(count: int) -> None:
    numbers = random.Random(count)
    samples = [numbers.uniform(-1, 1) for _ in range(count)]
    with emheap.wrap_emscripten_module_heap(emtests_modules.pffft) as heap:
        fft = Fft(emtests_modules.pffft, heap, count)
        for _ in range(2):
            assert fft.transform(samples) == pytest.approx(transform(samples), abs=1e-4)
        assert {ref.address % 16 for ref in (fft.samples, fft.spectrum, fft.work)} == {0}
        assert fft.samples[:] == pytest.approx(samples)
        fft.close()


def test_the_page_finds_a_tone() -> None:
    with emheap.wrap_emscripten_module_heap(emtests_modules.pffft) as heap, emheap.open() as own:
        fft = Fft(emtests_modules.pffft, heap, 2048)
        spectrogram = Spectrogram(own, fft.transform, 2048, 256)
        reading = spectrogram.add(Tone().samples(440, 48_000, 2048), 48_000)
        fft.close()
    assert reading["peak_bin"] == 19
    assert reading["peak_frequency"] == pytest.approx(440, abs=1)
