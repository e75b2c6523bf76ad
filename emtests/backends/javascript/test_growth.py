"""Nothing is lost and nothing is stale: before, during and after growth, in every polling mode."""

from __future__ import annotations

import struct
from typing import Any

import js
import pytest
from pyodide.code import run_js

import emheap
from emheap import (
    HeapManager,
    NullPointerError,
    OutOfBoundsError,
    Scalar,
    float64,
    int32,
    uint8,
    utf8,
    utf16,
)
from emheap.types import FloatingPoint, scalar_types
from emtests.backends.javascript.buffers import PAGE, growable, js_object, wasm_memory
from emtests.backends.javascript.growing import (
    MEMORIES,
    GrowingMemory,
    LengthTrackingWasmMemory,
    MemoryKind,
    ReplacedBuffer,
    ResizableBuffer,
    WasmMemory,
)
from emtests.backends.javascript.instances import instantiate
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import FIXTURES

each_memory = pytest.mark.parametrize("memory_kind", MEMORIES, ids=str)
Wild = Any

# A buffer that is replaced and neither detached nor too short is noticed by "always" only.
each_that_is_noticed = pytest.mark.parametrize(
    ("memory_kind", "mode"),
    [
        pytest.param(memory_kind, mode, id=f"{memory_kind}-{mode}")
        for memory_kind in MEMORIES
        for mode in ("when_empty", "always")
        if mode == "always" or memory_kind.make is not ReplacedBuffer
    ],
)


@pytest.fixture
def memory(memory_kind: MemoryKind) -> GrowingMemory:
    if memory_kind.missing:
        skip_for_gap(str(memory_kind), memory_kind.missing)
    return memory_kind.make()


def value_of(scalar: type[Scalar[Any]], seed: int) -> Any:
    return seed % 100 + (0.5 if issubclass(scalar, FloatingPoint) else 0)


def packed(scalar: type[Scalar[Any]], value: Any) -> bytes:
    return struct.pack("<" + scalar.format, value)


@each_that_is_noticed
def test_what_was_made_before_is_right_after(memory: GrowingMemory, mode: str) -> None:
    heap = memory.open(mode)
    refs: list[Any] = [heap.wrap(scalar, 64 + 16 * i) for i, scalar in enumerate(scalar_types)]
    array = heap.wrap_array(int32, 1024, 4)
    text = heap.wrap(utf8, 2048, 20)
    view: Any = heap.view(float64, 4096, 4)
    bytes_view = heap.view(uint8, 4096, 32)
    for seed in range(5):
        for ref in refs:
            ref.value = value_of(ref.kind, seed)
        array[:] = range(seed, seed + 4)
        array[1] = -seed
        text.value = f"text {seed}"
        view[2] = seed + 0.25
        memory.grow()
        assert [ref.value for ref in refs] == [value_of(ref.kind, seed) for ref in refs]
        assert array[:] == [seed, -seed, seed + 2, seed + 3]
        assert text.value == f"text {seed}"
        assert view.tolist() == [0.0, 0.0, seed + 0.25, 0.0]
        assert bytes_view[16:24].tobytes() == packed(float64, seed + 0.25)
        assert memory.seen_by_javascript(1024, 8) == struct.pack("<ii", seed, -seed)


@each_that_is_noticed
def test_every_first_access_after_growth_lands(memory: GrowingMemory, mode: str) -> None:
    heap = memory.open(mode)
    for scalar in scalar_types:
        for address in (512, 513):  # aligned, and not
            heap.write(scalar, address, 0)
            memory.grow()
            value = value_of(scalar, 41)
            heap.write(scalar, address, value)
            assert memory.seen_by_javascript(address, scalar.size) == packed(scalar, value)
            memory.grow()
            assert heap.read(scalar, address) == value
    for write, written in (
        (lambda: heap.memory.write_bytes(700, b"bytes"), b"bytes"),
        (lambda: heap.write(utf8, 700, "text"), b"text\0"),
        (lambda: heap.write(utf16, 700, "z"), b"z\0\0\0"),
        (lambda: heap.fill(700, 7, 3), b"\7\7\7"),
        (lambda: heap.wrap_array(uint8, 700, 3).clear(), bytes(3)),
        (lambda: heap.write_int32_atomic(700, 77), packed(int32, 77)),
    ):
        memory.grow()
        write()
        assert memory.seen_by_javascript(700, len(written)) == written
    memory.grow()
    assert heap.read_int32_atomic(700) == 77


@each_that_is_noticed
def test_what_was_added_is_there_and_no_more(memory: GrowingMemory, mode: str) -> None:
    heap = memory.open(mode)
    for scalar in scalar_types:
        end = memory.size
        last = end - scalar.size
        heap.write(scalar, last, value_of(scalar, 9))
        for address in (last + 1, end, end + PAGE):
            before = memory.seen_by_javascript(last, scalar.size)
            with pytest.raises(OutOfBoundsError, match=f"write of {scalar.name}"):
                heap.write(scalar, address, value_of(scalar, 1))
            with pytest.raises(OutOfBoundsError, match=f"read of {scalar.name}"):
                heap.read(scalar, address)
            assert memory.seen_by_javascript(last, scalar.size) == before
        memory.grow()
        heap.write(scalar, end, value_of(scalar, 7))
        assert heap.read(scalar, end) == value_of(scalar, 7)
        assert memory.seen_by_javascript(end, scalar.size) == packed(scalar, value_of(scalar, 7))


@each_memory
def test_a_string_may_end_in_what_was_added(memory: GrowingMemory) -> None:
    heap = memory.open()
    end = memory.size
    heap.memory.write_bytes(end - 3, b"abc")
    with pytest.raises(emheap.UnterminatedStringError):
        heap.read(utf8, end - 3)
    memory.grow()
    assert heap.read(utf8, end - 3) == "abc"
    heap.write(utf8, end - 3, "crosses the old end")
    assert heap.read(utf8, end - 3) == "crosses the old end"


@each_memory
def test_when_empty_asks_only_when_something_is_amiss(memory: GrowingMemory) -> None:
    heap = memory.open()
    heap.write_int32(64, 5)
    asked = memory.polls
    for _ in range(20):
        heap.write_int32(64, heap.read_int32(64) + 1)
        heap.write_float64(65, 2.5)
        heap.write(utf8, 200, "text")
        assert heap.read(utf8, 200) == "text"
    assert memory.polls == asked
    memory.grow()
    assert heap.read_int32(memory.size - 4) == 0
    assert memory.polls > asked


@each_memory
def test_always_asks_each_time(memory: GrowingMemory) -> None:
    heap = memory.open("always")
    actions = (
        lambda: heap.read_int32(64),
        lambda: heap.write_int32(64, 1),
        lambda: heap.read_float32(61),
        lambda: heap.read_uint64(64),
        lambda: heap.read_pointer53(64),
        lambda: heap.write(utf8, 64, "x"),
        lambda: heap.read(utf8, 64),
        lambda: heap.view_uint8_array(64, 8)[3],
        lambda: heap.read_uint8_atomic(64),
    )
    for action in actions:
        asked = memory.polls
        action()
        assert memory.polls > asked


@each_memory
def test_never_asks_once_and_then_raises_rather_than_lose(memory: GrowingMemory) -> None:
    heap = memory.open("never")
    asked = memory.polls
    ref = heap.wrap(int32, 64)
    ref.value = 5
    end = memory.size
    memory.grow()
    with pytest.raises(OutOfBoundsError):
        heap.read_int32(end)
    if memory.detaches:
        ways: list[Wild] = [
            lambda: ref.value,
            lambda: setattr(ref, "value", 6),
            lambda: heap.write_float64(64, 1.5),
            lambda: heap.read_uint8(64),
            lambda: heap.write_int64(64, 1),
            lambda: heap.read_int64(61),
            lambda: heap.memory.read_bytes(64, 4),
            lambda: heap.write(utf8, 64, "lost?"),
            lambda: heap.read(utf8, 64),
            lambda: heap.fill(64, 1, 4),
        ]
        for way in ways:
            words = (
                "was detached or shrunk, as when a WebAssembly memory grows, and "
                "polling_mode='never' asks for no other$"
            )
            with pytest.raises(OutOfBoundsError, match=words):
                way()
        with pytest.raises(NullPointerError):
            heap.read_int32(0)
        assert memory.seen_by_javascript(64, 4) == packed(int32, 5)
    elif not isinstance(memory, ReplacedBuffer):
        ref.value = 6
        assert memory.seen_by_javascript(64, 4) == packed(int32, 6)
    assert memory.polls == asked


def test_a_memory_whose_malloc_is_webassemblys_is_not_asked_for_at_each_access() -> None:
    exports = instantiate(FIXTURES / "guest32.wasm").exports
    wrapped = run_js("(malloc) => (size) => malloc(size)")(exports.malloc)
    for malloc, always in ((exports.malloc, False), (wrapped, True), (lambda size: 0, False)):
        memory: Any = emheap.create_wasm_heap_manager(
            lambda: exports.memory.buffer, malloc, exports.free
        ).memory
        assert memory.polls_always is always


def test_an_iteration_does_not_end_with_the_buffer() -> None:
    memory = WasmMemory()
    heap = memory.open("never")
    for kind in (int32, float64, emheap.int64):
        array: Any = heap.wrap_array(kind, 64, 5)
        array[:] = range(1, 6)
        assert list(array) == [1, 2, 3, 4, 5]
    started = iter(array)
    assert [next(started), next(started)] == [1, 2]
    memory.grow()
    for use in (list, sum, lambda array: 77 in array, lambda _: list(started)):
        with pytest.raises(OutOfBoundsError, match="was detached"):
            use(array)


# Shrinking, and buffers that are gone


@pytest.mark.parametrize("mode", ["when_empty", "always", "never"])
def test_a_buffer_that_shrank_has_no_more_than_it_has(mode: str) -> None:
    memory = ResizableBuffer()
    heap = memory.open(mode)
    for scalar in scalar_types:
        heap.write(scalar, PAGE - 8, 0)
    memory.resize(1000)
    for scalar in scalar_types:
        with pytest.raises(OutOfBoundsError):
            heap.write(scalar, PAGE - 8, 1)
        with pytest.raises(OutOfBoundsError):
            heap.read(scalar, 1000)
    if mode != "never":
        heap.write_int32(64, 5)
        assert memory.seen_by_javascript(64, 4) == packed(int32, 5)
        assert heap.memory.size == 1000
    memory.resize(PAGE)
    heap.write_int32(PAGE - 8, 6)
    assert memory.seen_by_javascript(PAGE - 8, 4) == packed(int32, 6)
    heap.write_int32(64, 7)
    assert memory.seen_by_javascript(64, 4) == packed(int32, 7)


def test_a_buffer_that_was_given_away_raises() -> None:
    memory = WasmMemory()
    heap = memory.open()
    buffer = js.ArrayBuffer.new(100)
    memory.latest = lambda: buffer  # type: ignore[method-assign]
    heap.memory.size  # noqa: B018 (asks for the latest buffer)
    heap.write_int32(64, 5)
    js.structuredClone(buffer, js_object(transfer=[buffer]))
    for way in (lambda: heap.read_int32(64), lambda: heap.write_int32(64, 6)):
        with pytest.raises(OutOfBoundsError, match="is empty: its memory has no page yet, or the"):
            way()
    assert heap.memory.size == 0


def test_a_memory_without_a_page_gets_one() -> None:
    memory = WasmMemory()
    memory.memory = js.WebAssembly.Memory.new(js_object(initial=0, maximum=2))
    heap = memory.open()
    with pytest.raises(OutOfBoundsError, match="is empty"):
        heap.read_int32(64)
    memory.grow()
    heap.write_int32(64, 5)
    assert heap.read_int32(64) == 5


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 13, 100])
def test_a_buffer_of_odd_length_is_used_to_its_end(size: int) -> None:
    buffer = js.ArrayBuffer.new(size)
    heap = open_on(buffer)
    for scalar in scalar_types:
        for address in range(1, size + 2):
            if address + scalar.size <= size:
                heap.write(scalar, address, 1)
                assert heap.read(scalar, address) == 1
            else:
                with pytest.raises(OutOfBoundsError):
                    heap.write(scalar, address, 1)


def open_on(buffer: Any) -> HeapManager:
    return emheap.create_wasm_heap_manager(lambda: buffer, lambda size: 0, lambda address: None)


def test_what_is_no_buffer_is_refused() -> None:
    array = js.Uint8Array.new(64)
    wild: Wild = emheap.create_wasm_heap_manager
    words = (
        "^a heap's latest buffer must be an ArrayBuffer or a SharedArrayBuffer, such as the buffer "
        r"of a WebAssembly\.Memory or of a typed array, not Uint8Array$"
    )
    with pytest.raises(TypeError, match=words):
        wild(lambda: array, lambda size: 0, lambda address: None)
    memory = WasmMemory()
    heap = memory.open("always")
    memory.latest = lambda: None  # type: ignore[method-assign]
    with pytest.raises(TypeError, match="not NoneType"):
        heap.read_int32(64)


@pytest.mark.parametrize("memory_kind", [MEMORIES[2]], ids=str)
def test_bytes_come_out_whole_of_a_buffer_whose_length_tracks(memory: GrowingMemory) -> None:
    # Pyodide keeps the length that a typed array had when Python first saw it; one without a
    # length of its own would be copied past the end of the target.
    assert isinstance(memory, LengthTrackingWasmMemory)
    tracking = js.Uint8Array.new(memory.latest())
    heap = memory.open()
    for _ in range(4):
        memory.grow()
        assert len(heap.memory.read_bytes(1, memory.size - 1)) == memory.size - 1
        with heap_on_bytes() as own, own.alloc_array(uint8, tracking) as copy:
            assert len(copy) == memory.size


def heap_on_bytes() -> HeapManager:
    return emheap.wrap_buffer(bytearray(1 << 20))


def test_growth_is_noticed_where_resizable_buffers_were_seen() -> None:
    # Some releases of V8 then tell the old length of an array that growth has detached.
    other = js.Uint8Array.new(growable(10, 1000), 9, 1)
    for _ in range(10):
        memory = wasm_memory()
        heap = emheap.wrap_wasm_instance(memory)
        values: dict[type[Scalar[Any]], Any]
        values = {int32: 7, uint8: 8, float64: 0.5, emheap.int64: 1 << 40}
        for scalar in values:
            heap.write(scalar, 64, 1)
        one = js.Uint8Array.new(memory.buffer, 0, 1)
        for _ in range(3000):
            assert len(one) == len(other)
        for scalar, value in values.items():
            memory.grow(1)
            heap.write(scalar, 64, value)
            size = scalar.size
            stored = js.Uint8Array.new(memory.buffer, 64, size).to_bytes()
            assert stored == struct.pack(f"<{scalar.format}", value), scalar
        memory.grow(1)
        with heap.alloc_array(int32, [1, 2, 3]) as ref:
            assert ref.tolist() == [1, 2, 3]
