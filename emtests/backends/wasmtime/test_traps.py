"""Modules whose malloc and free fail, or lie."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime

import emheap
from emheap import (
    ForeignTrapError,
    HeapCorruptionError,
    HeapManager,
    OutOfMemoryError,
    int32,
    uint8,
)
from emtests.backends.wasmtime.running import make_store, run_module
from emtests.webassembly.guests import WasmtimeGuest

LARGE = 2000
"""More than the pool keeps, so that freeing calls the module."""

WITH = """
(module
  (memory (export "memory") 1)
  (global $count (mut i32) (i32.const 0))
  (func (export "malloc") (param i32) (result i32)
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    {malloc})
  (func (export "free") (param i32) {free}))
"""


def heap_with(malloc: str, free: str = "") -> HeapManager:
    running = run_module(WITH.format(malloc=malloc, free=free))
    return emheap.wrap_wasm_instance(running.store, running.instance)


def check_cause(error: ForeignTrapError, words: str) -> None:
    assert words in str(error)
    assert isinstance(error.__cause__, wasmtime.Trap)


def refuel(store: wasmtime.Store) -> None:
    store.set_fuel(10_000_000)


def set_deadline(store: wasmtime.Store) -> None:
    store.set_epoch_deadline(1)


def test_running_out_of_fuel() -> None:
    guest = WasmtimeGuest("guest32", configure={"consume_fuel": True}, prepare=refuel)
    heap = guest.heap
    kept = heap.alloc_array(uint8, bytes(range(200)) * 10)
    guest.store.set_fuel(1)
    with pytest.raises(ForeignTrapError, match="fuel") as trap:
        heap.alloc_array(uint8, LARGE)
    check_cause(trap.value, f"the module's malloc({LARGE}), which the heap called")
    assert heap.total_allocated_byte_size == LARGE
    guest.store.set_fuel(1)
    with pytest.raises(ForeignTrapError, match="fuel") as trap:
        kept.free()
    check_cause(trap.value, f"the module's free({kept.address})")
    # The block is live still, and nothing was changed.
    assert kept[:] == list(range(200)) * 10
    assert heap.total_allocated_byte_size == LARGE
    refuel(guest.store)
    kept.free()
    assert heap.total_allocated_byte_size == 0
    with heap.alloc_array(uint8, LARGE):
        pass


def test_being_interrupted() -> None:
    guest = WasmtimeGuest("guest32", configure={"epoch_interruption": True}, prepare=set_deadline)
    heap = guest.heap
    kept = heap.alloc_array(uint8, LARGE)
    guest.store.engine.increment_epoch()
    with pytest.raises(ForeignTrapError, match="interrupt") as trap:
        heap.alloc_array(uint8, LARGE)
    check_cause(trap.value, "the module's malloc(")
    with pytest.raises(ForeignTrapError, match="interrupt"):
        kept.free()
    assert heap.total_allocated_byte_size == LARGE
    set_deadline(guest.store)
    kept.free()


def test_a_trap_in_an_arena() -> None:
    # The second block traps; the first goes with the arena.
    heap = heap_with(
        "(if (result i32) (i32.eq (global.get $count) (i32.const 1))"
        " (then (i32.const 4096)) (else unreachable))"
    )
    arena = heap.arena()
    arena.alloc_array(uint8, 20 * LARGE)
    with pytest.raises(ForeignTrapError, match="unreachable"), arena as scratch:
        scratch.alloc_array(uint8, 20 * LARGE)
    assert heap.total_allocated_byte_size == 0


def test_no_room() -> None:
    with pytest.raises(OutOfMemoryError, match="no room for 2000 bytes: 0 bytes are live"):
        heap_with("(i32.const 0)").alloc_array(uint8, LARGE)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (65536 - 1999, "the allocator's block of 2000 bytes at address 0xf831 lies outside"),
        (65536, "lies outside the wasmtime memory"),
        (-16, "2000 bytes at address 0xfffffff0 lies outside"),
    ],
)
def test_an_address_outside_the_memory(address: int, message: str) -> None:
    heap = heap_with(f"(i32.const {address})")
    with pytest.raises(emheap.OutOfBoundsError, match=message):
        heap.alloc_array(uint8, LARGE)
    assert heap.total_allocated_byte_size == 0


def test_the_same_address_twice() -> None:
    heap = heap_with("(i32.const 4096)")
    with heap.alloc_array(uint8, bytes([7]) * LARGE) as ref:
        with pytest.raises(HeapCorruptionError, match=r"returned 0x1000 .* is still live there"):
            heap.alloc_array(uint8, LARGE)
        assert set(ref) == {7}


def test_an_address_that_is_not_aligned() -> None:
    heap = heap_with("(i32.add (i32.mul (global.get $count) (i32.const 4096)) (i32.const 3))")
    for align in (None, 64):
        with heap.alloc_array(int32, 1000, align=align) as ref:
            assert ref.address % (align or 4) == 0
            ref[999] = 5
            assert heap.read(int32, ref.address + 4 * 999) == 5


# The module calls back


CALLING = """
(module
  (import "" "call" (func $call (param i32)))
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 1024))
  (func (export "malloc") (param i32) (result i32)
    (global.get $next) (global.set $next (i32.add (global.get $next) (i32.const 512))))
  (func (export "free") (param i32))
  (func (export "run") (param $place i32)
    (i32.store (local.get $place) (i32.const 1))
    (call $call (i32.const 1))
    (drop (memory.grow (i32.const 3)))
    (i32.store (local.get $place) (i32.const 2))
    (call $call (i32.const 2))
    (drop (memory.grow (i32.const 3)))
    (i32.store (local.get $place) (i32.const 3))
    (call $call (i32.const 3))))
"""


@pytest.mark.parametrize("moves", [False, True])
def test_the_heap_in_a_callback_while_the_memory_grows(moves: bool) -> None:
    reserve: dict[str, Any] = {"memory_reservation_for_growth": 0, "memory_guard_size": 0}
    store = make_store(**({"memory_reservation": 65536, **reserve} if moves else {}))
    seen: list[Any] = []

    def called(step: int) -> None:
        # The number was stored by the module, through where the memory is now.
        seen.append((step, number.value, views[0][0], heap.read_int32(number.address)))
        with heap.alloc_int32(step) as inner:
            assert inner.value == step
        text.value = "x" * step

    function = wasmtime.Func(store, wasmtime.FuncType([wasmtime.ValType.i32()], []), called)
    running = run_module(CALLING, function, store=store)
    heap = emheap.wrap_wasm_instance(store, running.instance)
    assert heap.memory.zero_copy is not moves
    with heap.arena() as scratch:
        number, text = scratch.alloc(int32), scratch.alloc(emheap.utf8, 10)
        views = [number.allocated_bytes_view]
        running.exports["run"](store, number.address)
        assert seen == [(1, 1, 1, 1), (2, 2, 2, 2), (3, 3, 3, 3)]
        assert text.value == "xxx"
        views.clear()


def test_an_error_in_a_callback_of_malloc() -> None:
    store = wasmtime.Store()

    def called() -> None:
        raise ConnectionError("from the callback")

    function = wasmtime.Func(store, wasmtime.FuncType([], []), called)
    text = """
    (module
      (import "" "call" (func $call))
      (memory (export "memory") 1)
      (func (export "malloc") (param i32) (result i32) call $call (i32.const 1024))
      (func (export "free") (param i32)))
    """
    running = run_module(text, function, store=store)
    heap = emheap.wrap_wasm_instance(store, running.instance)
    with pytest.raises(ConnectionError, match="from the callback"):
        heap.alloc(int32, 1)
    assert heap.total_allocated_byte_size == 0
