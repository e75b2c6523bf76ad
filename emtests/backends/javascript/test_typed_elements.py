"""Elements that keep a typed array of their own: right after growth, for every value."""

from __future__ import annotations

import math
from typing import Any

import js
import pytest

import emheap
from emheap import (
    clamped_uint8,
    float32,
    float64,
    int8,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
)
from emheap.memories.javascript_elements import TypedElements
from emheap.refs.typed_array import TypedArrayRef
from emtests.backends.javascript.buffers import wasm_memory
from emtests.structures.kinds import Vec

ROUNDS = 3
"""The array is made at the second access."""


@pytest.fixture
def memory() -> Any:
    return wasm_memory()


@pytest.fixture
def heap(memory: Any) -> emheap.HeapManager:
    return emheap.wrap_wasm_instance(memory)


def kept_array(ref: Any) -> Any:
    elements = ref._elements
    assert isinstance(elements, TypedElements)
    return elements._array


@pytest.mark.parametrize("kind", [int8, uint8, uint16, int32, uint32, float32, float64])
def test_items_are_right_before_and_after_growth(
    heap: emheap.HeapManager, memory: Any, kind: Any
) -> None:
    ref: Any = heap.alloc_array(kind, 5)
    number: Any = heap.alloc(kind, 1)
    for turn in range(12):
        ref[1] = ref[-1] + turn
        ref[-2] = 7
        number.value = number.value + 1
        if turn % 4 == 3:
            memory.grow(1)
    assert ref[:] == [0, sum(range(12)) - 55, 0, 7, 0]
    assert number.value == 13
    assert heap.wrap_array(kind, ref.address, 5) == ref
    for index in (5, -6, 1 << 40):
        with pytest.raises(emheap.OutOfBoundsError):
            ref[index]
        with pytest.raises(emheap.OutOfBoundsError):
            ref[index] = 1
    if kind not in (float32, float64):
        for value in (1 << 40, -(1 << 40)):
            with pytest.raises(OverflowError, match=f"{value} does not fit {kind.name}"):
                ref[0] = value
        for wrong in ("x", 1.5, None):
            with pytest.raises(
                TypeError, match=f"{kind.name} takes an .*, not {type(wrong).__name__}"
            ):
                ref[0] = wrong
    assert ref[0] == 0
    ref.free()
    with pytest.raises(emheap.UseAfterFreeError):
        ref[0]
    with pytest.raises(emheap.UseAfterFreeError):
        ref[0] = 1
    number.free()


def test_integers_that_are_no_small_ones(heap: emheap.HeapManager) -> None:
    ref = heap.alloc_array(uint32, 2)
    for _ in range(ROUNDS):
        for value in (0, (1 << 30) - 1, 1 << 30, (1 << 32) - 1, True):
            ref[1] = value
            assert ref[1] == value
            assert type(ref[1]) is int
    ref.free()


@pytest.mark.parametrize("kind", [float32, float64])
def test_floats_keep_their_kind_sign_and_bits(heap: emheap.HeapManager, kind: Any) -> None:
    ref, number = heap.alloc_array(kind, 2), heap.alloc(kind)
    for value in (0.5, -1.5, 3.0, 0.0, -0.0, math.inf, -math.inf, 7, 1e30) * ROUNDS:
        ref[1] = number.value = value
        for found in (ref[1], number.value):
            assert type(found) is float
            assert math.copysign(1, found) == math.copysign(1, value)
            assert found == pytest.approx(value, rel=1e-6)
    bits = b"\1\0\xa0\x7f" if kind is float32 else b"\1\0\0\0\0\0\xf4\x7f"
    for _ in range(ROUNDS):
        heap.memory.write_bytes(number.address, bits)
        heap.memory.write_bytes(ref.address, bits)
        assert math.isnan(number.value)
        ref[1] = math.nan
        assert math.isnan(ref[1])
        assert heap.memory.read_bytes(number.address, kind.size) == bits
    if kind is float32:
        with pytest.raises(OverflowError, match="does not fit float32, whose largest value"):
            ref[0] = 1e300
    heap.free_all()


def test_an_array_is_kept_from_the_second_access_on(heap: emheap.HeapManager, memory: Any) -> None:
    ref = heap.alloc_array(int32, 4)
    arrays = []
    for _ in range(3):
        ref[0]
        arrays.append(kept_array(ref))
    assert not hasattr(arrays[0], "buffer")
    assert arrays[1] == arrays[2]
    memory.grow(1)
    ref[0]
    assert kept_array(ref).buffer == memory.buffer
    unaligned = heap.wrap(int32, ref.address + 1)
    for turn in range(ROUNDS):
        unaligned.value = turn
        assert unaligned.value == turn
    assert heap.memory.read_bytes(ref.address + 1, 4) == b"\2\0\0\0"
    ref.free()


def test_whole_numbers_are_reached_with_no_function_of_the_elements_in_between(
    heap: emheap.HeapManager,
) -> None:
    ref = heap.alloc_array(int32, 4)
    for made in (ref, heap.wrap_array(int32, ref.address, 4), heap.allocated_heap_refs[0]):
        assert isinstance(made, TypedArrayRef)
        assert type(made).__name__ == "ArrayRef"
    kind: Any
    for kind in (float32, clamped_uint8, int64):
        with heap.alloc_array(kind, 4) as other:
            assert not isinstance(other, TypedArrayRef)
    heap.free_all()
    assert isinstance(ref, TypedArrayRef)
    for _ in range(ROUNDS):
        with pytest.raises(emheap.UseAfterFreeError):
            ref[0]
        with pytest.raises(emheap.UseAfterFreeError):
            ref[0] = 1


def test_a_buffer_that_another_replaces_is_forgotten_with_its_arrays() -> None:
    # The old one stays readable, and only an access beyond its end shows that there is another.
    buffers = [js.ArrayBuffer.new(4096)]
    heap = emheap.create_wasm_heap_manager(lambda: buffers[-1])
    ref, number = heap.wrap_array(int32, 64, 4), heap.wrap(float64, 128)
    for _ in range(ROUNDS):
        ref[0] = 5
        number.value = 0.5
    buffers.append(js.ArrayBuffer.new(8192))
    assert heap.read_int32(8000) == 0
    assert (ref[0], number.value) == (0, 0.0)
    ref[0] = 6
    assert js.Int32Array.new(buffers[-1], 64, 1)[0] == 6


def test_a_structure_is_stored_whole_before_and_after_growth(
    heap: emheap.HeapManager, memory: Any
) -> None:
    with heap.alloc(Vec) as vec, heap.alloc_array(Vec, 2) as vecs:
        for turn in range(12):
            vec.write((turn, -turn))
            vecs[1].write((turn, turn))
            assert heap.wrap(Vec, vec.address).to_tuple() == (turn, -turn)
            assert vecs.tolist() == [(0, 0), (turn, turn)]
            if turn % 4 == 3:
                memory.grow(1)
                vec.write((turn, 1))  # the array that was kept has lost its buffer
                assert vec.to_tuple() == (turn, 1)
    with pytest.raises(emheap.UseAfterFreeError):
        vec.write((1, 2))
