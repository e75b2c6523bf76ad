"""The program of the README, on every heap."""

from __future__ import annotations

from emheap import HeapManager, float32, int32, utf8


def test_numbers_arrays_and_strings(heap: HeapManager) -> None:
    count = heap.alloc(int32, 7)
    samples = heap.alloc_array(float32, 1024)
    name = heap.alloc(utf8, "héllo")
    count.value += 1
    samples[0:4] = [0.0, 0.5, 1.0, 0.5]
    assert heap.read(int32, count.address) == 8
    assert heap.read_float32(samples.address + 8) == 1.0
    assert heap.read_null_terminated_utf8_string(name.address) == "héllo"
    assert heap.total_allocated_byte_size == 4 + 4096 + 7
    for ref in (count, samples, name):
        heap.free(ref)
    assert heap.total_allocated_byte_size == 0
