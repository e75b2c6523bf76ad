"""What dumps, notebooks, maps and reports show of structures."""

from __future__ import annotations

import pytest

import emheap
from emheap import HeapManager
from emtests.structures.kinds import Access, Color, Node, Vec


@pytest.fixture
def heap() -> HeapManager:
    return emheap.wrap_buffer(bytearray(4096))


def test_a_dump_names_the_fields(heap: HeapManager) -> None:
    with heap.alloc(Node, id=7, at=(1.5, 2), label="abc", level=-3, color=Color.BLUE) as node:
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


def test_a_dump_of_an_array_names_the_fields_of_each(heap: HeapManager) -> None:
    with heap.alloc_array(Vec, [(1, 2), (3, 4), (5, 6)]) as vecs:
        assert "x=1.0 y=2.0 x=3.0 y=4.0" in str(emheap.hexdump(vecs))
        assert "x=3.0 y=4.0" in str(emheap.hexdump(vecs[1]))
        assert "x=1.0 y=..." in str(emheap.hexdump(vecs, length=6))


def test_a_notebook_lists_the_fields(heap: HeapManager) -> None:
    with heap.alloc(Node, id=7, color=Color.BLUE) as node:
        shown = node._repr_html_()
        for words in ("offset", "uint8", "color", "BLUE", "Pointer[Node]", "test_diagnosis.py"):
            assert words in shown
        assert "Vec" in node.at._repr_html_()
    assert "freed at" in node._repr_html_()
    with heap.alloc_array(Vec, 3) as vecs:
        assert "3 elements: [" in vecs._repr_html_()


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
