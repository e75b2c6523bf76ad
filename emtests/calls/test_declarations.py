"""What the annotations of a library say, and what each mistake in them is called."""

from __future__ import annotations

import builtins
import enum
import sys
from collections.abc import Callable
from typing import Annotated, Any, Concatenate, TypeVar

import pytest

import emheap
from emheap import (
    Function,
    HeapManager,
    Library,
    NotSupportedError,
    NullPointerError,
    Pointer,
    StringRef,
    Struct,
    c,
    uint8,
    uint16,
    utf8,
)
from emtests.calls.ways import Way

T = TypeVar("T")


class Letters(Struct):
    first: uint8
    second: uint8


class Shade(enum.Enum):
    LIGHT = 0
    DARK = 255


class Rights(enum.Flag):
    READ = 1
    ALL = 0xFFFF


class Words(enum.Enum):
    YES = "yes"


class Opaque(Struct):
    """C keeps to itself what is in it."""


# Numbers


def test_an_enumeration_that_c_stores_in_fewer_bytes(way: Way, c_heap: HeapManager) -> None:
    class Stored(Library):
        same_uchar: Function[[Annotated[Shade, c.stored(c.uchar)]], Shade]
        same_ushort: Function[
            [Annotated[Rights, c.stored(c.ushort)]], Annotated[Rights, c.stored(c.ushort)]
        ]

    library = way.bind(Stored, c_heap)
    assert library.same_uchar(Shade.DARK) is Shade.DARK
    assert library.same_ushort(Rights.ALL) is Rights.ALL
    assert library.same_ushort(Rights(0)) is Rights(0)


def test_a_value_that_the_stored_number_cannot_have(way: Way, c_heap: HeapManager) -> None:
    class Stored(Library):
        same_uchar: Function[[Annotated[Rights, c.stored(c.uchar)]], c.uchar]

    with pytest.raises(OverflowError, match=r"takes 0 to 255, and 65535 does not fit"):
        way.bind(Stored, c_heap).same_uchar(Rights.ALL)


def test_what_is_no_number_of_c() -> None:
    for wrong in (c.string, c.data):
        with pytest.raises(TypeError, match=r"is no number of C's: pass a name such as c\.long"):
            c.vararg(wrong, 5)
    with pytest.raises(TypeError, match="the type is int, which C cannot take or give"):
        c.vararg(int, 5)


def test_annotations_of_other_people_are_left_alone(way: Way, c_heap: HeapManager) -> None:
    number = c.int.__metadata__[0]  # type: ignore[attr-defined]

    class Annotations(Library):
        add: Function[[Annotated[builtins.int, "what a tool reads", number], c.int], c.int]

    assert way.bind(Annotations, c_heap).add(2, 3) == 5


# Signatures


def test_variable_arguments_alone(way: Way, c_heap: HeapManager) -> None:
    class Alone(Library):
        sum_ints: Function[Concatenate[c.int, ...], c.int]

    assert way.bind(Alone, c_heap).sum_ints(2, 3, 4) == 7


def test_what_is_no_signature(way: Way, c_heap: HeapManager) -> None:
    class NoList(Library):
        add: Function[5, c.int]  # type: ignore[valid-type]

    class NoEllipsis(Library):
        add: Function[Concatenate[c.int, c.int], c.int]  # type: ignore[valid-type]

    class PlainList(Library):
        add: Function[[c.int], list]  # type: ignore[type-arg]

    for wrong, words in (
        (
            NoList,
            r"NoList\.add: a signature is Function\[\[parameter, \.\.\.\], result\], and 5 is no "
            "list$",
        ),
        (NoEllipsis, r"add: Concatenate in a signature ends with \.\.\. \(C's variable argument"),
        (PlainList, r"add: the result is list, .*; write one of the names of emheap\.c"),
    ):
        with pytest.raises(TypeError, match=words):
            way.bind(wrong, c_heap)
    for parts in (c.int, ([c.int], c.int, c.int)):
        with pytest.raises(
            TypeError, match=r"a signature is Function\[\[parameter, \.\.\.\], resul"
        ):
            Function[parts]  # type: ignore[misc, valid-type]
    with pytest.raises(TypeError, match=r"a declaration .* is no function: bind it by heap\.libr"):
        Function[[c.int], c.int]()


def test_a_callback_may_be_declared_as_a_function(way: Way, c_heap: HeapManager) -> None:
    class Applying(Library):
        apply: Function[[Function[[c.int], c.int], c.int], c.int]
        apply_twice: Function[[Callable[[c.int], c.int], c.int], c.int]

    library = way.bind(Applying, c_heap)
    assert library.apply(lambda value: value * 3, 5) == 15  # type: ignore[arg-type]
    assert library.apply_twice(lambda value: value * 3, 5) == 60


def test_what_python_cannot_be() -> None:
    class Variadic(Library):
        apply: Function[[Function[Concatenate[c.int, ...], c.int], c.int], c.int]

    class Named(Library):
        add: Function[[Words, c.int], c.int]

    class Nullable(Library):
        length: Function[[c.string | None], c.size_t]

    for wrong, words in (
        (
            Variadic,
            r"Variadic\.apply: parameter 1 is a function with variable arguments, which Python "
            "cannot be",
        ),
        (Named, r"Named\.add: Words\.YES is 'yes', and C's enumerations are integers"),
        (
            Nullable,
            r"parameter 1 is a pointer, which may be null as it is: leave `\| None` out \(a null "
            r"pointer that C returns is false\)",
        ),
    ):
        with pytest.raises(TypeError, match=words):
            emheap.open().library(wrong)
    out: Any = c.out
    for target in (int, str, list):
        with pytest.raises(TypeError, match=f"what is pointed to is {target.__name__}, which C ca"):
            out[target]


def test_a_text_that_is_not_utf_8(way: Way, c_heap: HeapManager) -> None:
    class Texts(Library):
        same_pointer: Function[[c.string], c.text]

    library = way.bind(Texts, c_heap)
    with c_heap.alloc(emheap.text("latin-1"), "fähig") as text:
        with pytest.raises(UnicodeDecodeError, match="byte 0xe4 in position 1") as caught:
            library.same_pointer(text)
        if sys.version_info >= (3, 11):
            assert caught.value.__notes__ == [
                "the result of same_pointer() is not UTF-8: declare Pointer[Any], and read its "
                'address by heap.read(), as emheap.text("latin-1") for example'
            ]

    class Pointers(Library):
        same_pointer: Function[[c.string], Pointer[Any]]

    with c_heap.alloc(emheap.text("latin-1"), "fähig") as text:
        place = way.bind(Pointers, c_heap).same_pointer(text)
        assert c_heap.read(emheap.text("latin-1"), place.address) == "fähig"


# What goes one way only


def test_kinds_that_are_parameters_or_results_only(way: Way, c_heap: HeapManager) -> None:
    class TextParameter(Library):
        length: Function[[c.text], c.size_t]

    class OwnedParameter(Library):
        length: Function[[Annotated[StringRef, c.owned("release")]], c.size_t]

    class StringResult(Library):
        version: Function[[], c.string]

    class CallbackResult(Library):
        doubler: Function[[], c.callback[Callable[[c.int], c.int]]]

    for wrong, words in (
        (
            TextParameter,
            r"parameter 1 of length\(\) .* cannot be passed: c\.text is for what C returns; write "
            r"c\.string or c\.buffer$",
        ),
        (
            OwnedParameter,
            r"length\(\) \(utf8 \* to be freed by release\) cannot be passed: an owned result is "
            r"for what C returns; write c\.string or c\.buffer$",
        ),
        (StringResult, r"the result of version\(\) cannot be a const char \*: write c\.text"),
        (CallbackResult, r"pointer \(int\) -> int: write Pointer\[Any\] and library\.function_at"),
    ):
        with pytest.raises(TypeError, match=words):
            way.bind(wrong, c_heap)


def test_addresses_that_come_back_are_pointers(way: Way, c_heap: HeapManager) -> None:
    class Pointers(Library):
        same_pointer: Function[[c.ref[Letters]], c.ref[Letters]]
        duplicate: Function[[c.string], c.buffer]
        release: Function[[c.buffer], None]

    library = way.bind(Pointers, c_heap)
    with c_heap.alloc(Letters, first=1, second=2) as letters:
        back: Any = library.same_pointer(letters)
        assert isinstance(back, Pointer)
        assert back.address == letters.address
        assert back.target.second == 2
    assert not library.same_pointer(None)
    copy: Any = library.duplicate("ab")
    assert copy.cast(Pointer[uint8])[1] == ord("b")
    library.release(copy)


# Owned results


def test_a_structure_that_c_allocated(way: Way, c_heap: HeapManager) -> None:
    class Owning(Library):
        duplicate: Function[[c.string], Annotated[Letters, c.owned("release")]]
        releases: Function[[], c.int]

    library = way.bind(Owning, c_heap)
    before = library.releases()
    letters = library.duplicate("xy")
    assert letters.to_tuple() == (ord("x"), ord("y"))
    letters.free()
    assert library.releases() == before + 1
    with pytest.raises(
        NullPointerError,
        match=r"result of duplicate\(\) is a null pointer: add \| None where that is right$",
    ):
        library.duplicate(None)


def test_an_owned_result_of_a_type_that_was_said(way: Way, c_heap: HeapManager) -> None:
    class Owning(Library):
        duplicate: Function[[c.string], Annotated[Any, c.owned("release", utf8)] | None]

    library = way.bind(Owning, c_heap)
    text: Any = library.duplicate("héllo")
    assert text.value == "héllo"
    text.free()
    assert library.duplicate(None) is None


def test_an_owned_result_that_nobody_can_free(way: Way, c_heap: HeapManager) -> None:
    class Owning(Library):
        duplicate: Function[[c.string], Annotated[StringRef, c.owned("no_such_function")]]

    with pytest.raises(NotSupportedError, match="no function no_such_function, which is to free a"):
        way.bind(Owning, c_heap)


def test_an_owned_result_of_a_type_that_is_not_known(way: Way, c_heap: HeapManager) -> None:
    class Owning(Library):
        duplicate: Function[[c.string], Annotated[list[int], c.owned("release")]]

    words = r"what lies behind list\[int\]\? Say it, as in c\.owned\('free', utf8\)"
    with pytest.raises(TypeError, match=words):
        way.bind(Owning, c_heap)


# Structures


def test_a_structure_without_fields_is_passed_by_address_only(
    way: Way, c_heap: HeapManager
) -> None:
    class ByAddress(Library):
        same_pointer: Function[[c.ref[Opaque]], Pointer[Opaque]]

    library = way.bind(ByAddress, c_heap)
    with c_heap.alloc(uint16) as block:
        assert library.same_pointer(c_heap.wrap(Opaque, block.address)).address == block.address

    class ByValue(Library):
        unwrap: Function[[Opaque], c.int]

    class Result(Library):
        wrap_one: Function[[c.int], Opaque]

    for wrong in (ByValue, Result):
        with pytest.raises(NotSupportedError, match="Opaque cannot be passed by value, for it has"):
            way.bind(wrong, c_heap)


def test_other_arguments_to_bind_are_refused(c_heap: HeapManager, way: Way) -> None:
    class Plain(Library):
        add: Function[[c.int, c.int], c.int]

    library = way.bind(Plain, c_heap)
    for wrong in (int, Callable[[int], int], None):
        words = r"expected Function\[\[parameter, \.\.\.\], result\], got"
        with pytest.raises(TypeError, match=words):
            library.function_at(wrong, 1)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=words):
            library.function_pointer(wrong, abs)  # type: ignore[arg-type]
