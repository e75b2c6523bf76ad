"""Stores that are closed or dropped while something can still reach their memories."""

from __future__ import annotations

import gc
import warnings
import weakref
from pathlib import Path
from typing import Any

import pytest
import wasmtime

import emheap
from emheap import BufferInUseError, HeapManager, UseAfterFreeError, int32, utf8
from emheap.memories.wasmtime_lifetime import is_open
from emtests.backends.wasmtime.running import run_module
from emtests.calls.declared import Calls
from emtests.processes import run_program
from emtests.webassembly.guests import FIXTURES, WasmtimeGuest


def is_closed(store: wasmtime.Store) -> bool:
    return not is_open(store)


def test_closing_a_store_waits_for_the_heap() -> None:
    guest = WasmtimeGuest("guest32")
    heap, store = guest.heap, guest.store
    with store, heap.alloc(int32, 5) as number:
        store.close()
        assert not is_closed(store)
        assert number.value == heap.read(int32, number.address) == 5
    assert not is_closed(store)
    guest.heap = None  # type: ignore[assignment]
    del heap, number
    gc.collect()
    assert is_closed(store)


@pytest.mark.parametrize("what", ["ref", "view", "slice", "numpy"])
def test_closing_a_store_waits_for_whatever_reaches_its_bytes(what: str) -> None:
    import numpy

    guest = WasmtimeGuest("guest32")
    store, ref = guest.store, guest.heap.alloc_array(int32, [1, 2, 3])
    holder: Any = ref
    if what != "ref":
        holder = {"view": ref.view, "slice": ref.view[1:], "numpy": numpy.asarray(ref)[1:]}[what]
    with warnings.catch_warnings():
        # The block is the guest's, and goes with it.
        warnings.simplefilter("ignore", ResourceWarning)
        del ref, guest
        store.close()
        gc.collect()
        assert not is_closed(store)
        assert list(holder)[-1] == 3
        del holder
        gc.collect()
    assert is_closed(store)


def test_a_store_that_nobody_reaches_is_closed_when_asked() -> None:
    store = wasmtime.Store()
    with store:
        run_module("(module)", store=store)
    assert is_closed(store)


def test_a_store_is_a_store_still() -> None:
    class MyStore(wasmtime.Store):
        def close(self) -> None:
            self.closed_by = "me"
            super().close()

    store = MyStore()
    running = run_module('(module (memory (export "memory") 1))', store=store)
    heap = emheap.wrap_wasm_instance(store, running.instance, malloc=None, free=None)
    second = emheap.wrap_wasm_instance(store, running.instance, malloc=None, free=None)
    assert isinstance(store, MyStore)
    assert type(store).__name__ == "MyStore"
    assert type(store).__mro__[1] is MyStore
    assert repr(store).startswith(f"<{MyStore.__module__}.{MyStore.__qualname__} object")
    store.close()
    del heap
    gc.collect()
    assert not is_closed(store)
    assert not hasattr(store, "closed_by")
    del second
    gc.collect()
    assert is_closed(store)
    assert store.closed_by == "me"


def test_the_heap_keeps_its_store_and_lets_it_go() -> None:
    guest = WasmtimeGuest("guest32")
    store = weakref.ref(guest.store)
    heap = guest.heap
    del guest
    gc.collect()
    with heap.alloc(utf8, "kept") as text:
        assert text.value == "kept"
    assert store() is not None
    del heap, text
    gc.collect()
    assert store() is None


def test_references_outlive_everything_else() -> None:
    def make() -> emheap.ScalarRef[int]:
        return WasmtimeGuest("guest32").heap.alloc(int32, 42)

    ref = make()
    gc.collect()
    assert ref.value == 42
    ref.free()
    with pytest.raises(UseAfterFreeError):
        _ = ref.value


def test_a_heap_that_collects_garbage_is_collected_with_its_store() -> None:
    guest = WasmtimeGuest("guest32", enable_garbage_collection=True)
    store = weakref.ref(guest.store)
    refs = [guest.heap.alloc_array(int32, 1000), guest.heap.alloc(int32, 1)]
    cycle = [refs, guest]
    cycle.append(cycle)
    del refs, guest, cycle
    gc.collect()
    assert store() is None


def test_freeing_with_a_view_out_is_refused_after_growth_too() -> None:
    guest = WasmtimeGuest("guest32")
    ref = guest.heap.alloc_array(int32, 4)
    part = ref.view[1:]
    guest.call("grow", 10)
    with pytest.raises(BufferInUseError):
        ref.free()
    part[0] = 9
    assert ref[1] == 9
    part.release()
    ref.free()


def test_closing_a_shared_memory_waits_too() -> None:
    guest = WasmtimeGuest("guest_shared")
    memory = guest.exports["memory"]
    heap: HeapManager = emheap.wrap_wasm_instance(*guest.parts, memory=memory)
    with heap.alloc(int32, 3) as number:
        memory.close()
        assert number.value == 3
        assert heap.read(int32, number.address) == 3


# What would end the process if it went wrong runs in one of its own.

_USE_UP = """
    import gc, sys, faulthandler
    import numpy
    from emheap import int32, float64, utf8
    from emtests.webassembly.guests import WasmtimeGuest

    small = dict(memory_reservation=65536, memory_reservation_for_growth=0, memory_guard_size=0)
    # A shared memory cannot move, and so not grow beyond what is reserved.
    for name in ("guest32", "guest64", "guest_shared"):
        for configure in ({}, small)[: 1 if name == "guest_shared" else 2]:
            guest = WasmtimeGuest(name, configure=configure)
            heap, store = guest.heap, guest.store
            numbers = heap.alloc_array(int32, range(100_000))
            single, text = heap.alloc(float64, 0.5), heap.alloc(utf8, "text")
            wrapped = heap.wrap_array(int32, numbers.address, 10)
            views = [numbers.view, numbers.view[5:], single.allocated_bytes_view]
            if heap.memory.zero_copy:
                views += [numpy.asarray(numbers), numpy.asarray(numbers)[3:]]
            read, write, read_any = heap.read_int32, heap.write_int32, heap.read
            address = numbers.address

            def touch():
                write(address, read(address))
                numbers[99_999] += 1
                single.value += 1
                text.value = text.value[::-1]
                wrapped[9] += 1
                for view in views:
                    view[len(view) - 1] = view[0]
                assert read_any(float64, single.address) == single.value

            touch()
            for pages in (1, 10, 1000):
                guest.call("store_grow_store", address, 1, pages, 2)
                touch()
                guest.grow_memory(pages)
                touch()
                heap.alloc_array(int32, pages * 10_000).free()
                touch()
            {ending}
    print("done")
"""

_ENDINGS = {
    "closed": """
            store.close(); touch()
            del store, guest; gc.collect(); touch()
            del heap; gc.collect(); touch()
            """,
    "dropped": """
            del store, guest, heap; gc.collect()
            write(address, read(address)); numbers[5] = 6; single.value = 7.0
            text.value = "x"; wrapped[1] = 2
            for view in views: view[0] = 1
            """,
    "freed": """
            views.clear()
            for ref in (numbers, single, text): ref.free()
            for use in (lambda: numbers[0], lambda: single.value, lambda: text.value,
                        lambda: wrapped[0], lambda: numbers.view, numbers.free):
                try: use()
                except ValueError: pass
                else: raise AssertionError("a freed block could be used")
            store.close(); guest.call("grow", 100); read(address)
            """,
    "exiting": "store.close(); sys.stdout.flush()",
}


@pytest.mark.parametrize("ending", _ENDINGS)
def test_nothing_crashes(ending: str) -> None:
    program = _USE_UP.replace("{ending}", _ENDINGS[ending].strip())
    assert run_program(program) == "done\n"


def test_closing_a_store_waits_for_a_librarys_function() -> None:
    guest = WasmtimeGuest("calls")
    store, add = guest.store, guest.heap.library(Calls).add
    del guest
    store.close()
    gc.collect()
    assert not is_closed(store)
    assert add(2, 3) == 5
    del add
    gc.collect()
    assert is_closed(store)


_OWNED = """
    import gc, wasmtime
    from emtests.calls.declared import Calls
    from emtests.webassembly.guests import WasmtimeGuest

    for end in ("freed", "dropped"):
        guest = WasmtimeGuest("calls", enable_garbage_collection=True)
        text = guest.heap.library(Calls).duplicate("hello")
        # What the collector does to a store that it collects in one go with the reference.
        wasmtime.Store.close(guest.store)
        if end == "freed":
            text.free()
        del guest, text
        gc.collect()
    for order in range(50):
        guest = WasmtimeGuest("calls", enable_garbage_collection=True)
        calls = guest.heap.library(Calls)
        refs = [calls.duplicate("hello"), calls.duplicate("x")]
        cycle = [refs, guest, calls] if order % 2 else [guest, calls, refs]
        guest.store.cycle = cycle
        cycle.append(cycle)
        del guest, calls, refs, cycle
        gc.collect()
    print("done")
"""


def test_an_owned_result_is_collected_with_its_store() -> None:
    assert run_program(_OWNED) == "done\n"


AT_THE_END = """
import builtins, sys, threading, wasmtime
import emheap

thread = threading.Thread(target=int)
thread.start()
thread.join()
imports = {"double_it": lambda value: 2 * value, "wide": lambda low, high: low}
heap = emheap.load_wasm(sys.argv[1], imports, preopens={"/data": sys.argv[2]})
if sys.argv[3] == "builtins":
    builtins.kept = heap
del heap
print("done")
"""


@pytest.mark.parametrize("where", ["the program", "builtins"])
def test_a_module_with_imports_ends_with_the_interpreter(where: str, tmp_path: Path) -> None:
    """Python may take wasmtime-py apart before it comes to the store."""
    module = FIXTURES / "printing.wasm"
    assert run_program(AT_THE_END, str(module), str(tmp_path), where) == "done\n"
