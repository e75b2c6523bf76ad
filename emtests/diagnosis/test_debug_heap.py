"""Heaps opened with ``debug=True``: what they refuse, and what their errors tell."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import emheap
from emheap import (
    DebugAllocator,
    HeapCorruptionError,
    HeapManager,
    NotSupportedError,
    OutOfBoundsError,
    Pointer,
    UnterminatedStringError,
    UseAfterFreeError,
    int32,
    uint8,
    uint128,
    utf8,
    utf16,
)
from emheap.blocks.table import BlockTable
from emheap.diagnosis.debug_heap import GuardedTable
from emheap.types.pointers import name_of
from emtests.conftest import OpenHeap, skip_for_gap
from emtests.heaps import IN_PYODIDE
from emtests.processes import run_program
from emtests.structures.kinds import Vec

DEBUG: Any = {"debug": True, "site_depth": 4}
HERE = r"\S*test_debug_heap.py:\d+ in "

Access = Callable[[HeapManager, int], Any]
ACCESSES: dict[str, tuple[int, Access]] = {
    "read": (4, lambda heap, address: heap.read(int32, address)),
    "write": (4, lambda heap, address: heap.write(int32, address, 5)),
    "flat read": (4, lambda heap, address: heap.read_float32(address)),
    "flat write": (1, lambda heap, address: heap.write_clamped_uint8(address, 5)),
    "wide read": (16, lambda heap, address: heap.read_uint128(address)),
    "wide write": (16, lambda heap, address: heap.write(uint128, address, 5)),
    "read text": (2, lambda heap, address: heap.read(utf16, address)),
    "read short text": (1, lambda heap, address: heap.read(utf8, address, 0)),
    "write text": (4, lambda heap, address: heap.write_null_terminated_utf8_string(address, "abc")),
    "count": (1, lambda heap, a: heap.get_element_count_of_null_terminated_string(a, 1)),
    "view": (8, lambda heap, address: heap.view(int32, address, 2)),
    "wrap": (4, lambda heap, address: heap.wrap_int32(address)),
    "wrap array": (8, lambda heap, address: heap.wrap_array(int32, address, 2)),
    "wrap text": (1, lambda heap, address: heap.wrap(utf8, address)),
    "wrap roomy text": (8, lambda heap, address: heap.wrap(utf8, address, 7)),
    "read structure": (8, lambda heap, address: heap.read(Vec, address)),
    "write structure": (8, lambda heap, address: heap.write(Vec, address, (1, 2))),
    "wrap structure": (8, lambda heap, address: heap.wrap(Vec, address)),
    "wrap structures": (16, lambda heap, address: heap.wrap_array(Vec, address, 2)),
    "read pointer": (4, lambda heap, address: heap.read(Pointer[Vec], address)),
    "write pointer": (4, lambda heap, address: heap.write(Pointer[Vec], address, None)),
    "wrap pointers": (8, lambda heap, address: heap.wrap_array(Pointer[Vec], address, 2)),
    "read text with a length": (4, lambda heap, address: heap.read_text(utf16, address, 2)),
    "write text with a length": (4, lambda heap, address: heap.write_text(utf8, address, "abcd")),
    "read strings": (4, lambda heap, address: heap.read_strings(utf8, address)),
    "read many": (4, lambda heap, address: heap.read_many(int32, [address])),
    "write many": (4, lambda heap, address: heap.write_many(int32, [address], [5])),
    "fill": (8, lambda heap, address: heap.fill(address, 0, 8)),
    "find": (8, lambda heap, address: heap.find(address, b"x", 8)),
    "compare": (8, lambda heap, address: heap.compare(heap, address, address, 8)),
    "copy": (8, lambda heap, address: heap.copy_to(heap, address, address, 8)),
}
"""Every way to use a raw address, with the bytes that it touches from there."""
each_access = pytest.mark.parametrize("access", ACCESSES)


@each_access
def test_an_address_in_a_live_block_is_good(open_heap: OpenHeap, access: str) -> None:
    heap = open_heap(**DEBUG)
    size, use = ACCESSES[access]
    with heap.alloc_array(uint8, 64, align=16) as block:
        for address in (block.address, block.address + 16, block.address + 64 - 16):
            use(heap, address)
    assert size <= 16


@each_access
def test_an_address_outside_names_the_nearest_block(open_heap: OpenHeap, access: str) -> None:
    heap = open_heap(**DEBUG)
    _, use = ACCESSES[access]
    with heap.alloc_array(uint8, 64, align=16) as block:
        before = heap.memory.read_bytes(block.address - 16, 96)
        named = rf"the uint8 array of 64 bytes at 0x{block.address:x}, allocated at {HERE}"
        for address, where in ((64, "0 bytes after the end"), (80, "16 bytes after the end")):
            with pytest.raises(OutOfBoundsError, match=rf"{where} of {named}") as caught:
                use(heap, block.address + address)
            assert "lies in no live block of this heap" in str(caught.value)
            assert re.search(rf"accessed at {HERE}<lambda>\n    from {HERE}", str(caught.value))
            assert "heap.adopt() it first" in str(caught.value)
        with pytest.raises(OutOfBoundsError, match=r"bytes before the start of the uint8 array"):
            use(heap, block.address - 16)
        assert heap.memory.read_bytes(block.address - 16, 96) == before
        heap.verify()


@each_access
def test_an_access_across_the_end_is_told_by_how_much(open_heap: OpenHeap, access: str) -> None:
    heap = open_heap(**DEBUG)
    size, use = ACCESSES[access]
    if size == 1:
        return  # one byte lies inside or outside
    with heap.alloc_array(uint8, [1] * 48, align=16) as block:
        end = block.address + 48
        with pytest.raises(OutOfBoundsError, match=r"reaches \d+ bytes? beyond the end of"):
            use(heap, end - size // 2)
        assert bytes(block) == b"\1" * 48


@each_access
def test_an_address_in_a_freed_block_tells_who_freed_it(open_heap: OpenHeap, access: str) -> None:
    heap = open_heap(**DEBUG)
    _, use = ACCESSES[access]
    block = heap.alloc_array(uint8, 64, align=16)
    block.free()
    with pytest.raises(UseAfterFreeError, match=r"lies 16 bytes inside the uint8") as caught:
        use(heap, block.address + 16)
    here = rf"{HERE}test_an_address_in_a_freed_block_tells_who_freed_it\n    from "
    for event in ("allocated", "freed"):
        assert re.search(f"{event} at {here}", str(caught.value))
    assert re.search(rf"accessed at {HERE}<lambda>\n    from ", str(caught.value))
    assert str(caught.value).endswith("; allocate another block, or free it later")


@pytest.mark.parametrize("target", [uint8, utf8, Vec, Pointer[Vec]], ids=name_of)
def test_an_address_that_a_pointer_holds_is_checked_too(open_heap: OpenHeap, target: Any) -> None:
    heap: Any = open_heap(**DEBUG)
    with heap.alloc_array(uint8, 64, align=16) as block, heap.alloc(Pointer[target]) as place:
        place.value = block.address + 64
        pointer = place.value
        uses: list[Callable[[], Any]] = [lambda: pointer.target]
        if target is not utf8:
            value = {uint8: 5, Vec: (1, 2)}.get(target)
            uses += [lambda: pointer.array(1), lambda: pointer.__setitem__(0, value)]
        for use in uses:
            with pytest.raises(OutOfBoundsError, match="0 bytes after the end of the uint8 array"):
                use()
        heap.verify()


@pytest.mark.needs("atomics")
def test_atomic_accesses_are_checked_too(open_heap: OpenHeap) -> None:
    heap = open_heap(**DEBUG)
    with heap.alloc_array(int32, [1, 2]) as block:
        heap.write_int32_atomic(block.address + 4, 3)
        assert heap.read_int32_atomic(block.address + 4) == block.read_atomic_at(1) == 3
        for use in (heap.read_int32_atomic, lambda at: heap.write_int32_atomic(at, 5)):
            with pytest.raises(OutOfBoundsError, match="0 bytes after the end of the int32 array"):
                use(block.address + 8)


def test_a_string_ends_with_its_block(open_heap: OpenHeap) -> None:
    heap = open_heap(**DEBUG)
    with heap.alloc_array(uint8, b"abcd") as block, heap.alloc_array(uint8, 4):
        named = rf"to the end of the uint8 array of 4 bytes at 0x{block.address:x}, allocated at"
        with pytest.raises(UnterminatedStringError, match=named):
            heap.read(utf8, block.address)
        with pytest.raises(UnterminatedStringError, match=rf"within 9 elements .* {named}"):
            heap.read(utf8, block.address + 1, 9)
        with pytest.raises(UnterminatedStringError, match=named):
            heap.wrap(utf8, block.address).value  # noqa: B018
        with pytest.raises(OutOfBoundsError, match="reaches 1 byte beyond"):
            heap.write(utf8, block.address, "four")
        block[3] = 0
        assert heap.read(utf8, block.address) == "abc"


def test_what_c_allocated_is_adopted(open_heap: OpenHeap) -> None:
    heap = open_heap(**DEBUG)
    address = heap.alloc_array(int32, [1, 2, 3]).detach()
    with pytest.raises(OutOfBoundsError, match="in no live block"):
        heap.read_int32(address)
    with heap.adopt(int32, address, 3, free=lambda address: None):
        assert heap.read_int32(address + 8) == 3
        with pytest.raises(OutOfBoundsError):
            heap.read_int32(address + 12)
    heap.adopt(int32, address, 3).free()


def test_an_adopted_block_inside_another_hides_none_of_it(open_heap: OpenHeap) -> None:
    heap = open_heap(**DEBUG)
    with heap.alloc_array(int32, range(8)) as block:
        inner = heap.adopt(int32, block.address + 8, free=lambda address: None)
        assert heap.read_int32(block.address + 12) == 3
        assert heap.read_int64(block.address + 8) == 2 + (3 << 32)
        inner.free()
        assert heap.read_int32(block.address + 8) == 2


def test_what_begins_beside_an_adopted_block_is_told_by_the_one_around_it(
    open_heap: OpenHeap,
) -> None:
    heap = open_heap(**DEBUG)
    outer = heap.alloc_array(uint8, 100)
    with heap.adopt(uint8, outer.address + 20, 10, free=lambda _: None) as inner:
        words = "reaches 30 bytes beyond the end of the uint8 array of 100 bytes"
        with pytest.raises(OutOfBoundsError, match=words):
            heap.view(uint8, inner.address + 10, 100)
    outer.free()


def test_many_blocks_are_told_apart(open_heap: OpenHeap) -> None:
    heap = open_heap(**DEBUG)
    with heap.arena() as scratch:
        blocks = [scratch.alloc_array(uint8, [number] * (number + 1)) for number in range(100)]
        for block in blocks[::3]:
            block.free()
        for number, block in enumerate(blocks):
            last = block.address + number
            if number % 3:
                assert heap.read_uint8(last) == number
                with pytest.raises(OutOfBoundsError):
                    heap.read_uint8(last + 1)
            else:
                with pytest.raises(UseAfterFreeError):
                    heap.read_uint8(last)


def test_corruption_is_found_at_free_and_by_verify(open_heap: OpenHeap) -> None:
    heap = open_heap(**DEBUG)
    first, second, third = (heap.alloc_array(uint8, 10) for _ in range(3))
    heap.verify()
    heap.memory.write_bytes(first.address + 10, b"abc")
    heap.memory.write_bytes(second.address - 2, b"ab")
    third.free()
    heap.memory.write_bytes(third.address + 5, b"a")
    with pytest.raises(HeapCorruptionError) as caught:
        heap.verify()
    output = str(caught.value)
    assert "was overrun: bytes 0 to 2 after its end were written" in output
    assert "was underrun: bytes 1 to 2 before its start were written" in output
    assert "was written to after it was freed: byte 5" in output
    assert re.search(rf"noticed at {HERE}test_corruption_is_found", output)
    heap.verify()
    heap.memory.write_bytes(first.address + 10, b"abc")
    with pytest.raises(HeapCorruptionError, match="bytes 0 to 2 after its end"):
        first.free()
    assert not first.is_freed
    first.free()
    second.free()


def test_fresh_memory_has_a_pattern_where_it_is_not_cleared(open_heap: OpenHeap) -> None:
    heap = open_heap(debug=True, clear_allocated_regions=False)
    with heap.alloc_array(uint8, 5) as block:
        assert block[:] == [0xCD] * 5


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_stacks_are_as_deep_as_asked_for(open_heap: OpenHeap, depth: int) -> None:
    def outer(event: Callable[[], Any]) -> Any:
        return middle(event)

    def middle(event: Callable[[], Any]) -> Any:
        return inner(event)

    def inner(event: Callable[[], Any]) -> Any:
        return event()

    callers = ["inner", "middle", "outer"][:depth]
    heap = open_heap(debug=True, site_depth=depth)
    ref = outer(partial(heap.alloc, int32, 5))
    assert stacks_in(f"allocated at {heap.live()[0].site}") == {"allocated": callers}

    def told(event: Callable[[], Any], *events: str) -> None:
        with pytest.raises(emheap.HeapError) as caught:
            outer(event)
        assert stacks_in(str(caught.value)) == dict.fromkeys(events, callers)

    heap.memory.write_bytes(ref.address + 4, b"!")
    told(heap.verify, "allocated", "noticed")
    heap.memory.write_bytes(ref.address + 4, b"!")
    told(ref.free, "allocated", "noticed")
    told(partial(heap.read_int64, ref.address), "allocated", "accessed")
    outer(ref.free)
    told(ref.free, "allocated", "freed", "freed again")
    told(ref.read, "allocated", "freed", "used")
    told(partial(heap.read_int32, ref.address), "allocated", "freed", "accessed")
    heap.memory.write_bytes(ref.address, b"!")
    told(heap.verify, "allocated", "freed", "noticed")


def stacks_in(text: str) -> dict[str, list[str]]:
    """For each event that a message tells, the functions that it happened in, innermost first."""
    place = r"\S+:\d+ in [\w<>]+"
    events = rf"(\w+(?: again)?) at ({place}(?:\n    from {place})*)"
    return {event: re.findall(r" in ([\w<>]+)", stack) for event, stack in re.findall(events, text)}


def test_numbers_arrays_structures_and_views_look_no_block_up(
    open_heap: OpenHeap, monkeypatch: pytest.MonkeyPatch
) -> None:
    heap = open_heap(**DEBUG)
    with heap.arena() as scratch, monkeypatch.context() as patched:
        number, numbers = scratch.alloc(int32, 5), scratch.alloc_array(int32, [1, 2, 3])
        wrapped, structure = heap.wrap(int32, number.address), scratch.alloc(Vec, x=1, y=2)
        patched.setattr(GuardedTable, "block_containing", None)
        with pytest.raises(TypeError, match="NoneType"):
            heap.read_int32(number.address)
        number.value += 1
        wrapped.value += 1
        numbers[1:] = [number.value, numbers[0]]
        assert numbers[:] == list(numbers) == [1, 7, 1]
        structure.x += numbers.view[1]
        assert structure.to_tuple() == (8, 2)


def test_collected_blocks_leave_no_trace(open_heap: OpenHeap) -> None:
    heap = open_heap(debug=True, enable_garbage_collection=True)
    address = heap.alloc(int32, 5).address
    with pytest.raises(UseAfterFreeError, match="freed at an unknown place"):
        heap.read_int32(address)
    heap.verify()


def test_it_counts_too(open_heap: OpenHeap) -> None:
    heap = open_heap(debug=True, count_allocations=True)
    heap.alloc(int32, 5).free()
    assert heap.statistics().counts == (1, 4, 1, 4)
    heap.verify()


def test_a_second_heap_on_the_same_allocator_is_guarded_once(open_heap: OpenHeap) -> None:
    heap = open_heap(**DEBUG)
    second = HeapManager(heap.memory, heap.allocator, heap.options)
    assert second.allocator is heap.allocator
    assert isinstance(heap.allocator, DebugAllocator)
    with second.alloc(int32, 5) as ref:
        assert second.read_int32(ref.address) == 5
        heap.memory.write_bytes(ref.address + 4, b"a")
        with pytest.raises(HeapCorruptionError, match="overrun"):
            heap.verify()


# Switched off, and on


def test_nothing_is_in_the_way_of_a_heap_that_is_none(kind: Any) -> None:
    with kind.open(debug=False) as heap:
        assert type(heap._table) is BlockTable
        assert heap._memory is heap._table.raw_memory is heap.memory
        assert not isinstance(heap.allocator, DebugAllocator)
        with pytest.raises(
            NotSupportedError, match=r"^verify\(\) needs red zones around the blocks; open the heap"
        ):
            heap.verify()


def test_bad_values_of_the_options(kind: Any) -> None:
    for value in (None, 1, "yes"):
        with pytest.raises(TypeError, match="option debug must be bool"), kind.open(debug=value):
            pass
    for depth in (0, -1, 101):
        words = f"option site_depth must be 1 to 100, got {depth}"
        with pytest.raises(ValueError, match=words), kind.open(site_depth=depth):
            pass
    for depth in (1, 100):
        with kind.open(site_depth=depth) as heap:
            assert heap.options.site_depth == depth
    wrong: tuple[Any, ...] = (None, 1.5, True, "3")
    for depth in wrong:
        with pytest.raises(TypeError, match="must be an int"), kind.open(site_depth=depth):
            pass
    with (
        pytest.raises(
            ValueError, match="option debug=True needs the table of live blocks: track_all"
        ),
        kind.open(debug=True, track_allocations=False),
    ):
        pass


def test_the_environment_switches_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, expected in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("EMHEAP_DEBUG", value)
        assert emheap.open().options.debug is expected
        assert emheap.open(count_allocations=True).options.debug is expected
        assert emheap.open(debug=False).options.debug is False
        assert emheap.open(track_allocations=False).options.debug is False
        assert emheap.wrap_buffer(bytearray(64)).options.debug is expected
    monkeypatch.setenv("EMHEAP_DEBUG", "yes")
    with pytest.raises(
        ValueError, match="the environment variable EMHEAP_DEBUG must be 0 or 1, got 'yes'"
    ):
        emheap.open()


def test_the_environment_makes_debug_heaps_of_every_kind(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMHEAP_DEBUG", "1")
    with kind.open() as heap, heap.alloc(int32, 5) as number:
        assert heap.options.debug
        with pytest.raises(OutOfBoundsError, match="0 bytes after the end of the int32 of 4 bytes"):
            heap.read(uint8, number.address + 4)
        heap.verify()


# At the end of the interpreter

AT_EXIT = """
import sys
import emheap

def leak(heap):
    sys.kept = heap.alloc_array(emheap.uint8, 10)
    heap.memory.write_bytes(sys.kept.address + 10, b"ab")

def main():
    leak(emheap.open())                              # a heap that the program forgot
    tidy = emheap.open()
    tidy.alloc(emheap.int32, 5).free()
    sys.left = emheap.wrap_buffer(bytearray(1000))
    ref = sys.left.alloc(emheap.int32, 5)
    ref.free()
    sys.left.memory.write_bytes(ref.address, b"abcd")
    sys.gone = emheap.wrap_buffer(bytearray(1000))
    sys.gone.alloc(emheap.int32, 5).free()
    sys.gone.memory.release()

emheap.open(debug=False).alloc(emheap.int32, 5)      # no debug heap
sys.stderr = sys.stdout
main()
"""


def test_the_report_at_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    if IN_PYODIDE:
        skip_for_gap("Pyodide", "it starts no processes")
    monkeypatch.setenv("EMHEAP_DEBUG", "1")
    output = run_program(AT_EXIT)
    assert "1 block of 10 bytes is live; free it:\n  1 of 10 bytes (uint8" in output
    site = r"allocated at <string>:6 in leak\n    from <string>:10 in main\n    from <string>:23"
    assert len(re.findall(site, output)) == 2
    assert "was overrun: bytes 0 to 1 after its end were written" in output
    assert "the buffer: the block of 4 bytes at" in output
    assert "was written to after it was freed: bytes 0 to 3" in output
    assert "could not be looked at: UseAfterFreeError: the buffer was released at " in output
    assert output.count("emheap at exit: ") == 4
    assert "Traceback" not in output


def test_no_report_where_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    if IN_PYODIDE:
        skip_for_gap("Pyodide", "it starts no processes")
    monkeypatch.setenv("EMHEAP_DEBUG", "1")
    program = """
        import sys, emheap
        sys.stderr = sys.stdout
        heap = emheap.open()
        with heap.arena() as scratch:
            scratch.alloc(emheap.int32, 5)
        """
    assert run_program(program) == ""
