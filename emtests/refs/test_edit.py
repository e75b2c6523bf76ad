"""``with ref.edit() as buffer``: a view where there is one, else a copy that is stored back."""

from __future__ import annotations

from typing import Any

import pytest

from emheap import (
    Arena,
    BufferInUseError,
    HeapManager,
    UseAfterFreeError,
    clamped_uint8,
    float64,
    int16,
    int32,
    pointer53,
    uint8,
    uint128,
    utf8,
    utf16,
)
from emtests.heaps import HeapKind
from emtests.refs.steps import record_steps


def test_changes_are_there_when_the_block_ends(scratch: Arena) -> None:
    ref = scratch.alloc_array(int32, [1, 2, 3, 4])
    with ref.edit() as buffer:
        assert isinstance(buffer, memoryview)
        assert (buffer.format, buffer.tolist()) == ("i", [1, 2, 3, 4])
        buffer[1] = -5
        buffer[2:] = memoryview(buffer[:2].tobytes()).cast("i")
    assert ref == [1, -5, 1, -5]
    with pytest.raises(ValueError, match="released"):
        buffer[0]


def test_a_view_where_there_is_one(kind: HeapKind, heap: HeapManager, scratch: Arena) -> None:
    ref = scratch.alloc_array(int16, [1, 2])
    with ref.edit() as buffer:
        buffer[0] = 7
        assert ref[0] == (7 if kind.can("zero copy") else 1)
        ref[1] = 9
    # Where it is a copy, what was stored meanwhile is lost.
    assert ref[:] == [7, 9 if kind.can("zero copy") else 2]


def test_a_copy_is_read_once_and_written_once(
    kind: HeapKind, heap: HeapManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    with heap.alloc_array(int32, range(1000)) as ref:
        with monkeypatch.context() as counting:
            steps = record_steps(heap._table.raw_memory, counting)
            with ref.edit() as buffer:
                for index in range(1000):
                    buffer[index] += 1
        whole = [("read", ref.address, 4000), ("write", ref.address, 4000)]
        assert steps == ([] if kind.can("zero copy") else whole)
        assert ref[:] == [*range(1, 1001)]


def test_every_kind_of_reference(scratch: Arena) -> None:
    cases: list[tuple[Any, str, int]] = [
        (scratch.alloc(float64, 0.5), "d", 1),
        (scratch.alloc(uint128, 5), "B", 16),
        (scratch.alloc_array(uint128, [5, 6]), "B", 32),
        (scratch.alloc_array(clamped_uint8, [5, 6]), "B", 2),
        (scratch.alloc_array(pointer53, 3), "Q", 3),
        (scratch.alloc(utf8, "text"), "B", 5),
        (scratch.alloc(utf16, 10), "H", 11),
        (scratch.alloc_array(int32, 0), "i", 0),
    ]
    for ref, code, count in cases:
        before = bytes(ref)
        with ref.edit() as buffer:
            assert (buffer.format, len(buffer), buffer.tobytes()) == (code, count, before)
            if count:
                buffer[count - 1] = 65
        data = memoryview(bytes(ref)).cast(code)  # type: ignore[call-overload]
        assert data.tolist()[count - 1 : count] == [65][:count]


def test_a_string_without_known_room(heap: HeapManager, scratch: Arena) -> None:
    text = heap.wrap(utf8, scratch.alloc(utf8, "abc").address)
    with text.edit() as buffer:
        assert bytes(buffer) == b"abc\0"
        buffer[0] = ord("x")
    assert text.value == "xbc"


def test_an_error_in_the_block(kind: HeapKind, scratch: Arena) -> None:
    ref = scratch.alloc_array(uint8, b"before")

    def fail() -> None:
        with ref.edit() as buffer:
            left.append(buffer)
            buffer[:] = b"after!"
            raise KeyError("within")

    left: list[memoryview] = []
    with pytest.raises(KeyError, match="within"):
        fail()
    # A view has changed the bytes; a copy is dropped.
    assert bytes(ref) == (b"after!" if kind.can("zero copy") else b"before")
    with pytest.raises(ValueError, match="released"):
        left[0][0]


def test_what_is_left_of_the_buffer(kind: HeapKind, scratch: Arena) -> None:
    ref = scratch.alloc_array(uint8, b"before")

    def keep_a_part() -> None:
        with ref.edit() as buffer:
            buffer[:] = b"AFTER!"
            left.append(buffer[:3])

    left: list[memoryview] = []
    if kind.can("zero copy"):
        keep_a_part()
        left[0][:] = b"aft"  # on the very bytes still
        assert bytes(ref) == b"aftER!"
    else:
        with pytest.raises(BufferInUseError, match="were stored, but a slice or an array made of"):
            keep_a_part()
        assert bytes(ref) == b"AFTER!"
    left.clear()


def test_a_block_freed_in_the_block(kind: HeapKind, heap: HeapManager) -> None:
    ref = heap.alloc_array(uint8, b"before")

    def free_within() -> None:
        with ref.edit() as buffer:
            part = buffer[:1]
            try:
                ref.free()
            finally:
                part.release()

    if kind.can("zero copy"):
        with pytest.raises(BufferInUseError, match="a slice or cast of a buffer being edited"):
            free_within()
        ref.free()
    else:
        with pytest.raises(UseAfterFreeError):
            free_within()
    with pytest.raises(UseAfterFreeError):
        ref.edit().__enter__()


@pytest.mark.needs("numpy")
def test_numpy_works_on_the_buffer(scratch: Arena) -> None:
    import numpy

    ref = scratch.alloc_array(float64, [1, 2, 3])
    with ref.edit() as buffer:
        array = numpy.asarray(buffer)
        array *= 2
        del array
    assert ref == [2.0, 4.0, 6.0]
