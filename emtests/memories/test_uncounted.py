"""The window that builds without the interpreter's lock use: a memoryview's interface, no count."""

from __future__ import annotations

import ctypes
import struct
from typing import Any

import pytest

from emheap.memories.uncounted import UncountedWindow
from emtests.conftest import skip_for_gap


@pytest.fixture
def window() -> Any:
    return UncountedWindow((ctypes.c_ubyte * 20)(*range(20)))


def test_it_is_used_as_a_memoryview_is(window: Any) -> None:
    assert len(window) == 20
    assert (window[3], window[-1], bytes(window[4:6])) == (3, 19, b"\4\5")
    window[3] = 33
    window[4:6] = b"ab"
    assert bytes(window[3:7]) == b"!ab\6"
    with pytest.raises(IndexError, match=r"out of (range|bounds)"):
        window[20]


def test_numbers_end_where_eight_bytes_do(window: Any) -> None:
    numbers = window.cast("i")
    assert len(numbers) == 4
    numbers[1] = -2
    assert bytes(window[4:8]) == b"\xfe\xff\xff\xff"


def test_a_slice_outlives_the_others_and_the_window(window: Any) -> None:
    first, second = window[2:4], window[2:4]
    first.release()
    window.release()
    assert bytes(second) == b"\2\3"
    with pytest.raises(ValueError, match="released"):
        window[0]


def test_struct_reads_and_writes_it(window: Any) -> None:
    if not hasattr(bytes, "__buffer__"):
        skip_for_gap("the buffer protocol in Python", "CPython has it from 3.12 on")
    struct.pack_into("<i", window, 1, -5)
    assert struct.unpack_from("<i", window, 1) == (-5,)
