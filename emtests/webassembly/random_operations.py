"""Random operations on a heap whose memory grows all the time, checked against plain Python."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from emheap import HeapManager, float64, int16, int32, int64, uint8, utf8, utf16
from emheap.types import Scalar

SCALARS: tuple[type[Scalar[Any]], ...] = (uint8, int16, int32, int64, float64)
_LIVE = 60


@dataclass
class RandomOperations:
    """Does operations one after the other; `run` ends by comparing everything that is live.

    Each block has its contents in Python beside it. A value that is read is compared at once, so
    a stale read and a lost write both show, the latter at the next read or at the end.
    """

    heap: HeapManager
    grow: Callable[[], object]
    seed: int
    growths: int = 0
    reads: int = 0
    _arrays: list[tuple[Any, list[Any]]] = field(default_factory=list)
    _texts: list[list[Any]] = field(default_factory=list)

    def run(self, count: int, grow_every: int = 50) -> None:
        choice = self._choice = random.Random(self.seed)
        operations = (
            *[self.read_element, self.write_element] * 6,
            *[self.read_address, self.write_address] * 3,
            *[self.allocate, self.free] * 2,
            self.read_slice,
            self.write_slice,
            self.use_view,
            self.read_text,
            self.write_text,
            self.allocate_scalar,
        )
        for number in range(count):
            if number % grow_every == grow_every - 1:
                self.grow()
                self.growths += 1
            choice.choice(operations)()
        self.check_everything()

    def check_everything(self) -> None:
        """Compare every live block with what it should hold, and free it."""
        while self._arrays:
            ref, values = self._arrays.pop()
            self._equal(ref[:], values)
            ref.free()
        while self._texts:
            ref, text = self._texts.pop()
            self._equal(ref.value, text)
            ref.free()

    # The operations

    def allocate(self) -> None:
        choice = self._choice
        if len(self._arrays) >= _LIVE:
            return
        if choice.random() < 0.2:
            text = self._text(choice.choice((1, 10, 300)))
            self._texts.append([self.heap.alloc(choice.choice((utf8, utf16)), text), text])
            return
        scalar = choice.choice(SCALARS)
        count = choice.choice((1, 2, 5, 40, 1000))
        values = [self._value(scalar) for _ in range(count)]
        zeros = choice.random() < 0.3
        ref = self.heap.alloc_array(scalar, count if zeros else values)
        self._arrays.append((ref, [0] * count if zeros else values))

    def allocate_scalar(self) -> None:
        scalar = self._choice.choice(SCALARS)
        value = self._value(scalar)
        with getattr(self.heap, f"alloc_{scalar.name}")(value) as ref:
            self._equal(ref.value, value)
            ref.value = 1
            self._equal(self.heap.read(scalar, ref.address), 1)

    def free(self) -> None:
        for blocks in (self._arrays, self._texts):
            if len(blocks) > 5:
                ref, held = blocks.pop(self._choice.randrange(len(blocks)))
                self._equal(ref.value if isinstance(held, str) else ref[:], held)
                ref.free()

    def read_element(self) -> None:
        ref, values, index = self._element()
        self._equal(ref[index], values[index])

    def write_element(self) -> None:
        ref, values, index = self._element()
        ref[index] = values[index] = self._value(ref.kind)

    def read_address(self) -> None:
        ref, values, index = self._element()
        address = ref.address + index * ref.bytes_per_element
        self._equal(self.heap.read(ref.kind, address), values[index])

    def write_address(self) -> None:
        ref, values, index = self._element()
        values[index] = self._value(ref.kind)
        self.heap.write(ref.kind, ref.address + index * ref.bytes_per_element, values[index])

    def read_slice(self) -> None:
        ref, values, index = self._element()
        self._equal(ref[index:], values[index:])

    def write_slice(self) -> None:
        ref, values, index = self._element()
        stop = min(len(values), index + 10)
        ref[index:stop] = values[index:stop] = [self._value(ref.kind) for _ in range(index, stop)]

    def use_view(self) -> None:
        ref, values, index = self._element()
        view = ref.view
        if self._choice.random() < 0.2:
            self.grow()
            self.growths += 1
        self._equal(view[index], values[index])
        view[index] = values[index] = self._value(ref.kind)
        self._equal(view.tolist(), values)

    def read_text(self) -> None:
        if self._texts:
            ref, text = self._choice.choice(self._texts)
            self._equal(ref.value, text)
            self._equal(self.heap.read(ref.kind, ref.address), text)

    def write_text(self) -> None:
        if self._texts:
            held = self._choice.choice(self._texts)
            ref = held[0]
            ref.value = held[1] = self._text(ref.capacity // 3)

    # What they need

    def _element(self) -> tuple[Any, list[Any], int]:
        while not self._arrays:
            self.allocate()
        ref, values = self._choice.choice(self._arrays)
        return ref, values, self._choice.randrange(len(values))

    def _value(self, scalar: type[Scalar[Any]]) -> Any:
        if scalar is float64:
            return self._choice.uniform(-1e6, 1e6)
        return self._choice.randrange(0, 1 << 8 * scalar.size - 1)

    def _text(self, length: int) -> str:
        return "".join(self._choice.choices("abcé\u0100\u20ac", k=length))

    def _equal(self, got: Any, wanted: Any) -> None:
        self.reads += 1
        assert got == wanted, f"read {self.reads} after {self.growths} growths: {got!r:.100}"
