"""Atomic access to memories in JavaScript's hands, by its ``Atomics``."""

from __future__ import annotations

from typing import Any

import js

from emheap.atomics.base import Atomics
from emheap.js_bridge import call_with_big_int
from emheap.memories.javascript import JavaScriptMemory

__all__ = ["JavaScriptAtomics"]

_ARRAYS = {1: "Uint8Array", 2: "Uint16Array", 4: "Uint32Array", 8: "BigUint64Array"}


class JavaScriptAtomics(Atomics):
    """For memories that workers share, and for those that they do not."""

    memory: JavaScriptMemory

    def __init__(self, memory: JavaScriptMemory) -> None:
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
