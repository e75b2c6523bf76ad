"""What the class of a structure keeps, and what keeps it."""

from __future__ import annotations

import gc
from typing import Any
from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

from emheap import Array, HeapManager, Pointer, Struct, array, field, int32
from emtests.conftest import skip_where_classes_stay
from emtests.heaps import HeapKind
from emtests.structures.kinds import Vec


def declare_list() -> Any:
    """A structure whose `next` points to what is declared after it."""

    class Before(Struct):
        id: int32 = field(default=0)
        at: Vec = field()
        next: Pointer[After] = field()
        deep: Pointer[Pointer[After]] = field()

    class After(Struct):
        id: int32 = field(default=0)
        many: Array[Before] = array(2)

    return Before, After


def use_list(heap: HeapManager) -> list[WeakReference[Any]]:
    before, after = declare_list()
    to: Any = Pointer
    pointer = to[after]
    with heap.arena() as scratch:
        last: Any = scratch.alloc(after, id=2)
        made: Any = scratch.alloc(before, id=1, next=last)
        last.many[1] = made
        assert made.next.target.many[1].next.target.id == 2
        many: Any = scratch.alloc_array(after, 2)
        row: Any = scratch.alloc_array(pointer, [last, many[1]])
        assert (row[0].target.id, heap.read(pointer, row.address).target.id) == (2, 2)
        assert heap.wrap(after, last.address).many[1].id == heap.read(before, made.address).id == 1
        assert before(id=3, at=(1, 2)).at.x == 1
        after()
    return [WeakReference(before), WeakReference(after)]


def test_a_class_goes_with_the_heaps_that_know_it(kind: HeapKind) -> None:
    skip_where_classes_stay()
    with kind.open() as heap:
        used = use_list(heap)
        heap.close()
    del heap
    gc.collect()
    assert [each() for each in used] == [None, None]


def test_a_class_that_is_used_keeps_nothing_of_the_function_that_declared_it(
    heap: HeapManager,
) -> None:
    class Large: ...

    def call() -> tuple[Any, WeakReference[Any]]:
        mine, kinds = Large(), declare_list()
        with heap.alloc(kinds[0]), heap.alloc(kinds[1]):
            pass
        return kinds, WeakReference(mine)

    kinds, there = call()
    gc.collect()
    assert there() is None, f"{kinds[0]} keeps the functions that called its own"
