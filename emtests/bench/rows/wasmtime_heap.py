"""The heap of a module that runs in wasmtime, natively."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import emheap
from emtests.bench.measuring import Contest, Statement
from emtests.bench.rows.base import Row, timed
from emtests.bench.rows.scalars import NUMBERS, Number
from emtests.webassembly.guests import WasmtimeGuest

# The second has no maximum, and 64-bit addresses: nobody knows where it is after the next call.
_MEMORIES = {"wasmtime": "guest32", "wasmtime, moving": "guest64"}


@contextmanager
def _read(number: Number, module: str) -> Iterator[Contest]:
    guest = WasmtimeGuest(module)

    def check(ours: Any, peer: Any) -> None:
        assert ours == peer == number.first, (ours, peer)

    with guest.heap.alloc(number.kind, number.first) as ref:
        read = getattr(guest.heap, f"read_{number.kind.name}")
        names = {
            "unpack": struct.Struct("<" + number.kind.format).unpack,
            "read": guest.exports["memory"].read,
            "store": guest.store,
            "address": ref.address,
            "end": ref.address + number.kind.size,
        }
        yield Contest(
            Statement("result = read(address)", {"read": read, "address": ref.address}),
            Statement("result = unpack(read(store, address, end))[0]", names),
            check,
        )


@contextmanager
def _write(number: Number, module: str) -> Iterator[Contest]:
    guest = WasmtimeGuest(module)
    with guest.heap.alloc(number.kind) as mine, guest.heap.alloc(number.kind) as its:

        def check(_: Any, __: Any) -> None:
            assert (mine.value, its.value) == (number.first, number.second)
            mine.clear()
            its.clear()

        write = getattr(guest.heap, f"write_{number.kind.name}")
        names = {
            "pack": struct.Struct("<" + number.kind.format).pack,
            "write": guest.exports["memory"].write,
            "store": guest.store,
            "address": its.address,
            "value": number.second,
        }
        yield Contest(
            Statement(
                "write(address, value)",
                {"write": write, "address": mine.address, "value": number.first},
            ),
            Statement("write(store, pack(value), address)", names),
            check,
        )


@contextmanager
def _alloc_and_free(ours: str) -> Iterator[Contest]:
    guest = WasmtimeGuest("guest32")
    heap = guest.heap

    def check(_: Any, __: Any) -> None:
        assert heap.total_allocated_byte_size == 0
        with heap.alloc_int32() as ref:
            assert ref.value == 0
            assert heap.total_allocated_byte_size == 4

    names = {
        "malloc": guest.exports["malloc"],
        "free": guest.exports["free"],
        "store": guest.store,
    }
    yield Contest(
        Statement(ours, {"heap": heap, "alloc": heap.alloc_int32, "int32": emheap.int32}),
        Statement("address = malloc(store, 4); free(store, address)", names),
        check,
    )


@contextmanager
def _from_list() -> Iterator[Contest]:
    guest = WasmtimeGuest("guest32")
    values = [number * 0.5 for number in range(100_000)]
    numbers = guest.heap.alloc_array(emheap.float32, len(values))

    def check(_: Any, __: Any) -> None:
        assert numbers[:] == values

    names = {
        "write": guest.exports["memory"].write,
        "store": guest.store,
        "pack": struct.Struct(f"<{len(values)}f").pack,
        "values": values,
        "address": numbers.address,
    }
    ours = Statement("numbers[:] = values", {"numbers": numbers, "values": values})
    yield Contest(ours, Statement("write(store, pack(*values), address)", names), check)
    numbers.free()


@contextmanager
def _large_block() -> Iterator[Contest]:
    guest = WasmtimeGuest("guest32", clear_allocated_regions=False)
    heap = guest.heap

    def check(_: Any, __: Any) -> None:
        assert heap.total_allocated_byte_size == 0

    names = {
        "malloc": guest.exports["malloc"],
        "free": guest.exports["free"],
        "store": guest.store,
    }
    yield Contest(
        Statement("heap.alloc_array(uint8, 5000).free()", {"heap": heap, "uint8": emheap.uint8}),
        Statement("address = malloc(store, 5000); free(store, address)", names),
        check,
    )


def _rows() -> Iterator[Row]:
    for verb, prepare in (("read", _read), ("write", _write)):
        for number in NUMBERS:
            for where, module in _MEMORIES.items():
                work = f"{verb} {number.kind.name} in {where}"
                way = partial(prepare, number, module)
                yield timed(work, f"Memory.{verb}", way, native=0.05)
    peer = "the guest's malloc + free"
    for work, ours in (
        ("alloc + free int32 in wasmtime", "ref = alloc(); ref.free()"),
        ("alloc(int32) + free in wasmtime", "ref = heap.alloc(int32); ref.free()"),
    ):
        yield timed(work, peer, partial(_alloc_and_free, ours), native=0.1)
    yield timed("alloc + free 5,000 bytes in wasmtime", peer, _large_block, native=0.6)
    peer = "Memory.write of packed bytes"
    yield timed("100,000 float32 from a list, in wasmtime", peer, _from_list, native=1.2)


WASMTIME_ROWS = list(_rows())
