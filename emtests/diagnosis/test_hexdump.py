"""Hexdumps, the map of a heap, and what notebooks show."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

import emheap
from emheap import (
    HeapManager,
    NotSupportedError,
    OutOfBoundsError,
    Pointer,
    UseAfterFreeError,
    clamped_uint8,
    float32,
    float64,
    hexdump,
    int8,
    int16,
    int32,
    pointer53,
    uint8,
    uint128,
    utf8,
    utf16,
)
from emheap.diagnosis.heap_map import HeapMap
from emtests.conftest import OpenHeap

HERE = r"\S*test_hexdump.py:\d+ in \w+"

# Hexdumps


def lines_of(dump: str) -> list[str]:
    return dump.split("\n")


def test_a_dump_has_bytes_characters_and_values(heap: HeapManager) -> None:
    with heap.alloc_array(int16, [1, -2, 0x4241, 3, 4, 5, 6, 7, -9], align=16) as array:
        head, first, second = lines_of(hexdump(array))
        assert re.fullmatch(
            rf"the int16 array of 18 bytes at 0x{array.address:x}, allocated at {HERE}", head
        )
        assert first == (
            f"  0x{array.address:x}  01 00 fe ff 41 42 03 00  04 00 05 00 06 00 07 00  "
            "|....AB..........|  1 -2 16961 3 4 5 6 7"
        )
        assert second == f"  0x{array.address + 16:x}  f7 ff{' ' * 43}  |..|  -9"


def test_a_dump_names_no_block_that_ends_or_begins_beside_it() -> None:
    heap = emheap.wrap_buffer(bytearray(256), debug=False)
    before, dumped, after = (heap.alloc_array(uint8, 16) for _ in range(3))
    assert (before.address + 32, after.address - 16) == (after.address, dumped.address)
    assert len(lines_of(hexdump(heap, dumped.address, 16))) == 2
    heap.free_all()


def test_every_kind_of_value_is_told(heap: HeapManager) -> None:
    with heap.arena() as scratch:
        refs: list[tuple[Any, str]] = [
            (scratch.alloc(float64, 0.5), "|.......?|  0.5"),
            (scratch.alloc(uint128, 1 << 100), f"|  {1 << 100}"),
            (scratch.alloc_array(float32, [0.25, 2]), "  0.25 2.0"),
            (scratch.alloc_array(clamped_uint8, [300, -1]), "|..|  255 0"),
            (scratch.alloc(pointer53, 1 << 52), f"  {1 << 52}"),
            (scratch.alloc_array(uint128, [1, 2]), "|  2"),
        ]
        for ref, end in refs:
            assert hexdump(ref).endswith(end), hexdump(ref)
        for text in (utf8, utf16):
            dump = hexdump(scratch.alloc(text, "héllo\n"))
            assert ": 'héllo\\n'" in lines_of(dump)[0]
        assert hexdump(scratch.alloc(utf8, "x" * 100)).splitlines()[0].endswith("x'...")
        assert lines_of(hexdump(scratch.alloc_array(int32, 0)))[1:] == []


def test_the_beginning_of_a_long_text_is_shown(heap: HeapManager) -> None:
    for length, shown in ((60, "x" * 60 + "'"), (61, "x" * 60 + "'...")):
        with heap.alloc(utf8, "x" * length) as text:
            assert lines_of(hexdump(text))[0].endswith(f": '{shown}")


def test_freed_blocks_are_shown_where_nothing_else_lies_now() -> None:
    heap = emheap.wrap_buffer(bytearray(256), allocator=emheap.FreeListAllocator, debug=False)
    blocks = [heap.alloc_array(uint8, [byte] * 16) for byte in range(3)]
    start = blocks[0].address

    def heads() -> list[str]:
        lines = lines_of(hexdump(heap, start, 48))
        return [line.partition(" at 0x")[0] for line in lines if not line.startswith("  ")]

    for old in blocks[1:]:
        old.free()
    size = "uint8 array of 16 bytes"
    assert heads() == [f"the {size}", f"freed: the {size}", f"freed: the {size}"]
    over_both = heap.alloc_array(uint8, [4] * 24)
    assert over_both.address == start + 16
    assert heads() == [f"the {size}", "the uint8 array of 24 bytes", "no known block"]
    heap.free_all()


def test_of_freed_blocks_that_overlap_the_latest_is_shown() -> None:
    heap = emheap.wrap_buffer(bytearray(1 << 15), debug=False)
    for kinds in ({uint8: 4000, int32: 8000}, {int16: 6000, int8: 6000}):  # too large for a pool
        refs = [heap.alloc_array(kind, size // kind.size) for kind, size in kinds.items()]
        heap.free_all()
    lines = lines_of(hexdump(heap, refs[0].address, 12000))
    assert [line.split()[2] for line in lines if "bytes at" in line] == ["int16", "int8"]


def test_a_stretch_of_the_heap_is_divided_by_blocks(heap: HeapManager) -> None:
    block = heap.alloc_array(uint8, [7] * 12, align=64)
    inside = hexdump(heap, block.address + 4, 8)
    head, row = lines_of(inside)
    assert head.startswith(f"the uint8 array of 12 bytes at 0x{block.address:x}, allocated at ")
    assert row.endswith("07 07 07 07 07 07 07 07" + " " * 27 + "|........|  7 7 7 7 7 7 7 7")
    beyond = lines_of(hexdump(heap, block.address, 14))
    assert beyond[1].startswith(f"  0x{block.address:x}  07 07 07 07 07 07 07 07  07 07 07 07   ")
    assert beyond[3].startswith(f"  0x{block.address + 12:x}  ")
    block.free()
    late = lines_of(hexdump(heap, block.address, 12))
    assert re.fullmatch(
        rf"freed: the uint8 array of 12 .*, allocated at {HERE}, freed at {HERE}", late[0]
    )


def test_red_zones_are_shown(open_heap: OpenHeap) -> None:
    heap = open_heap(debug=True, site_depth=1)
    with heap.alloc_array(uint8, [1, 2]) as block:
        before, _, named, inside, after, _ = lines_of(hexdump(heap, block.address - 4, 10))
        assert before == after == "no known block"
        assert named.startswith("the uint8 array of 2 bytes")
        assert "01 02" in inside
    assert "dd dd" in hexdump(heap, block.address, 2)


def test_elements_are_told_where_they_begin(heap: HeapManager) -> None:
    with heap.alloc_array(int32, [1, 2, 3], align=64) as array:
        assert hexdump(heap, array.address + 4, 8).endswith("|........|  2 3")
        assert hexdump(heap, array.address + 2, 8).endswith("|........|")
        assert hexdump(heap, array.address, 7).endswith("|.......|  1")


def test_a_long_block_is_cut(heap: HeapManager) -> None:
    with heap.alloc_array(uint8, 5000) as array:
        lines = lines_of(hexdump(array))
        assert len(lines) == 1 + 4096 // 16 + 1
        assert lines[-1] == "  ... 904 bytes more; hexdump(ref, length=...) shows them"
        assert len(lines_of(hexdump(array, length=5000))) == 1 + 313
        assert len(lines_of(hexdump(array, length=10))) == 3
        assert len(lines_of(hexdump(heap, array.address, 5000))) == 1 + 313


def test_what_cannot_be_dumped(heap: HeapManager) -> None:
    wild: Any = hexdump
    ref = heap.alloc(int32, 5)
    for arguments in ((), (None,), (5,), (heap,), (heap, ref.address), (ref, 4), (heap, 1, 2, 3)):
        words = r"hexdump\(\) (takes|missing 1 required|of a reference)|address"
        with pytest.raises(TypeError, match=words):
            wild(*arguments)
    with pytest.raises(
        TypeError, match=r"hexdump\(\) of a reference takes length= and nothing else"
    ):
        wild(ref, 4)
    assert len(lines_of(hexdump(ref, length=4))) == 2
    text = r"hexdump\(\) takes a reference, or a heap, an address and a length"
    with heap.alloc(Pointer[int32], ref) as pointer, pytest.raises(TypeError, match=text):
        wild(pointer.value)
    with pytest.raises(OutOfBoundsError, match=r"^hexdump of 5 bytes: <ScalarRef int32 .* has 4$"):
        hexdump(ref, length=5)
    with pytest.raises(OverflowError, match="length must not be negative"):
        hexdump(ref, length=-1)
    with pytest.raises(OverflowError, match="length must not be negative"):
        hexdump(heap, ref.address, -1)
    with pytest.raises(OutOfBoundsError):
        hexdump(heap, 0, 1)
    with pytest.raises(TypeError, match="not str '8'"):
        wild(heap, "8", 1)
    ref.free()
    with pytest.raises(UseAfterFreeError):
        hexdump(ref)


def test_a_dump_shows_itself() -> None:
    heap = emheap.wrap_buffer(bytearray(64))
    with heap.alloc(int32, 5) as ref:
        dump = hexdump(ref)
        assert repr(dump) == str(dump) == dump
        assert "05 00 00 00" in dump._repr_html_()


# The map


def test_the_map_tells_blocks_from_gaps() -> None:
    heap = emheap.wrap_buffer(bytearray(4096))
    blocks = [heap.alloc_array(uint8, size) for size in (64, 160, 8, 48, 16)]
    blocks[1].free()
    blocks[3].free()
    drawn = heap.map()
    [region] = drawn.regions
    assert (region.start, region.end) == (16, 16 + 64 + 160 + 8 + 48 + 16)
    assert (region.used, region.largest_gap, region.cell_size) == (88, 160, 16)
    assert list(region.rows()) == ["####..........-..--"]
    assert [cell.used for cell in region.cells] == [16] * 4 + [0] * 10 + [8] + [0] * 2 + [8, 8]
    heap.free_all()


def test_a_full_row_and_small_cells() -> None:
    drawn = HeapMap("a heap", [(16 * cell, 16 * cell + 16, "x") for cell in range(200)])
    assert [len(row) for row in drawn.regions[0].rows()] == [64, 64, 64, 8]
    assert '<svg width="640" height="40"' in drawn._repr_html_()
    assert '<svg width="30" height="10"' in HeapMap("a heap", [(0, 48, "x")])._repr_html_()
    large = HeapMap("a heap", [(1000, 1000 + (1 << 20), "x")])
    assert large.regions[0].cell_size == 1024
    assert "".join(large.regions[0].rows()) == "#" * 1024


def test_how_full_a_cell_is() -> None:
    used = (16, 9, 8, 7, 1)
    blocks = [(16 * cell, 16 * cell + size, "x") for cell, size in enumerate(used)]
    [region] = HeapMap("a heap", [*blocks, (96, 112, "x")]).regions
    assert list(region.rows()) == ["#+---.#"]


def test_blocks_far_apart_lie_in_regions_of_their_own() -> None:
    far = 1 << 30
    drawn = HeapMap("a heap", [(far * number, far * number + number, "x") for number in range(20)])
    assert len(drawn.regions) == 20
    text = str(drawn)
    assert text.startswith("a heap: 20 blocks of 190 bytes in 20 regions\n")
    assert text.endswith("... and 4 smaller regions")
    assert text.count(" % in use") == 16
    assert "... and 4 smaller regions" in drawn._repr_html_()


def test_blocks_that_overlap_are_counted_once() -> None:
    drawn = HeapMap("a heap", [(100, 200, "whole"), (120, 140, "adopted"), (190, 220, "more")])
    assert drawn.regions[0].used == 120
    # What lies beside a large block is not apart from it, whatever was adopted at its beginning.
    large = 3 << 20
    for inside in ([], [(16, 32, "adopted")]):
        blocks = [(0, large, "whole"), *inside, (large + 100, large + 108, "beside")]
        [region] = HeapMap("a heap", blocks).regions
        assert region.largest_gap == 100


def test_an_empty_heap_has_an_empty_map(heap: HeapManager) -> None:
    drawn = heap.map()
    assert drawn.regions == []
    assert str(drawn) == f"{heap.memory.name}: no live blocks"


def test_the_map_of_every_heap(open_heap: OpenHeap) -> None:
    heap = open_heap()
    with heap.arena() as scratch:
        for size in range(0, 300, 7):
            scratch.alloc_array(uint8, size)
        drawn = heap.map()
        assert sum(region.used for region in drawn.regions) == sum(range(0, 300, 7))
        assert "blocks of 6321 bytes in" in str(drawn)
    untracked = open_heap(track_allocations=False)
    with pytest.raises(NotSupportedError, match="map"):
        untracked.map()


# Notebooks


class Page(HTMLParser):
    """Sees to it that HTML is whole and fetches nothing, and keeps its text."""

    KNOWN = frozenset(["div", "pre", "table", "tr", "th", "td", "svg", "rect", "title"])

    def __init__(self, html: str) -> None:
        super().__init__()
        self._open: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.KNOWN
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in ("src", "href", "xlink:href")
            assert "url(" not in (value or "")
        self._open.append(tag)
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


HOSTILE = '<script>alert("1")</script> & \' </pre></td>'


def test_references_in_a_notebook(heap: HeapManager) -> None:
    name = heap.alloc(utf8, HOSTILE)
    samples = heap.alloc_array(float32, [0.5] * 100)
    number = heap.alloc(int32, 42)
    borrowed = heap.wrap(int32, number.address)
    page = Page(name._repr_html_())
    assert repr(HOSTILE) in page.text
    assert "script" not in page.tags
    assert "100 elements: [0.5, 0.5," in Page(samples._repr_html_()).text
    assert ", ...]" in Page(samples._repr_html_()).text
    page = Page(number._repr_html_())
    for words in (f"0x{number.address:x}", "42", "owned", heap.memory.name, "test_hexdump.py"):
        assert words in page.text
    assert "2a 00 00 00" in page.text
    assert "borrowed" in Page(borrowed._repr_html_()).text
    for ref in (name, samples, number):
        ref.free()
        page = Page(ref._repr_html_())
        assert re.search(rf"freed at {HERE}", page.text)
        assert "value" not in page.text
    Page(borrowed._repr_html_())


def test_a_damaged_string_in_a_notebook(heap: HeapManager) -> None:
    name = heap.alloc(utf8, "abc")
    heap.memory.write_bytes(name.address, b"\xff\xff\xff\xff")
    assert "unreadable: no null terminator" in Page(name._repr_html_()).text
    name.free()


def test_a_place_that_looks_like_html(heap: HeapManager) -> None:
    source = "ref = heap.alloc(int32, 5)"
    names = {"heap": heap, "int32": int32}
    exec(compile(source, "<img src=x onerror=alert(1)>", "exec"), names)
    ref: Any = names["ref"]
    for shown in (ref, heap.live(), heap.statistics(), heap):
        page = Page(shown._repr_html_())
        assert "img" not in page.tags
    assert "<img src=x onerror=alert(1)>:1 in <module>" in Page(heap.live()._repr_html_()).text
    ref.free()


def test_characters_are_shown_where_they_are_printable(heap: HeapManager) -> None:
    with heap.alloc_array(uint8, b"\x1f !0~\x7f\x80") as ref:
        assert "|. !0~..|" in hexdump(ref)


def test_the_squares_of_a_map_are_as_strong_as_their_bytes_are_used() -> None:
    heap = emheap.wrap_buffer(bytearray(4096), debug=False)
    full, empty, half = (heap.alloc_array(uint8, size) for size in (16, 32, 8))
    empty.free()
    drawn = re.findall(
        r'<rect x="(\d+)" y="(\d+)".*?fill-opacity="([\d.]+)"', heap.map()._repr_html_()
    )
    assert [float(opacity) for _, _, opacity in drawn[:3]] == [1.0, 0.0, 0.0]
    assert 0 < float(drawn[3][2]) < 1
    step = int(drawn[1][0])
    assert [(int(x), int(y)) for x, y, _ in drawn[:4]] == [(step * n, 0) for n in range(4)]
    full.free()
    half.free()


def test_a_square_names_its_first_blocks() -> None:
    for count, rest in ((8, ""), (9, "\n... and 1 more")):
        drawn = HeapMap("x", [(16 + n, 17 + n, f"number {n}") for n in range(count)])
        names = "".join(f"\nnumber {n}" for n in range(8))
        assert f"<title>0x10{names}{rest}</title>" in drawn._repr_html_()


def test_heaps_and_reports_in_a_notebook(open_heap: OpenHeap) -> None:
    heap = open_heap(count_allocations=True)
    before = heap.snapshot()
    refs = [heap.alloc_array(uint8, size) for size in range(150)]
    page = Page(heap._repr_html_())
    assert "svg" in page.tags
    for words in ("live blocks150", "uint8 array", "largest gap", "count_allocations"):
        assert words in page.text
    page = Page(heap.statistics()._repr_html_())
    # The allocator is asked for a byte where a block has none.
    counts = ("most blocks at once150", "most bytes at once11176", "blocks in all150")
    for words in (*counts, "bytes in all11176", "up to 128", "test_hexdump.py"):
        assert words in page.text
    page = Page(heap.live()._repr_html_())
    assert page.text.startswith("live blocks: 150, 11175 bytes")
    assert page.text.endswith("... and 50 more")
    refs[0].free()
    page = Page(before.diff(heap.snapshot())._repr_html_())
    assert "allocated: 149," in page.text
    assert "freed: 0, 0 bytes" in page.text
    heap.free_all()
    for shown in (heap, heap.live(), heap.statistics(), heap.map()):
        Page(shown._repr_html_())


def test_a_heap_that_tracks_nothing_in_a_notebook(open_heap: OpenHeap) -> None:
    heap = open_heap(track_allocations=False)
    assert "not tracked" in Page(heap._repr_html_()).text
