"""numpy arrays share the bytes, keep the block alive, and keep it from being freed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import ArrayRef, HeapManager, float32, int32, uint8, uint128
from emtests.types.values import SCALARS

pytestmark = pytest.mark.needs("numpy")

MAKERS: dict[str, Callable[[Any, Any], Any]] = {
    "asarray": lambda numpy, ref: numpy.asarray(ref),
    "numpy()": lambda numpy, ref: ref.numpy(),
    "asarray of a view": lambda numpy, ref: numpy.asarray(ref.view),
    "frombuffer": lambda numpy, ref: numpy.frombuffer(ref.view, ref.view.format),
    "array, no copy": lambda numpy, ref: numpy.array(ref, copy=False),
}


@pytest.fixture
def numpy() -> Any:
    import numpy

    return numpy


@pytest.mark.parametrize("maker", MAKERS)
def test_an_array_shares_the_bytes_and_pins_the_block(
    heap: HeapManager, numpy: Any, maker: str
) -> None:
    for scalar in SCALARS:
        ref = heap.alloc_array(scalar, [1, 2, 3])
        array = MAKERS[maker](numpy, ref)
        assert array.tolist() == [1, 2, 3]
        assert array.itemsize == scalar.size
        assert array.flags.writeable
        array[0] = 7
        ref[1] = 8
        assert (ref[0], array[1]) == (7, 8)
        with pytest.raises(emheap.BufferInUseError, match="is not freed: still in use"):
            ref.free()
        piece = array.reshape(3, 1)[1:].T
        del array
        with pytest.raises(emheap.BufferInUseError, match="is not freed: still in use"):
            heap.free(ref.address)
        assert piece.tolist() == [[8, 3]]
        del piece
        ref.free()
        assert ref.is_freed


@pytest.mark.parametrize("maker", MAKERS)
def test_an_array_on_a_wrapped_reference_pins_the_block_that_it_lies_in(
    heap: HeapManager, numpy: Any, maker: str
) -> None:
    ref = heap.alloc_array(int32, [1, 2, 3])
    array = MAKERS[maker](numpy, heap.wrap_array(int32, ref.address, 3))
    with pytest.raises(emheap.BufferInUseError, match="is not freed: still in use"):
        ref.free()
    assert array.tolist() == [1, 2, 3]
    del array
    ref.free()


def test_the_kinds_of_numbers_are_right(heap: HeapManager, numpy: Any) -> None:
    for scalar in SCALARS:
        with heap.alloc_array(scalar, 2) as ref:
            expected = {"b": "i", "h": "i", "i": "i", "q": "i", "f": "f", "d": "f"}.get(
                scalar.format, "u"
            )
            for array in (numpy.asarray(ref), ref.numpy()):
                assert array.dtype == numpy.dtype(f"={expected}{scalar.size}")
                assert array.shape == (2,)
            del array


def test_numpys_own_array_is_a_copy(heap: HeapManager, numpy: Any) -> None:
    ref = heap.alloc_array(int32, [1, 2, 3])
    copy = numpy.array(ref)
    ref[0] = 7
    copy[1] = 8
    assert (ref[:], copy.tolist()) == ([7, 2, 3], [1, 8, 3])
    ref.free()
    assert copy.tolist() == [1, 8, 3]


def test_arithmetic_in_place(heap: HeapManager, numpy: Any) -> None:
    with heap.alloc_array(float32, range(1000)) as ref:
        array = ref.numpy()
        array *= 2
        array[::2] = 0
        assert ref[3] == 6.0
        assert sum(ref) == float(numpy.asarray(ref).sum())
        del array


def test_no_elements(heap: HeapManager, numpy: Any) -> None:
    with heap.alloc_array(int32, 0) as ref:
        assert numpy.asarray(ref).shape == ref.numpy().shape == (0,)


def test_a_freed_array_gives_none(heap: HeapManager, numpy: Any) -> None:
    ref = heap.alloc_array(int32, 3)
    ref.free()
    for make in (numpy.asarray, ArrayRef.numpy, lambda ref: ref.__array_interface__):
        with pytest.raises(emheap.UseAfterFreeError, match="use after free"):
            make(ref)


def test_wide_integers_have_no_numpy_type(heap: HeapManager, numpy: Any) -> None:
    with heap.alloc_array(uint128, [1, 2]) as ref:
        with pytest.raises(AttributeError, match="numpy has no type for uint128"):
            _ = ref.__array_interface__
        assert ref.numpy().dtype == numpy.uint8
        assert numpy.array(ref[:], dtype=object).tolist() == [1, 2]


def test_comparing_with_numpy_is_numpys(heap: HeapManager, numpy: Any) -> None:
    with heap.alloc_array(int32, [1, 2, 3]) as ref:
        assert (numpy.array([1, 0, 3]) == ref).tolist() == [True, False, True]
        assert (ref == numpy.array([1, 0, 3])).tolist() == [True, False, True]


def test_without_numpy_the_error_tells_the_cure(
    heap: HeapManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with heap.alloc_array(uint8, 3) as ref, pytest.raises(ImportError, match=r"pip install numpy"):
        ref.numpy()
