# pyright: strict, reportUnnecessaryTypeIgnoreComment=true, reportUnusedExpression=false
# mypy: warn-unused-ignores
"""Wrong uses of libraries, each of which both checkers must refuse; never run.

A comment `type: ignore` on a line that a checker has no complaint about is itself an error to it.
"""

from __future__ import annotations

from emheap import HeapManager, Library, Pointer, float32, int32, load_wasm, uint8
from emtests.typing_checks.test_right_libraries import Access, Base, Database, Declared, Libc


def numbers(libc: Libc) -> None:
    libc.abs("5")  # type: ignore[arg-type]
    libc.abs(0.5)  # type: ignore[arg-type]
    libc.abs(None)  # type: ignore[arg-type]
    libc.abs()  # type: ignore[call-arg]
    libc.abs(1, 2)  # type: ignore[call-arg]
    libc.abs(value=1)  # type: ignore[call-arg]
    libc.ldexp("1", 2)  # type: ignore[arg-type]
    libc.ldexp(1.0, 2.0)  # type: ignore[arg-type]
    text: str = libc.abs(1)  # type: ignore[assignment]
    libc.absent(1)  # type: ignore[attr-defined]
    print(text)  # noqa: T201


def texts(libc: Libc) -> None:
    libc.strlen(5)  # type: ignore[arg-type]
    libc.strlen(["text"])  # type: ignore[arg-type]
    length: str = libc.strlen("x")  # type: ignore[assignment]
    libc.getenv("HOME").upper()  # type: ignore[union-attr]
    libc.strerror("1")  # type: ignore[arg-type]
    libc.strdup(b"x").upper()  # type: ignore[attr-defined]
    print(length)  # noqa: T201


def references(heap: HeapManager, libc: Libc) -> None:
    libc.frexp(8.0, heap.alloc(float32))  # type: ignore[arg-type]
    libc.frexp(8.0, 5)  # type: ignore[arg-type]
    libc.frexp(8.0, bytearray(4))  # type: ignore[arg-type]
    libc.memset("text", 0, 4)  # type: ignore[arg-type]
    libc.memset(4096, 0, 4)  # type: ignore[arg-type]
    libc.memcmp(b"a", "b", 1)  # type: ignore[arg-type]
    libc.strtol("12", heap.alloc(int32), Base.TEN)  # type: ignore[arg-type]
    libc.strtol("12", heap.alloc(Pointer[uint8]), Base.TEN)  # type: ignore[arg-type]


def enumerations(libc: Libc) -> None:
    libc.strtol("12", None, 10)  # type: ignore[arg-type]
    libc.access("/", Base.TEN)  # type: ignore[arg-type]
    libc.access("/", 4)  # type: ignore[arg-type]
    libc.access(Access.READ, "/")  # type: ignore[arg-type]


def three(a: Pointer[int32], b: Pointer[int32], more: int) -> int:
    return a.target - b.target + more


def numbers_only(a: int, b: int) -> int:
    return a - b


def callbacks(libc: Libc, database: Pointer[Database]) -> None:
    libc.qsort(None, 0, 4, three)  # type: ignore[arg-type]
    libc.qsort(None, 0, 4, numbers_only)  # type: ignore[arg-type]
    libc.qsort(None, 0, 4, lambda a: 0)  # type: ignore[arg-type, misc]
    libc.qsort(None, 0, 4, lambda a, b: "0")  # type: ignore[arg-type, return-value]
    libc.qsort(None, 0, 4, 5)  # type: ignore[arg-type]
    with libc.callback(numbers_only) as callback:
        libc.qsort(None, 0, 4, callback)  # type: ignore[arg-type]
    libc.callback(5)  # type: ignore[type-var]
    libc.bsearch(None, None, 0, 4, three)  # type: ignore[arg-type]


def structures(declared: Declared, heap: HeapManager) -> None:
    declared.exec(heap.alloc(Pointer[int32]).value, "", None)  # type: ignore[arg-type]
    declared.open(":memory:", heap.alloc(Pointer[int32]))  # type: ignore[arg-type]
    declared.divide((1, 2), None)  # type: ignore[arg-type]
    declared.divide(None, None)  # type: ignore[arg-type]


def binding(heap: HeapManager) -> None:
    heap.library(int)  # type: ignore[type-var]
    heap.library("libc")  # type: ignore[arg-type]
    heap.library()  # type: ignore[call-arg]
    load_wasm(5)  # type: ignore[arg-type]
    load_wasm("x.wasm", 5)  # type: ignore[arg-type]

    class Misspelt(Library, prefx="a"):  # type: ignore[call-arg]
        pass
