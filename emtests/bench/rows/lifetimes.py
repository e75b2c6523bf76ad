"""Blocks in a program's life: many at once, small arrays and strings, arenas, options."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import emheap
from emheap import int32, uint8, utf8
from emheap._util.platform import c_runtime
from emtests.bench.measuring import Contest, Statement
from emtests.bench.rows.base import Row, timed

_MANY = 10_000
_TEXT = "customer name 1234 é"


def _libc() -> dict[str, Any]:
    library = c_runtime()
    calloc, malloc, free = library.calloc, library.malloc, library.free
    calloc.argtypes, calloc.restype = (ctypes.c_size_t, ctypes.c_size_t), ctypes.c_void_p
    malloc.argtypes, malloc.restype = (ctypes.c_size_t,), ctypes.c_void_p
    free.argtypes, free.restype = (ctypes.c_void_p,), None
    return {"calloc": calloc, "malloc": malloc, "free": free, "memmove": ctypes.memmove}


@contextmanager
def _contest(
    ours: str,
    peer: str,
    names: Callable[[emheap.HeapManager], dict[str, Any]],
    most: int = 1 << 30,
) -> Iterator[Contest]:
    heap = emheap.open(debug=False)

    def check(_: Any, __: Any) -> None:
        assert heap.total_allocated_byte_size == 0

    held = {**_libc(), **names(heap)}
    yield Contest(Statement(ours, held), Statement(peer, held), check, most=most)


def _named(heap: emheap.HeapManager) -> dict[str, Any]:
    return {
        "heap": heap,
        "alloc": heap.alloc,
        "alloc_int32": heap.alloc_int32,
        "alloc_array": heap.alloc_array,
        "int32": int32,
        "utf8": utf8,
        "text": _TEXT,
        "many": range(_MANY),
    }


_ARRAY = partial(_contest, "alloc_array(int32, 8).free()", "free(calloc(1, 32))", _named)
_STRING = partial(
    _contest,
    "alloc(utf8, text).free()",
    "data = text.encode() + b'\\0'\naddress = malloc(len(data))\n"
    "memmove(address, data, len(data))\nfree(address)",
    _named,
)
_BURST = partial(
    _contest,
    "refs = [alloc_int32(number) for number in many]\nfor ref in refs: ref.free()",
    "blocks = [calloc(1, 4) for number in many]\nfor block in blocks: free(block)",
    _named,
    most=4,
)
_ARENA = partial(
    _contest,
    "with heap.arena() as scratch:\n"
    "    alloc_here = scratch.alloc_int32\n"
    "    for number in many: alloc_here(number)",
    "blocks = [calloc(1, 4) for number in many]\nfor block in blocks: free(block)",
    _named,
    most=4,
)
_WITH = partial(
    _contest, "with alloc(int32) as ref: pass", "ref = alloc(int32)\nref.free()", _named
)


def _churning(heap: emheap.HeapManager, crowd: int) -> dict[str, Any]:
    choice = random.Random(7)
    sizes = [choice.randrange(4, 1001) for _ in range(crowd)]
    libc = _libc()
    places = [choice.randrange(crowd) for _ in range(1000)]
    return {
        "alloc_array": heap.alloc_array,
        "uint8": uint8,
        "steps": list(zip(places, sizes, strict=False)),
        "refs": [heap.alloc_array(uint8, size) for size in sizes],
        "blocks": [libc["malloc"](size) for size in sizes],
    }


@contextmanager
def _churn(crowd: int) -> Iterator[Contest]:
    heap = emheap.open(debug=False)
    held = {**_libc(), **_churning(heap, crowd)}

    def check(_: Any, __: Any) -> None:
        assert len(heap.live()) == crowd

    yield Contest(
        Statement(
            "for place, size in steps:\n"
            "    refs[place].free()\n"
            "    refs[place] = alloc_array(uint8, size)",
            held,
        ),
        Statement(
            "for place, size in steps:\n    free(blocks[place])\n    blocks[place] = malloc(size)",
            held,
        ),
        check,
        most=8,
    )
    heap.free_all()
    for block in held["blocks"]:
        held["free"](block)


@contextmanager
def _free_all(live: int) -> Iterator[Contest]:
    heap = emheap.open(debug=False)
    libc = _libc()
    kept: list[Any] = []

    def crowd(count: int) -> Iterator[None]:
        kept.clear()
        for _ in range(count):
            kept[:] = [heap.alloc_int32(number) for number in range(live)]
            yield

    def blocks(count: int) -> list[list[int]]:
        return [[libc["calloc"](1, 4) for _ in range(live)] for _ in range(count)]

    def check(_: Any, __: Any) -> None:
        assert heap.total_allocated_byte_size == 0

    yield Contest(
        Statement("free_all()", {"free_all": heap.free_all}, lambda count: list(crowd(count))),
        Statement("for block in item: free(block)", {"free": libc["free"]}, blocks),
        check,
        most=1,
    )


@contextmanager
def _option(
    bind: Callable[[emheap.HeapManager], Callable[[], Any]] = lambda heap: heap.alloc_int32,
    **options: Any,
) -> Iterator[Contest]:
    heap, plain = emheap.open(debug=False, **options), emheap.open(debug=False)

    def check(_: Any, __: Any) -> None:
        assert plain.total_allocated_byte_size == 0

    code = "ref = alloc(); ref.free()"
    yield Contest(
        Statement(code, {"alloc": bind(heap)}),
        Statement(code, {"alloc": bind(plain)}),
        check,
    )


_PEER = "ctypes calloc + free"
_CROWDS = {20_000: {"native": 4.0, "pyodide": 4.0}, 100_000: {"native": 4.0}}
_DEFAULT = "the same with the default options"

LIFETIME_ROWS: list[Row] = [
    timed("alloc_array(int32, 8) + free", _PEER, _ARRAY, native=1.6, pyodide=1.6),
    timed(
        "alloc(utf8, 20 characters) + free",
        "encode, ctypes malloc, memmove, free",
        _STRING,
        native=1.0,
        pyodide=1.0,
    ),
    timed("10,000 alloc_int32, then 10,000 frees", _PEER, _BURST, native=2.5, pyodide=2.5),
    *(
        timed(
            f"churn of blocks of 4 to 1,000 bytes among {crowd:,}",
            "ctypes malloc + free",
            partial(_churn, crowd),
            **limits,
        )
        for crowd, limits in _CROWDS.items()
    ),
    timed("10,000 int32 in an arena", _PEER, _ARENA, native=3.0, pyodide=3.0),
    *(
        timed(
            f"free_all of {live:,} int32",
            "one ctypes free each",
            partial(_free_all, live),
            native=4.0,
            pyodide=4.0,
        )
        for live in (_MANY, 10 * _MANY)
    ),
    timed(
        "alloc + free with track_allocations=False",
        _DEFAULT,
        partial(_option, track_allocations=False),
        native=1.0,
        pyodide=1.0,
    ),
    timed(
        "alloc_array(int32, 8) + free with track_allocations=False",
        _DEFAULT,
        partial(_option, lambda heap: partial(heap.alloc_array, int32, 8), track_allocations=False),
        native=8.0,
        pyodide=8.0,
    ),
    timed(
        "alloc + free with clear_allocated_regions=False",
        _DEFAULT,
        partial(_option, clear_allocated_regions=False),
        native=1.0,
        pyodide=1.0,
    ),
    timed(
        "alloc + free with enable_garbage_collection=True",
        _DEFAULT,
        partial(_option, enable_garbage_collection=True),
        native=4.0,
        pyodide=4.0,
    ),
    timed(
        "with heap.alloc(int32) as ref", "alloc, then ref.free()", _WITH, native=1.3, pyodide=1.3
    ),
]
