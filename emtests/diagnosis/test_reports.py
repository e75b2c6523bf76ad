"""What a heap tells of its blocks: statistics, snapshots, leaks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import emheap
from emheap import (
    HeapManager,
    HeapRef,
    LeakError,
    NotSupportedError,
    Pointer,
    float64,
    int32,
    uint8,
    utf8,
)
from emtests.conftest import OpenHeap, skip_for_gap
from emtests.contexts import notes_of
from emtests.heaps import IN_PYODIDE
from emtests.structures.kinds import Vec
from emtests.types.values import ALL_NUMBERS


def test_live_blocks_say_what_they_are_and_where_from(heap: HeapManager) -> None:
    number, name = heap.alloc_int32(7), heap.alloc(utf8, "four")
    live = {block.address: block for block in heap.live()}
    assert live.keys() == {number.address, name.address}
    assert live[number.address][1:3] == (4, "int32")
    assert live[name.address][1:3] == (5, "utf8 string")
    for block in live.values():
        assert re.fullmatch(r".*test_reports.py:\d+ in test_live_blocks_say.*", block.site)
    number.free()
    name.free()
    assert heap.live() == []


def test_live_blocks_are_those_of_every_kind(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        refs: list[Any] = [heap.alloc(scalar) for scalar in ALL_NUMBERS]
        refs += [heap.alloc(Vec), heap.alloc_array(Vec, 2), heap.alloc(Pointer[Vec])]
        refs += [heap.alloc_array(uint8, 0), heap.alloc(utf8, "text"), heap.alloc(int32, align=64)]
        refs += [scratch.alloc(int32), scratch.alloc_array(uint8, 3), scratch.alloc(Vec)]
        listed = {block.address: block.byte_size for block in heap.live()}
        assert listed == {ref.address: ref.allocated_byte_size for ref in refs}
        assert heap.statistics().live == (len(refs), sum(listed.values()))
    heap.free_all()


def test_live_blocks_are_listed_oldest_first_within_a_type(heap: HeapManager) -> None:
    numbers = [heap.alloc(float64)]
    arrays = [heap.alloc_array(uint8, 9)]
    apart = [heap.alloc(float64, align=1024)]
    with heap.arena() as scratch:
        within: list[HeapRef[Any]] = [scratch.alloc(float64), scratch.alloc(uint8)]
        numbers.append(heap.alloc(float64))
        apart.append(scratch.keep(scratch.alloc(float64)))
        arrays += [heap.alloc_array(uint8, size) for size in (1, 5)]
        within.append(scratch.alloc(float64))
        listed = [block.address for block in heap.live()]
        for blocks in (numbers, arrays, apart, within):
            addresses = [ref.address for ref in blocks]
            assert [address for address in listed if address in addresses] == addresses
    heap.free_all()


def test_statistics_group_what_is_live(heap: HeapManager) -> None:
    numbers = [heap.alloc(float64) for _ in range(3)]
    arrays = [heap.alloc_array(uint8, size) for size in (0, 1, 9, 16, 17)]
    sites = {block.kind: block.site for block in heap.live()}
    found = heap.statistics()
    assert found.live == (8, 24 + 43)
    assert found.by_kind == {"uint8 array": (5, 43), "float64": (3, 24)}
    assert list(found.by_kind) == ["uint8 array", "float64"]
    assert found.by_size == {1: (2, 1), 8: (3, 24), 16: (2, 25), 32: (1, 17)}
    assert found.by_site == {sites["uint8 array"]: (5, 43), sites["float64"]: (3, 24)}
    assert list(found.by_site) == [sites["uint8 array"], sites["float64"]]
    assert found.counts is None
    assert len(numbers) + len(arrays) == 8
    heap.free_all()
    assert heap.statistics().live == (0, 0)


def test_counts_are_kept_on_request(open_heap: OpenHeap) -> None:
    heap = open_heap(count_allocations=True)
    assert heap.statistics().counts == (0, 0, 0, 0)
    for _ in range(5):
        with heap.alloc_array(uint8, 100), heap.alloc_int32(1), heap.arena() as scratch:
            scratch.alloc(float64)
    assert heap.statistics().counts == (3, 112, 15, 560)
    kept = heap.alloc_array(uint8, 50)
    address = heap.alloc_array(uint8, 60).detach()
    with heap.alloc_array(uint8, 10):
        assert heap.statistics().live == (2, 60)
    assert heap.statistics().counts == (3, 112, 18, 680)
    heap.adopt(uint8, address, 60).free()
    kept.free()


def test_what_is_counted_is_what_the_allocator_was_asked_for() -> None:
    asked: list[int] = []
    data = bytearray(1 << 16)

    def allocate(size: int) -> int:
        asked.append(size)
        return 1024 + 16

    heap = emheap.create_wasm_heap_manager(
        lambda: data, allocate, lambda address: None, count_allocations=True
    )
    heap.alloc_array(uint8, 100, align=64).free()
    assert asked[-1] > 100
    assert heap.statistics().counts == (1, max(asked), len(asked), sum(asked))


def test_a_failing_free_is_not_counted() -> None:
    def refuse(address: int) -> None:
        if refusing:
            raise RuntimeError("busy")

    refusing = [True]
    data = bytearray(4096)
    heap = emheap.create_wasm_heap_manager(
        lambda: data, lambda size: 512, refuse, count_allocations=True
    )
    ref = heap.alloc_array(uint8, 100)
    with pytest.raises(RuntimeError, match="busy"):
        ref.free()
    refusing.clear()
    ref.free()
    heap.alloc_array(uint8, 100).free()
    assert heap.statistics().counts == (1, 100, 2, 200)


def test_snapshots_tell_what_came_and_went(heap: HeapManager) -> None:
    stays, goes = heap.alloc(int32), heap.alloc_array(uint8, 3)
    before = heap.snapshot()
    goes.free()
    comes = heap.alloc_array(uint8, 3)  # most likely where the other one was
    after = heap.snapshot()
    change = before.diff(after)
    assert [block.address for block in change.allocated] == [comes.address]
    assert [block.address for block in change.freed] == [goes.address]
    assert after.diff(after) == ([], [])
    wild: Any = before
    nothings: tuple[Any, ...] = (None, heap, [])
    for nothing in nothings:
        with pytest.raises(TypeError, match=r"^diff\(\) takes what heap.snapshot\(\) gave"):
            wild.diff(nothing)
    assert len(before) == len(after) == 2
    stays.free()
    comes.free()
    assert before.diff(after) == change  # which tells of the time between them and of no other


def test_leaks_are_grouped_by_site(heap: HeapManager) -> None:
    heap.check_leaks()
    small = [heap.alloc(int32) for _ in range(3)]
    large = heap.alloc_array(uint8, 1000)
    with pytest.raises(LeakError) as caught:
        heap.check_leaks()
    first, *groups = str(caught.value).splitlines()
    assert first == "4 blocks of 1012 bytes together are live; free them:"
    assert len(groups) == 2
    site = r"allocated at .*test_reports.py:\d+ in \S+"
    where = f"0x{large.address:x}"
    assert re.fullmatch(
        rf"  1 of 1000 bytes \(uint8 array\), the first at {where}, {site}", groups[0]
    )
    assert re.fullmatch(rf"  3 of 12 bytes \(int32\), the first at 0x[0-9a-f]+, {site}", groups[1])
    for ref in (*small, large):
        ref.free()


def test_a_scope_without_leaks(heap: HeapManager) -> None:
    outside = heap.alloc(int32)
    with heap.no_leaks():
        heap.alloc(int32).free()
        outside.free()
    left: list[HeapRef[Any]] = []
    with (
        pytest.raises(LeakError, match="1 block of 8 bytes is still live; free it"),
        heap.no_leaks(),
    ):
        left.append(heap.alloc(float64))
    with pytest.raises(KeyError, match="body") as caught, heap.no_leaks():  # noqa: PT012
        left.append(heap.alloc(int32))
        raise KeyError("body")
    (note,) = notes_of(caught.value, ["and then, 1 block of 4 bytes"])
    assert note.startswith("and then, 1 block of 4 bytes")
    for ref in left:
        ref.free()


def test_reports_need_the_table(open_heap: OpenHeap) -> None:
    heap = open_heap(track_allocations=False)
    for report in ("live", "statistics", "snapshot", "map", "check_leaks", "no_leaks"):
        words = (
            rf"^{report}\(\) needs a table of live blocks; open the heap with track_allocations=Tr"
        )
        with pytest.raises(NotSupportedError, match=words):
            getattr(heap, report)()
    with pytest.raises(NotSupportedError, match="open the heap with debug=True"):
        heap.verify()


TESTS = """
from emheap import int32, open

def test_clean(emheap_heap):
    assert emheap_heap.memory.space is open().memory.space
    emheap_heap.alloc(int32).free()

def test_leaking(emheap_heap, request):
    request.config.kept = emheap_heap.alloc(int32)

def test_what_leaked_was_freed(emheap_heap, request):
    assert request.config.kept.is_freed

def test_in_use(emheap_heap, request):
    request.config.part = emheap_heap.alloc_array(int32, 3).view[1:]

def test_closing(emheap_heap):
    emheap_heap.alloc(int32, 5)
    emheap_heap.close()
"""


def test_the_fixture_for_users_finds_a_leak(tmp_path: Path) -> None:
    if IN_PYODIDE:
        skip_for_gap("Pyodide", "it starts no processes")
    (tmp_path / "test_user.py").write_text(TESTS, encoding="utf-8")
    plugin = [] if _installed() else ["-p", "emheap.pytest_plugin"]
    command = [sys.executable, "-m", "pytest", *plugin, "-q", "--rootdir", ".", "test_user.py"]
    environment = {"PYTHONPATH": str(Path(emheap.__file__).parents[1])}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert "5 passed, 2 errors" in done.stdout
    assert "LeakError: 1 block of 4 bytes is live" in done.stdout
    assert "test_user.py:9 in test_leaking" in done.stdout
    assert "LeakError: 1 block of 12 bytes is live" in done.stdout
    assert "BufferInUseError" not in done.stdout


def _installed() -> bool:
    """Whether pytest loads the plugin by itself."""
    from importlib.metadata import entry_points

    return "emheap" in {point.name for point in entry_points(group="pytest11")}


def test_an_error_of_the_body_carries_the_leaks_in_a_note(heap: HeapManager) -> None:
    left = []

    def fail() -> None:
        left.append(heap.alloc(int32))
        raise KeyError("body")

    with pytest.raises(KeyError) as caught, heap.no_leaks():
        fail()
    left.pop().free()
    if sys.version_info >= (3, 11):
        (note,) = caught.value.__notes__
        assert note.startswith("and then, 1 block of 4 bytes is still live; free it:")
