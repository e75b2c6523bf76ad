"""Null-terminated strings."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import emheap
from emtests.bench.measuring import Contest, Statement
from emtests.bench.rows.base import NATIVE, PYODIDE, Row, timed

# ASCII is the harder case: Python's decoder is done with it in no time, and what finds the end of
# the string is not.
_TEXTS = {
    "10 chars": "helloworld",
    "10,000 chars": "helloworld" * 1000,
    "10 chars, accented": "héllo wörl",
    "10,000 chars, accented": "héllo wörl" * 1000,
}


@contextmanager
def _read(text: str) -> Iterator[Contest]:
    heap = emheap.open()

    def check(ours: Any, peer: Any) -> None:
        assert ours == peer == text

    with heap.alloc(emheap.utf8, text) as ref:
        read = heap.read_null_terminated_utf8_string
        yield Contest(
            Statement("result = read(address)", {"read": read, "address": ref.address}),
            Statement(
                "result = string_at(address).decode()",
                {"string_at": ctypes.string_at, "address": ref.address},
            ),
            check,
        )


@contextmanager
def _write(text: str) -> Iterator[Contest]:
    heap = emheap.open()
    data = text.encode() + b"\0"
    with heap.alloc(emheap.utf8, text) as ref:
        block = memoryview((ctypes.c_ubyte * len(data)).from_address(ref.address))
        write = heap.write_null_terminated_utf8_string
        ours = Statement(
            "write(address, text)", {"write": write, "address": ref.address, "text": text}
        )
        peer = Statement(
            "data = text.encode(); memmove(address, data, len(data) + 1)",
            {"memmove": ctypes.memmove, "address": ref.address, "text": text, "len": len},
        )

        def check(_: Any, __: Any) -> None:
            for way in (ours, peer):
                ctypes.memset(ref.address, 0x55, len(data))
                way.batch()(1)
                assert bytes(block) == data

        yield Contest(ours, peer, check)


def _rows() -> Iterator[Row]:
    limits = {NATIVE: 1.0, PYODIDE: 1.0}
    ways = (("read", "string_at().decode()", _read), ("write", "encode + memmove", _write))
    for verb, peer, prepare in ways:
        for what, text in _TEXTS.items():
            yield timed(f"{verb} UTF-8, {what}", f"ctypes {peer}", partial(prepare, text), **limits)


TEXT_ROWS = list(_rows())
