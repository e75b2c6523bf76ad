"""Errors and warnings name the lines of the user's program where a block began and ended."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import emheap
from emheap import HeapManager, int8, int32, uint8, utf8
from emheap._util.sites import is_within_elsewhere
from emtests.heaps import HeapKind

THIS_FILE = Path(__file__).name


def site(offset: int = 0) -> str:
    """The caller's line, `offset` lines away, as a message names it."""
    frame = sys._getframe(1)
    return rf"{THIS_FILE}:{frame.f_lineno + offset} in {frame.f_code.co_name}"


def message_of(call: Callable[[], Any], error: type[BaseException]) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_every_way_to_allocate_is_located(heap: HeapManager) -> None:
    refs: list[tuple[Any, str]] = []
    refs.append((heap.alloc(int32, 5), site()))
    refs.append((heap.alloc_int32(5), site()))
    refs.append((heap.alloc_int32(), site()))
    refs.append((heap.alloc_array(int32, 5), site()))
    refs.append((heap.alloc_int32_array([1, 2]), site()))
    refs.append((heap.alloc(utf8, "abc"), site()))
    refs.append((heap.alloc(utf8, "def"), site()))  # the first of a length goes another way
    refs.append((heap.alloc(emheap.ascii, "abc"), site()))
    refs.append((heap.alloc(emheap.ascii, "def"), site()))
    refs.append((heap.alloc(emheap.utf16, "abc"), site()))
    refs.append((heap.alloc(emheap.utf16, "def"), site()))
    refs.append((heap.alloc_null_terminated_utf8_string("abc"), site()))
    refs.append((heap.alloc(int32, align=64), site()))
    refs.append((heap.alloc_clamped_uint8(5), site()))
    refs.append((heap.alloc_pointer53(5), site()))
    refs.append((heap.alloc_uint128(5), site()))
    refs.append((heap.alloc_float32(5), site()))
    for ref, allocated in refs:
        ref.free()
        freed = site(-1)
        message = message_of(partial(bytes, ref), emheap.UseAfterFreeError)
        assert f"allocated at {Path(__file__).parent}" in message
        assert allocated in message.partition(", freed at ")[0]
        assert freed in message.partition(", freed at ")[2]
        assert message.endswith("; allocate another block, or free it later")
        assert message_of(ref.free, emheap.DoubleFreeError).startswith("double free: the ")
        assert allocated in message_of(ref.free, emheap.DoubleFreeError)
        assert freed in message_of(ref.free, emheap.DoubleFreeError)


def test_every_way_to_free_is_located(heap: HeapManager) -> None:
    def check(ref: Any, freed: str) -> None:
        for message in (
            message_of(lambda: bytes(ref), emheap.UseAfterFreeError),
            message_of(ref.free, emheap.DoubleFreeError),
        ):
            assert freed in message.partition(", freed at ")[2]

    for make in (heap.alloc_int32, lambda: heap.alloc_array(int8, 3), lambda: heap.alloc(utf8, 3)):
        ref: Any = make()
        ref.free()
        check(ref, site(-1))
        ref = make()
        heap.free(ref)
        check(ref, site(-1))
        ref = make()
        heap.free(ref.address)
        check(ref, site(-1))
        ref = make()
        heap.free_all()
        check(ref, site(-1))
        with make() as ref:
            pass
        check(ref, site(-2))
        with heap.arena() as scratch:
            ref = scratch.alloc(int32)
            heap.free(ref.address)
            check(ref, site(-1))
    pointed = heap.alloc(int32)
    array = heap.alloc_array(emheap.pointer64, [pointed.address])
    array.free(free_elements=True)
    check(pointed, site(-1))
    check(array, site(-2))


def test_a_site_is_the_line_and_not_the_function(heap: HeapManager) -> None:
    def allocate_one(first: bool) -> Any:
        if first:
            return heap.alloc_int32(1)
        return heap.alloc_int32(2)

    lines = []
    for first in (True, False):
        ref = allocate_one(first)
        ref.free()
        message = message_of(ref.free, emheap.DoubleFreeError)
        lines.append(int(message.partition(f"{THIS_FILE}:")[2].partition(" ")[0]))
    assert lines[1] == lines[0] + 1


def test_allocating_in_a_long_function_is_located(heap: HeapManager) -> None:
    # More than 256 bytes of bytecode before the call.
    total = 0
    for step in range(2):
        total += step * 3 + step * 5 - step * 7 + step * 11 - step * 13 + step * 17 - step * 19
        total += step * 3 + step * 5 - step * 7 + step * 11 - step * 13 + step * 17 - step * 19
        total += step * 3 + step * 5 - step * 7 + step * 11 - step * 13 + step * 17 - step * 19
        total += step * 3 + step * 5 - step * 7 + step * 11 - step * 13 + step * 17 - step * 19
        total += step * 3 + step * 5 - step * 7 + step * 11 - step * 13 + step * 17 - step * 19
    ref = heap.alloc_int32(total & 1)
    allocated = site(-1)
    ref.free()
    message = message_of(ref.free, emheap.DoubleFreeError)
    assert allocated in message


def test_pins_and_interior_addresses_name_the_block(heap: HeapManager) -> None:
    ref = heap.alloc_array(int32, 4)
    allocated = site(-1)
    message = message_of(lambda: heap.free(ref.address + 4), emheap.NotAllocatedError)
    assert f"inside the int32 array of 16 bytes at 0x{ref.address:x}, allocated at" in message
    assert allocated in message
    ref.free()


def test_the_site_of_a_late_block_is_kept_for_a_while() -> None:
    heap = emheap.wrap_buffer(bytearray(1 << 10))
    first = heap.alloc_array(uint8, 8)
    first.free()
    for _ in range(4500):
        heap.alloc_array(uint8, 8).free()
    # Whether or not it is still on record, the error is the same, and tells what it can.
    message = message_of(first.free, emheap.DoubleFreeError)
    assert message.startswith("double free: the uint8 array of 8 bytes at ")
    assert ", freed " in message


@pytest.mark.needs("prompt reuse")
def test_the_site_of_a_block_makes_way_for_that_of_the_next_one_there(heap: HeapManager) -> None:
    first = heap.alloc_array(uint8, 8)
    first.free()
    others = [heap.alloc_array(uint8, 8) for _ in range(50)]
    second = next(other for other in others if other.address == first.address)
    freed = site(+1)
    second.free()
    for use in (first.free, lambda: first[0]):
        message = message_of(use, ValueError)
        assert ", freed earlier, at a place no longer on record" in message
        assert freed not in message
    assert freed in message_of(second.free, emheap.DoubleFreeError)
    for other in others:
        if other is not second:
            other.free()


def test_the_record_of_late_blocks_does_not_grow_for_ever() -> None:
    heap = emheap.wrap_buffer(bytearray(1 << 20))
    refs: list[Any] = [heap.alloc_array(uint8, 1) for _ in range(6000)]
    refs += [heap.alloc_int8() for _ in range(6000)]
    for ref in refs:
        ref.free()
    assert len(heap._table.freed) <= 4200
    for ref in [heap.alloc_array(uint8, 1) for _ in range(6000)]:
        ref.detach()
    assert len(heap._table.freed) <= 4200
    assert len(heap._table.detached) <= 4200


def test_frames_are_not_kept_alive(kind: HeapKind) -> None:
    import gc
    import weakref

    class Local:
        pass

    def allocate_and_free(heap: HeapManager) -> weakref.ref[Local]:
        local = Local()
        heap.alloc(int32, 1).free()
        heap.alloc_int32(1).free()
        return weakref.ref(local)

    with kind.open() as heap:
        alive = allocate_and_free(heap)
        gc.collect()
        assert alive() is None


def test_a_look_at_the_frames_of_all_threads_leaves_none_to_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        assert not is_within_elsewhere()
        assert gc.collect() == 0
    finally:
        gc.enable()
