"""Opening heaps, and what is no heap."""

from __future__ import annotations

import array
import ctypes
import gc
import mmap
import sys
from typing import Any

import pytest

import emheap
from emheap import (
    BumpAllocator,
    CountingAllocator,
    DebugAllocator,
    FreeListAllocator,
    FunctionsAllocator,
    LibcAllocator,
    Pointer,
    PoolAllocator,
    Struct,
    float64,
    int32,
    long,
    uint8,
    utf8,
    wchar,
)
from emheap._util.platform import c_runtime
from emheap.javascript.own_module import module_functions
from emtests.conftest import skip_for_gap
from emtests.heaps import IN_PYODIDE


def test_home_is_the_memory_of_this_process() -> None:
    heap = emheap.open()
    assert heap.pointer_size == ctypes.sizeof(ctypes.c_void_p)
    with heap.alloc(utf8, "hello") as ref:
        assert ctypes.string_at(ref.address) == b"hello"
    text = ctypes.create_string_buffer(b"from ctypes")
    assert heap.read(utf8, ctypes.addressof(text)) == "from ctypes"
    numbers = (ctypes.c_int32 * 4)(1, 2, 3, 4)
    wrapped = heap.wrap_array(int32, ctypes.addressof(numbers), 4)
    wrapped[2] = 99
    assert numbers[2] == 99
    assert heap.memory.host_address(ref.address) == ref.address


def test_c_may_free_what_it_hands_out() -> None:
    # Small blocks come from lists of freed ones, but each is a malloc of its own.
    heap = emheap.open()
    free = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(("free", c_runtime()))
    if IN_PYODIDE:
        import pyodide_js

        free = getattr(pyodide_js._module, "_free", free)
    for size in (1, 16, 300):
        ref = heap.alloc_array(uint8, size)
        address = ref.detach()
        free(address)
        assert ref.is_freed
    assert heap.total_allocated_byte_size == 0


def test_two_heaps_at_home_are_separate() -> None:
    first, second = emheap.open(), emheap.open()
    ref = first.alloc(int32, 5)
    assert second.total_allocated_byte_size == 0
    with pytest.raises(emheap.NotAllocatedError, match="was not allocated by this heap"):
        second.free(ref.address)
    assert second.wrap(int32, ref.address).value == 5
    ref.free()


def test_the_allocators_that_heaps_come_with() -> None:
    """As the documentation's table of allocators says; those of modules are in their own tests."""
    own: type = LibcAllocator
    if IN_PYODIDE and module_functions() is not None:
        own = FunctionsAllocator
    functions = FreeListAllocator(16, 4096)
    behind_a_callback = emheap.create_wasm_heap_manager(
        lambda: bytearray(4096), functions.allocate, functions.free
    )
    for heap, kinds in (
        (emheap.open(debug=False), [PoolAllocator, own]),
        (emheap.open(debug=True), [DebugAllocator, PoolAllocator, own]),
        (emheap.open(debug=False, count_allocations=True), [CountingAllocator, PoolAllocator]),
        (emheap.wrap_buffer(bytearray(64), debug=False), [FreeListAllocator]),
        (behind_a_callback, [FunctionsAllocator]),
    ):
        found: list[type] = []
        allocator: Any = heap.allocator
        while allocator is not None:
            found.append(type(allocator))
            allocator = getattr(allocator, "_allocator", None)
        assert found[: len(kinds)] == kinds


BUFFERS: dict[str, Any] = {
    "bytearray": lambda: bytearray(4096),
    "memoryview": lambda: memoryview(bytearray(4096)),
    "part of a memoryview": lambda: memoryview(bytearray(8192))[1024:5120],
    "array": lambda: array.array("d", [0.0] * 512),
    "array of int": lambda: array.array("i", [0] * 1024),
    "ctypes array": lambda: (ctypes.c_int64 * 512)(),
    "ctypes string": lambda: ctypes.create_string_buffer(4096),
    "mmap": lambda: mmap.mmap(-1, 4096),
    "two dimensions": lambda: memoryview(bytearray(4096)).cast("B", (64, 64)),
}


@pytest.mark.parametrize("name", BUFFERS)
def test_any_writable_buffer_is_a_heap(name: str) -> None:
    buffer = BUFFERS[name]()
    heap = emheap.wrap_buffer(buffer)
    assert heap.memory.size == 4096
    assert heap.pointer_size == 4
    with heap.alloc_array(int32, [1, 2, 3]) as ref:
        assert ref.address > 0
        content = memoryview(buffer).cast("B") if name != "array of int" else memoryview(buffer)
        raw = bytes(content)
        assert raw[ref.address : ref.address + 12] == b"".join(
            n.to_bytes(4, sys.byteorder) for n in (1, 2, 3)
        )
        content.release()
    assert heap.read(uint8, 4095) == 0


def test_a_buffer_in_use_cannot_be_resized() -> None:
    buffer = bytearray(4096)
    heap = emheap.wrap_buffer(buffer)
    with heap.alloc(int32, 5) as ref:
        with pytest.raises(BufferError, match="cannot be re-sized"):
            buffer.extend(b"more")
        assert ref.value == 5
    del heap, ref
    gc.collect()
    buffer.extend(b"more")


def test_what_is_no_writable_buffer_is_refused() -> None:
    wild: Any = emheap.wrap_buffer
    such = "a heap needs a writable buffer, such as a bytearray, an mmap or the buf of a SharedM"
    for buffer, words in (
        (b"bytes", "a heap needs a writable buffer; this bytes is read-only"),
        (memoryview(b"bytes"), "a heap needs a writable buffer; this memoryview is read-only"),
        ("text", f"{such}emory, not str 'text'"),
        (None, f"{such}emory, not NoneType None"),
        (4096, f"{such}emory, not int 4096"),
        ([0] * 10, f"{such}emory, not list"),
    ):
        with pytest.raises(TypeError, match=words):
            wild(buffer)
    with pytest.raises(ValueError, match="a heap needs a contiguous buffer; this one has strides"):
        wild(memoryview(bytearray(100))[::2])


class Record(Struct):
    tag: uint8
    link: Pointer[None]
    count: long
    letter: wchar
    value: float64


class Tagged(Struct):
    tag: uint8
    value: float64


@pytest.mark.parametrize(
    ("abi", "offsets", "size", "tagged_size"),
    [
        (None, [0, 4, 8, 12, 16], 24, 16),
        ("wasm32-unknown-unknown", [0, 4, 8, 12, 16], 24, 16),
        ("x86_64-linux-gnu", [0, 8, 16, 24, 32], 40, 16),
        ("i386-linux-gnu", [0, 4, 8, 12, 16], 24, 12),
        ("x86_64-pc-windows-msvc", [0, 8, 16, 20, 24], 32, 16),
    ],
)
def test_a_buffer_may_hold_what_another_machine_wrote(
    abi: str | None, offsets: list[int], size: int, tagged_size: int
) -> None:
    heap = emheap.wrap_buffer(bytearray(4096), abi=abi)
    layout = heap.layout(Record)
    assert [field.offset for field in layout.fields.values()] == offsets
    assert layout.size == size
    assert heap.layout(Tagged).size == tagged_size
    assert heap.pointer_size == offsets[1]
    with heap.arena() as arena:
        one = arena.alloc(Record, tag=1, link=arena.alloc(uint8), count=-5, letter="x", value=0.5)
        raw = bytes(one)
        at = offsets[2]
        assert int.from_bytes(raw[at : offsets[3]], sys.byteorder, signed=True) == -5
        assert one.link.address == int.from_bytes(raw[offsets[1] : at], sys.byteorder)
        sizes = arena.alloc_array(emheap.size_t, 3)
        assert sizes.bytes_per_element == heap.pointer_size


def test_what_is_no_abi_is_refused() -> None:
    wild: Any = emheap.wrap_buffer
    with pytest.raises(ValueError, match=r"abi must be one of 'x86_64-linux-gnu', .* got 'x86'"):
        wild(bytearray(64), abi="x86")
    with pytest.raises(TypeError, match="abi must be str, not int 64"):
        wild(bytearray(64), abi=64)


def test_a_buffer_beyond_the_pointers_of_its_machine_is_refused() -> None:
    if ctypes.sizeof(ctypes.c_void_p) == 4:
        skip_for_gap("a buffer beyond 4 GiB", "the memory of this process is smaller")
    with mmap.mmap(-1, (1 << 32) + 4096) as large:
        words = (
            "^a buffer of 4294971392 bytes is larger than what the 32-bit addresses of "
            r"i386 \(System V\) reach$"
        )
        with pytest.raises(ValueError, match=words):
            emheap.wrap_buffer(large, abi="i386-linux-gnu")
        for abi in (None, "x86_64-linux-gnu"):
            assert emheap.wrap_buffer(large, abi=abi).pointer_size == 8
        gc.collect()
    with mmap.mmap(-1, 1 << 32) as reached:
        for abi in (None, "i386-linux-gnu"):
            assert emheap.wrap_buffer(reached, abi=abi).pointer_size == 4
        gc.collect()


def test_a_block_of_a_buffer_is_as_large_as_there_is_room_for() -> None:
    if ctypes.sizeof(ctypes.c_void_p) == 4:
        skip_for_gap("a buffer beyond 4 GiB", "the memory of this process is smaller")
    with mmap.mmap(-1, (1 << 32) + 4096) as large:
        heap = emheap.wrap_buffer(large, clear_allocated_regions=False, debug=False)
        block = heap.alloc_array(uint8, 1 << 32)
        for index in (1 << 31, -1):
            block[index] = 7
            assert large[block.address + index % (1 << 32)] == block.view[index] == 7
        heap.close()


def test_the_smallest_buffers() -> None:
    for size in range(40):
        try:
            heap = emheap.wrap_buffer(bytearray(size))
        except emheap.OutOfBoundsError as error:
            assert size < 16, error  # noqa: PT017 (no room for a block at all)
            continue
        assert heap.memory.size == size
        with pytest.raises(emheap.OutOfMemoryError, match="no room for 100 bytes"):
            heap.alloc_array(uint8, 100)
        if size >= 24:
            heap.alloc(uint8, 5).free()


def test_the_allocator_may_be_chosen() -> None:
    made = FreeListAllocator(128, 1024, alignment=32)
    for allocator, first in (
        (FreeListAllocator, 16),
        (BumpAllocator, 16),
        (made, 128),
        (lambda start, end: BumpAllocator(start + 48, end), 64),
    ):
        heap = emheap.wrap_buffer(bytearray(1024), allocator=allocator)
        with heap.alloc(uint8, 5) as ref:
            assert ref.address == first
    assert heap.allocator is not made


def test_what_is_no_allocator_is_refused() -> None:
    wild: Any = emheap.wrap_buffer
    for allocator, words in (
        (None, "allocator must be an allocator such as FreeListAllocator, not NoneType None"),
        ("bump", "allocator must be an allocator such as FreeListAllocator, not str 'bump'"),
        (lambda start, end: None, "allocator gave NoneType None, which is no Allocator"),
        (lambda start, end: 16, "allocator gave int 16, which is no Allocator"),
    ):
        with pytest.raises(TypeError, match=words):
            wild(bytearray(1024), allocator=allocator)


def test_modules_need_javascript() -> None:
    if IN_PYODIDE:
        skip_for_gap("no JavaScript", "there is JavaScript here")
    for module in (None, 5, "Module", object(), {}):
        words = (
            r"^wrap_emscripten_module_heap\(\) needs the JavaScript module of Pyodide; on native "
            r"Python use emheap.open\(\)$"
        )
        with pytest.raises(emheap.NotSupportedError, match=words):
            emheap.wrap_emscripten_module_heap(module)


def test_what_is_no_module_is_refused() -> None:
    if not IN_PYODIDE:
        skip_for_gap("Emscripten modules", "there is no JavaScript in this process")
    import js

    for module in (None, 5, "Module", object(), {}):
        with pytest.raises(TypeError, match="the module must be a JavaScript object, not"):
            emheap.wrap_emscripten_module_heap(module)
    for module in (js.Object.new(), js.JSON):  # a module may look so that exports nothing
        with pytest.raises(emheap.NotSupportedError, match="the module exports neither its mem"):
            emheap.wrap_emscripten_module_heap(module)


def test_pyodides_own_module_may_be_there_to_wrap_only() -> None:
    if not IN_PYODIDE:
        skip_for_gap("Emscripten modules", "there is no JavaScript in this process")
    import pyodide_js

    heap = emheap.wrap_emscripten_module_heap(pyodide_js._module, wrap_only=True)
    with emheap.open().alloc(int32, 5) as number:
        assert heap.read_int32(number.address) == 5
    with pytest.raises(emheap.NotSupportedError, match="opened to read, write and wrap"):
        heap.alloc(int32)
