"""Atomic access to memories that JavaScript owns, by its ``Atomics``."""

from __future__ import annotations

from typing import Any, Protocol

import js

from emheap.javascript.bridge import call_with_big_int
from emheap.memories.atomics.base import Addressable, Atomics

__all__ = ["JavaScriptAtomics"]

_ARRAYS = {1: "Uint8Array", 2: "Uint16Array", 4: "Uint32Array", 8: "BigUint64Array"}


class _Located(Addressable, Protocol):
    def locate(self, name: str, address: int) -> tuple[Any, int]: ...


class JavaScriptAtomics(Atomics):
    """For memories that workers share, and for those that they do not."""

    memory: _Located

    def __init__(self, memory: _Located) -> None:
        super().__init__(memory)
        self._load: Any = js.Atomics.load
        self._store: Any = js.Atomics.store

    def load(self, address: int, size: int) -> int:
        return int(self._load(*self.memory.locate(_ARRAYS[size], address)))

    def store(self, address: int, size: int, value: int) -> None:
        array, index = self.memory.locate(_ARRAYS[size], address)
        if size == 8:
            call_with_big_int(self._store, array, index, value)
        else:
            self._store(array, index, value)
