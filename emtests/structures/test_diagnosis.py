"""What dumps, notebooks, maps, reports and errors show of structures."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

import emheap
from emheap import (
    Array,
    HeapManager,
    Struct,
    UseAfterFreeError,
    array,
    bits,
    boolean,
    field,
    int16,
    uint8,
    uint16,
)
from emtests.structures.kinds import Access, Color, Node, Vec


@pytest.fixture
def heap() -> HeapManager:
    return emheap.wrap_buffer(bytearray(4096))


def test_a_dump_names_the_fields(heap: HeapManager) -> None:
    with heap.alloc(
        Node, id=7, at=Vec(x=1.5, y=2), label="abc", level=-3, color=Color.BLUE
    ) as node:
        node.next = node
        text = str(emheap.hexdump(node))
        address = f"{node.address:#x}"
        for words in (
            "id=7 at.x=1.5 at.y=2.0",
            "pos[0]=0.0 pos[1]=0.0",
            "corners[3].y=0.0",
            "grid[5]=0 label='abc'",
            f"hot=False level=-3 access={Access(0)!s} color=Color.BLUE",
            f"number.as_int=0 number.as_float=0.0 next={address}",
            "data=null",
        ):
            assert words in text
        heap.memory.write_bytes(node.address + heap.layout(Node).fields["color"].offset, b"\7")
        assert "color=0x07" in str(emheap.hexdump(node))
        assert "0x14  00 00 c0 3f" in str(emheap.hexdump(node.at))
    freed = str(emheap.hexdump(heap, node.address, 16))
    assert freed.startswith("freed: the Node of ")
    assert "id=7 at.x=1.5 at.y=2.0" in freed


class Switches(Struct):
    count: int = bits(uint16, 3)
    level: int = bits(int16, 3)
    wide: bool = bits(int16, 1)
    lit: bool = bits(boolean, 1)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((7, -1, True, True), "count=7 level=-1 wide=True lit=True"),
        ((4, -4, True, False), "count=4 level=-4 wide=True lit=False"),
        ((3, 3, False, True), "count=3 level=3 wide=False lit=True"),
    ],
)
def test_a_dump_shows_bits_as_their_fields_read_them(
    heap: HeapManager, values: tuple[int, int, bool, bool], shown: str
) -> None:
    names = ("count", "level", "wide", "lit")
    with heap.alloc(Switches, **dict(zip(names, values, strict=True))) as switches:
        assert (switches.count, switches.level, switches.wide, switches.lit) == values
        assert str(emheap.hexdump(switches)).endswith(f"  {shown}")


def test_a_dump_of_an_array_names_the_fields_of_each(heap: HeapManager) -> None:
    with heap.alloc_array(Vec, [(1, 2), (3, 4), (5, 6)]) as vecs:
        assert "x=1.0 y=2.0 x=3.0 y=4.0" in str(emheap.hexdump(vecs))
        assert "x=3.0 y=4.0" in str(emheap.hexdump(vecs[1]))
        assert "x=1.0 y=..." in str(emheap.hexdump(vecs, length=6))


def cells_of(html: str) -> list[list[str]]:
    """The rows of all tables in a page."""
    rows = html.split("<tr")[1:]
    return [[unescape(cell) for cell in re.findall(r"<t[dh][^>]*>(.*?)</t", row)] for row in rows]


def test_a_notebook_lists_the_fields(heap: HeapManager) -> None:
    with heap.alloc(Node, id=7, at=Vec(x=1, y=2), color=Color.BLUE, level=-3) as node:
        node.next = node
        rows = cells_of(node._repr_html_())
        assert ["address", f"{node.address:#x}"] in rows
        assert rows[-16:-12] == [
            ["offset", "type", "field", "value"],
            ["0", "int32", "id", "7"],
            ["4", "Vec", "at", "(1.0, 2.0)"],
            ["16", "float64[2]", "pos", "[0.0, 0.0]"],
        ]
        for row in (
            ["84:0", "uint32:1", "hot", "False"],
            ["84:1", "int32:5", "level", "-3"],
            ["85", "uint8", "color", "<Color.BLUE: 2>"],
            ["92", "Pointer[Node]", "next", f"<Pointer[Node] to {node.address:#x}>"],
        ):
            assert row in rows
        assert "test_diagnosis.py" in node._repr_html_()
        assert "Vec in Node" in node.at._repr_html_()
        heap.memory.write_bytes(node.address + heap.layout(Node).fields["color"].offset, b"\7")
        assert "unreadable: Node.color holds 7" in unescape(node._repr_html_())
    assert "freed at" in node._repr_html_()
    assert cells_of(Vec(x=1, y=2)._repr_html_())[1:] == [
        ["0", "float32", "x", "1.0"],
        ["4", "float32", "y", "2.0"],
    ]


def test_a_notebook_lists_the_elements(heap: HeapManager) -> None:
    with heap.alloc_array(Vec, [(n, -n) for n in range(20)]) as vecs:
        rows = cells_of(vecs._repr_html_())
        assert ["value", "20 elements"] in rows
        first = rows.index(["", "x", "y"])
        assert rows[first + 1 : first + 3] == [["0", "0.0", "0.0"], ["1", "1.0", "-1.0"]]
        assert rows[-1] == ["...", "", ""]
    with heap.alloc_array(Vec, 16) as vecs:  # as many as are shown
        assert cells_of(vecs._repr_html_())[-1] == ["15", "0.0", "0.0"]


def test_reports_and_maps_know_structures(heap: HeapManager) -> None:
    with heap.alloc(Vec), heap.alloc_array(Vec, 3):
        assert [block.kind for block in heap.live()] == ["Vec array", "Vec"]
        assert {"Vec", "Vec array"} == set(heap.statistics().by_kind)
        assert "2 blocks" in str(heap.map())
    kept: list[Vec] = []
    with (
        pytest.raises(emheap.LeakError, match=r"1 of 8 bytes \(Vec\), the first at"),
        heap.no_leaks(),
    ):
        kept.append(heap.alloc(Vec))
    kept[0].free()


class Large(Struct):
    first: uint8 = field()
    rest: Array[uint8] = array(100_000)


@pytest.mark.parametrize("value", [Vec(x=1, y=2), Large()], ids=["small", "large"])
def test_a_value_that_was_freed_by_hand_says_where(value: Any) -> None:
    value.free()
    with pytest.raises(
        UseAfterFreeError, match=r"freed at .*test_diagnosis\.py:\d+ in test_a_value_that"
    ):
        _ = value.to_tuple()
