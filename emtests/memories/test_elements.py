"""What every memory gives: the inside of blocks to references, and views to users."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

import pytest

from emheap import HeapManager, int32, pointer53
from emheap.types import text_types
from emtests.types.values import ALL_NUMBERS, WIDE, boundary_values, packed


def as_buffer(scalar: Any, values: list[Any]) -> memoryview:
    """The numbers as they are stored; of wide ones the bytes."""
    data = memoryview(b"".join(packed(scalar, value) for value in values))
    return data if scalar in WIDE else data.cast(scalar.format)


def test_a_slice_is_read_as_a_list_and_set_to_a_buffer_of_stored_elements(
    heap: HeapManager,
) -> None:
    for scalar in ALL_NUMBERS:
        values = [*boundary_values(scalar)[:2], *boundary_values(scalar)[-2:]]
        with heap.alloc_array(scalar, 4) as array:
            elements = heap.memory.elements(scalar, array.address, 4)
            assert elements[:].tolist() == [0] * 4
            elements[:] = as_buffer(scalar, values)
            assert elements[:].tolist() == array[:] == values
            values[1:3] = values[2], values[1]
            elements[1:3] = as_buffer(scalar, values[1:3])
            assert elements[1:3].tolist() == values[1:3]
            assert elements[::-2].tolist() == values[::-2]
            assert bytes(array) == b"".join(packed(scalar, value) for value in values)
            for other in (values[:1], values[:3]):
                with pytest.raises(ValueError, match=r"."):
                    elements[1:3] = as_buffer(scalar, other)
            assert array[:] == values
            elements.release()


def test_what_is_read_of_a_pointer53_is_checked(heap: HeapManager) -> None:
    with heap.alloc_array(pointer53, [1, 2]) as array:
        elements = heap.memory.elements(pointer53, array.address, 2)
        elements[:] = memoryview((2**60).to_bytes(8, sys.byteorder) * 2).cast("Q")
        for index in (0, slice(None)):
            with pytest.raises(OverflowError, match="read them as pointer64"):
                elements[index]
        elements.release()


def test_nothing_is_done_with_released_elements(heap: HeapManager) -> None:
    for scalar in ALL_NUMBERS:
        with heap.alloc_array(scalar, [1, 2, 3]) as array:
            elements: Any = heap.memory.elements(scalar, array.address, 3)
            elements.release()
            two = as_buffer(scalar, [7, 7])
            uses: dict[str, Callable[[], Any]] = {
                "length": partial(len, elements),
                "element": partial(elements.__getitem__, 0),
                "slice": partial(elements.__getitem__, slice(1, None)),
                "store": partial(elements.__setitem__, 0, 7),
                "store a slice": partial(elements.__setitem__, slice(2), two),
                "iteration": partial(list, elements),
            }
            for name, use in uses.items():
                with pytest.raises(ValueError, match="released"):
                    pytest.fail(f"{name} of {scalar.name} gave {use()!r}")
            assert array[:] == [1, 2, 3]


MADE: dict[str, Callable[[Any], Any]] = {
    "slice": lambda view: view[1:],
    "slice of a slice": lambda view: view[1:][::2],
    "cast": lambda view: view.cast("B"),
    "another view": memoryview,
    "read-only": lambda view: view.toreadonly(),
    "array": lambda view: (ctypes.c_char * view.nbytes).from_buffer(view),
}


@pytest.mark.needs("zero copy")
@pytest.mark.parametrize("name", MADE)
def test_what_is_made_of_a_view_keeps_its_exporter_and_nothing_else_does(
    heap: HeapManager, name: str
) -> None:
    with heap.alloc_array(int32, [1, 2, 3, 4]) as array:
        loan = heap.memory.lend(int32, array.address, 4)
        exporter = WeakReference(loan.exporter)
        made = MADE[name](loan.view)
        del loan
        assert exporter() is not None
        assert bytes(made)
        del made
        assert exporter() is None


@pytest.mark.needs("numpy")
def test_an_array_of_numpy_keeps_the_exporter_too(heap: HeapManager) -> None:
    import numpy

    with heap.alloc_array(int32, [1, 2, 3, 4]) as array:
        loan = heap.memory.lend(int32, array.address, 4)
        exporter = WeakReference(loan.exporter)
        made = numpy.asarray(loan.view)[1:].reshape(3, 1)
        del loan
        assert made.tolist() == [[2], [3], [4]]
        assert exporter() is not None
        del made
        assert exporter() is None


def test_what_reads_and_writes_is_made_once_for_each_type(heap: HeapManager) -> None:
    memory: Any = heap.memory
    for made, kinds in (
        ("reader", ALL_NUMBERS),
        ("writer", ALL_NUMBERS),
        ("text_reader", text_types),
        ("text_writer", text_types),
    ):
        cached: Callable[[Any], Any] = getattr(memory, f"cached_{made}")
        first = [cached(kind) for kind in kinds]
        assert [cached(kind) for kind in kinds] == first
        assert len(set(first)) == len(first)
