"""The spectrum of samples, by the C library pffft in its own heap."""

from __future__ import annotations

from typing import Any

from emheap import HeapManager, float32

REAL, FORWARD = 0, 0  # of pffft.h


class Fft:
    """The real Fourier transform of `count` samples, a power of two from 32 on."""

    def __init__(self, module: Any, heap: HeapManager, count: int) -> None:
        self.module = module
        self.setup = module._pffft_new_setup(count, REAL)
        # SIMD instructions want addresses that 16 divides.
        self.samples = heap.alloc_array(float32, count, align=16)
        self.spectrum = heap.alloc_array(float32, count, align=16)
        self.work = heap.alloc_array(float32, count, align=16)

    def transform(self, samples: list[float]) -> list[float]:
        """The coefficients: of 0 Hz, of half the rate, then a real and an imaginary part each."""
        self.samples[:] = samples  # into the C library's memory
        places = self.samples.address, self.spectrum.address, self.work.address
        self.module._pffft_transform_ordered(self.setup, *places, FORWARD)
        return self.spectrum[:]  # and out of it
