# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
# mypy: warn-unused-ignores
"""Wrong uses, each of which both checkers must refuse; never run.

A comment `type: ignore` on a line that a checker has no complaint about is itself an error to it.
"""

from __future__ import annotations

import emheap
from emheap import HeapManager


def numbers(heap: HeapManager) -> None:
    heap.alloc(emheap.int32, "7")  # type: ignore[misc]
    heap.alloc(emheap.int32, 0.5)  # type: ignore[misc]
    heap.alloc(emheap.float64, "0.5")  # type: ignore[misc]
    heap.alloc(int)  # type: ignore[arg-type]
    heap.alloc("int32")  # type: ignore[call-overload]
    heap.alloc(emheap.int32, align="8")  # type: ignore[call-overload]
    heap.alloc_int32("7")  # type: ignore[arg-type]
    heap.alloc_uint128(0.5)  # type: ignore[arg-type]
    ref = heap.alloc(emheap.int32)
    text: str = ref.value  # type: ignore[assignment]
    print(text)  # noqa: T201
    ref.value = "7"  # type: ignore[assignment]
    ref.value = 0.5  # type: ignore[assignment]
    ref.write(None)  # type: ignore[arg-type]
    ref.address = 5  # type: ignore[misc]
    ref.is_freed = True  # type: ignore[misc]


def arrays(heap: HeapManager) -> None:
    heap.alloc_array(emheap.utf8, 4)  # type: ignore[arg-type]
    heap.alloc_array(emheap.int32, ["1"])  # type: ignore[misc]
    heap.alloc_array(emheap.int32, 1.5)  # type: ignore[call-overload]
    heap.alloc_array(emheap.int32)  # type: ignore[call-overload]
    samples = heap.alloc_array(emheap.float32, 4)
    samples[0] = "x"  # type: ignore[call-overload]
    samples["0"]  # type: ignore[call-overload]
    samples[0:2] = 0.5  # type: ignore[call-overload]
    samples.append(0.5)  # type: ignore[attr-defined]
    samples.read_at("0")  # type: ignore[arg-type]
    wrong: list[str] = samples.tolist()  # type: ignore[assignment]
    print(wrong)  # noqa: T201


def strings(heap: HeapManager) -> None:
    heap.alloc(emheap.utf8)  # type: ignore[arg-type]
    heap.alloc(emheap.utf8, b"bytes")  # type: ignore[arg-type]
    heap.alloc(emheap.utf8, 1.5)  # type: ignore[arg-type]
    name = heap.alloc(emheap.utf8, "x")
    number: int = name.value  # type: ignore[assignment]
    print(number)  # noqa: T201
    name.value = b"bytes"  # type: ignore[assignment]
    name.value = 5  # type: ignore[assignment]
    name.write("x", errors=5)  # type: ignore[arg-type]


def raw(heap: HeapManager) -> None:
    heap.read(emheap.int32)  # type: ignore[call-overload]
    heap.read(emheap.int32, "16")  # type: ignore[call-overload]
    heap.read(emheap.int32, 16, 4)  # type: ignore[arg-type]
    heap.read_int32(16.0)  # type: ignore[arg-type]
    heap.read_int33(16)  # type: ignore[attr-defined]
    heap.write(emheap.int32, 16, "x")  # type: ignore[misc]
    heap.write(emheap.utf8, 16, 5)  # type: ignore[arg-type]
    heap.write_float32(16, "x")  # type: ignore[arg-type]
    heap.write_null_terminated_utf8_string(16, 5)  # type: ignore[arg-type]
    heap.view(emheap.utf8, 16, 4)  # type: ignore[arg-type]
    heap.wrap_array(emheap.utf8, 16, 4)  # type: ignore[arg-type]
    heap.wrap(emheap.int32, 16, 4)  # type: ignore[arg-type]
    heap.free("16")  # type: ignore[arg-type]
    heap.free(None)  # type: ignore[arg-type]
    text: str = heap.read(emheap.int32, 16)  # type: ignore[assignment]
    number: int = heap.read(emheap.utf8, 16)  # type: ignore[assignment]
    print(text, number)  # noqa: T201


def opening() -> None:
    emheap.open(True)  # type: ignore[call-arg]
    emheap.wrap_buffer(bytearray(64), None)  # type: ignore[arg-type, call-arg]
    emheap.wrap_buffer(bytearray(64), allocator="bump")  # type: ignore[arg-type]
    emheap.wrap_buffer(bytearray(64), abi=32)  # type: ignore[arg-type]
    emheap.create_wasm_heap_manager(None, None, None)  # type: ignore[arg-type]
    emheap.open(trackAllocations=True)  # type: ignore[call-arg]
    emheap.open(track_allocations=1)  # type: ignore[arg-type]
    emheap.open(polling_mode="sometimes")  # type: ignore[arg-type]
    emheap.open(site_depth="4")  # type: ignore[arg-type]
    emheap.wrap_buffer(bytearray(64), debug=None)  # type: ignore[arg-type]
    emheap.create_wasm_heap_manager(bytearray, sizedfree=True)  # type: ignore[call-arg]
    emheap.wrap_wasm_instance(None, memroy="memory")  # type: ignore[call-arg]
    emheap.wrap_emscripten_module_heap(None, mallok="_malloc")  # type: ignore[call-arg]
    emheap.load_wasm("file.wasm", polling_mode="x")  # type: ignore[arg-type]
    emheap.nonesuch()  # type: ignore[attr-defined]
