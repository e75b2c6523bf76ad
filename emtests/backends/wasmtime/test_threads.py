"""Shared memories, which other threads read, write and grow."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import emheap
from emheap import OutOfBoundsError, float64, int32, uint8
from emtests.backends.wasmtime.running import make_store, run_module
from emtests.webassembly.guests import WasmtimeGuest

PAGE = 65536


def test_a_shared_memory_is_one_that_stays() -> None:
    memory = WasmtimeGuest("guest_shared").heap.memory
    assert memory.shared
    assert memory.zero_copy
    assert not WasmtimeGuest("guest32").heap.memory.shared


def test_threads_take_turns_in_a_store() -> None:
    """With a lock of their own, for nothing else keeps two from using a store at once."""
    heap = WasmtimeGuest("guest32").heap
    turn = threading.Lock()

    def use(number: int) -> set[int]:
        found: set[int] = set()
        for _ in range(200):
            with turn, heap.alloc_array(int32, [number] * 50) as numbers:
                found |= {*numbers[:]}
        return found

    with ThreadPoolExecutor(4) as threads:
        for number, found in enumerate(threads.map(use, range(8))):
            assert found == {number}
    assert heap.live() == []


def test_growth_by_another_thread() -> None:
    guest = WasmtimeGuest("guest_shared")
    heap, memory = guest.heap, guest.exports["memory"]
    grown = threading.Event()

    def grow() -> None:
        memory.grow(5)
        grown.set()

    with heap.alloc_array(int32, range(1000)) as numbers:
        read, view, end = heap.read_int32, numbers.view, heap.memory.size
        with pytest.raises(OutOfBoundsError):
            read(end)
        with ThreadPoolExecutor() as threads:
            threads.submit(grow)
            while not grown.is_set():
                assert read(numbers.address + 400) == view[100] == numbers[100] == 100
        assert read(end) == 0
        heap.write(float64, end + 5 * PAGE - 8, 0.5)
        assert heap.read(float64, end + 5 * PAGE - 8) == 0.5
        assert heap.memory.size == end + 5 * PAGE
        del view


def test_a_module_in_another_thread_and_atomics() -> None:
    guest = WasmtimeGuest("guest_shared")
    heap = guest.heap
    with heap.alloc_array(int32, 4) as cells, ThreadPoolExecutor() as threads:
        go, count = cells.address, cells.address + 4
        # The module waits for what Python stores; then Python for what the module counts.
        waiting = threads.submit(guest.call, "await_value", go, 42)
        heap.write_int32_atomic(go, 42)
        waiting.result(60)
        adding = threads.submit(guest.call, "add_atomically", count, 1, 200_000)
        last = 0
        while not adding.done():
            now = heap.read_int32_atomic(count)
            assert now >= last
            last = now
        adding.result(60)
        assert heap.read_int32_atomic(count) == cells[1] == 200_000


def test_atomics_in_memories_of_one_thread() -> None:
    for name in ("guest32", "guest64"):
        guest = WasmtimeGuest(name)
        with guest.heap.alloc(int32, 5) as number:
            guest.call("grow", 100)
            number.write_atomic(6)
            guest.call("add_atomically", number.address, 2, 10)
            assert number.read_atomic() == number.value == 26
            with pytest.raises(emheap.MisalignedError):
                guest.heap.read_int32_atomic(number.address + 1)
            with pytest.raises(OutOfBoundsError):
                guest.heap.write_int32_atomic(guest.heap.memory.size, 1)


def test_a_full_shared_memory() -> None:
    store = make_store()
    text = '(module (memory (export "memory") 1 3 shared))'
    running = run_module(text, store=store)
    heap = emheap.wrap_wasm_instance(store, running.instance, malloc=None, free=None)
    with heap.alloc_array(uint8, 2 * PAGE) as block:
        assert block.address == PAGE
        with pytest.raises(emheap.OutOfMemoryError):
            heap.alloc_array(uint8, PAGE)
