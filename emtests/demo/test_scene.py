"""The small heaps of the page: the scene at its head, the row of bytes, the debug heap."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

import emheap
from emtests.conftest import skip_for_gap
from emtests.heaps import IN_PYODIDE
from pyodide_demo.guarded import BYTE_SIZE, ZONE, GuardedHeap
from pyodide_demo.heap_map import survey
from pyodide_demo.same_bytes import Row
from pyodide_demo.scene import STEPS, Scene


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.close()


def test_the_scene_shows_what_it_says(scene: Scene) -> None:
    if not IN_PYODIDE:
        skip_for_gap("JavaScript in the scene", "there is none in this interpreter")
    moments = {step["code"]: scene.step(step["code"]) for step in STEPS}
    assert moments["s.value"]["shown"] == "'aaallo'"
    assert moments["c_int32.from_address(n).value"]["shown"] == "99"
    assert moments["HEAPU8[n] = 7"]["bytes"][32:40] == "07030000"
    last = moments["n.value"]
    assert last["error"] == "UseAfterFreeError"
    assert re.search(r"allocated at line 1:1 .* freed at line 7:1", last["shown"])


def test_a_line_of_the_visitors_own(scene: Scene) -> None:
    assert scene.step("x = heap.alloc_array(uint8, [1, 2, 3])")["bytes"][32:38] == "010203"
    assert scene.step("x[1]")["shown"] == "2"
    assert scene.step("x[3]")["error"] == "OutOfBoundsError"
    assert scene.step("1 +")["error"] == "SyntaxError"
    assert scene.step("x.free()")["blocks"] == []


def test_three_languages_share_a_row() -> None:
    with emheap.open() as heap:
        row = Row(heap)
        for name in ("million", "text", "memset"):
            row.act(name)
        view = row.read()
        assert view["python"][:2] == ["1000000", str(0x41414141)]
        assert view["c"] == "@B\\x0f"
        row.act("memmove")
        assert row.read()["python"][3] == "1000000"
        row.act("clear")
        assert row.read()["python"] == ["0"] * 4


def test_a_row_that_was_freed_is_allocated_again() -> None:
    with emheap.open() as heap:
        row = Row(heap)
        heap.free_all()
        row.act("million")
        assert row.read()["python"][0] == "1000000"


@pytest.fixture
def guarded() -> Iterator[GuardedHeap]:
    heap = GuardedHeap()
    yield heap
    heap.close()


def test_an_overrun_of_the_debug_heap_is_found(guarded: GuardedHeap) -> None:
    assert guarded.act("open")["error"] == ""
    assert guarded.act("verify")["text"] == "No byte outside a block was written to."
    guarded.act("overrun")
    found = guarded.act("verify")
    assert found["error"] == "HeapCorruptionError"
    assert "was overrun: byte 0 after its end was written" in found["text"]


def test_red_zones_and_quarantine_are_told(guarded: GuardedHeap) -> None:
    guarded.act("open")
    guarded.act("open")
    zones = [guard for guard in guarded.guards() if guard["kind"] == "red zone"]
    starts = {zone["address"] for zone in zones}
    assert len(zones) == 4
    for address, size, *_ in guarded.heap.live():
        assert {address - ZONE, address + size} <= starts
    first = guarded.blocks[0].address
    guarded.act("free")
    waiting = [guard for guard in guarded.guards() if guard["kind"] == "quarantine"]
    assert waiting == [{"kind": "quarantine", "address": first, "byte_size": 40}]


def test_what_was_on_the_debug_heap_is_counted(guarded: GuardedHeap) -> None:
    for action in ("open", "open", "free"):
        guarded.act(action)
    now = survey(guarded.heap)
    assert (now["blocks"], now["peak_bytes"], now["total_blocks"]) == (1, 80, 2)


def test_a_full_debug_heap_says_so(guarded: GuardedHeap) -> None:
    outcomes = [guarded.act("open")["error"] for _ in range(BYTE_SIZE // 40)]
    assert outcomes[-1] == "OutOfMemoryError"
    assert guarded.act("free")["error"] == ""
