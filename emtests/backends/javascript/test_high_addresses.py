"""Other memories above 2 GiB, and Pyodide's own when what is copied lies up there."""

from __future__ import annotations

import random
import struct
from typing import Any

import js
import pytest

import emheap
from emheap import HeapManager, OutOfBoundsError, Scalar, uint8, uint32, utf8, utf16
from emheap.types import scalar_types
from emtests.backends.javascript.buffers import PAGE
from emtests.backends.javascript.instances import instantiate
from emtests.types.values import boundary_values
from emtests.webassembly.guests import FIXTURES

GIB = 1 << 30


@pytest.fixture
def instance() -> Any:
    """A module whose memory has more than 2 GiB, so that the next blocks lie above."""
    instance = instantiate(FIXTURES / "guest32.wasm")
    instance.exports.malloc(1)  # the first call takes all the memory there is
    instance.exports.memory.grow((2 * GIB + (1 << 20)) // PAGE)
    return instance


def test_addresses_are_unsigned(instance: Any) -> None:
    heap = emheap.wrap_wasm_instance(instance)
    with heap.alloc_array(uint8, 1 << 20) as block, heap.alloc(uint32) as pointer:
        assert block.address > 2 * GIB
        pointer.value = block.address
        assert heap.read_pointer32(pointer.address) == block.address
        block[5] = 7
        exports = instance.exports
        assert exports.load_byte(block.address + 5) == 7
        exports.store_byte(block.address + 6, 8)
        assert block[6] == 8


@pytest.mark.parametrize("place", [GIB // 2, GIB, 2 * GIB, 2 * GIB + 100000])
def test_every_type_around_a_border(instance: Any, place: int) -> None:
    heap = emheap.wrap_wasm_instance(instance)
    memory = instance.exports.memory
    for scalar in scalar_types:
        for address in (*range(place - 9, place + 2), place + 64):
            for value in boundary_values(scalar):
                check_number(heap, memory, scalar, address, value)
    for text in (utf8, utf16):
        written = "crosses " * 20
        heap.write(text, place - 40, written)
        assert heap.read(text, place - 40) == written
    data = random.Random(3).randbytes(1000)
    array = heap.wrap_array(uint8, place - 500, 1000)
    array[:] = data
    assert bytes(array) == data
    assert array.js_view.to_bytes() == data
    assert array.view[400:600].tobytes() == data[400:600]
    heap.fill(place - 10, 9, 20)
    assert array[488:512] == [*data[488:490], *[9] * 20, *data[510:512]]
    assert heap.find(array, bytes([9] * 20)) == place - 10


def check_number(
    heap: HeapManager, memory: Any, scalar: type[Scalar[Any]], address: int, value: Any
) -> None:
    heap.write(scalar, address, value)
    stored = struct.pack("<" + scalar.format, value)
    assert js.Uint8Array.new(memory.buffer, address, scalar.size).to_bytes() == stored
    assert struct.pack("<" + scalar.format, heap.read(scalar, address)) == stored


def test_the_end_of_a_large_memory(instance: Any) -> None:
    heap = emheap.wrap_wasm_instance(instance)
    end = heap.memory.size
    for scalar in scalar_types:
        heap.write(scalar, end - scalar.size, 1)
        for address in (end - scalar.size + 1, end, 4 * GIB - 1, 4 * GIB, 1 << 53, 1 << 64):
            with pytest.raises(OutOfBoundsError):
                heap.write(scalar, address, 1)
            with pytest.raises(OutOfBoundsError):
                heap.read(scalar, address)


@pytest.mark.last
def test_python_objects_above_2_gib_are_copied_whole(instance: Any) -> None:
    # There Pyodide's own bridge stores zeros, or raises RangeError.
    heap = emheap.wrap_wasm_instance(instance)
    own = emheap.open(clear_allocated_regions=False)
    with own.arena() as fillers, heap.arena() as scratch:
        while own.memory.size < 2 * GIB + (64 << 20):
            fillers.alloc_array(uint8, GIB // 4)
        data = bytes(range(256)) * (1 << 18)  # 64 MiB, with no room below
        while id(data) < 2 * GIB:
            fillers.alloc_array(uint8, 32 << 20)
            data = bytes(range(256)) * (1 << 18)
        part = data[: 5 << 20]
        ref = scratch.alloc_array(uint8, part)
        assert js.Uint8Array.new(instance.exports.memory.buffer, ref.address, 512).to_bytes() == (
            bytes(range(256)) * 2
        )
        assert bytes(ref) == part
        ref[:] = memoryview(data)[1 : (5 << 20) + 1]
        assert bytes(ref) == data[1 : (5 << 20) + 1]
        assert heap.find(ref, data[:256]) == ref.address + 255
        big = scratch.alloc_array(uint8, data)
        out = [bytes(big)]
        while id(out[-1]) < 2 * GIB:  # there was room below still
            out.append(bytes(big))
        assert out[-1] == data
        with own.alloc_array(uint8, len(part)) as there:
            heap.copy_to(own, ref, there)
            assert bytes(there) == bytes(ref)
        heap.write(utf8, ref.address, "above")
        assert heap.read(utf8, ref.address) == "above"
