"""A debug heap of two kilobytes, small enough to see its red zones and its quarantine."""

from __future__ import annotations

import ctypes
from typing import TypedDict

import emheap
from emheap import ArrayRef, DebugAllocator, HeapError, HeapManager, uint8

__all__ = ["ACTIONS", "Guard", "GuardedHeap", "Outcome"]

BYTE_SIZE = 2048
ZONE = 32
NAME = "A debug heap"


class Guard(TypedDict):
    """What the debug heap keeps beside the blocks."""

    kind: str
    address: int
    byte_size: int


class Outcome(TypedDict):
    """What came of an action."""

    code: str
    text: str
    error: str
    """The class of the error; empty where there was none."""


ACTIONS = {
    "open": "blocks.append(heap.alloc_array(uint8, 40))",
    "free": "blocks[0].free(); del blocks[0]",
    "overrun": "heap.memory.write_bytes(blocks[-1].address + 40, b'!')  # as C would",
    "verify": "allocator.verify()",
}
"""What the panel's buttons do, as it is run."""


class GuardedHeap:
    """The heap, with what was freed on it."""

    byte_size = BYTE_SIZE

    def __init__(self) -> None:
        self._buffer = (ctypes.c_char * BYTE_SIZE)()
        plain = emheap.wrap_buffer(self._buffer, count_allocations=True)
        self.allocator = DebugAllocator(plain.allocator, plain.memory, zone=ZONE)
        self.heap = HeapManager(plain.memory, self.allocator, plain.options)
        self.blocks: list[ArrayRef[int]] = []
        self._freed: list[Guard] = []

    @property
    def host_address(self) -> int:
        """Where the bytes lie in this interpreter's own memory."""
        return ctypes.addressof(self._buffer)

    def act(self, action: str) -> Outcome:
        """Run one of ACTIONS."""
        code = ACTIONS[action]
        names = {
            "heap": self.heap,
            "allocator": self.allocator,
            "blocks": self.blocks,
            "uint8": uint8,
        }
        try:
            if not self.blocks and action != "open":
                self.blocks.append(self.heap.alloc_array(uint8, 40))
            first = self.blocks[0] if self.blocks else None
            sizes = [each.allocated_byte_size for each in self.blocks]
            addresses = [each.address for each in self.blocks]
            exec(compile(code, "<debug heap>", "exec"), names)
        except HeapError as error:
            return {"code": code, "text": str(error), "error": type(error).__name__}
        if first is not None and first.is_freed:
            size = sizes[0]
            self._freed.append({"kind": "quarantine", "address": addresses[0], "byte_size": size})
        text = "No byte outside a block was written to." if action == "verify" else ""
        return {"code": code, "text": text, "error": ""}

    def close(self) -> None:
        """Free all blocks."""
        self.heap.free_all()

    def guards(self) -> list[Guard]:
        """The red zones of the live blocks, and the freed blocks, which wait."""
        found: list[Guard] = []
        live = [(address, size) for address, size, *_ in self.heap.live()]
        for freed in self._freed:  # until its bytes are used again
            start, end = freed["address"], freed["address"] + freed["byte_size"]
            if not any(start < a + size + ZONE and a - ZONE < end for a, size in live):
                found.append(freed)
        for address, size in live:
            starts = (address - ZONE, address + size)
            found += [Guard(kind="red zone", address=start, byte_size=ZONE) for start in starts]
        return found
