"""Editing a buffer while something else happens to its block."""

from __future__ import annotations

from typing import Any

import pytest

from emheap import BufferInUseError, HeapManager, ShapeError, int32
from emtests.heaps import HeapKind


def test_a_block_that_is_resized_while_a_copy_of_it_is_edited(
    heap: HeapManager, kind: HeapKind
) -> None:
    ref = heap.alloc_array(int32, [1, 2, 3])
    if kind.can("zero copy"):
        with ref.edit() as buffer:
            buffer[0] = 9
            ref.resize(5)
            with pytest.raises(ValueError, match="released memoryview"):
                buffer[1] = 9
        assert ref[:] == [9, 2, 3, 0, 0]
    else:
        words = (
            r"has 20 bytes and the copy being edited 12: it was resized meanwhile, and the chang"
        )
        editing = ref.edit()
        editing.__enter__()[0] = 9
        ref.resize(5)
        with pytest.raises(ShapeError, match=words):
            editing.__exit__(None, None, None)
        assert ref[:] == [1, 2, 3, 0, 0]
    ref.free()


@pytest.mark.needs("numpy")
def test_an_array_on_the_very_bytes_outlives_the_editing(heap: HeapManager) -> None:
    import numpy

    with heap.alloc_array(int32, [1, 2, 3]) as ref:
        with ref.edit() as buffer:
            kept: Any = numpy.asarray(buffer)
        kept[1] = 7
        assert ref[1] == 7
        with pytest.raises(BufferInUseError):
            ref.free()
        del kept, buffer


def test_a_bool_is_stored_through_a_view_as_a_number(heap: HeapManager) -> None:
    with heap.alloc_array(int32, 3) as ref:
        view: Any = ref.view
        view[1] = True
        assert ref[:] == [0, 1, 0]
        view.release()
