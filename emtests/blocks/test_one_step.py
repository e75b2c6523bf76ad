"""What another thread does comes before or after an operation, and not in the middle of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import count
from types import FrameType
from typing import Any

import pytest

from emheap import DoubleFreeError, clamped_uint8, int32, pointer53, uint128
from emheap._util.platform import HAS_GIL
from emheap.types import text_types
from emheap.types.text import Text
from emtests.conftest import OpenHeap, skip_for_gap
from emtests.heaps import RUNNING, HeapKind
from emtests.threads import need_threads
from emtests.types.values import ALL_NUMBERS
from emtests.unmeasured import unmeasured

KINDS = [kind for kind in RUNNING if kind.name in ("own", "debug", "bytearray-freelist")]
"""Heaps that threads may share: wasmtime allows a store to one thread at a time."""
LENGTH = 8
each_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


def at_each_moment(run: Callable[[], Any], meanwhile: Callable[[], Any]) -> Iterator[Any]:
    """What `run` returns when `meanwhile` runs at its first step, at its second, and so on.

    A step is an instruction of the interpreter: between two of them, threads are switched.
    """
    for moment in count():
        steps = count()
        struck = False

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal struck
            frame.f_trace_opcodes = True
            if event == "opcode" and next(steps) == moment:  # noqa: B023 (it ends with the turn)
                struck = True
                meanwhile()
            return trace

        with unmeasured():
            # CPython 3.12 tells of instructions only where a frame had asked for that before.
            sys._getframe().f_trace_opcodes = True
            sys.settrace(trace)
            try:
                result = run()
            finally:
                sys.settrace(None)
        yield result
        if not struck:
            assert moment > 5, "no step was seen"
            return


def at_each_call(run: Callable[[], Any], meanwhile: Callable[[], Any]) -> Iterator[Any]:
    """The same where a function is called or has returned: there CPython does switch threads."""
    for moment in count():
        steps = count()
        struck = False

        def profile(*_: Any) -> None:
            nonlocal struck
            if next(steps) == moment:  # noqa: B023 (it ends with the turn)
                struck = True
                sys.setprofile(None)
                meanwhile()

        with unmeasured():
            sys.setprofile(profile)
            try:
                result = run()
            finally:
                sys.setprofile(None)
        yield result
        if not struck:
            assert moment > 5, "no call was seen"
            return


def check_reading(read: Callable[[], Any], write: Callable[[Any], None], values: list[Any]) -> None:
    old, new = values
    write(old)
    seen = []
    for result in at_each_moment(read, lambda: write(new)):
        assert result in values
        seen.append(result)
        write(old)
    assert seen[0] == new  # which was written before the first step
    assert seen[-1] == old  # and nothing was before the last


def check_writing(read: Callable[[], Any], write: Callable[[Any], None], values: list[Any]) -> None:
    old, new = values
    write(old)
    seen: list[Any] = []
    for _ in at_each_moment(lambda: write(new), lambda: seen.append(read())):
        assert read() == new
        write(old)
    assert all(each in values for each in seen)
    assert seen[0] == old


def need_the_lock() -> None:
    if not HAS_GIL:
        skip_for_gap("free-threaded CPython", "there only atomic accesses are one step")


@each_kind
def test_a_number_is_read_and_written_in_one_step(kind: HeapKind, open_heap: OpenHeap) -> None:
    need_the_lock()
    heap = open_heap()
    for scalar in ALL_NUMBERS:
        with heap.alloc(scalar, 0) as ref, heap.alloc_array(scalar, 3) as array:
            values = [scalar.decode(0), scalar.decode(1)]
            for check in (check_reading, check_writing):
                check(ref.read, ref.write, values)
                check(lambda: array[1], lambda value: array.__setitem__(1, value), values)


@each_kind
@pytest.mark.parametrize("part", [slice(None), slice(2, 6)], ids=["whole", "part"])
def test_a_slice_is_read_and_written_in_one_step(
    kind: HeapKind, open_heap: OpenHeap, part: slice
) -> None:
    need_the_lock()
    heap = open_heap()
    length = len(range(LENGTH)[part])
    for scalar in (int32, clamped_uint8, pointer53, uint128):
        with heap.alloc_array(scalar, LENGTH) as array:
            values = [[1] * length, [2] * length]
            for check in (check_reading, check_writing):
                check(lambda: array[part], lambda value: array.__setitem__(part, value), values)


@each_kind
@pytest.mark.parametrize("text", text_types, ids=lambda text: text.name)
def test_a_short_string_is_read_in_one_step(
    kind: HeapKind, open_heap: OpenHeap, text: type[Text]
) -> None:
    need_the_lock()
    heap = open_heap()
    with heap.alloc(text, 256 // text.size - 1) as ref:
        assert ref.allocated_byte_size == 256
        check_reading(ref.read, ref.write, ["a" * 30, "b" * 40])


@each_kind
def test_a_block_is_freed_once_at_whatever_moment_another_thread_frees_it(
    kind: HeapKind, open_heap: OpenHeap
) -> None:
    need_the_lock()
    heap = open_heap()
    freed: list[bool] = []
    later: list[Any] = []

    def free() -> bool:
        try:
            ref.free()
        except DoubleFreeError:
            return False
        return True

    def free_and_allocate() -> None:
        freed.append(free())
        later.append(heap.alloc_array(int32, [7] * LENGTH))  # where the first one was, mostly

    ref = heap.alloc_array(int32, LENGTH)
    for mine in at_each_call(free, free_and_allocate):
        assert sum([mine, *freed]) == 1
        assert {block.address for block in later} == {block.address for block in heap.live()}
        for block in later:
            assert block[:] == [7] * LENGTH
            block.free()
        ref, freed, later = heap.alloc_array(int32, LENGTH), [], []
    ref.free()


# What is no single step


@each_kind
def test_adding_to_a_value_is_two_steps_and_may_lose_what_another_adds(
    kind: HeapKind, open_heap: OpenHeap
) -> None:
    heap = open_heap()
    with heap.alloc(int32) as number:

        def add(summand: int) -> None:
            number.value += summand

        alone, both, lost = 1, 11, 1
        seen = []
        for _ in at_each_moment(lambda: add(1), lambda: add(10)):
            seen.append(number.value)
            number.value = 0
        assert set(seen) == {both, lost}
        assert seen[0] == both
        assert seen[-1] == alone  # for nothing came in between
        assert lost in seen[:-1]


@each_kind
def test_adding_atomically_loses_nothing(kind: HeapKind, open_heap: OpenHeap) -> None:
    need_threads()
    heap = open_heap()
    with heap.alloc(int32) as number:
        seen = []
        for _ in at_each_moment(lambda: number.atomic.add(1), lambda: number.atomic.add(10)):
            seen.append(number.value)
            number.value = 0
        assert {*seen[:-1]} == {11}


@each_kind
@pytest.mark.parametrize("text", text_types, ids=lambda text: text.name)
def test_a_long_string_is_read_in_several_steps(
    kind: HeapKind, open_heap: OpenHeap, text: type[Text]
) -> None:
    heap = open_heap()
    with heap.alloc(text, 1000) as ref:
        before, after = "a" * 30, "b" * 40
        ref.value = before
        seen = set()
        for result in at_each_moment(lambda: ref.value, lambda: ref.write(after)):
            seen.add(result)
            ref.value = before
        assert {before, after, after[: len(before)]} == seen
