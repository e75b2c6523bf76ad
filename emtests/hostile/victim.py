"""What the hostile calls are made on, and what must be as it was after each."""

from __future__ import annotations

import math
from typing import Any

from emheap import HeapManager, int32, pointer64, uint8, utf8, utf16, utf32

PATTERN = bytes(range(1, 65))


class Victim:
    """A heap with a few blocks on it, and another heap."""

    def __init__(self, heap: HeapManager, other: HeapManager) -> None:
        self.heap = heap
        self.other = other
        self.room: Any = heap.alloc_array(uint8, PATTERN, align=16)
        self.number: Any = heap.alloc(int32, 7)
        self.array: Any = heap.alloc_array(int32, [1, 2, 3])
        self.pointers: Any = heap.alloc_array(pointer64, 2)
        self.text: Any = heap.alloc(utf8, "ab")
        self.wide_texts: dict[Any, Any] = {kind: heap.alloc(kind, "ab") for kind in (utf16, utf32)}
        self.foreign_number = other.alloc(int32, 9)
        self.foreign_array = other.alloc_array(int32, [4, 5])
        self.freed_number = heap.alloc(int32, 11)
        self.freed_array = heap.alloc_array(int32, [6])
        # Other blocks lie where these were, so that no later call is given their addresses.
        self.freed_number.free()
        self.fillers: list[Any] = [heap.alloc(int32)]
        self.freed_array.free()
        self.fillers.append(heap.alloc_array(int32, [6]))
        self._size = heap.total_allocated_byte_size
        self._before = self._state()

    def _state(self) -> tuple[Any, ...]:
        refs = (self.number, self.array, self.pointers, self.text, *self.wide_texts.values())
        return (
            [bytes(ref) for ref in (*refs, *self.fillers)],
            bytes(self.foreign_number),
            bytes(self.foreign_array),
            self.other.total_allocated_byte_size,
            repr(self.heap),
        )

    def is_unchanged(self) -> bool:
        """Whether the room that most calls aim at is as it was, and the sum of all blocks."""
        return bytes(self.room) == PATTERN and self.heap.total_allocated_byte_size == self._size

    def is_all_unchanged(self) -> bool:
        """Whether everything is as it was."""
        return self.is_unchanged() and self._state() == self._before

    def restore(self) -> None:
        """Undo what a call that was in order has written."""
        self.room[:] = PATTERN
        self.number.value = 7
        self.array[:] = [1, 2, 3]
        if len(self.pointers) != 2:
            self.pointers.resize(2)
        self.pointers.clear()
        if self.text.capacity != 2:
            self.text.resize(2)
        self.text.value = "ab"

    def arguments(self) -> dict[str, Any]:
        """The hostile arguments, by what messages call them."""
        return {
            "None": None,
            "-1": -1,
            "0": 0,
            "2**31": 2**31,
            "2**32 + 16": 2**32 + 16,
            "2**53": 2**53,
            "2**64": 2**64,
            "1.5": 1.5,
            "nan": math.nan,
            "True": True,
            "an empty str": "",
            "a null character": "\0",
            "a lone surrogate": "\ud800",
            "[]": [],
            "object()": object(),
            "a freed number": self.freed_number,
            "a freed array": self.freed_array,
            "a number of another heap": self.foreign_number,
            "an array of another heap": self.foreign_array,
        }

    def close(self) -> None:
        self.heap.free_all()
        self.other.free_all()
