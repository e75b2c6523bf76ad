"""Random right use of a heap: what must never be taken for a mistake."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from emheap import HeapManager, float64, int32, uint8, uint16, uint128, utf8, utf16

MOST_LIVE = 200


class RandomUser:
    """Allocates, uses and frees; what it wrote must be there when it looks again."""

    def __init__(self, heap: HeapManager, seed: int = 1) -> None:
        self.heap = heap
        self.operations = 0
        self._chance = random.Random(seed)
        self._live: list[tuple[Any, Any]] = []
        """The references, each with the contents it must have."""

    def run(self, operations: int) -> None:
        """Do so many operations."""
        actions: list[Callable[[], None]] = [
            *[self._allocate_number] * 3,
            *[self._allocate_array] * 2,
            self._allocate_text,
            *[self._free] * 5,
            *[self._store] * 3,
            *[self._look] * 3,
            self._resize,
            self._hand_over,
            self._use_arena,
            self._view,
        ]
        end = self.operations + operations
        while self.operations < end:
            self._chance.choice(actions)()
            self.operations += 1
            if len(self._live) > MOST_LIVE:
                self._free()
                self.operations += 1

    def finish(self) -> None:
        """Free what is left."""
        while self._live:
            self._free()

    def _any(self) -> int:
        return self._chance.randrange(len(self._live))

    def _allocate_number(self) -> None:
        kind = self._chance.choice((int32, float64, uint128))
        value = self._chance.randrange(1 << 20)
        ref: Any = self.heap.alloc(kind, value)
        self._live.append((ref, value))

    def _allocate_array(self) -> None:
        length = self._chance.choice((0, 1, 3, 20, self._chance.randrange(400)))
        kind: Any = self._chance.choice((uint8, uint16, int32))
        align = self._chance.choice((None, None, None, 64))
        values = [self._chance.randrange(256)] * length
        self._live.append((self.heap.alloc_array(kind, values, align=align), values))

    def _allocate_text(self) -> None:
        text = "né" * self._chance.randrange(20)
        self._live.append((self.heap.alloc(self._chance.choice((utf8, utf16)), text), text))

    def _free(self) -> None:
        if self._live:
            position = self._any()
            self._live[position], self._live[-1] = self._live[-1], self._live[position]
            ref, expected = self._live.pop()
            assert _contents(ref) == expected
            if self._chance.random() < 0.2:
                self.heap.free(ref.address)
            else:
                ref.free()

    def _store(self) -> None:
        if self._live:
            position = self._any()
            ref, expected = self._live[position]
            if isinstance(expected, list):
                expected = [self._chance.randrange(256)] * len(expected)
                ref[:] = expected
            elif isinstance(expected, int):
                expected += 1
                ref.value = expected
            self._live[position] = ref, expected

    def _look(self) -> None:
        if self._live:
            ref, expected = self._live[self._any()]
            if isinstance(expected, (str, int)):
                assert self.heap.read(ref.kind, ref.address) == expected
            elif expected:
                last = ref.address + (len(expected) - 1) * ref.bytes_per_element
                assert self.heap.read(ref.kind, last) == expected[-1]

    def _resize(self) -> None:
        arrays = [index for index, (_, value) in enumerate(self._live) if isinstance(value, list)]
        if arrays:
            position = self._chance.choice(arrays)
            ref, expected = self._live[position]
            length = self._chance.randrange(100)
            ref.resize(length)
            kept = expected[:length]
            self._live[position] = ref, kept + [0] * (length - len(kept))

    def _hand_over(self) -> None:
        address = self.heap.alloc_array(int32, [1, 2, 3]).detach()
        self._live.append((self.heap.adopt(int32, address, 3), [1, 2, 3]))

    def _use_arena(self) -> None:
        with self.heap.arena() as scratch:
            refs = [scratch.alloc(int32, number) for number in range(5)]
            assert [ref.value for ref in refs] == [0, 1, 2, 3, 4]
            scratch.alloc(utf8, "text").value = "txt"

    def _view(self) -> None:
        with self.heap.alloc_array(int32, 4) as array:
            view = array.view
            view[0] = 7
            assert array[0] == 7


def _contents(ref: Any) -> Any:
    return list(ref) if hasattr(ref, "element_count") else ref.value
