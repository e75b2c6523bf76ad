"""JavaScript's typed arrays as the contents of arrays, on every heap."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

import js
import pytest
from pyodide.code import run_js
from pyodide.ffi import JsException

import emheap
from emheap import Arena, HeapManager, float32, float64, int8, int16, int32, int64, uint8, uint64
from emtests.backends.javascript.buffers import growable
from emtests.conftest import skip_for_gap

IN_NODE = hasattr(js, "process")


def bits(values: Any) -> list[bytes]:
    return [struct.pack("<d", value) for value in values]


@pytest.mark.parametrize(
    ("source", "scalar", "expected"),
    [
        ("new Int8Array([1, -2])", int8, [1, -2]),
        ("new Uint8ClampedArray([1.5, 300])", uint8, [2, 255]),
        ("new Int16Array([1, -2])", int32, [1, -2]),
        ("new Int32Array([1, -(2 ** 31)])", int32, [1, -(2**31)]),
        ("new Uint32Array([2 ** 32 - 1])", uint64, [2**32 - 1]),
        ("new BigInt64Array([-1n, 2n ** 62n + 1n])", int64, [-1, 2**62 + 1]),
        ("new BigUint64Array([2n ** 64n - 1n])", uint64, [2**64 - 1]),
        ("new Float32Array([0.5, -2])", float64, [0.5, -2.0]),
        ("new Uint8Array([7, 8, 9]).buffer", int16, [7, 8, 9]),
        ("new DataView(new Uint8Array([7, 8, 9]).buffer, 1)", uint8, [8, 9]),
        ("new Int16Array(new Int16Array([1, 2, 3, 4]).buffer, 2, 2)", int16, [2, 3]),
        ("new Int32Array(new SharedArrayBuffer(8))", int32, [0, 0]),
        ("new Float64Array(0)", float64, []),
        ("[1, 2, 3]", uint8, [1, 2, 3]),
    ],
)
def test_elements_are_what_javascript_has(
    heap: HeapManager, scratch: Arena, source: str, scalar: Any, expected: list[Any]
) -> None:
    elements = run_js(source)
    assert scratch.alloc_array(scalar, elements) == expected
    ref = scratch.alloc_array(scalar, len(expected))
    ref[:] = elements
    assert ref == expected


def test_floats_keep_their_sign_and_stay_floats(scratch: Arena) -> None:
    ref = scratch.alloc_array(float64, run_js("new Float64Array([-0, 2, NaN, -Infinity, 2 ** 53])"))
    assert [type(value) for value in ref] == [float] * 5
    assert bits(ref) == bits([-0.0, 2.0, math.nan, -math.inf, 2.0**53])
    single = scratch.alloc_array(float32, run_js("new Float32Array([-0, 2])"))
    assert bits(single) == bits([-0.0, 2.0])


def test_elements_that_do_not_fit_are_refused(heap: HeapManager) -> None:
    with pytest.raises(OverflowError, match="element 1: 300 does not fit uint8"):
        heap.alloc_array(uint8, run_js("new Int16Array([1, 300])"))
    with pytest.raises(TypeError, match=r"element 0: int32 takes an int, not float 1\.0"):
        heap.alloc_array(int32, run_js("new Float64Array([1])"))
    assert heap.total_allocated_byte_size == 0


def test_a_subclass_is_what_it_derives_from(scratch: Arena) -> None:
    # Pyodide lets a typed array through by the name of its class.
    source = "new (class Int16Array extends globalThis.Int16Array {})([1, -2])"
    assert scratch.alloc_array(int32, run_js(source)) == [1, -2]


def test_a_buffer_of_node_is_bytes(scratch: Arena) -> None:
    if not IN_NODE:
        skip_for_gap("Buffer", "it is Node's")
    with pytest.raises((RuntimeError, JsException), match="Unknown typed array type 'Buffer'"):
        run_js("Buffer.from('bytes')")  # the day that Pyodide lets it through, so do we
    # Small ones share one ArrayBuffer, so theirs begins somewhere inside.
    source = "Object.defineProperty(Buffer.from('bytes'), 'constructor', {value: Uint8Array})"
    buffer = run_js(source)
    wild: Any = scratch
    assert buffer.buffer.byteLength > 5
    assert bytes(wild.alloc_array(uint8, buffer)) == b"bytes"


def test_half_floats(scratch: Arena) -> None:
    if not js.Object.hasOwn(js.globalThis, "Float16Array"):
        skip_for_gap("Float16Array", "this engine has none")
    source = (
        "Object.defineProperty(new Float16Array([0.5, -2, 65504]), 'constructor',"
        " {value: Uint16Array})"
    )
    assert scratch.alloc_array(float32, run_js(source)) == [0.5, -2.0, 65504.0]


def test_a_length_that_tracks_its_buffer_is_the_latest(scratch: Arena) -> None:
    # Pyodide keeps the length it saw first, and would copy more bytes than the target has.
    buffer = growable(8, 1 << 16)
    tracking = js.Uint8Array.new(buffer)
    assert len(scratch.alloc_array(uint8, tracking)) == 8
    buffer.resize(1 << 16)
    assert len(scratch.alloc_array(uint8, tracking)) == 1 << 16
    buffer.resize(4)
    assert len(scratch.alloc_array(uint8, tracking)) == 4


def test_a_js_view_of_one_heap_fills_another(heap: HeapManager, scratch: Arena) -> None:
    own = emheap.open()
    with own.alloc_array(float64, [1, -0.0, 2.5]) as source:
        assert bits(scratch.alloc_array(float64, source.js_view)) == bits([1.0, -0.0, 2.5])


def test_objects_of_javascript_are_not_asked_for_members(heap: HeapManager, scratch: Arena) -> None:
    symbol = run_js("Symbol('text')")  # which refuses every question
    getter = run_js("({get dtype() { throw new Error('asked'); }})")
    array: Any = scratch.alloc_array(int32, 3)
    wild: Any = heap
    for value in (symbol, getter):
        uses: tuple[Callable[[], Any], ...] = (
            lambda: wild.write_int32(array.address, value),  # noqa: B023
            lambda: wild.write_float64(array.address, value),  # noqa: B023
            lambda: array.__setitem__(0, value),  # noqa: B023
            lambda: wild.alloc(emheap.boolean, value),  # noqa: B023
            lambda: wild.write_pointer32(array.address, value),  # noqa: B023
        )
        for use in uses:
            with pytest.raises(TypeError):
                use()
        with pytest.raises(TypeError):
            array[:] = value
        with pytest.raises(TypeError):
            heap.alloc_array(int32, value)
    assert array[:] == [0, 0, 0]
