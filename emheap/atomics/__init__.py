"""Indivisible, sequentially consistent reads and writes."""

from __future__ import annotations

from emheap.atomics.base import Atomics as Atomics
from emheap.atomics.base import open_atomics as open_atomics
