"""The C library: sorting and searching, with comparisons in Python."""

from __future__ import annotations

from collections.abc import Callable

from emheap import ArrayRef, Function, HeapManager, Library, Pointer, c, int32

Compare = c.callback[Callable[[Pointer[int32], Pointer[int32]], c.int]]


class Libc(Library):
    qsort: Function[[c.buffer, c.size_t, c.size_t, Compare], None]
    bsearch: Function[[c.data, c.data, c.size_t, c.size_t, Compare], Pointer[int32]]


def ascending(a: Pointer[int32], b: Pointer[int32]) -> int:
    """What both functions want to know of two values."""
    return a.target - b.target


def sort(libc: Libc, numbers: ArrayRef[int]) -> None:
    """Sort an array in the library's heap."""
    libc.qsort(numbers, len(numbers), int32.size, ascending)


def find(heap: HeapManager, libc: Libc, numbers: ArrayRef[int], wanted: int) -> int | None:
    """The index of a number in a sorted array, or None."""
    with heap.alloc(int32, wanted) as key:
        found = libc.bsearch(key, numbers, len(numbers), int32.size, ascending)
    return (found.address - numbers.address) // int32.size if found else None
