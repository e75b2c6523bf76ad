"""Blocks are aligned as their type needs, or as much more as is asked for."""

from __future__ import annotations

from typing import Any

import pytest

import emheap
from emheap import HeapManager, Pointer, float32, int32, uint8, utf8, utf16, utf32
from emtests.types.values import ALL_NUMBERS

ALIGNMENTS = [1 << power for power in range(13)]


def test_every_alignment_for_everything(heap: HeapManager) -> None:
    wild: Any = heap
    with heap.arena() as scratch:
        for align in ALIGNMENTS:
            for maker in (heap, scratch):
                refs: list[Any] = [
                    maker.alloc(int32, 5, align=align),
                    maker.alloc_array(float32, [0.5, 1.5], align=align),
                    maker.alloc_array(uint8, 0, align=align),
                    maker.alloc(utf8, "abc", align=align),
                    maker.alloc(utf16, 3, align=align),
                ]
                assert [ref.address % align for ref in refs] == [0] * 5
                assert refs[0].address % 4 == refs[4].address % 2 == 0
                assert (refs[0].value, refs[1].tolist()) == (5, [0.5, 1.5])
                assert (refs[2].tolist(), refs[3].value, refs[4].value) == ([], "abc", "")
                for ref in refs:
                    ref.free()
            for maker in (heap, scratch):
                pointed: list[Any] = [
                    maker.alloc(Pointer[int32], align=align),
                    maker.alloc_array(Pointer[int32], 3, align=align),
                    maker.alloc_array(Pointer[int32], [None, 8], align=align),
                    maker.alloc_text(utf16, "abc", align=align),
                ]
                assert [ref.address % align for ref in pointed] == [0] * 4
                assert pointed[2][1].address == 8
                assert bytes(pointed[3]) == "abc".encode(utf16.codec)
                for ref in pointed:
                    ref.free()
            with wild.alloc_float64_array(3, align=align) as array:
                assert array.address % align == 0
            with wild.alloc_null_terminated_utf32_string("x", align=align) as text:
                assert text.address % max(align, 4) == 0


def test_every_type_has_its_natural_alignment(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        for scalar in ALL_NUMBERS:
            scratch.alloc(uint8)
            assert scratch.alloc(scalar).address % scalar.alignment == 0
            scratch.alloc_array(uint8, 3)
            assert scratch.alloc_array(scalar, 3).address % scalar.alignment == 0
        for text in (utf16, utf32):
            scratch.alloc_array(uint8, 3)
            assert scratch.alloc(text, "abc").address % text.size == 0


def test_a_large_alignment_leaves_neighbours_alone(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        guards = [scratch.alloc_array(uint8, b"\xaa" * 64) for _ in range(3)]
        refs = [scratch.alloc_array(uint8, 100, align=align) for align in ALIGNMENTS]
        guards += [scratch.alloc_array(uint8, b"\xaa" * 64) for _ in range(3)]
        for ref in refs:
            assert not any(ref)
            ref[:] = b"\x55" * 100
        assert all(bytes(guard) == b"\xaa" * 64 for guard in guards)
        assert all(bytes(ref) == b"\x55" * 100 for ref in refs)


def test_an_alignment_is_a_power_of_two(heap: HeapManager) -> None:
    wild: Any = heap
    for align in (0, -1, -8, 3, 12, 100, 2**31, 2**64):
        words = f"align must be a power of two between 1 and 2\\*\\*30 bytes, got {align}"
        for call in (
            lambda align=align: heap.alloc(int32, align=align),
            lambda align=align: heap.alloc(utf8, "x", align=align),
            lambda align=align: heap.alloc_array(int32, 4, align=align),
            lambda align=align: heap.alloc(Pointer[int32], align=align),
            lambda align=align: heap.alloc_array(Pointer[int32], 4, align=align),
            lambda align=align: heap.alloc_text(utf8, "x", align=align),
        ):
            with pytest.raises(emheap.ValueOutOfRangeError, match=words):
                call()
    for wrong in (1.0, 8.0, "8", [8], True, object(), float("nan")):
        with pytest.raises(TypeError, match="align must be an int, not "):
            wild.alloc_array(int32, 4, align=wrong)
    assert heap.total_allocated_byte_size == 0


def test_the_room_of_an_aligned_block_comes_back() -> None:
    allocator = emheap.FreeListAllocator(16, 1 << 16)
    heap = emheap.wrap_buffer(bytearray(1 << 16), allocator=allocator)
    for align in ALIGNMENTS:
        spacer = heap.alloc(uint8)
        ref = heap.alloc_array(uint8, 10, align=align)
        spacer.free()
        heap.free(ref.address)
        assert allocator.available_byte_size == (1 << 16) - 16
