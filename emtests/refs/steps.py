"""The steps in which bytes move between Python and a memory."""

from __future__ import annotations

import pytest

from emheap.memories.base import Memory

__all__ = ["Step", "record_steps"]

Step = tuple[str, int, int]
"""What is done, ``"read"`` or ``"write"``, the address, and the bytes."""


def record_steps(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """A list that every step from now on is added to, until `monkeypatch` is undone."""
    read, write = memory.read_bytes, memory.write_bytes
    steps: list[Step] = []

    def read_bytes(address: int, size: int) -> bytes:
        steps.append(("read", address, size))
        return read(address, size)

    def write_bytes(address: int, data: bytes | memoryview) -> None:
        steps.append(("write", address, len(data)))
        write(address, data)

    monkeypatch.setattr(memory, "read_bytes", read_bytes)
    monkeypatch.setattr(memory, "write_bytes", write_bytes)
    return steps
