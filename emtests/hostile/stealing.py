"""Every verb that takes a block, with what it takes besides; and what takes the block away."""

from __future__ import annotations

import codecs
import gc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import emheap
from emheap import (
    BufferInUseError,
    HeapError,
    HeapManager,
    clamped_uint8,
    float32,
    float64,
    int32,
    pointer53,
    uint8,
    uint128,
    utf8,
    utf16,
)

MARK = 0x7B
"""What all bytes are of a block that other code owns."""
NUMBERS: tuple[Any, ...] = (int32, float32, float64, clamped_uint8, pointer53, uint128)
TEXTS: tuple[Any, ...] = (utf8, utf16)

Wrap = Callable[[Any], Any]
Call = Callable[[HeapManager, Any, Wrap], Any]


class Thief:
    """Takes the block of a reference away, once, and lets others have its bytes."""

    def __init__(self, heap: HeapManager, ref: Any, *, resizes: bool = False) -> None:
        self.heap = heap
        self._ref = ref
        self._size = max(ref.allocated_byte_size, 1)
        self.resizes = resizes
        self.struck = False
        self.refused = False
        self.others: list[Any] = []

    def strike(self) -> None:
        if self.struck:
            return
        self.struck = True
        try:
            if self.resizes:
                self._ref.resize(1)
            else:
                self.free()
        except BufferInUseError:
            self.refused = True
            return
        with suppress(HeapError):  # a heap in a small buffer may have no more room
            self.others = [self.heap.alloc_array(uint8, bytes([MARK]) * self._size) for _ in "12"]

    def free(self) -> None:
        """Free the block."""
        self._ref.free()

    def check(self) -> None:
        """What belongs to others is as it was."""
        for other in self.others:
            assert set(bytes(other)) == {MARK}, "another's bytes were written"

    def end(self) -> None:
        for other in self.others:
            other.free()
        if self._ref.is_freed:
            return
        try:
            self._ref.free()
        except BufferInUseError:
            gc.collect()  # of tracebacks that hold a view
            self._ref.free()


class Evil:
    """A number that runs a program of its own when it is asked for its value."""

    def __init__(self, value: Any, run: Callable[[], None]) -> None:
        self._value = value
        self._run = run

    def __index__(self) -> int:
        self._run()
        return int(self._value)

    def __float__(self) -> float:
        self._run()
        return float(self._value)


class EvilText(str):
    """A text whose methods do."""

    run: Callable[[], None]

    def encode(self, *_: Any, **__: Any) -> bytes:
        self.run()
        return b"\0" * 100

    def __contains__(self, _: Any) -> bool:
        self.run()
        return False


class EvilSequence:
    """An iterable that does before its last element."""

    def __init__(self, values: list[Any], run: Callable[[], None]) -> None:
        self._values = values
        self._run = run

    def __iter__(self) -> Any:
        yield from self._values[:-1]
        self._run()
        yield self._values[-1]


def handler(run: Callable[[], None]) -> str:
    """The name of an error handler that does."""

    def handle(error: Any) -> tuple[str, int]:
        run()
        return "?", error.end

    codecs.register_error("emtests-evil", handle)
    return "emtests-evil"


def evil(run: Callable[[], None]) -> Wrap:
    """Make a number, a text or a list hostile."""

    def wrap(value: Any) -> Any:
        if isinstance(value, str):
            text = EvilText(value)
            text.run = run
            return text
        return EvilSequence(value, run) if isinstance(value, list) else Evil(value, run)

    return wrap


def plain(value: Any) -> Any:
    """Leave a value as it is."""
    return value


SCALAR_CALLS: dict[str, Call] = {
    "value =": lambda heap, ref, w: setattr(ref, "value", w(5)),
    "write": lambda heap, ref, w: ref.write(w(5)),
    "heap.write": lambda heap, ref, w: heap.write(ref.kind, ref, w(5)),
    "write_T": lambda heap, ref, w: getattr(heap, f"write_{ref.kind.name}")(ref, w(5)),
    "heap.read": lambda heap, ref, w: heap.read(ref.kind, ref),
    "value": lambda heap, ref, w: ref.value,
    "read": lambda heap, ref, w: ref.read(),
    "bytes": lambda heap, ref, w: bytes(ref),
    "hexdump": lambda heap, ref, w: emheap.hexdump(ref, length=w(1)),
    "clear": lambda heap, ref, w: ref.clear(),
    "allocated_bytes_view": lambda heap, ref, w: bytes(ref.allocated_bytes_view),
    "fill": lambda heap, ref, w: heap.fill(ref, w(3), w(1)),
}
ATOMIC_CALLS: dict[str, Call] = {
    "read_atomic": lambda heap, ref, w: ref.read_atomic(),
    "write_atomic": lambda heap, ref, w: ref.write_atomic(w(5)),
}
ARRAY_CALLS: dict[str, Call] = {
    "[i]": lambda heap, ref, w: ref[w(2)],
    "[i] =": lambda heap, ref, w: ref.__setitem__(w(2), w(5)),
    "[:i]": lambda heap, ref, w: ref[: w(3)],
    "[i::j]": lambda heap, ref, w: ref[w(0) :: w(2)],
    "[:]": lambda heap, ref, w: ref[:],
    "[i:] = list": lambda heap, ref, w: ref.__setitem__(slice(w(2), None), [w(6), w(7)]),
    "[::i] = list": lambda heap, ref, w: ref.__setitem__(slice(None, None, w(2)), [6, w(7)]),
    "[:] = iterable": lambda heap, ref, w: ref.__setitem__(slice(None), w([1, 2, 3, 4])),
    "[:i] = buffer": lambda heap, ref, w: ref.__setitem__(slice(w(4)), b"\1\2\3\4"),
    "read_at": lambda heap, ref, w: ref.read_at(w(2)),
    "write_at": lambda heap, ref, w: ref.write_at(w(2), w(5)),
    "iter": lambda heap, ref, w: list(ref),
    "tolist": lambda heap, ref, w: ref.tolist(),
    "index": lambda heap, ref, w: ref.index(3, w(0), w(4)),
    "==": lambda heap, ref, w: ref == w([1, 2, 3, 4]),
    "view": lambda heap, ref, w: ref.view.tolist(),
    "clear": lambda heap, ref, w: ref.clear(),
    "bytes": lambda heap, ref, w: bytes(ref),
    "hexdump": lambda heap, ref, w: emheap.hexdump(ref, length=w(4)),
    "edit": lambda heap, ref, w: edit(ref),
    "fill": lambda heap, ref, w: heap.fill(ref, w(3), w(4)),
    "find": lambda heap, ref, w: heap.find(ref, b"\x7b", w(4)),
    "copy_to": lambda heap, ref, w: heap.copy_to(heap, ref, ref, w(4)),
    "compare": lambda heap, ref, w: heap.compare(heap, ref, ref, w(4)),
}
ATOMIC_ARRAY_CALLS: dict[str, Call] = {
    "read_atomic_at": lambda heap, ref, w: ref.read_atomic_at(w(2)),
    "write_atomic_at": lambda heap, ref, w: ref.write_atomic_at(w(2), w(5)),
}
TEXT_CALLS: dict[str, Call] = {
    "value =": lambda heap, ref, w: setattr(ref, "value", w("xyz")),
    "write": lambda heap, ref, w: ref.write(w("xyz")),
    "heap.write": lambda heap, ref, w: heap.write(ref.kind, ref, w("xyz"), w(5)),
    "value": lambda heap, ref, w: ref.value,
    "heap.read": lambda heap, ref, w: heap.read(ref.kind, ref, w(6)),
    "encoded_element_count": lambda heap, ref, w: ref.encoded_element_count,
    "encoded_elements_view": lambda heap, ref, w: ref.encoded_elements_view.tolist(),
    "bytes": lambda heap, ref, w: bytes(ref),
    "clear": lambda heap, ref, w: ref.clear(),
    "str": lambda heap, ref, w: str(ref),
}


def edit(ref: Any) -> None:
    with ref.edit() as buffer:
        buffer[0] = buffer[1]


def targets() -> list[tuple[str, Any, Any, Call]]:
    """The name of each case, the type, the contents and the call."""
    cases: list[tuple[str, Any, Any, Call]] = []
    for kind in NUMBERS:
        scalar_calls, array_calls = dict(SCALAR_CALLS), dict(ARRAY_CALLS)
        if kind is not uint128:
            scalar_calls.update(ATOMIC_CALLS)
            array_calls.update(ATOMIC_ARRAY_CALLS)
        for name, call in scalar_calls.items():
            cases.append((f"{kind.name} {name}", kind, 1, call))
        for name, call in array_calls.items():
            cases.append((f"{kind.name} array {name}", kind, [1, 2, 3, 4], call))
    for text in TEXTS:
        for name, call in TEXT_CALLS.items():
            cases.append((f"{text.name} {name}", text, "abcdef", call))
    return cases


def allocate(heap: HeapManager, kind: Any, contents: Any) -> Any:
    if type(contents) is list:
        return heap.alloc_array(kind, contents)
    return heap.alloc(kind, **contents) if type(contents) is dict else heap.alloc(kind, contents)


def wrap(heap: HeapManager, kind: Any, contents: Any, address: int) -> Any:
    if type(contents) is list:
        return heap.wrap_array(kind, address, len(contents))
    if type(contents) is str:
        return heap.wrap(kind, address, len(contents))
    return heap.wrap(kind, address)
