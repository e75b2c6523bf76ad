"""``function.map``: one function for each element of arrays."""

from __future__ import annotations

import array
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

from emheap import (
    ArrayRef,
    BufferInUseError,
    CountingAllocator,
    ForeignTrapError,
    Function,
    HeapManager,
    Library,
    ShapeError,
    UseAfterFreeError,
    c,
    float32,
    float64,
    int8,
    int16,
    int32,
    uint8,
    uint16,
)
from emheap.calls.temporaries import Temporaries
from emtests.calls.declared import Calls
from emtests.calls.ways import Way
from emtests.threads import need_threads


class Divide(Library):
    divide: Function[[c.int, c.int, c.size_t], c.int]


def test_a_list_or_an_array_of_results(calls: Calls, c_heap: HeapManager) -> None:
    assert calls.add.map([1, 2, 3], [10, 20, -30]) == [11, 22, -27]
    assert calls.half.map([1.0, 3.0]) == [0.5, 1.5]
    with c_heap.arena() as scratch:
        a = scratch.alloc_array(int32, range(100))
        b = scratch.alloc_array(int32, 100)
        out = scratch.alloc_array(int32, 100)
        assert calls.add.map(a, a, out=out) is out
        assert out[:] == list(range(0, 200, 2))
        assert calls.add.map(a, array.array("i", out[:]), out=b)[:] == list(range(0, 300, 3))
        with_itself = calls.add.map(a, a, out=a)
        assert with_itself[:3] == [0, 2, 4]
        halves = scratch.alloc_array(float32, [1, 2])
        assert calls.half.map(halves, out=halves)[:] == [0.5, 1]
    assert calls.add.map([], []) == []


def test_every_width(calls: Calls) -> None:
    for name, low, high in (
        ("char", -128, 127),
        ("uchar", 0, 255),
        ("short", -32768, 32767),
        ("ushort", 0, 65535),
        ("int", -(2**31), 2**31 - 1),
        ("uint", 0, 2**32 - 1),
        ("longlong", -(2**63), 2**63 - 1),
        ("ulonglong", 0, 2**64 - 1),
    ):
        same = getattr(calls, f"same_{name}")
        values = [low, -1 if low else 1, 0, high // 2 + 1, high]
        assert same.map(values) == values
    assert calls.mix.map([-1], [2**32 - 1], [-(2**40)], [0.5], [0.25]) == [2**32 - 2 - 2**40 + 0.75]
    assert calls.same_float.map([0.5, -2.0]) == [0.5, -2.0]
    assert calls.same_double.map([0.1, -2.0]) == [0.1, -2.0]


def test_results_end_where_their_array_does(calls: Calls, c_heap: HeapManager) -> None:
    for same, kind in (
        (calls.same_char, int8),
        (calls.same_uchar, uint8),
        (calls.same_short, int16),
        (calls.same_ushort, uint16),
    ):
        with c_heap.alloc_array(kind, [9] * 4) as room:
            same.map([1, 2, 3], out=c_heap.wrap_array(kind, room.address, 3))
            assert room[:] == [1, 2, 3, 9]


def test_copies_of_arguments_are_released(calls: Calls, c_heap: HeapManager) -> None:
    values = [*range(1000)]
    calls.add.map(values, values)
    size = c_heap.memory.size
    for _ in range(100):
        calls.add.map(values, values)
    with pytest.raises(OverflowError, match=f"{2**31} does not fit"):
        calls.add.map(values, [2**31] * 1000)
    assert c_heap.memory.size == size


def test_what_cannot_be_mapped(calls: Calls, c_heap: HeapManager) -> None:
    with pytest.raises(TypeError, match=r"add\.map\(\) takes 2 arrays, not 1"):
        calls.add.map([1])
    with pytest.raises(ValueError, match=r"takes arrays of one length, not of \[1, 2\]"):
        calls.add.map([1], [1, 2])
    with pytest.raises(OverflowError, match=f"{2**31} does not fit"):
        calls.add.map([2**31], [0])
    with (
        c_heap.alloc_array(int32, 1) as out,
        pytest.raises(TypeError, match=r"^release\.map\(\) has no results to store in out$"),
    ):
        calls.release.map([0], out=out)
    with pytest.raises(TypeError, match=r"length\(const char \*\) -> size_t cannot be mapped"):
        calls.length.map(["a"])
    freed = c_heap.alloc_array(int32, 2)
    freed.free()
    with pytest.raises(UseAfterFreeError):
        calls.add.map(freed, [1, 2])


def test_an_out_of_the_wrong_kind(calls: Calls, c_heap: HeapManager) -> None:
    with c_heap.alloc_array(float64, 2) as wrong, pytest.raises(TypeError, match="out must be"):
        calls.add.map([1, 2], [3, 4], out=wrong)
    with c_heap.alloc_array(int32, 3) as long, pytest.raises(TypeError, match="of 2 int32"):
        calls.add.map([1, 2], [3, 4], out=long)
    with pytest.raises(TypeError, match="of 2 int32 on the library's heap"):
        calls.add.map([1, 2], [3, 4], out=[0, 0])
    freed = c_heap.alloc_array(int32, 2)
    freed.free()
    with pytest.raises(UseAfterFreeError):
        calls.add.map([1, 2], [3, 4], out=freed)


def test_a_function_without_a_result(way: Way, c_heap: HeapManager) -> None:
    class Releasing(Library):
        release: Function[[c.address], None]
        releases: Function[[], c.int]

    library = way.bind(Releasing, c_heap)
    before = library.releases()
    assert library.release.map([0, 0, 0]) is None
    assert library.releases() == before + 3


def test_a_trap_in_the_loop(way: Way, c_heap: HeapManager) -> None:
    if way.is_wasm:
        library = way.bind(Divide, c_heap)
        assert library.divide.map([6, 8], [3, 2], [0, 0]) == [2, 4]
        with pytest.raises(ForeignTrapError, match=r"divide_map\(\) did not return"):
            library.divide.map([6, 8], [3, 0], [0, 0])
        assert library.divide.map([6, 8], [3, 2], [0, 0]) == [2, 4]


def test_iterables_are_arrays_of_what_they_give(calls: Calls) -> None:
    assert calls.add.map((n for n in (1, 2)), iter([10, 20])) == [11, 22]
    wrong: Any = 5
    words = r"^add\.map\(\) takes an array or an iterable for each parameter, not int 5$"
    with pytest.raises(TypeError, match=words):
        calls.add.map([1], wrong)


def test_a_length_that_is_not_what_an_iterable_gives(calls: Calls) -> None:
    class Lying(list[int]):
        def __len__(self) -> int:
            return 1000

    assert calls.same_int.map(Lying([1, 2])) == [1, 2]


def test_an_array_that_another_one_frees_as_it_is_read(calls: Calls, c_heap: HeapManager) -> None:
    stolen: list[ArrayRef[int]] = []

    class Stealing:
        def __len__(self) -> int:
            return 3

        def __iter__(self) -> Iterator[int]:
            block.free()
            stolen.append(c_heap.alloc_array(int32, [100] * 3))
            return iter([1, 2, 3])

    block = c_heap.alloc_array(int32, [1, 2, 3])
    with pytest.raises(UseAfterFreeError):
        calls.add.map(block, Stealing())
    assert stolen[0][:] == [100] * 3
    stolen[0].free()


class Resizing:
    """Resizes an array at the n-th call, or return, of any function, as another thread may."""

    def __init__(self, heap: HeapManager, moment: int) -> None:
        self._heap = heap
        self._left = moment
        self.array = heap.alloc_array(int32, 200)
        self.neighbours: list[ArrayRef[int]] = []

    @property
    def struck(self) -> bool:
        return self._left <= 0

    def __call__(self, *_: object) -> None:
        self._left -= 1
        if self._left == 0:
            sys.setprofile(None)
            with suppress(BufferInUseError):
                self.array.resize(2)
                self.neighbours += [self._heap.alloc_array(int32, [9] * 40) for _ in range(8)]

    def check(self) -> None:
        assert all(set(each) == {9} for each in self.neighbours)
        for each in (self.array, *self.neighbours):
            each.free()


def test_results_that_another_thread_resizes(calls: Calls, c_heap: HeapManager) -> None:
    need_threads()
    values = range(200)
    calls.add.map(values, values)
    for moment in count(1):
        resizing = Resizing(c_heap, moment)
        sys.setprofile(resizing)
        with suppress(TypeError, ShapeError, UseAfterFreeError):
            calls.add.map(values, values, out=resizing.array)
        sys.setprofile(None)
        resizing.check()
        if not resizing.struck:
            assert moment > 10
            break


def test_arrays_stay_while_the_loop_calls_back(way: Way, c_heap: HeapManager) -> None:
    class CallingBack(Library):
        keep: Function[[c.callback[Callable[[c.int], c.int]]], None]
        call_kept: Function[[c.int], c.int]

    library = way.bind(CallingBack, c_heap)
    values, out = c_heap.alloc_array(int32, [1, 2]), c_heap.alloc_array(int32, 2)
    refused: list[object] = []

    def free_both(number: int) -> int:
        for block in (values, out) if way.is_wasm else ():  # natively the loop is Python's
            with pytest.raises(BufferInUseError) as caught:
                block.free()
            refused.append(caught.value)
        return number + 1

    library.keep(free_both)
    assert library.call_kept.map(values, out=out)[:] == [2, 3]
    assert len(refused) == (4 if way.is_wasm else 0)
    values.free()
    out.free()
    library.keep(None)


def test_one_larger_copy_of_an_argument_stays_for_the_next(c_heap: HeapManager) -> None:
    allocator = CountingAllocator(c_heap.allocator)
    temporaries = Temporaries(c_heap.memory, allocator)
    for size in (300, 5000, 4000, 5000, 1 << 14):
        temporaries.reserve(size).release()
    assert allocator.total_blocks == 3
    both = temporaries.reserve(1000), temporaries.reserve(1000)
    assert both[0].address != both[1].address
    for one in both:
        one.release()
    temporaries.reserve(1 << 15).release()
    assert allocator.live_byte_size == 0
    temporaries.reserve(1000).release()
    assert allocator.live_byte_size == 1000
