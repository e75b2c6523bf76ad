# ruff: noqa: T201
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true, reportUnusedExpression=false
# mypy: warn-unused-ignores
"""Wrong uses of structures, each of which both checkers must refuse; never run.

A comment `type: ignore` on a line that a checker has no complaint about is itself an error to it.
"""

from __future__ import annotations

from emheap import HeapManager, Pointer, int32, uint8
from emtests.structures.kinds import Color, Message, Number, Pixel, Vec
from emtests.typing_checks.test_right_structures import Node, Road


def fields(n: Node, vec: Vec) -> None:
    print(Road(length="a"))  # type: ignore[arg-type]
    n.id = "a"  # type: ignore[assignment]
    n.id = 1.5  # type: ignore[assignment]
    n.id = None  # type: ignore[assignment]
    n.hot = "no"  # type: ignore[assignment]
    n.level = "3"  # type: ignore[assignment]
    n.color = 1  # type: ignore[assignment]
    n.access = "r"  # type: ignore[assignment]
    n.at = 5  # type: ignore[assignment]
    n.at.x = "a"  # type: ignore[assignment]
    n.at = Pixel(r=1, g=2, b=3)  # type: ignore[assignment]
    n.at = (1, 2)  # type: ignore[assignment]
    print(Node(id=1, at=Pixel(r=1, g=2, b=3)))  # type: ignore[arg-type]
    print(Node(id=1, at=("a", None)))  # type: ignore[arg-type]
    n.yes = "yes"  # type: ignore[assignment]
    n.letter = "x"  # type: ignore[assignment]
    n.wide = b"x"  # type: ignore[assignment]
    n.size = "large"  # type: ignore[assignment]
    n.pos[0] = "a"  # type: ignore[call-overload]
    print(n.pos["a"])  # type: ignore[call-overload]
    print(n.corners[0].z)  # type: ignore[attr-defined]
    print(n.nothing)  # type: ignore[attr-defined]
    n.nothing = 1  # type: ignore[attr-defined]
    text: str = n.id  # type: ignore[assignment]
    number: int = n.at  # type: ignore[assignment]
    color: Color = n.level  # type: ignore[assignment]
    print(text, number, color)
    vec.address = 5  # type: ignore[misc]
    vec.to_dict(1)  # type: ignore[call-arg]
    vec.field_ref(Vec.x).atomic.add("a")  # type: ignore[arg-type]
    vec.field_ref(n.id)  # type: ignore[arg-type]


def pointers(heap: HeapManager, n: Node, vec: Vec) -> None:
    n.next = 3.5  # type: ignore[assignment]
    n.next = "a"  # type: ignore[assignment]
    n.next = vec  # type: ignore[assignment]
    n.next = heap.alloc_array(Vec, 2)  # type: ignore[arg-type]
    n.data = heap.alloc_array(Vec, 2)  # type: ignore[assignment]
    print(n.next.get().id)  # type: ignore[union-attr]
    print(n.next["a"])  # type: ignore[index]
    print(n.data.target.x)  # type: ignore[attr-defined]
    n.next.cast(int)  # type: ignore[arg-type]


def allocating(heap: HeapManager, vec: Vec, pixel: Pixel) -> None:
    heap.alloc(Vec, x="a", y=1)  # type: ignore[call-overload]
    heap.alloc(Vec, x=1)  # type: ignore[call-overload]
    heap.alloc(Vec, x=1, y=2, z=3)  # type: ignore[call-overload]
    heap.alloc(Node, id=1, at=Pixel(r=1, g=2, b=3))  # type: ignore[call-overload]
    heap.alloc(Node, id=1, at=(1, 2))  # type: ignore[call-overload]
    vec.write(Pixel(r=1, g=2, b=3))  # type: ignore[arg-type]
    several = heap.alloc_array(Vec, 3)
    several[0] = Pixel(r=1, g=2, b=3)  # type: ignore[call-overload]
    several[0] = 5  # type: ignore[call-overload]
    several[:2] = [Pixel(r=1, g=2, b=3)]  # type: ignore[list-item]
    heap.alloc(Vec, 5)  # type: ignore[arg-type]
    heap.alloc(Vec, pixel)  # type: ignore[arg-type]
    heap.write(Vec, 16, pixel)  # type: ignore[arg-type]
    heap.alloc_array(Vec, [pixel])  # type: ignore[arg-type]
    heap.arena().alloc(Vec, pixel)  # type: ignore[arg-type]
    heap.alloc(Pixel, r=1, g=2)  # type: ignore[call-overload]
    heap.alloc(Number, as_float="a")  # type: ignore[call-overload]
    heap.alloc_array(Vec, ["a"])  # type: ignore[arg-type]
    heap.alloc_array(Vec)  # type: ignore[call-overload]
    heap.read(Vec)  # type: ignore[call-overload]
    heap.write(Vec, 16, 5)  # type: ignore[arg-type]
    heap.wrap(Vec, "a")  # type: ignore[call-overload]
    heap.wrap_array(Vec, 16)  # type: ignore[call-overload]
    heap.wrap_array(Vec, 16, 2, stride="8")  # type: ignore[call-overload]
    heap.adopt(Pointer[Vec], "a")  # type: ignore[call-overload]
    heap.adopt(Pointer[Vec], 16, tail=3)  # type: ignore[type-var]
    heap.adopt(Message, 16, 2, tail=3)  # type: ignore[call-overload]
    heap.layout(int32)  # type: ignore[arg-type]
    heap.alloc(Message, items=[1])  # type: ignore[call-overload]
    Vec(x="a", y=1)  # type: ignore[arg-type]
    Vec(x=1)  # type: ignore[call-arg]
    Vec(1, 2)  # type: ignore[call-arg]
    Vec(x=1, y=2, z=3)  # type: ignore[call-arg]
    values: list[Pointer[uint8]] = [heap.alloc(Vec)]  # type: ignore[list-item]
    print(values)
