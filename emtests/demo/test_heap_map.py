"""What the page shows of heaps, here."""

from __future__ import annotations

import pytest

import emheap
from emheap import int32, uint8, utf8
from emtests.growing import ReplacedBuffer
from pyodide_demo.heap_map import MOST_BLOCKS, MOST_SAMPLES, Observer, hexdump, survey


def test_a_survey_tells_of_every_block() -> None:
    heap = emheap.open(count_allocations=True)
    with heap.alloc_array(uint8, 100) as octets, heap.alloc(utf8, "text") as text:
        heap.alloc(int32).free()
        found = survey(heap)
        assert (found["blocks"], found["byte_size"]) == (2, 105)
        assert (found["peak_bytes"], found["total_blocks"]) == (109, 3)
        assert [(row["address"], row["byte_size"], row["kind"]) for row in found["rows"]] == [
            (octets.address, 100, "uint8 array"),
            (text.address, 5, "utf8 string"),
        ]
        assert found["by_kind"] == [
            {"name": "uint8 array", "blocks": 1, "byte_size": 100},
            {"name": "utf8 string", "blocks": 1, "byte_size": 5},
        ]
        (site,) = found["by_site"]
        assert "test_heap_map.py" in site["name"]
        assert (site["blocks"], site["byte_size"]) == (2, 105)
        assert (found["memory"], found["memory_size"]) == (heap.memory.name, heap.memory.size)


def test_a_heap_that_does_not_count_can_be_surveyed() -> None:
    heap = emheap.open()
    with heap.alloc(int32):
        found = survey(heap)
    assert (found["blocks"], found["peak_bytes"], found["total_blocks"]) == (1, 0, 0)


def test_the_largest_of_many_blocks_are_listed() -> None:
    heap = emheap.open()
    with heap.arena() as arena:
        sizes = [arena.alloc_array(uint8, 1 + i).allocated_byte_size for i in range(450)]
        found = survey(heap)
        assert found["blocks"] == len(sizes)
        assert [row["byte_size"] for row in found["rows"]] == sizes[: -MOST_BLOCKS - 1 : -1]


def test_a_hexdump_shows_numbers_and_text() -> None:
    heap = emheap.open()
    with heap.alloc_array(uint8, b"emheap\0\x7f\xff~ 01234") as octets:
        start = octets.address
        assert hexdump(heap, start, 16) == (
            f"{start:08x}  65 6d 68 65 61 70 00 7f ff 7e 20 30 31 32 33 34  emheap...~ 01234"
        )
        assert hexdump(heap, start + 1, 12, per_line=8).splitlines() == [
            f"{start + 1:08x}  6d 68 65 61 70 00 7f ff  mheap...",
            f"{start + 9:08x}  7e 20 30 31              ~ 01",
        ]
        assert hexdump(heap, start, 0) == ""
    # Nothing was borrowed: the block was freed.
    assert octets.is_freed


def test_a_dump_beyond_the_memory_is_refused() -> None:
    heap = emheap.wrap_buffer(bytearray(64))
    with pytest.raises(emheap.OutOfBoundsError):
        hexdump(heap, 60, 8)


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_samples_are_taken_now_and_then() -> None:
    clock = Clock()
    heap = emheap.open()
    observer = Observer(clock)
    observer.add("ours", heap)
    with heap.alloc_array(uint8, 10):
        clock.seconds += 0.1
        observer.look("too early")
        clock.seconds += 0.5
        observer.look("in time")
    history = observer.history("ours")
    assert history["seconds"] == pytest.approx(0.6)
    assert [(each["blocks"], each["byte_size"]) for each in history["samples"]] == [(0, 0), (1, 10)]
    assert history["growth"] == []
    for _ in range(2 * MOST_SAMPLES):
        clock.seconds += 1
        observer.look("later")
    assert len(observer.history("ours")["samples"]) == MOST_SAMPLES


def test_growth_is_never_missed_and_has_a_cause() -> None:
    clock = Clock()
    source = ReplacedBuffer(4096, 1 << 20)
    heap = emheap.create_wasm_heap_manager(source.get_heap, source.allocate, source.free)
    observer = Observer(clock)
    observer.add("other", emheap.open())
    observer.add("growing", heap)
    assert observer.names == ["other", "growing"]
    assert observer.heap("growing") is heap
    before = heap.memory.size
    with heap.alloc_array(uint8, 100_000):
        clock.seconds += 0.01
        observer.look("a large array")
        observer.look("nothing")
        (growth,) = observer.history("growing")["growth"]
        assert growth["during"] == "a large array"
        assert (growth["before"], growth["after"]) == (before, heap.memory.size)
        assert growth["after"] > 100_000
    assert observer.history("other")["growth"] == []
