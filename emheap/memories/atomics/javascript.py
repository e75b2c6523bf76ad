"""Atomic access to memories that JavaScript owns, by its ``Atomics``."""

from __future__ import annotations

from typing import Any, Protocol

import js

from emheap.javascript.bridge import call_with_big_ints
from emheap.memories.atomics.base import Addressable, Atomics

__all__ = ["JavaScriptAtomics"]

_ARRAYS = {1: "Uint8Array", 2: "Uint16Array", 4: "Uint32Array", 8: "BigUint64Array"}


class _Located(Addressable, Protocol):
    def locate(self, name: str, address: int) -> tuple[Any, int]: ...


class JavaScriptAtomics(Atomics):
    """For memories that workers share, and for those that they do not."""

    memory: _Located

    def load(self, address: int, size: int) -> int:
        return int(js.Atomics.load(*self.memory.locate(_ARRAYS[size], address)))

    def store(self, address: int, size: int, value: int) -> None:
        self._call("store", address, size, value)

    def exchange(self, address: int, size: int, value: int) -> int:
        return self._call("exchange", address, size, value)

    def compare_exchange(self, address: int, size: int, expected: int, value: int) -> int:
        return self._call("compareExchange", address, size, expected, value)

    def modify(self, name: str, address: int, size: int, operand: int) -> int:
        return self._call(name, address, size, operand)

    def _call(self, name: str, address: int, size: int, *numbers: int) -> int:
        function: Any = getattr(js.Atomics, name)
        place = self.memory.locate(_ARRAYS[size], address)
        if size == 8:
            return int(call_with_big_ints(function, place, *numbers))
        return int(function(*place, *numbers))
