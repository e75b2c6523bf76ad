"""Memories that grow in every way that JavaScript has, each behind one interface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import js

import emheap
from emheap import HeapManager
from emtests.backends.javascript.buffers import PAGE, growable, js_object, wasm_memory


class GrowingMemory:
    """Bytes that can be made more, and a heap on them, which allocates nothing."""

    detaches = True
    """Whether what was made of the buffer before is dead after it grew."""
    step = PAGE

    def __init__(self) -> None:
        self.polls = 0
        self.make()

    def make(self) -> None:
        raise NotImplementedError

    def latest(self) -> Any:
        """The buffer as it is now."""
        raise NotImplementedError

    def grow(self) -> None:
        """Make it longer by `step`."""
        raise NotImplementedError

    def get_heap(self) -> Any:
        self.polls += 1
        return self.latest()

    def open(self, polling_mode: Any = "when_empty") -> HeapManager:
        def refuse(size: int) -> int:
            raise AssertionError(f"nobody allocates {size} bytes here")

        return emheap.create_wasm_heap_manager(
            self.get_heap, refuse, refuse, polling_mode=polling_mode
        )

    @property
    def size(self) -> int:
        return int(self.latest().byteLength)

    def seen_by_javascript(self, address: int, size: int) -> bytes:
        """Bytes, fetched past the library."""
        found: bytes = js.Uint8Array.new(self.latest(), address, size).to_bytes()
        return found


class WasmMemory(GrowingMemory):
    """A new buffer at each growth; the old one is detached."""

    shared = False

    def make(self) -> None:
        self.memory = wasm_memory(1, 4096, shared=self.shared)

    def latest(self) -> Any:
        return self.memory.buffer

    def grow(self) -> None:
        self.memory.grow(1)


class SharedWasmMemory(WasmMemory):
    """A new, longer buffer at each growth; the old one goes on, as short as it was."""

    shared = True
    detaches = False


class LengthTrackingWasmMemory(WasmMemory):
    """One buffer, whose length is that of the memory."""

    detaches = False

    def make(self) -> None:
        super().make()
        self.memory.toResizableBuffer()


class ResizableBuffer(GrowingMemory):
    detaches = False
    shared = False
    step = 64

    def make(self) -> None:
        self.buffer = growable(PAGE, 1 << 24, shared=self.shared)

    def latest(self) -> Any:
        return self.buffer

    def grow(self) -> None:
        self.resize(self.size + self.step)

    def resize(self, size: int) -> None:
        self.buffer.resize(size)


class GrowableSharedBuffer(ResizableBuffer):
    shared = True

    def resize(self, size: int) -> None:
        self.buffer.grow(size)


class TransferredBuffer(GrowingMemory):
    """An ArrayBuffer whose bytes move to a longer one; the old one is detached."""

    step = 64

    def make(self) -> None:
        self.buffer = js.ArrayBuffer.new(PAGE)

    def latest(self) -> Any:
        return self.buffer

    def grow(self) -> None:
        longer = js.ArrayBuffer.new(self.size + self.step)
        js.Uint8Array.new(longer).set(js.Uint8Array.new(self.buffer))
        js.structuredClone(self.buffer, js_object(transfer=[self.buffer]))
        assert self.buffer.byteLength == 0
        self.buffer = longer


class ReplacedBuffer(TransferredBuffer):
    """The same, but the old buffer goes on and is spoilt, so that its users are found out."""

    detaches = False

    def grow(self) -> None:
        old = self.buffer
        self.buffer = js.ArrayBuffer.new(self.size + self.step)
        js.Uint8Array.new(self.buffer).set(js.Uint8Array.new(old))
        js.Uint8Array.new(old).fill(0xA5)


@dataclass(frozen=True)
class MemoryKind:
    make: Callable[[], GrowingMemory]
    missing: str = ""

    def __str__(self) -> str:
        return getattr(self.make, "__name__", "")


def _unless(there: bool, missing: str) -> str:
    return "" if there else missing


MEMORIES = (
    MemoryKind(WasmMemory),
    MemoryKind(SharedWasmMemory),
    MemoryKind(
        LengthTrackingWasmMemory,
        _unless(
            js.Object.hasOwn(js.WebAssembly.Memory.prototype, "toResizableBuffer"),
            "this engine has no WebAssembly.Memory.toResizableBuffer",
        ),
    ),
    MemoryKind(ResizableBuffer),
    MemoryKind(GrowableSharedBuffer),
    MemoryKind(TransferredBuffer),
    MemoryKind(ReplacedBuffer),
)
