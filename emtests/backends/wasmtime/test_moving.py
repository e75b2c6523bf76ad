"""Which memories move, and that nothing notices when they do."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime

import emheap
from emheap import NotSupportedError, float64, int32, utf8
from emheap.memories.wasmtime import MovingWasmtimeMemory, WasmtimeMemory
from emtests.backends.wasmtime.running import make_store, run_module
from emtests.types.values import ALL_NUMBERS
from emtests.webassembly.guests import WasmtimeGuest

PAGE = 65536
GIB = 1 << 30


def open_memory(limits: tuple[int, int | None], is_64: bool = False, **settings: Any) -> Any:
    store = make_store(**settings)
    kind = wasmtime.MemoryType(wasmtime.Limits(*limits), is_64)
    memory = wasmtime.Memory(store, kind)
    running = run_module("(module)", store=store)
    return emheap.wrap_wasm_instance(
        store, running.instance, memory=memory, malloc=None, free=None
    ).memory


@pytest.mark.parametrize(
    ("limits", "is_64", "settings", "stays"),
    [
        ((1, None), False, {}, True),
        ((0, None), False, {}, True),
        ((1, None), False, {"memory_may_move": False}, True),
        ((1, None), False, {"memory_reservation": GIB}, False),
        ((1, GIB // PAGE), False, {"memory_reservation": GIB}, True),
        ((1, GIB // PAGE + 1), False, {"memory_reservation": GIB}, False),
        ((1, None), False, {"memory_reservation": 0, "memory_guard_size": 0}, False),
        ((7, 7), False, {"memory_reservation": 0, "memory_guard_size": 0}, True),
        ((1, None), True, {}, False),
        ((1, 2 * GIB // PAGE), True, {}, True),
        ((1, 8 * GIB // PAGE), True, {}, False),
        ((1, 8 * GIB // PAGE), True, {"memory_reservation": 8 * GIB}, True),
    ],
)
def test_whether_a_memory_moves_is_found_out(
    limits: tuple[int, int | None], is_64: bool, settings: dict[str, Any], stays: bool
) -> None:
    memory = open_memory(limits, is_64, **settings)
    assert type(memory) is (WasmtimeMemory if stays else MovingWasmtimeMemory)
    assert memory.zero_copy is memory.stable is stays
    assert memory.pointer_size == (8 if is_64 else 4)
    assert memory.size == limits[0] * PAGE


def moving_guest(name: str = "guest64") -> WasmtimeGuest:
    reserved = {"memory_reservation": PAGE, "memory_reservation_for_growth": 0}
    return WasmtimeGuest(name, configure={**reserved, "memory_guard_size": 0})


@pytest.mark.parametrize("name", ["guest32", "guest64"])
def test_references_follow_a_memory_that_moves(name: str) -> None:
    guest = moving_guest(name)
    heap = guest.heap
    places = set()
    with heap.arena() as scratch:
        number = scratch.alloc(float64, 0.5)
        samples = scratch.alloc_array(int32, [1, 2, 3])
        text = scratch.alloc(utf8, "here")
        view, part = samples.view, samples.view[1:]
        readers = heap.read_int32, heap.write_int32
        for count in range(50):
            guest.call("store_grow_store", samples.address, count, 1, count)
            places.add(heap.memory.host_address(samples.address))
            assert readers[0](samples.address) == view[0] == part[0] == samples[1] == count
            readers[1](samples.address + 8, -count)
            assert (view[2], part[-1], samples[2]) == (-count, -count, -count)
            view[2], number.value = 77, count / 4
            assert (heap.read(int32, samples.address + 8), number.value) == (77, count / 4)
            assert text.value == heap.read(utf8, text.address) == "here"
        part.release()
    assert len(places) > 25, "the memory hardly moved"


@pytest.mark.parametrize("kind", ALL_NUMBERS, ids=lambda kind: kind.name)
def test_accesses_to_addresses_follow_a_memory_that_moves(kind: Any) -> None:
    guest = moving_guest()
    heap = guest.heap
    address = heap.alloc_array(kind, 2).detach()
    read, write = (getattr(heap, f"{verb}_{kind.name}") for verb in ("read", "write"))
    for count in range(10):  # each growth copies the memory, which stays small
        number = kind.decode(count + 1) if kind.decodes else count + 1
        write(address, number)
        guest.call("grow", count)
        write(address, number)  # by what was made for where the memory was
        stored = heap.memory.read_bytes(address, kind.size)
        guest.call("grow", count)
        heap.write_many(kind, [address + kind.size], [number])
        assert heap.memory.read_bytes(address + kind.size, kind.size) == stored
        guest.call("grow", count)
        assert heap.read_many(kind, [address, address + kind.size]) == [number, number]
        assert read(address) == number
        guest.call("grow", count)
        assert read(address) == number  # by what was made for where the memory was


def test_views_of_a_memory_that_moves_behave_as_memoryviews() -> None:
    heap = moving_guest().heap
    with heap.alloc_array(int32, range(10)) as ref:
        view, wanted = ref.view, memoryview(bytearray(40)).cast("i")
        wanted[:] = memoryview(bytes(ref)).cast("i")
        assert (len(view), view.format, view.itemsize, view.nbytes) == (10, "i", 4, 40)
        assert (view.shape, view.ndim, view.readonly) == (wanted.shape, 1, False)
        for index in (slice(2, 5), slice(None, None, -1), slice(8, 1, -3), slice(5, 5)):
            assert view[index].tolist() == wanted[index].tolist()
            assert view[index].tobytes() == wanted[index].tobytes()
        assert view[2:8][1:3].tolist() == [3, 4]
        assert list(view) == list(range(10))
        assert view == wanted
        assert view[1:] != wanted[:-1]
        assert view == ref.view
        wild: Any = view  # a memoryview has no `index` before Python 3.14
        assert (wild.index(3), wild[::-1].index(3)) == (3, 6)
        with pytest.raises(ValueError, match=r"^3 is not in <HeapView of 10 int32 in .*>$"):
            wild.index(3, 4)
        source = memoryview(bytes(range(40))).cast("i")
        for changed in (view, wanted):
            changed[2:4] = source[6:8]
            changed[::-4] = source[:3]
            changed[7:8] = changed[2:3]
            changed[5:5] = source[:0]
            changed[-1] = -5
        assert ref[:] == view.tolist() == wanted.tolist()
        for bad in (10, -11, 2**70):
            with pytest.raises(IndexError, match=f"index {bad} is outside the 10 elements"):
                view[bad]
        with pytest.raises(TypeError, match="'str' object cannot be interpreted"):
            view["1"]  # type: ignore[call-overload]
        with pytest.raises(OverflowError, match="2147483648 does not fit int32"):
            view[0] = 2**31
        with pytest.raises(ValueError, match="2 elements of format 'i' takes a buffer like it"):
            view[:2] = wanted[:3]
        with pytest.raises(ValueError, match="not 8 elements of format 'B'"):
            view[:2] = bytes(8)
        with ref.view as scoped:
            assert "HeapView of 10 int32" in repr(scoped)
        with pytest.raises(ValueError, match="released"):
            len(scoped)
        assert "released" in repr(scoped)
        assert scoped == scoped
        assert scoped != view
        assert view.__eq__(5) is NotImplemented
        with pytest.raises(TypeError, match=r"bytes-like|shares no"):
            memoryview(view)
        del view


def test_a_block_with_a_view_of_a_moving_memory_is_not_freed() -> None:
    heap = moving_guest().heap
    ref = heap.alloc_array(int32, 4)
    part = ref.view[1:]
    with pytest.raises(emheap.BufferInUseError, match="still in use: a slice or cast of a view"):
        ref.free()
    part.release()
    ref.free()
    with pytest.raises(emheap.UseAfterFreeError):
        _ = ref.view


def test_numpy_is_refused_where_the_memory_moves() -> None:
    import numpy

    heap = moving_guest().heap
    with heap.alloc_array(int32, [1, 2]) as ref:
        for share in (numpy.asarray, lambda ref: ref.numpy(), lambda ref: numpy.asarray(ref.view)):
            with pytest.raises(
                NotSupportedError,
                match=r"can share the bytes of the wasmtime memory, which may move: ",
            ):
                share(ref)
        copy = numpy.array(ref[:])
        ref[:] = copy * 2
        assert ref[:] == [2, 4]


def test_numpy_shares_a_memory_that_stays() -> None:
    import numpy

    guest = WasmtimeGuest("guest32")
    with guest.heap.alloc_array(int32, [1, 2]) as ref:
        array = numpy.asarray(ref)
        guest.call("grow", 1000)
        array += 1
        assert ref[:] == [2, 3]
        guest.call("add_to_each", ref.address, 2, 10)
        assert array.tolist() == [12, 13]
        with pytest.raises(emheap.BufferInUseError):
            ref.free()
        del array
