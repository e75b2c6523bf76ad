"""What JavaScript is given: new typed arrays on the same bytes each time."""

from __future__ import annotations

from typing import Any

import pytest

import emheap
from emheap import (
    HeapManager,
    clamped_uint8,
    float32,
    int16,
    int32,
    uint8,
    uint64,
    uint128,
    utf8,
    utf16,
)
from emtests.types.values import SCALARS, boundary_values

pytestmark = pytest.mark.needs("js_view")

TYPES = {
    "int8": "Int8Array",
    "uint8": "Uint8Array",
    "clamped_uint8": "Uint8ClampedArray",
    "int16": "Int16Array",
    "uint16": "Uint16Array",
    "int32": "Int32Array",
    "uint32": "Uint32Array",
    "int64": "BigInt64Array",
    "uint64": "BigUint64Array",
    "float32": "Float32Array",
    "float64": "Float64Array",
    "pointer32": "Uint32Array",
    "pointer53": "BigUint64Array",
    "pointer64": "BigUint64Array",
}


def bytes_of(view: Any) -> bytes:
    """The bytes behind a typed array, as JavaScript sees them."""
    import js

    # By way of a text: what Pyodide copies into Python's bytes is wrong above 2 GiB.
    text = js.Uint8Array.new(view.buffer, view.byteOffset, view.byteLength).join(",")
    return bytes(map(int, text.split(","))) if text else b""


def test_its_type_length_and_bytes(heap: HeapManager) -> None:
    for scalar in SCALARS:
        with heap.alloc_array(scalar, boundary_values(scalar)) as ref:
            view = ref.js_view
            assert view.constructor.name == TYPES[scalar.name]
            assert (view.length, view.byteLength) == (len(ref), ref.allocated_byte_size)
            assert bytes_of(view) == bytes(ref)
        with heap.alloc(scalar, boundary_values(scalar)[-1]) as ref:
            view = ref.js_view
            assert (view.constructor.name, view.length) == (TYPES[scalar.name], 1)
            assert bytes_of(view) == bytes(ref)


def test_nothing_is_copied(heap: HeapManager) -> None:
    with heap.alloc_array(int32, [1, 2, 3]) as ref:
        view = ref.js_view
        view[1] = -7
        assert ref.tolist() == [1, -7, 3]
        ref[2] = 42
        assert view[2] == 42
        view.fill(5)
        assert ref.tolist() == [5, 5, 5]
        assert view.byteOffset % 2**32 == ref.address % 2**32


def test_strings_are_shown_with_their_terminator(heap: HeapManager) -> None:
    with heap.alloc(utf8, "abc") as ref:
        assert ref.js_view.constructor.name == "Uint8Array"
        assert bytes_of(ref.js_view) == b"abc\0"
    with heap.alloc(utf16, "abc") as ref:
        assert (ref.js_view.constructor.name, ref.js_view.length) == ("Uint16Array", 4)
        assert bytes_of(heap.wrap(utf16, ref.address).js_view) == bytes(ref)


def test_an_image_takes_clamped_pixels(heap: HeapManager) -> None:
    import js
    from pyodide.ffi import JsException

    with heap.alloc_array(clamped_uint8, 4 * 6) as ref:
        pixel: Any = [255, 300, -5, 127.5]
        ref[0:4] = pixel
        view = ref.js_view
        assert js.Object.prototype.toString.call(view) == "[object Uint8ClampedArray]"
        if hasattr(js, "ImageData"):
            if view.buffer.constructor.name == "SharedArrayBuffer" or view.buffer.resizable:
                # A rule of browsers, each in its own words; a copy of the pixels will do.
                rule = r"(must not be|can't be a) (shared|resizable|SharedArray)"
                with pytest.raises(JsException, match=rule):
                    js.ImageData.new(view, 3, 2)
                view = js.Uint8ClampedArray.new(view)
            image = js.ImageData.new(view, 3, 2)
            assert (image.width, image.height) == (3, 2)
            assert [image.data[index] for index in range(4)] == [255, 255, 0, 128]


def test_it_must_be_aligned_like_any_view(heap: HeapManager) -> None:
    with heap.alloc_array(uint8, 32, align=8) as room:
        for scalar in (int16, int32, uint64, float32):
            ref = heap.wrap(scalar, room.address + 1)
            with pytest.raises(emheap.MisalignedError, match="is 1 too high"):
                _ = ref.js_view


def test_there_is_none_of_wide_integers_or_freed_blocks(heap: HeapManager) -> None:
    with heap.alloc_array(uint128, 2) as wide, pytest.raises(emheap.NotSupportedError):
        _ = wide.js_view
    ref = heap.alloc_array(int32, 2)
    ref.free()
    with pytest.raises(emheap.UseAfterFreeError, match="use after free"):
        _ = ref.js_view


def test_no_elements(heap: HeapManager) -> None:
    with heap.alloc_array(float32, 0) as ref:
        assert (ref.js_view.length, ref.js_view.constructor.name) == (0, "Float32Array")
