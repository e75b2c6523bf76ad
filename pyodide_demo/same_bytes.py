"""Sixteen bytes of the heap, which Python, JavaScript and C read and write in turn."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import suppress
from typing import TypedDict

from emheap import HeapManager, int32, uint8, utf8

__all__ = ["BYTE_SIZE", "Row"]

BYTE_SIZE = 16


class Action(TypedDict):
    """What a button does."""

    language: str
    name: str
    code: str


class View(TypedDict):
    """The bytes as Python and C see them."""

    address: int
    python: list[str]
    c: str
    actions: list[Action]


class Row:
    """The block; it is allocated again where somebody freed it, in the console perhaps."""

    def __init__(self, heap: HeapManager) -> None:
        self._heap = heap
        self._block = heap.alloc_array(uint8, BYTE_SIZE)
        self._actions: dict[str, tuple[str, str, Callable[[int], object]]] = {
            "million": ("Python", "numbers[0] = 1_000_000", self._store_a_number),
            "text": ("Python", 'text.value = "Python"', self._store_a_text),
            "memset": ("C", "memset(p + 4, 0x41, 4);", lambda p: ctypes.memset(p + 4, 0x41, 4)),
            "memmove": ("C", "memmove(p + 12, p, 4);", lambda p: ctypes.memmove(p + 12, p, 4)),
            "clear": ("C", "memset(p, 0, 16);", lambda p: ctypes.memset(p, 0, BYTE_SIZE)),
        }

    def place(self) -> int:
        """The address of the block."""
        if self._block.is_freed:
            self._block = self._heap.alloc_array(uint8, BYTE_SIZE)
        return self._block.address

    def store(self, bytes_in_hexadecimal: str) -> None:
        """Store what was there before; what is no 16 bytes changes nothing."""
        address = self.place()
        with suppress(ValueError):
            self._heap.wrap_array(uint8, address, BYTE_SIZE)[:] = bytes.fromhex(
                bytes_in_hexadecimal
            )

    def act(self, name: str) -> None:
        """Do what a button says."""
        self._actions[name][2](self.place())

    def read(self) -> View:
        """The bytes as each language sees them."""
        address = self.place()
        numbers = self._heap.wrap_array(int32, address, BYTE_SIZE // 4)
        text = ctypes.string_at(address, BYTE_SIZE).partition(b"\0")[0]
        return {
            "address": address,
            "python": [str(number) for number in numbers],
            "c": "".join(chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in text),
            "actions": [
                {"language": language, "name": name, "code": code}
                for name, (language, code, _) in self._actions.items()
            ],
        }

    def _store_a_number(self, address: int) -> None:
        numbers = self._heap.wrap_array(int32, address, BYTE_SIZE // 4)
        numbers[0] = 1_000_000

    def _store_a_text(self, address: int) -> None:
        text = self._heap.wrap(utf8, address + 8, capacity=7)
        text.value = "Python"
