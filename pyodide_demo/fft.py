"""The spectrum of samples, by the C library pffft in its own heap."""

from __future__ import annotations

import enum
from typing import Any

from emheap import Function, HeapManager, Library, Pointer, c, float32


class Transform(enum.Enum):
    """``pffft_transform_t`` of pffft.h."""

    REAL = 0
    COMPLEX = 1


class Direction(enum.Enum):
    """``pffft_direction_t`` of pffft.h."""

    FORWARD = 0
    BACKWARD = 1


class Pffft(Library, prefix="pffft_"):
    """The functions of pffft.h that a real transform needs."""

    new_setup: Function[[c.int, Transform], Pointer[Any]]
    destroy_setup: Function[[Pointer[Any]], None]
    transform_ordered: Function[
        [
            Pointer[Any],
            c.pointer[c.float],
            c.pointer[c.float],
            c.pointer[c.float],
            Direction,
        ],
        None,
    ]


class Fft:
    """The real Fourier transform of `count` samples, a power of two from 32 on."""

    def __init__(self, module: Any, heap: HeapManager, count: int) -> None:
        self._pffft = heap.library(Pffft, module)
        self._setup = self._pffft.new_setup(count, Transform.REAL)
        # SIMD instructions want addresses that 16 divides.
        self.samples = heap.alloc_array(float32, count, align=16)
        self.spectrum = heap.alloc_array(float32, count, align=16)
        self.work = heap.alloc_array(float32, count, align=16)

    def transform(self, samples: list[float]) -> list[float]:
        """The coefficients: of 0 Hz, of half the rate, then a real and an imaginary part each."""
        self.samples[:] = samples  # into the C library's memory
        self._pffft.transform_ordered(
            self._setup, self.samples, self.spectrum, self.work, Direction.FORWARD
        )
        return self.spectrum[:]  # and out of it

    def close(self) -> None:
        """Give back what pffft allocated; the arrays are the heap's."""
        self._pffft.destroy_setup(self._setup)
