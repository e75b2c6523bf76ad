"""Structures that nobody expects: of odd names, of no bytes, deep, of arrays of bit-fields."""

from __future__ import annotations

import enum
import sys
import textwrap
from collections.abc import Callable
from typing import Annotated, Any, Generic, NewType, Optional, TypeVar

import pytest

import emheap
from emheap import (
    Arena,
    Array,
    HeapManager,
    MisalignedError,
    Pointer,
    Struct,
    array,
    bits,
    field,
    int32,
    int64,
    uint8,
    uint32,
)
from emtests.conftest import skip_for_gap
from emtests.structures.kinds import Vec

T = TypeVar("T")
_STRUCT: Any = type(Struct)


def declare(name: str, /, **notes: Any) -> Any:
    return _STRUCT(name, (Struct,), {"__annotations__": notes, "__module__": __name__})


class Level(enum.Enum):
    LOW = 1


def test_what_an_annotation_adds_is_for_others() -> None:
    class Measured(Struct):
        length: Annotated[int32, "in metres"]
        width: Annotated[uint8, "in metres", 5] = field(default=2)

    assert Measured(length=3).to_tuple() == (3, 2)


Metres = NewType("Metres", int32)
Grade = NewType("Grade", int)


def test_a_type_by_another_name(scratch: Arena) -> None:
    class Renamed(Struct):
        length: Metres
        many: Array[Metres] = array(2)
        shared: Pointer[Annotated[int32, "in metres"]] = field()
        grade: Grade = bits(uint8, 3)

    made = scratch.alloc(Renamed, length=3, many=[4, 5], shared=scratch.alloc(int32, 6))
    made.grade = Grade(7)
    assert made.to_tuple()[:2] == (3, [4, 5])
    assert (made.shared.target, made.grade) == (6, 7)
    assert "  4     8  many: int32[2]\n" in str(emheap.open().layout(Renamed))


_ALIASES = """
type Number = int32
type Several = Array[Number]
type Next = Pointer[Late]

class Aliased(Struct):
    first: Number
    rest: Several = array(2)
    vec: Pointer[Position] = field()

type Position = Vec
class Bad(Struct):
    next: Next = field()
"""


def test_a_type_statement_names_a_type() -> None:
    if tuple(sys.version_info) < (3, 12):
        skip_for_gap("type statements", "Python has them from 3.12 on")
    names: dict[str, Any] = {**vars(emheap), "Vec": Vec, "__name__": __name__}
    first = "from __future__ import annotations\n"
    with pytest.raises(TypeError) as caught:
        exec(compile(first + _ALIASES, "<aliases>", "exec", dont_inherit=True), names)
    assert str(caught.value) == (
        "Bad.next: Next stands for something that is not there yet: name 'Late' is not defined; "
        "write here what it stands for"
    )
    assert str(names["Aliased"].vec.kind) == "Pointer[Position]"
    made = names["Aliased"](first=1, rest=[2, 3])
    assert made.to_tuple()[:2] == (1, [2, 3])
    assert str(names["Aliased"].vec.kind) == "Pointer[Vec]"
    with emheap.open().arena() as scratch:
        placed: Any = scratch.alloc(names["Aliased"], first=1, vec=scratch.alloc(Vec, x=1, y=2))
        assert placed.vec.target.to_tuple() == (1, 2)


def test_a_structure_may_replace_what_all_have(scratch: Arena) -> None:
    class Replaced(Struct):
        x: int32

        def to_tuple(self) -> tuple[Any, ...]:
            return (*super().to_tuple(), "more")

        def write(self, value: Any) -> None:
            super().write((2 * value,))

    for made in (scratch.alloc(Replaced, x=1), scratch.alloc_array(Replaced, 1)[0]):
        made.write(4)
        assert (made.x, made.to_tuple(), list(made)) == (8, (8, "more"), [8, "more"])


def test_a_pointer_is_not_declared_to_be_none() -> None:
    kind: Any = Pointer[int32]
    for note in (kind | None, None | kind):
        with pytest.raises(
            TypeError,
            match=r"^Bad\.x: (Pointer\[int32\]|None) \| (None|Pointer\[int32\]) is no type of "
            r"memory; a pointer may be null, and its get\(\) gives None then$",
        ):
            declare("Bad", x=note)
    with pytest.raises(TypeError, match=r"^Bad\.x: Array\[int32\] \| None is no type of memory"):
        declare("Bad", x="Array[int32] | None")
    assert repr(kind | None) == "Pointer[int32] | None"
    with pytest.raises(TypeError, match=r"Pointer\[int32\] is a type of memory, not of Python obj"):
        kind(5)


@pytest.mark.parametrize("first", ["", "from __future__ import annotations\n"])
@pytest.mark.parametrize(
    ("note", "text"),
    [
        (
            "Optional[Pointer[Vec]]",
            "Pointer[Vec] | None is no type of memory; a pointer may be",
        ),
        (
            "Optional[Pointer['Bad']]",
            "Pointer[Bad] | None is no type of memory; a pointer may be",
        ),
        ("Optional[int32]", "int32 | None is no type of memory; a field has a value at all times"),
        (
            "Vec | None",
            "Vec | None is no type of memory; a field has a value at all times: keep a flag beside "
            "it, or let a pointer be null",
        ),
        (
            "int32 | float32",
            "int32 | float32 is no type of memory; fields that share their bytes are a Union",
        ),
        ("Pointer[Optional[Vec]]", "Pointer[Vec | None]: Vec | None is no type of memory, so noth"),
    ],
)
def test_a_field_has_one_type_and_a_value(first: str, note: str, text: str) -> None:
    source = f"{first}class Bad(Struct):\n    x: {note}\n"
    names = {**vars(emheap), "Optional": Optional, "Vec": Vec, "__name__": __name__}
    with pytest.raises(TypeError) as caught:
        exec(compile(source, "<bad>", "exec", dont_inherit=True), names)
    assert f"Bad.x: {text}" in str(caught.value)


@pytest.mark.parametrize("first", ["", "from __future__ import annotations\n"])
@pytest.mark.parametrize("name", ["__slots__", "__annotations__", "__qualname__", "__class__"])
@pytest.mark.parametrize("value", ["", " = field()"])
def test_a_field_has_no_name_of_pythons(first: str, name: str, value: str) -> None:
    source = f"{first}class Bad(Struct):\n    {name}: int32{value}\n"
    cure = name.strip("_") + "_"
    with pytest.raises(
        TypeError,
        match=rf"^Bad\.{name}: names with two .* Python's own; call the field {cure}$",
    ):
        exec(compile(source, "<bad>", "exec", dont_inherit=True), {**vars(emheap)})


def test_annotations_are_names_and_types() -> None:
    space = {"__module__": __name__}
    with pytest.raises(TypeError, match=r"^Bad: the name of a field must be a str, not 5$"):
        _STRUCT("Bad", (Struct,), {**space, "__annotations__": {5: int32}})
    # From Python 3.14 on annotationlib says so itself.
    with pytest.raises((TypeError, ValueError), match=r"__annotations__ .* dict"):
        _STRUCT("Bad", (Struct,), {**space, "__annotations__": []})


def test_a_structure_is_no_union() -> None:
    for bases in ((Struct, emheap.Union), (emheap.Union, Struct)):
        with pytest.raises(TypeError, match=r"^Bad: derive it from Struct or from Union, not from"):
            _STRUCT("Bad", bases, {"__module__": __name__})


def test_a_structure_may_say_what_is_matched() -> None:
    class Named(Struct):
        __match_args__ = ("second",)
        first: int32
        second: int32

    match Named(first=1, second=2):
        case Named(found):
            assert found == 2


def test_an_enumeration_needs_a_size() -> None:
    with pytest.raises(
        TypeError, match=r"^Bad\.x: Level is no type of memory; say what its values are stored as"
    ):
        declare("Bad", x=Level)


# fmt: off
_USED = (
    "self", "cls", "value", "name", "get", "set", "new", "inner", "cells", "index", "unpack",
    "pack", "encode", "decode", "codec", "stored", "type", "float", "window", "at", "items",
    "count", "data", "match",
)
# fmt: on


@pytest.mark.parametrize("name", _USED)
def test_a_name_that_the_code_for_fields_uses_too(scratch: Arena, name: str) -> None:
    """Those of variables and parameters, of which none may be taken for the field."""
    kind = declare("Odd", **{name: int32, f"{name}_2": emheap.float64})
    made: Any = scratch.alloc(kind, **{name: 4, f"{name}_2": 0.5})
    setattr(made, name, getattr(made, name) + 1)
    setattr(made, f"{name}_2", 2.5)
    assert made == kind(**{name: 5, f"{name}_2": 2.5})
    assert made.to_dict() == {name: 5, f"{name}_2": 2.5}
    assert f"{name}=5" in repr(made.read())


class Empty(Struct):
    _: int = bits(uint32, 0)


class Around(Struct):
    number: int32
    nothing: Array[Empty] = array(3)


def test_structures_of_no_bytes(scratch: Arena) -> None:
    made: Any = scratch.alloc(Empty)
    assert made.to_tuple() == ()
    assert made == Empty()
    assert made.read().to_dict() == {}
    assert scratch.alloc(Around, number=1).to_tuple() == (1, [(), (), ()])
    for values in (3, [made], b""):
        with pytest.raises(
            TypeError, match="Empty has no bytes, so its elements would have one address"
        ):
            scratch.alloc_array(Empty, values)


def test_structures_in_structures_many_times(scratch: Arena, heap: HeapManager) -> None:
    kind: Any = int32
    for depth in range(50):
        kind = declare(f"Level{depth}", inner=kind)
    made: Any = scratch.alloc(kind)
    innermost = made
    for _ in range(49):
        innermost = innermost.inner
    innermost.inner = 7
    value: Any = heap.read(kind, made.address).to_tuple()
    for _ in range(50):
        (value,) = value
    assert value == 7
    assert "inner." * 49 + "inner=7" in emheap.hexdump(made)


def test_structures_are_nested_as_deep_as_c_promises(heap: HeapManager) -> None:
    kind: Any = int32
    for depth in range(63):
        kind = declare(f"Level{depth}", inner=kind)
    text = (
        r"^Deep\.inner: a structure may have others in it to a depth of 63, which is what C "
        r"promises; let a Pointer\[Level62\] lead to the inner ones$"
    )
    with pytest.raises(TypeError, match=text):
        declare("Deep", inner=kind)

    def use(frames: int) -> None:
        if frames:
            use(frames - 1)
            return
        with heap.alloc_array(kind, 2) as both:
            both[0] = both[1].to_dict()
            both[0].write(both[1].read())
            assert both[0] == both[1]
            assert both[0].to_tuple() == both.tolist()[0]
            assert repr(both[0])
            assert str(heap.layout(kind)).startswith("Level62: 4 bytes")

    use(100)  # it works in programs that go deep themselves, too


class Flags(Struct):
    low: int = bits(uint8, 3)
    high: int = bits(uint8, 5)


class Board(Struct):
    cells: Array[Flags] = array(2, 3)
    last: Array[Flags] = array(2)


def test_bit_fields_in_arrays_of_two_dimensions(scratch: Arena) -> None:
    board = scratch.alloc(Board, cells=[[(0, n) for n in range(3)]] * 2)
    board.cells[1, 2].high = 31
    board.cells[0, 0].low = 7
    board.last = [(1, 2), {"low": 3, "high": 4}]
    expected = ([(7, 0), (0, 1), (0, 2), (0, 0), (0, 1), (0, 31)], [(1, 2), (3, 4)])
    assert board.to_tuple() == expected
    boards = scratch.alloc_array(Board, [board, board])
    boards[0].cells[0, 0].low = 0
    assert boards[1].read().to_tuple() == expected


class Tight(Struct, pack=1):
    tag: uint8
    count: int32
    total: int64 = field()


@pytest.mark.needs("atomics")
def test_a_packed_field_is_no_place_for_atomics(scratch: Arena) -> None:
    tight = scratch.alloc(Tight, tag=1, count=5)
    assert tight.field_ref(Tight.tag).atomic.add(1) == 1
    for each in (Tight.count, Tight.total):
        with pytest.raises(
            MisalignedError, match=r"an atomic change of int(32|64) needs an address"
        ):
            tight.field_ref(each).atomic.add(1)
    assert tight.to_tuple() == (2, 5, 0)


class Chain(Struct, Generic[T]):
    """One that is generic to type checkers alone."""

    number: int32
    next: Pointer[Chain[T]] = field()


class Owner(Struct):
    chain: Chain[int]


def test_a_generic_structure_is_one_at_run_time(scratch: Arena) -> None:
    chain: Any = scratch.alloc(Chain, number=1)
    chain.next = chain
    assert chain.next.target.number == 1
    assert Owner(chain=chain.read()).chain.number == 1
    pointer: Any = Pointer[Chain[str]]
    assert scratch.alloc(pointer, chain).value.target == chain
    generic: Any = Chain[int]
    uses: list[Callable[[], Any]] = [
        lambda: scratch.alloc(generic, number=1),
        lambda: scratch.alloc_array(generic, 2),
    ]
    for use in uses:
        with pytest.raises(TypeError, match=r"generic to type checkers alone: pass Chain$"):
            use()


_DEFERRED = ["from __future__ import annotations\n"]
if sys.version_info >= (3, 14):  # where annotations are deferred without it, in another way
    _DEFERRED.append("")
_LINKED = """
class Before(Struct):
    id: int32
    me: Pointer[Before] = field()
    next: Pointer[After] = field()
    many: Array[Pointer[After]] = array(2)
    deep: Pointer[Pointer[After]] = field()

class After(Struct):
    id: int32
    first: Before = field()
    both: Array[Before] = array(2)

    class Inner(Struct):
        x: int32

    inner: Inner = field()
"""


@pytest.mark.parametrize("first", _DEFERRED, ids=["future", "deferred"][: len(_DEFERRED)])
@pytest.mark.parametrize("where", ["module", "function"])
def test_names_that_are_not_there_yet(scratch: Arena, first: str, where: str) -> None:
    names: dict[str, Any] = {**vars(emheap), "__name__": __name__}
    source = _LINKED
    if where == "function":
        body = textwrap.indent(source, "    ")
        source = f"def declare():{body}    return Before, After\nBefore, After = declare()\n"
    exec(compile(first + source, "<names>", "exec", dont_inherit=True), names)
    before, after = names["Before"], names["After"]
    last: Any = scratch.alloc(after, id=2, inner=(5,))
    made: Any = scratch.alloc(before, id=1, next=last, many=[last, None])
    made.me = made
    last.both[1] = made
    assert made.me.target.next.target.both[1].many[0].target.inner.x == 5
    kinds = [before.next.kind, before.many.kind, before.deep.kind]
    assert str(kinds) == "[Pointer[After], Pointer[After][2], Pointer[Pointer[After]]]"


@pytest.mark.parametrize("first", _DEFERRED, ids=["future", "deferred"][: len(_DEFERRED)])
def test_a_name_that_is_no_type_when_it_is_there(heap: HeapManager, first: str) -> None:
    names: dict[str, Any] = {**vars(emheap), "__name__": __name__}
    source = f"{first}class Early(Struct):\n    to: Pointer[Pointer[Late]]\n"
    exec(compile(source, "<names>", "exec", dont_inherit=True), names)
    names["Late"] = 5
    with pytest.raises(TypeError, match=r"^Early\.to: Pointer\[5\]: 5 is no type of memory"):
        heap.alloc(names["Early"], to=None)


@pytest.mark.parametrize("first", _DEFERRED, ids=["future", "deferred"][: len(_DEFERRED)])
@pytest.mark.parametrize(
    ("note", "value", "text"),
    [
        ("Bad", "", "a structure cannot contain itself; it can have a Pointer[Bad]"),
        ("Array[Bad]", " = array(2)", "a structure cannot contain itself; it can have a Pointer"),
        ("Array[Late]", " = array(2)", "Late is not declared; a structure inside of another"),
        ("Pointer[Bad] | None", "", "Pointer[Bad] | None is no type of memory; a pointer may be"),
        ("Pointer[nowhere.Late]", "", "cannot be evaluated: there is no nowhere"),
    ],
)
def test_bad_names_that_are_not_there_yet(first: str, note: str, value: str, text: str) -> None:
    source = f"{first}class Bad(Struct):\n    x: {note}{value}\n"
    with pytest.raises(TypeError) as caught:
        exec(compile(source, "<bad>", "exec", dont_inherit=True), {**vars(emheap)})
    assert str(caught.value).startswith("Bad.x: ")
    assert text in str(caught.value)


@pytest.mark.parametrize("first", ["", "from __future__ import annotations\n"])
def test_fields_under_a_condition(first: str) -> None:
    source = """
class Chosen(Struct):
    x: int32
    if wide:
        y: int64 = field()
    else:
        y: int32 = field()
"""
    for wide in (True, False):
        names: dict[str, Any] = {**vars(emheap), "wide": wide}
        exec(compile(first + source, "<chosen>", "exec", dont_inherit=True), names)
        assert names["Chosen"].y.size == (8 if wide else 4)


@pytest.mark.parametrize("first", _DEFERRED, ids=["future", "deferred"][: len(_DEFERRED)])
def test_a_generic_structure_that_points_to_itself(scratch: Arena, first: str) -> None:
    source = "class Link(Struct, Generic[T]):\n    n: int32\n    next: Pointer[Link[T]] = field()\n"
    names: dict[str, Any] = {**vars(emheap), "Generic": Generic, "T": T}
    exec(compile(first + source, "<generic>", "exec", dont_inherit=True), names)
    link: Any = scratch.alloc(names["Link"], n=4)
    link.next = link
    assert link.next.target.n == 4


class Inmost(Struct):
    number: int64


class Inner(Struct):
    first: int64
    row: Array[Inmost] = array(2)


class Packed(Struct, pack=1):
    tag: uint8
    inner: Array[Inner] = array(1)


def test_a_packed_structure_at_an_odd_address(heap: Any) -> None:
    """Where what is inside of it is aligned in the memory, and not within the structure."""
    with heap.alloc_array(uint8, 48, align=8) as room:
        packed = heap.wrap(Packed, room.address + 7)
        for index, each in enumerate(packed.inner[0].row):
            each.number = 1000 + index
        packed.inner[0].first = -1
        at = room.address + 8
        assert [heap.read(int64, at + 8 * n) for n in range(3)] == [-1, 1000, 1001]
        assert [each.number for each in packed.inner[0].row] == [1000, 1001]
