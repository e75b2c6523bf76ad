"""What a heap in wasmtime cannot be opened on, and whose functions it cannot call."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime

from emheap import NotSupportedError, int32, wrap_wasm_instance
from emtests.calls.declared import Calls
from emtests.calls.ways import open_guest
from emtests.webassembly.engines import make_engine
from emtests.webassembly.guests import WasmtimeGuest
from emtests.webassembly.modules import SmallModule

WRAP_ONLY: dict[str, Any] = {"wrap_only": True}


def test_a_shared_memory_is_not_opened_by_a_caller() -> None:
    store = wasmtime.Store(make_engine())
    raised: list[BaseException] = []

    def receive(caller: wasmtime.Caller) -> None:
        try:
            wrap_wasm_instance(caller, memory=exports["memory"], **WRAP_ONLY)
        except NotSupportedError as error:
            raised.append(error)

    module = SmallModule([("host", "receive", ([], []))], memory=b"\3\1\1")
    function = wasmtime.Func(store, wasmtime.FuncType([], []), receive, access_caller=True)
    compiled = wasmtime.Module(store.engine, module.binary())
    exports: Any = wasmtime.Instance(store, compiled, [function]).exports(store)
    exports["receive"](store)
    assert [str(error) for error in raised] == [
        "a shared memory is opened with its store, not with a Caller"
    ]


def test_a_heap_on_exports_or_a_memory_alone_calls_nothing() -> None:
    guest = WasmtimeGuest("guest32")
    for part in (guest.exports, guest.exports["memory"]):
        heap = wrap_wasm_instance(guest.store, part, **WRAP_ONLY)
        with pytest.raises(
            TypeError,
            match=r"a library needs a wasmtime\.Instance: open the heap with the store and that$",
        ):
            heap.library(Calls)


def test_a_heap_calls_the_functions_of_its_own_instance() -> None:
    heap, other = open_guest(), WasmtimeGuest("calls")
    for wrong in ("libcalls.so", other.instance, 5):
        words = (
            "a heap of wasmtime's calls the functions of its own instance: leave the source out, "
            "or pass that, not "
        )
        with pytest.raises(TypeError, match=words):
            heap.library(Calls, wrong)
    assert other.heap.library(Calls, other.instance).add(2, 3) == 5


def test_wasmtimes_own_functions_refuse_references() -> None:
    """They take numbers: an address that nobody asked for would be worse than an error."""
    guest = WasmtimeGuest("guest32")
    with guest.heap.alloc(int32, 7) as number:
        words = r"don't know how to convert <ScalarRef int32 7 at 0x\w+ owned> to i32"
        with pytest.raises(TypeError, match=words):
            guest.exports["load_byte"](guest.store, number)
        assert guest.exports["load_byte"](guest.store, number.address) == 7
