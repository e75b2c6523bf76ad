"""Other people's modules, at work on memory that Python allocated in their heaps."""

from __future__ import annotations

import cmath
import math
import random
from collections.abc import Sequence
from typing import Any

import emtests_modules
import js
import pytest
from pyodide.ffi import JsException

import emheap
from emheap import float32, int32, uint8, uint32


def transform(samples: Sequence[complex]) -> list[complex]:
    """The discrete Fourier transform, by its definition."""
    count = len(samples)
    turns = [cmath.exp(-2j * math.pi * k / count) for k in range(count)]
    return [
        sum(sample * turns[k * n % count] for n, sample in enumerate(samples)) for k in range(count)
    ]


def check_close(found: Sequence[float], expected: Sequence[complex]) -> None:
    pairs = [complex(*found[i : i + 2]) for i in range(0, len(found), 2)]
    assert len(pairs) == len(expected)
    assert max(abs(a - b) for a, b in zip(pairs, expected, strict=True)) < 1e-4


def test_pffft_transforms_in_its_own_heap() -> None:
    module = emtests_modules.pffft
    count = 64
    numbers = random.Random(1)
    samples = [complex(numbers.uniform(-1, 1), numbers.uniform(-1, 1)) for _ in range(count)]
    flat = [part for sample in samples for part in (sample.real, sample.imag)]
    heap = emheap.wrap_emscripten_module_heap(module)
    setup = module._pffft_new_setup(count, 1)  # PFFFT_COMPLEX
    with heap.arena() as scratch:
        # SIMD instructions fault on less, and this malloc aligns to 8.
        source = scratch.alloc_array(float32, flat, align=16)
        target = scratch.alloc_array(float32, 2 * count, align=16)
        work = scratch.alloc_array(float32, 2 * count, align=16)
        assert {ref.address % 16 for ref in (source, target, work)} == {0}
        module._pffft_transform_ordered(setup, source.address, target.address, work.address, 0)
        check_close(target[:], transform(samples))
        module._pffft_transform_ordered(setup, target.address, source.address, work.address, 1)
        assert max(abs(a / count - b) for a, b in zip(source, flat, strict=True)) < 1e-6
    module._pffft_destroy_setup(setup)
    assert heap.total_allocated_byte_size == 0


def test_kissfft_transforms_in_its_own_heap() -> None:
    module = emtests_modules.kissfft
    count = 60
    samples = [complex(math.sin(0.3 * n), math.cos(1.1 * n)) for n in range(count)]
    heap = emheap.wrap_emscripten_module_heap(module)
    plan = module._kiss_fft_alloc(count, 0, 0, 0)
    with heap.arena() as scratch:
        flat = [part for sample in samples for part in (sample.real, sample.imag)]
        source = scratch.alloc_array(float32, flat)
        target = scratch.alloc_array(float32, 2 * count)
        module._kiss_fft(plan, source.address, target.address)
        check_close(target[:], transform(samples))
    heap.allocator.free(plan)


def test_the_spectrum_moves_from_one_module_to_the_other() -> None:
    first = emheap.wrap_emscripten_module_heap(emtests_modules.pffft)
    second = emheap.wrap_emscripten_module_heap(emtests_modules.kissfft)
    with first.alloc_array(float32, [0.5, -0.0, 3]) as source, second.alloc_array(float32, 3) as to:
        first.copy_to(second, source, to)
        assert bytes(to) == bytes(source)
        to[1] = 7
        assert list(source) == [0.5, 0.0, 3.0]


def test_bytes_that_go_from_one_module_to_the_other_stay_in_javascript(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = emheap.wrap_emscripten_module_heap(emtests_modules.pffft)
    second = emheap.wrap_emscripten_module_heap(emtests_modules.kissfft)
    with (
        first.alloc_array(uint8, bytes(range(256))) as source,
        second.alloc_array(uint8, 256) as to,
    ):
        with monkeypatch.context() as without:
            for memory in (first.memory, second.memory):
                for name in ("read_bytes", "write_bytes", "lend", "elements"):
                    without.setattr(type(memory), name, None)
            first.copy_to(second, source, to)
        assert bytes(to) == bytes(range(256))


def test_harfbuzz_reads_what_python_stores() -> None:
    module = emtests_modules.harfbuzz
    heap = emheap.wrap_emscripten_module_heap(module)
    with heap.alloc(emheap.utf8, "kern=1") as text, heap.alloc_array(uint32, 4) as feature:
        found = module._hb_feature_from_string(
            text.address, text.encoded_byte_length, feature.address
        )
        assert found
        tag, value, start, end = feature
        assert tag.to_bytes(4, "big") == b"kern"
        assert (value, start, end) == (1, 0, 0xFFFFFFFF)


def test_a_plain_module_with_no_imports() -> None:
    instance = js.WebAssembly.Instance.new(emtests_modules.harfbuzzSubset, js.Object.new())
    heap = emheap.wrap_wasm_instance(instance)
    exports = instance.exports
    with heap.alloc_array(uint8, bytes(range(100))) as blob:
        held = exports.hb_blob_create(blob.address, len(blob), 0, 0, 0)  # duplicates the bytes
        assert exports.hb_blob_get_length(held) == 100
        with heap.alloc(uint32) as length:
            data = exports.hb_blob_get_data(held, length.address)
            assert length.value == 100
        copy = heap.wrap_array(uint8, data, 100)
        assert copy == blob
        assert copy.address != blob.address
        del copy
        exports.hb_blob_destroy(held)


def test_looking_for_members_does_not_abort_a_module() -> None:
    module = emtests_modules.lazPerf
    heap = emheap.wrap_emscripten_module_heap(module)
    with heap.alloc(int32, 5) as number:
        assert module.HEAP32[number.address // 4] == 5
    # What would have happened: Python's own way to ask reads a property that aborts.
    with pytest.raises(JsException, match="wasmMemory"):
        hasattr(module, "wasmMemory")


def test_addresses_are_those_of_the_module() -> None:
    module: Any = emtests_modules.kissfft
    heap = emheap.wrap_emscripten_module_heap(module)
    with heap.alloc_array(int32, [1, -2, 3]) as ref:
        assert [module.HEAP32[ref.address // 4 + i] for i in range(3)] == [1, -2, 3]
        module.HEAP32[ref.address // 4] = 77
        assert ref[0] == 77
        assert module.HEAPU8.buffer == ref.js_view.buffer
