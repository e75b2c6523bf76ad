"""The names that fields may have, and what else a class body may hold."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import emheap
from emheap import Struct, float32, int32
from emtests.conftest import skip_for_gap


@pytest.mark.parametrize(
    "name",
    [
        "free",
        "address",
        "clear",
        "to_dict",
        "kind",
        "read",
        "write",
        "errors",
        "_alone",
        "_block",
        "_variants",
        "_parent",
    ],
)
def test_the_names_that_every_structure_has_are_reserved(name: str) -> None:
    metaclass: Any = type(Struct)
    with pytest.raises(
        TypeError,
        match=rf"Bad\.{name}: {name} means something in every structure; call the field {name}_",
    ):
        metaclass("Bad", (Struct,), {"__annotations__": {name: int32}, "__module__": __name__})
    made = metaclass(
        "Good", (Struct,), {"__annotations__": {name + "_": int32}, "__module__": __name__}
    )
    assert made(**{name + "_": 3}).to_tuple() == (3,)


def test_names_that_look_reserved_and_are_not() -> None:
    class Named(Struct):
        name: int32
        size: int32
        value: int32
        count: int32
        offset: int32
        align: int32
        pack: int32

    made = Named(name=1, size=2, value=3, count=4, offset=5, align=6, pack=7)
    assert made.to_tuple() == (1, 2, 3, 4, 5, 6, 7)
    heap = emheap.wrap_buffer(bytearray(512))
    with heap.alloc(Named, name=1, size=2, value=3, count=4, offset=5, align=6, pack=7) as placed:
        assert placed == made
        assert "Named name=1 size=2" in repr(placed)
    with heap.alloc_array(Named, 2) as several:
        assert "Named array" in str(several) or "Named of 2 elements" in repr(several)


def test_names_that_the_library_uses_itself() -> None:
    class Named(Struct):
        self: int32
        cls: int32
        kind_: int32
        fields: int32
        type: float32
        float: float32
        int: float32
        TypeError: float32

    values = dict.fromkeys(("self", "cls", "kind_", "fields", "type", "float", "int"), 1)
    with emheap.open().alloc(Named, **values, TypeError=2) as placed:
        assert placed == Named(**values, TypeError=2)
        placed.write((*placed.to_tuple()[:-1], 3))
        assert placed.TypeError == 3


_OF_FIELDS = (
    r"a structure is made of its fields, also by heap\.alloc\(\), which would not call this; write "
    "a classmethod that calls the constructor"
)
PROGRAMS = {
    "twice": (
        "    x: int32\n    y: int32\n    x: uint8",
        r"(Bad\.x|a field of Bad) is declared twice",
    ),
    "no annotation": (
        "    x = field()",
        r"Bad\.x is no field without an annotation, as in x: int32",
    ),
    "a type only": ("    x = uint8", r"Bad\.x is no field without an annotation, as in x: uint8"),
    "a method": ("    x: int32\n    def x(self): ...", r"Bad\.x: int32 takes an int, not function"),
    "a slot": ("    __slots__ = ('x',)\n    x: int32", r"Bad\.x: int32 takes an int, not member_d"),
    "an initializer": (
        "    x: int32\n    def __init__(self): ...",
        rf"Bad\.__init__: {_OF_FIELDS}",
    ),
    "a maker": ("    x: int32\n    def __new__(cls): ...", rf"Bad\.__new__: {_OF_FIELDS}"),
    "Python's name": ("    __x__: int32", r"Bad\.__x__: names with two underscores at both ends"),
    "Python's own": ("    __dict__: int32", r"Bad\.__dict__: names with two underscores at both"),
    "late": ("    x: 'Late'\nclass Late(Struct):\n    y: int32", r"Bad\.x: Late is not declared"),
    "in quotes": ("    x: 'Pointer[int]'", r"Bad\.x: Pointer\[int\]: int is no type of memory"),
    "bad quotes": (
        "    x: Pointer['int32 +']",
        r"Bad\.x: the annotation 'int32 \+' cannot be eval",
    ),
}


@pytest.mark.parametrize("first", ["", "from __future__ import annotations\n"])
@pytest.mark.parametrize(("body", "text"), PROGRAMS.values(), ids=PROGRAMS)
def test_a_bad_class_body(first: str, body: str, text: str) -> None:
    source = f"{first}from emheap import *\nclass Bad(Struct):\n{body}\n"
    program = compile(source, "<bad>", "exec", dont_inherit=True)
    with pytest.raises(TypeError, match=text):
        exec(program, {"__name__": __name__})


def test_annotations_that_are_no_dict() -> None:
    if sys.version_info >= (3, 14):
        skip_for_gap("annotations that are an object", "from Python 3.14 on they are a function")
    metaclass: Any = type(Struct)
    with pytest.raises(TypeError, match=r"^Bad\.__annotations__ must be a dict, not 5$"):
        metaclass("Bad", (Struct,), {"__annotations__": 5, "__module__": __name__})


@pytest.mark.parametrize("name", ["class", "a b", "a=1): import os #", "1a"])
def test_a_name_that_is_no_attributes(name: str) -> None:
    metaclass: Any = type(Struct)
    with pytest.raises(TypeError, match="no attribute can have this name, as no variable can"):
        metaclass("Bad", (Struct,), {"__annotations__": {name: int32}, "__module__": __name__})
