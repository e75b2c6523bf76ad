"""Atomic access where nothing runs at the same time: every access is indivisible."""

from __future__ import annotations

import sys

from emheap.memories.atomics.base import MODIFICATIONS, Atomics

__all__ = ["PlainAtomics"]


class PlainAtomics(Atomics):
    """For memory that one thread alone can see, as Pyodide's own heap."""

    def load(self, address: int, size: int) -> int:
        return int.from_bytes(self.memory.read_bytes(address, size), sys.byteorder)

    def store(self, address: int, size: int, value: int) -> None:
        self.memory.write_bytes(address, value.to_bytes(size, sys.byteorder))

    def exchange(self, address: int, size: int, value: int) -> int:
        before = self.load(address, size)
        self.store(address, size, value)
        return before

    def compare_exchange(self, address: int, size: int, expected: int, value: int) -> int:
        before = self.load(address, size)
        if before == expected:
            self.store(address, size, value)
        return before

    def modify(self, name: str, address: int, size: int, operand: int) -> int:
        before = self.load(address, size)
        after = MODIFICATIONS[name](before, operand) & (1 << 8 * size) - 1
        self.store(address, size, after)
        return before
