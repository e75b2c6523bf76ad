"""What a module compiled from C and this library see of each other, in one memory."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from emheap import (
    HeapManager,
    OutOfBoundsError,
    float32,
    float64,
    int16,
    int32,
    int64,
    pointer32,
    pointer64,
    uint8,
    utf8,
)
from emheap._util.platform import IN_PYODIDE
from emheap.testing import ROOM, check_allocator, check_memory
from emtests.blocks.long import LONG
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import GUESTS, MISSING, Guest, open_guest
from emtests.webassembly.random_operations import RandomOperations

PAGE = 65536
MEMORIES = 50 if LONG else 10

Open = Callable[..., Guest]

# Natively also with so little address space reserved that every growth moves the memory.
_MOVING = {
    "memory_reservation": PAGE,
    "memory_reservation_for_growth": 0,
    "memory_guard_size": 0,
}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in GUESTS}
if not IN_PYODIDE:
    KINDS["guest32-moving"] = "guest32", {"configure": _MOVING}
    KINDS["guest64-moving"] = "guest64", {"configure": _MOVING}


@pytest.fixture(params=KINDS)
def opener(request: pytest.FixtureRequest) -> Open:
    name, settings = KINDS[request.param]
    if MISSING[name]:
        skip_for_gap(name, MISSING[name])
    return lambda **options: open_guest(name, **settings, **options)


@pytest.fixture
def guest(opener: Open) -> Iterator[Guest]:
    guest = opener()
    yield guest
    left = guest.heap.total_allocated_byte_size
    guest.heap.free_all()
    assert left == 0, "the test left blocks behind"


@pytest.fixture
def heap(guest: Guest) -> HeapManager:
    return guest.heap


def pointer(heap: HeapManager) -> Any:
    return pointer32 if heap.pointer_size == 4 else pointer64


# The module sees what is stored, and the other way round


def test_arrays(guest: Guest, heap: HeapManager) -> None:
    with heap.arena() as scratch:
        samples = scratch.alloc_array(float32, [0.5, 1.5, -4.0])
        assert guest.call("sum_float32", samples.address, len(samples)) == -2.0
        numbers = scratch.alloc_array(int64, [2**62, -1, 5])
        assert guest.call("sum_int64", numbers.address, len(numbers)) == 2**62 + 4
        counts = scratch.alloc_array(int32, range(1000))
        guest.call("add_to_each", counts.address, len(counts), -7)
        assert counts[:] == list(range(-7, 993))
        assert counts.view.tolist() == list(range(-7, 993))


def test_text(guest: Guest, heap: HeapManager) -> None:
    with heap.alloc(utf8, "héllo, wörld") as text:
        assert guest.call("text_length", text.address) == text.encoded_byte_length == 14
        assert guest.call("capitalize", text.address) == 8
        assert text.value == "HéLLO, WöRLD"


def test_a_text_that_the_module_allocated(guest: Guest, heap: HeapManager) -> None:
    address = guest.call("allocate_text", 100_000)
    text = heap.wrap(utf8, address)
    assert text.encoded_element_count == 100_000
    assert heap.read(utf8, address) == text.value
    assert text.value.startswith("abcdefghijklmnopqrstuvwxyzab")
    guest.call("free", address)


def test_records_that_the_module_wrote(guest: Guest, heap: HeapManager) -> None:
    size = guest.call("record_size")
    tag, big, single, double, name, point, following = (
        guest.call("record_offset", field) for field in range(7)
    )
    with heap.alloc_array(uint8, 3 * size, align=16) as records:
        last = guest.call("fill_records", records.address, 3)
        assert last == records.address + 2 * size
        for index in range(3):
            start = records.address + index * size
            assert heap.read(uint8, start + tag) == index
            assert heap.read(int64, start + big) == -1 - index
            assert heap.read(float32, start + single) == index / 2
            assert heap.read(float64, start + double) == 1e300
            assert heap.read(utf8, start + name) == "né"
            assert heap.read(int16, start + point) == -index
            assert heap.read(int16, start + point + 2) == index
            assert heap.read(pointer(heap), start + following) == (index and start - size)


def test_records_that_the_module_reads(guest: Guest, heap: HeapManager) -> None:
    size = guest.call("record_size")
    tag, big, single, _, name, _, following = (
        guest.call("record_offset", field) for field in range(7)
    )
    with heap.alloc_array(uint8, 2 * size, align=16) as records:
        first, second = records.address, records.address + size
        heap.write(uint8, first + tag, 200)
        heap.write(int64, first + big, -(2**40))
        heap.write(utf8, first + name, "four", 11)
        heap.write(pointer(heap), first + following, second)
        heap.write(float32, second + single, 0.25)
        assert guest.call("sum_records", first) == 200 - 2**40 + 4 + 0.25


# Growth


def test_growth_inside_a_call(guest: Guest, heap: HeapManager) -> None:
    with heap.arena() as scratch:
        counts = scratch.alloc_array(int32, [1, 2, 3])
        number = scratch.alloc(int64, 2**60)
        view = counts.view
        for round_ in range(20):
            size = heap.memory.size
            address = guest.call("store_grow_store", counts.address, round_, 1, -round_)
            assert heap.memory.size == size + PAGE == address + PAGE
            assert counts[:] == [round_, -round_, 3]
            assert view.tolist() == [round_, -round_, 3]
            assert number.value == 2**60
            view[2] = counts[2] = 3
            number.value = 2**60
            # The new pages, from the first byte to the last.
            assert heap.read(int32, address) == 0
            heap.write_int32(address + PAGE - 4, round_)
            assert heap.read_int32(address + PAGE - 4) == round_
            guest.call("store_byte", address + 7, 99)
            assert heap.read(uint8, address + 7) == 99
            with pytest.raises(OutOfBoundsError, match="of 4 bytes at address"):
                heap.read(int32, address + PAGE - 3)


def test_growth_from_outside(guest: Guest, heap: HeapManager) -> None:
    with heap.arena() as scratch:
        text = scratch.alloc(utf8, "before")
        number = scratch.alloc(float64, 1.5)
        guest.grow_memory(3)
        assert (text.value, number.value) == ("before", 1.5)
        text.value, number.value = "after!", -0.5
        assert guest.call("text_length", text.address) == 6
        assert heap.read(float64, number.address) == -0.5


def test_growth_by_an_allocation(guest: Guest, heap: HeapManager) -> None:
    with heap.arena() as scratch:
        small = [scratch.alloc(int32, index) for index in range(10)]
        for count in (10_000, 100_000, 1_000_000):
            large = scratch.alloc_array(int32, count)
            large[0] = large[-1] = count
            assert guest.call("load_byte", large.address) == count % 256
            assert large[0] == large[-1] == count
            assert sum(large[:]) == 2 * count
        assert [ref.value for ref in small] == list(range(10))


def test_small_blocks_come_back_from_the_pool(guest: Guest, heap: HeapManager) -> None:
    refs = [heap.alloc_int32(index) for index in range(100)]
    addresses = {ref.address for ref in refs}
    for ref in refs:
        ref.free()
    again = [heap.alloc_int32() for _ in range(100)]
    assert {ref.address for ref in again} == addresses
    assert all(ref.value == 0 for ref in again)
    for ref in again:
        ref.free()


def test_two_heaps_on_one_memory(guest: Guest, heap: HeapManager) -> None:
    other = guest.open()
    with heap.alloc(int32, 5) as number, other.alloc(int32, 6) as second:
        assert number.address != second.address
        assert other.read(int32, number.address) == 5
        assert heap.wrap(int32, second.address).value == 6


def test_pages_beside_the_allocator_of_wasi_libc() -> None:
    if MISSING["guest32"]:
        skip_for_gap("guest32", MISSING["guest32"])
    # At its first call it takes all the memory there is; later it keeps to what it adds.
    guest = open_guest("guest32", pages=True)
    theirs = {guest.call("malloc", 100): 100}
    ours: list[Any] = []
    numbers = random.Random(4)
    for _ in range(60):
        size = numbers.choice((10, 1000, 70_000, 200_000))
        if numbers.random() < 0.5:
            ours.append(guest.heap.alloc_array(uint8, size))
        else:
            theirs[guest.call("malloc", size)] = size
    blocks = sorted([*((ref.address, len(ref)) for ref in ours), *theirs.items()])
    for (address, size), (following, _) in pairwise(blocks):
        assert address + size <= following
    assert len(ours) > 20 < len(theirs)
    guest.heap.free_all()


# The contract


def test_the_memory_keeps_the_contract(opener: Open) -> None:
    opened: list[Guest] = []

    def make() -> tuple[Any, int]:
        guest = opener()
        opened.append(guest)
        start = guest.call("malloc", ROOM + 64)
        return guest.heap.memory, -start % 64 + start

    check_memory(make, grow=lambda _: opened[-1].call("grow", 2))
    check_memory(make, grow=lambda _: opened[-1].grow_memory(1))


@pytest.mark.parametrize("options", [{}, {"pages": True}], ids=["malloc", "pages"])
def test_the_allocators_keep_the_contract(opener: Open, options: dict[str, Any]) -> None:
    def pooled() -> tuple[Any, Any]:
        heap = opener(**options).heap
        return heap.allocator, heap.memory

    def alone() -> tuple[Any, Any]:
        pool, memory = pooled()
        return pool._allocator, memory

    check_allocator(pooled)
    check_allocator(alone)


@pytest.mark.parametrize("options", [{}, {"pages": True}], ids=["malloc", "pages"])
def test_random_operations_while_the_memory_grows(opener: Open, options: dict[str, Any]) -> None:
    # Many memories: where each growth moves all of a memory, a large one takes too long.
    done = growths = 0
    for seed in range(5 if options else MEMORIES):
        guest = opener(**options)
        operations = RandomOperations(guest.heap, lambda: guest.call("grow", 1), seed)  # noqa: B023
        operations.run(2000)
        assert guest.heap.total_allocated_byte_size == 0
        done += 2000
        growths += operations.growths
    assert growths >= done / 50
