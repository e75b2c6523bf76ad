"""Numbers as JavaScript sees them, through views and through its own DataView."""

from __future__ import annotations

import struct
from typing import Any

import js
import pytest
from pyodide.code import run_js

import emheap
from emheap import HeapManager, MisalignedError, NotSupportedError, OutOfBoundsError, Scalar
from emheap.types import scalar_types
from emtests.backends.javascript.buffers import GrowingBuffer, growable, wasm_memory
from emtests.types.values import boundary_values

each_scalar = pytest.mark.parametrize("scalar", scalar_types, ids=lambda scalar: scalar.name)


@pytest.fixture
def memory() -> Any:
    return wasm_memory()


@pytest.fixture
def heap(memory: Any) -> HeapManager:
    from emheap.allocators.pages import PageAllocator

    pages = PageAllocator(memory.grow)
    return emheap.create_wasm_heap_manager(lambda: memory.buffer, pages.allocate, pages.free)


def data_view(memory: Any, scalar: type[Scalar[Any]]) -> tuple[Any, Any]:
    """The methods of a DataView that get and set a type."""
    name = scalar.js_array.removesuffix("Array").replace("Clamped", "")
    view = js.DataView.new(memory.buffer)
    return getattr(view, f"get{name}"), store_with(view, f"set{name}")


# BigInts are made by JavaScript: Python has none before Pyodide 314.
store_with = run_js("""(view, method) => (address, value) =>
    view[method](address, method.includes("Big") ? BigInt(value) : value, true)""")
set_item = run_js("""(array, index, value) => {
    array[index] = array.constructor.name.startsWith("Big") ? BigInt(value) : value;
}""")


@each_scalar
def test_javascript_reads_what_python_wrote_and_the_other_way_round(
    heap: HeapManager, memory: Any, scalar: type[Scalar[Any]]
) -> None:
    get, set_ = data_view(memory, scalar)
    for address in range(64, 73):
        for value in boundary_values(scalar):
            heap.write(scalar, address, value)
            stored = struct.pack("<" + scalar.format, value)
            assert js.Uint8Array.new(memory.buffer, address, scalar.size).to_bytes() == stored
            found = get(address, True)
            assert found == value or found != found
            heap.memory.write_bytes(address, bytes(scalar.size))
            set_(address, value)
            back = heap.read(scalar, address)
            assert type(back) is type(value)
            assert back == value or back != back


@each_scalar
def test_js_view_is_on_the_same_bytes(
    heap: HeapManager, memory: Any, scalar: type[Scalar[Any]]
) -> None:
    with heap.alloc_array(scalar, [1, 2, 3]) as ref:
        view = ref.js_view
        assert view.constructor.name == scalar.js_array
        assert view.buffer == memory.buffer
        assert (view.byteOffset, len(view)) == (ref.address, 3)
        set_item(view, 1, 77)
        assert ref[1] == 77
        ref[2] = 5
        assert view[2] == 5


def test_js_view_is_made_anew_after_growth(heap: HeapManager, memory: Any) -> None:
    with heap.alloc_array(emheap.int32, [1, 2, 3]) as ref:
        before = ref.js_view
        memory.grow(1)
        assert len(before) == 0
        assert run_js("(array) => array[1]")(before) is None  # undefined
        run_js("(array) => { array[1] = 7; }")(before)  # lost
        assert list(ref.js_view) == ref[:] == [1, 2, 3]


def test_js_view_of_a_shared_memory_stays_after_growth() -> None:
    memory = wasm_memory(shared=True)
    heap = emheap.wrap_wasm_instance(memory)
    with heap.alloc_array(emheap.int32, [1, 2, 3]) as ref:
        before = ref.js_view
        memory.grow(1)
        set_item(before, 1, 7)
        assert ref[:] == list(before) == [1, 7, 3]


def test_js_view_is_on_bytes_that_may_be_anothers_when_the_block_was_freed(
    heap: HeapManager,
) -> None:
    ref = heap.alloc_array(emheap.int32, [1, 2, 3])
    view, address = ref.js_view, ref.address
    ref.free()
    heap.memory.write_bytes(address, b"\7")
    assert view[0] == 7


def test_js_view_has_a_length_of_its_own() -> None:
    buffer = growable(1 << 12, 1 << 16)
    growing = GrowingBuffer(lambda: buffer, buffer.resize)
    heap = emheap.create_wasm_heap_manager(growing.get_buffer, growing.allocate, growing.free)
    with heap.alloc_array(emheap.uint8, 8) as ref:
        view = ref.js_view
        buffer.resize(1 << 16)
        assert len(view) == 8


def test_what_has_no_js_view(heap: HeapManager) -> None:
    with heap.alloc(emheap.uint128, 5) as ref, pytest.raises(NotSupportedError):
        _ = ref.js_view
    with heap.alloc_array(emheap.uint8, 16) as ref:
        odd = heap.wrap(emheap.int32, ref.address + 1)
        with pytest.raises(MisalignedError, match="a view of int32 needs an address"):
            _ = odd.js_view
        del odd
    with pytest.raises(OutOfBoundsError):
        heap.memory.js_view(emheap.int32, 65536, 1 << 20)


@each_scalar
def test_atomic_access_is_that_of_javascript(
    heap: HeapManager, memory: Any, scalar: type[Scalar[Any]]
) -> None:
    array = {1: js.Uint8Array, 2: js.Uint16Array, 4: js.Int32Array, 8: js.BigInt64Array}
    heap_write = getattr(heap, f"write_{scalar.name}_atomic")
    heap_read = getattr(heap, f"read_{scalar.name}_atomic")
    for value in boundary_values(scalar):
        heap_write(128, value)
        stored = struct.pack("<" + scalar.format, value)
        seen = js.Atomics.load(array[scalar.size].new(memory.buffer), 128 // scalar.size)
        assert int(seen) == int.from_bytes(stored, "little", signed=seen < 0)
        memory.grow(1)
        assert struct.pack("<" + scalar.format, heap_read(128)) == stored
    if scalar.size > 1:
        with pytest.raises(MisalignedError, match=f"an atomic read of {scalar.name}"):
            heap_read(129)
