"""A hundred thousand random accesses to each memory, which grows in between."""

from __future__ import annotations

import random
import struct
import sys
from typing import Any

import js
import pytest

from emheap import HeapManager, Scalar, utf8
from emheap.types import FloatingPoint, Integer, scalar_types
from emtests.backends.javascript.growing import MEMORIES, GrowingMemory, MemoryKind, ReplacedBuffer
from emtests.conftest import skip_for_gap

# All of them in the newest Pyodide under Node; elsewhere a fifth, for each growth of a memory takes
# an engine a millisecond or two.
_FULL = sys.version_info >= (3, 14) and hasattr(js, "process")
OPERATIONS = 100_000 if _FULL else 20_000
BETWEEN_GROWTHS = 50
START, END = 16, 4096
"""The bytes that are used. What is read there must be what was stored there last."""


class Use:
    """A heap, and a bytearray that has what the heap must have."""

    def __init__(self, memory: GrowingMemory, mode: str, seed: int) -> None:
        self.memory = memory
        self.heap: HeapManager = memory.open(mode)
        self.model = bytearray(END)
        self.random = random.Random(seed)
        self.stale_reads = 0
        self.lost_writes = 0
        self.codecs = [struct.Struct("<" + scalar.format) for scalar in scalar_types]
        self.readers = [self.heap.memory.cached_reader(scalar) for scalar in scalar_types]
        self.writers = [self.heap.memory.cached_writer(scalar) for scalar in scalar_types]
        self.refs: list[Any] = [
            self.heap.wrap(scalar, START + 16 * index) for index, scalar in enumerate(scalar_types)
        ]
        self.array: Any = self.heap.wrap_array(scalar_types[0], 512, 512)
        self.view: Any = self.heap.view(scalar_types[1], 1024, 1024)

    def run(self, operations: int) -> None:
        choose, operation = self.random.random, self.operation
        for _ in range(operations):
            operation(choose())
            if choose() * BETWEEN_GROWTHS < 1:
                self.check_all()
                self.memory.grow()

    def operation(self, share: float) -> None:
        if share < 0.35:
            self.read_scalar()
        elif share < 0.7:
            self.write_scalar()
        elif share < 0.8:
            self.use_ref()
        elif share < 0.85:
            self.write_bytes()
        elif share < 0.9:
            self.read_bytes()
        elif share < 0.93:
            self.use_text()
        elif share < 0.97:
            self.use_array()
        else:
            self.use_view()

    def pick(self) -> tuple[int, int]:
        """A type and an address."""
        index = int(self.random.random() * len(scalar_types))
        size = scalar_types[index].size
        address = START + int(self.random.random() * (END - START - size))
        # Most are aligned, as in programs.
        return index, address if self.random.random() < 0.2 else -(-address // size) * size

    def read_scalar(self) -> None:
        index, address = self.pick()
        codec = self.codecs[index]
        stored = self.model[address : address + codec.size]
        if scalar_types[index].name == "pointer53" and (stored[7] or stored[6] > 0x1F):
            return  # no pointer53 is stored there
        if codec.pack(self.readers[index](address)) != codec.pack(*codec.unpack(stored)):
            self.stale_reads += 1

    def write_scalar(self) -> None:
        index, address = self.pick()
        value = self.value(scalar_types[index])
        self.writers[index](address, value)
        self.codecs[index].pack_into(self.model, address, value)

    def use_ref(self) -> None:
        index = self.random.randrange(len(self.refs))
        address = START + 16 * index
        value = self.value(scalar_types[index])
        self.refs[index].value = value
        self.codecs[index].pack_into(self.model, address, value)
        if self.refs[index].value != self.codecs[index].unpack_from(self.model, address)[0]:
            self.stale_reads += 1

    def value(self, scalar: type[Scalar[Any]]) -> Any:
        if issubclass(scalar, FloatingPoint):
            return self.random.choice(
                (-0.0, 0.0, 1.5, -2.0, 1e30, float(self.random.getrandbits(20)))
            )
        assert issubclass(scalar, Integer)
        if self.random.random() < 0.5:
            return self.random.randrange(100)
        return self.random.randint(scalar.minimum, scalar.maximum)

    def extent(self, most: int) -> tuple[int, int]:
        size = int(self.random.random() * most)
        return START + int(self.random.random() * (END - START - size)), size

    def write_bytes(self) -> None:
        address, size = self.extent(200)
        data = self.random.randbytes(size)
        self.heap.memory.write_bytes(address, data)
        self.model[address : address + size] = data

    def read_bytes(self) -> None:
        address, size = self.extent(200)
        if self.heap.memory.read_bytes(address, size) != self.model[address : address + size]:
            self.stale_reads += 1

    def use_text(self) -> None:
        address, size = self.extent(60)
        text = "é" * (size // 3)
        self.heap.write(utf8, address, text)
        data = text.encode() + b"\0"
        self.model[address : address + len(data)] = data
        if self.heap.read(utf8, address) != text:
            self.stale_reads += 1

    def use_array(self) -> None:
        index = self.random.randrange(512)
        value = self.random.randrange(-128, 128)
        self.array[index] = value
        self.model[512 + index] = value & 255
        start = self.random.randrange(500)
        stored = memoryview(self.model)[512 + start : 522 + start].cast("b").tolist()
        if self.array[start : start + 10] != stored:
            self.stale_reads += 1

    def use_view(self) -> None:
        start = self.random.randrange(1000)
        data = self.random.randbytes(20)
        self.view[start : start + 20] = data
        self.model[1024 + start : 1044 + start] = data
        if self.view[start + 3] != data[3]:
            self.stale_reads += 1

    def check_all(self) -> None:
        """Compare all bytes, fetched past the library."""
        found = self.memory.seen_by_javascript(START, END - START)
        if found != self.model[START:]:
            self.lost_writes += sum(a != b for a, b in zip(found, self.model[START:], strict=True))
            self.model[START:] = found


@pytest.mark.parametrize("memory_kind", MEMORIES, ids=str)
def test_nothing_stale_and_nothing_lost(memory_kind: MemoryKind) -> None:
    if memory_kind.missing:
        skip_for_gap(str(memory_kind), memory_kind.missing)
    mode = "always" if memory_kind.make is ReplacedBuffer else "when_empty"
    use = Use(memory_kind.make(), mode, seed=3)
    before = use.memory.size
    use.run(OPERATIONS if mode == "when_empty" else OPERATIONS // 10)
    use.check_all()
    assert (use.stale_reads, use.lost_writes) == (0, 0)
    growths = (use.memory.size - before) // use.memory.step
    assert growths > (OPERATIONS if mode == "when_empty" else OPERATIONS // 10) / 100
