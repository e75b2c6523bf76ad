"""What `numpy()` says where there is no numpy, or where no array can share the bytes."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from emheap import NotSupportedError, Struct, UseAfterFreeError, int32, uint128
from emtests.heaps import HeapKind
from emtests.structures.kinds import Vec


@pytest.fixture
def arrays(scratch: Any) -> list[Any]:
    return [scratch.alloc_array(int32, 3), scratch.alloc_array(Vec, 3)]


def test_numpy_may_be_missing(
    arrays: list[Any], kind: HeapKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)  # as Python has it for what is not there
    for array in arrays:
        if kind.can("zero copy"):
            words = (
                "numpy() needs numpy: pip install numpy, or in Pyodide await "
                'pyodide_js.loadPackage("numpy")'
            )
            with pytest.raises(ImportError, match=f"^{re.escape(words)}$"):
                array.numpy()
        else:
            words = r"no numpy array can share the bytes of .*: work on a copy with array\.edit\(\)"
            with pytest.raises(NotSupportedError, match=words):
                array.numpy()


def test_an_array_that_cannot_be_shared_is_not_copied_behind_ones_back(
    arrays: list[Any], kind: HeapKind
) -> None:
    """numpy asks for this attribute first, and would go through the elements one by one."""
    numbers = arrays[0]
    if kind.can("zero copy"):
        interface = numbers.__array_interface__
        assert (interface["shape"], interface["typestr"]) == ((3,), "<i4")
        return
    with pytest.raises(
        NotSupportedError, match=r"no numpy array .*work on a copy with array\.edit"
    ):
        _ = numbers.__array_interface__


def test_a_type_that_numpy_does_not_have(scratch: Any) -> None:
    wide = scratch.alloc_array(uint128, 2)
    with pytest.raises(AttributeError, match="numpy has no type for uint128"):
        _ = wide.__array_interface__


def test_a_use_after_free_is_the_worse_mistake(heap: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    for made in (heap.alloc_array(int32, 3), heap.alloc_array(Vec, 3)):
        made.free()
        with pytest.raises(UseAfterFreeError):
            made.numpy()


# With numpy


class Wide(Struct):
    number: uint128


@pytest.mark.needs("numpy")
def test_an_array_of_no_structures(scratch: Any) -> None:
    empty = scratch.alloc_array(Vec, 0).numpy()
    assert (empty.shape, empty.dtype.names) == ((0,), ("x", "y"))


@pytest.mark.needs("numpy")
def test_what_numpy_has_as_bytes(scratch: Any) -> None:
    shared = scratch.alloc_array(Wide, [(1,), (2**128 - 1,)]).numpy()
    assert [bytes(number) for number in shared["number"]] == [
        (1).to_bytes(16, "little"),
        (2**128 - 1).to_bytes(16, "little"),
    ]
