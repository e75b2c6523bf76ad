"""The rows: our statement, and in JavaScript what the original does for the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import emheap
from emheap import HeapManager, int32, utf8, utf16, utf32
from emtests.bench.measuring import Statement

__all__ = ["ORIGINAL_ROWS", "OriginalRow", "rows_matching"]

MANY = 20_000
TEXTS = {"100 chars": "helloworld" * 10, "10,000 chars": "helloworld" * 1000}


@dataclass(frozen=True)
class OriginalRow:
    """Some work that both can do."""

    work: str
    limit: float
    ours: Callable[[HeapManager], Statement]
    original: str
    """The body of a function of `heap`, which gives the function that does the work, or an object
    with `items` and `run` as a `Statement` has them."""
    most: int = 1 << 30
    """The most times that the work can be done in one batch."""


def _read_text(kind: Any, text: str, heap: HeapManager) -> Statement:
    read = getattr(heap, f"read_null_terminated_{kind.name}_string")
    ref = heap.alloc(kind, text)
    return Statement("result = read(address)", {"read": read, "address": ref.address, "ref": ref})


def _write_text(kind: Any, text: str, heap: HeapManager) -> Statement:
    write = getattr(heap, f"write_null_terminated_{kind.name}_string")
    ref = heap.alloc(kind, len(text))
    names = {"write": write, "address": ref.address, "text": text, "room": len(text), "ref": ref}
    return Statement("result = write(address, text, room)", names)


def _text_rows() -> Iterator[OriginalRow]:
    for kind, name in ((utf8, "Utf8"), (utf16, "Utf16"), (utf32, "Utf32")):
        for length, text in TEXTS.items():
            given = f"const text = {text[:10]!r}.repeat({len(text) // 10});"
            yield OriginalRow(
                f"read UTF-{name[3:]}, {length}",
                1.0,
                partial(_read_text, kind, text),
                f"{given} const {{ address }} = heap.allocNullTerminated{name}String(text);"
                f"return () => heap.readNullTerminated{name}String(address);",
            )
            yield OriginalRow(
                f"write UTF-{name[3:]}, {length}",
                1.0,
                partial(_write_text, kind, text),
                f"{given} const room = text.length + 1;"  # with the terminator
                f"const {{ address }} = heap.allocNullTerminated{name}String(text.length);"
                f"return () => heap.writeNullTerminated{name}String(address, text, room);",
            )


def _array(code: str, heap: HeapManager) -> Statement:
    return Statement(code, {"array": heap.alloc_array(int32, range(1000))})


def _view(heap: HeapManager) -> Statement:
    array = heap.alloc_array(int32, range(1000))
    names = {"view": heap.view_int32_array, "address": array.address, "array": array}
    return Statement("result = view(address, 1000)", names)


class _Numbers:
    """Numbers of a heap, and references to them, so that none is dropped unfreed."""

    def __init__(self) -> None:
        self._refs: list[Any] = []

    def addresses(self, heap: HeapManager, count: int) -> list[int]:
        self._refs = [heap.alloc_int32() for _ in range(count)]
        return [ref.address for ref in self._refs]

    def full_heaps(self, count: int) -> list[HeapManager]:
        heaps = [emheap.open() for _ in range(count)]
        self._refs = [heap.alloc_int32() for heap in heaps for _ in range(MANY)]
        return heaps


def _free(heap: HeapManager) -> Statement:
    others, numbers = _Numbers(), _Numbers()
    others.addresses(heap, MANY)
    names = {"free": heap.free, "others": others}
    return Statement("free(item)", names, partial(numbers.addresses, heap))


def _free_all(_: HeapManager) -> Statement:
    return Statement("item.free_all()", {}, _Numbers().full_heaps)


_ARRAY = "const array = heap.allocInt32Array(Int32Array.from({ length: 1000 }, (_, i) => i));"
_SOME = "const some = (n) => Array.from({ length: n }, () => heap.allocInt32());"


def _rows() -> Iterator[OriginalRow]:
    yield from _text_rows()
    yield OriginalRow(
        "array.view",
        1.0,
        partial(_array, "result = array.view"),
        f"{_ARRAY} return () => array.view;",
    )
    yield OriginalRow(
        "view at an address",
        1.0,
        _view,
        f"{_ARRAY} return () => heap.viewInt32Array(array.address, 1000);",
    )
    yield OriginalRow(
        "array.read_at(i)",
        12.0,
        partial(_array, "result = array.read_at(500)"),
        f"{_ARRAY} return () => array.readAt(500);",
    )
    yield OriginalRow(
        "array.write_at(i, x)",
        12.0,
        partial(_array, "array.write_at(500, 7)"),
        f"{_ARRAY} return () => void array.writeAt(500, 7);",
    )
    yield OriginalRow(
        f"free by address, {MANY:,} live",
        1.0,
        _free,
        f"{_SOME} const others = some({MANY});"
        "return { items: (n) => some(n).map((ref) => ref.address),"
        " run: (address) => void heap.free(address) };",
        1000,
    )
    yield OriginalRow(
        f"free_all of {MANY:,}",
        1.0,
        _free_all,
        f"{_SOME} return {{ items: (n) => [void some({MANY})], run: () => void heap.freeAll() }};",
        1,
    )


ORIGINAL_ROWS = list(_rows())
"""What both can do."""


def rows_matching(pattern: str) -> list[OriginalRow]:
    """The rows whose work matches a regular expression."""
    return [row for row in ORIGINAL_ROWS if re.search(pattern, row.work, re.IGNORECASE)]
