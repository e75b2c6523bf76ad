"""A small heap whose every byte is shown: the one that a visitor sees first.

Python, JavaScript and C work on the same few bytes, which lie in a buffer of this interpreter.
"""

from __future__ import annotations

import ctypes
from typing import Any, TypedDict

import emheap
from emheap import HeapManager

__all__ = ["STEPS", "Scene"]

BYTE_SIZE = 96


class Piece(TypedDict):
    """A live block of the scene."""

    address: int
    byte_size: int
    kind: str
    site: str


class Moment(TypedDict):
    """The scene after a step."""

    shown: str
    """The value of what was run, an error's text, or nothing."""
    error: str
    """The class of the error; empty where there was none."""
    bytes: str
    """All bytes of the heap, in hexadecimal."""
    blocks: list[Piece]


class Step(TypedDict):
    """What is run, and who runs it."""

    language: str
    code: str
    note: str


STEPS: list[Step] = [
    {"language": "Python", "code": "n = heap.alloc(int32, 1000)", "note": "four bytes are ours"},
    {"language": "Python", "code": "s = heap.alloc(utf8, 'héllo')", "note": "and seven more"},
    {"language": "JavaScript", "code": "HEAPU8[n] = 7", "note": "stores a byte"},
    {"language": "Python", "code": "n.value", "note": "no copy was made"},
    {"language": "C", "code": "memset(s, 'a', 3)", "note": "fills three bytes"},
    {"language": "Python", "code": "s.value", "note": ""},
    {"language": "Python", "code": "n.free()", "note": "they are free ..."},
    {"language": "Python", "code": "m = heap.alloc(int32, 99)", "note": "... and go to another"},
    {"language": "ctypes", "code": "c_int32.from_address(n).value", "note": "reads m, in silence"},
    {"language": "Python", "code": "n.value", "note": ""},
]
"""The script that plays until Python is ready, and is then played for real."""


class Scene:
    """The heap, and the names that its prompt knows."""

    def __init__(self) -> None:
        self._buffer = (ctypes.c_char * BYTE_SIZE)()
        self._count = 0
        self.heap: HeapManager = emheap.wrap_buffer(self._buffer)
        kinds = {name: getattr(emheap, name) for name in emheap.__all__}
        self._names: dict[str, Any] = {**kinds, "heap": self.heap, "__name__": "__scene__"}
        self._special = {
            "HEAPU8[n] = 7": self._store_by_javascript,
            "memset(s, 'a', 3)": self._fill_by_c,
            "c_int32.from_address(n).value": self._read_by_ctypes,
        }
        self._addresses: dict[str, int] = {}

    def step(self, code: str) -> Moment:
        """Do a step of the script, or run any line of Python."""
        self._count += 1
        special = self._special.get(code)
        try:
            value = self._run(code) if special is None else special()
        except Exception as problem:  # noqa: BLE001 - the visitor's own line, whose error is shown
            return self.moment(str(problem), type(problem).__name__)
        finally:
            self._note_addresses()
        return self.moment("" if value is None else repr(value))

    def close(self) -> None:
        """Free all blocks."""
        self.heap.free_all()

    def moment(self, shown: str = "", error: str = "") -> Moment:
        """The scene as it is."""
        return {"shown": shown, "error": error, "bytes": self.bytes(), "blocks": self.blocks()}

    def bytes(self) -> str:
        """All bytes, in hexadecimal."""
        return bytes(memoryview(self._buffer)).hex()

    def blocks(self) -> list[Piece]:
        """The live blocks."""
        return [
            {"address": address, "byte_size": size, "kind": kind, "site": site}
            for address, size, kind, site in self.heap.live()
        ]

    def _run(self, code: str) -> Any:
        filename = f"line {self._count}"
        try:
            compiled = compile(code, filename, "eval")
        except SyntaxError:
            exec(compile(code, filename, "exec"), self._names)
            return None
        return eval(compiled, self._names)

    def _note_addresses(self) -> None:
        for name in ("n", "s"):
            ref = self._names.get(name)
            if isinstance(ref, emheap.HeapRef) and not ref.is_freed:
                self._addresses[name] = ref.address

    def _place(self, name: str) -> int:
        """Where in the interpreter's own memory a block of the scene lies, or lay."""
        return ctypes.addressof(self._buffer) + self._addresses[name]

    def _store_by_javascript(self) -> None:
        from js import Uint8Array
        from pyodide_js import _module

        Uint8Array.new(_module.HEAPU8.buffer, self._place("n"), 4)[0] = 7

    def _fill_by_c(self) -> None:
        ctypes.memset(self._place("s"), ord("a"), 3)

    def _read_by_ctypes(self) -> int:
        return ctypes.c_int32.from_address(self._place("n")).value
