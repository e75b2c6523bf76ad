"""Strings, buffers, references, out-parameters, enumerations and variable arguments."""

from __future__ import annotations

import array
import sys
from typing import Any, Concatenate

import pytest

import emheap
from emheap import (
    BufferInUseError,
    Function,
    HeapManager,
    Library,
    NotAllocatedError,
    NullPointerError,
    Pointer,
    ShapeError,
    Struct,
    UseAfterFreeError,
    c,
    float32,
    float64,
    int32,
    int64,
    uint8,
    uint32,
    utf8,
    utf16,
)
from emtests.calls.declared import Calls, Color, Flags
from emtests.calls.ways import Way
from emtests.contexts import is_alone

# Strings


def test_a_string_may_be_a_str_bytes_or_a_reference(calls: Calls, c_heap: HeapManager) -> None:
    larger_than_the_stack = "€" * 100_000
    for text in ("", "abc", "héllo €", "x" * 255, "x" * 256, larger_than_the_stack):
        assert calls.length(text) == len(text.encode())
        assert calls.length(text.encode()) == len(text.encode())
    assert calls.length(bytearray(b"four")) == 4
    with c_heap.alloc(utf8, "in the heap") as text_ref:
        assert calls.length(text_ref) == 11
    with c_heap.alloc_array(uint8, b"bytes\0") as row:
        assert calls.length(row) == 5


def test_strings_after_the_memory_grew(calls: Calls, c_heap: HeapManager) -> None:
    assert [calls.length("x" * count) for count in (3, 5)] == [3, 5]
    size = c_heap.memory.size
    with c_heap.alloc_array(uint8, 8 << 20):
        assert calls.length("after") == 5
        assert [calls.length("y" * count) for count in (3, 5, 255)] == [3, 5, 255]
    assert c_heap.memory.size >= size


def test_a_null_string(calls: Calls) -> None:
    assert calls.length(None) in (2**64 - 1, 2**32 - 1)


def test_what_is_no_string_raises(calls: Calls, c_heap: HeapManager) -> None:
    for wrong in (5, 1.5, ["a"], object()):
        with pytest.raises(
            TypeError,
            match=r"of length\(\) \(const char \*\) takes a str, bytes, a reference to a string, "
            "or None, not ",
        ):
            calls.length(wrong)  # type: ignore[arg-type]
    for text, place in (("a\0b", 1), (b"ab\0b", 2), ("\0", 0)):
        with pytest.raises(ValueError, match=f"null at byte {place}, where C would end it: b?'"):
            calls.length(text)
    with pytest.raises(UnicodeEncodeError, match="surrogates not allowed"):
        calls.length("\ud800")
    with c_heap.alloc(utf16, "wide") as wide, pytest.raises(TypeError, match="does not take"):
        calls.length(wide)


def test_texts_that_come_back(calls: Calls) -> None:
    assert calls.version() == "1.0 é"
    assert calls.no_text() is None


def test_a_null_text_raises_where_it_is_not_declared(c_heap: HeapManager, way: Any) -> None:
    class Wrong(emheap.Library):
        no_text: emheap.Function[[], c.text]

    with pytest.raises(NullPointerError, match=r"no_text\(\) is a null pointer, not a text"):
        way.bind(Wrong, c_heap).no_text()


def test_an_owned_result_is_freed_by_the_librarys_function(calls: Calls) -> None:
    before = calls.releases()
    copy = calls.duplicate("héllo")
    assert copy is not None
    assert copy.value == "héllo"
    copy.free()
    assert calls.releases() == before + 1
    with pytest.raises(UseAfterFreeError):
        copy.read()
    assert calls.duplicate(None) is None


# Buffers


def test_bytes_are_read(calls: Calls, c_heap: HeapManager) -> None:
    data = bytes(range(256)) * 10
    readonly = memoryview(data)
    for source in (data, bytearray(data), readonly, readonly[::-1], array.array("B", data)):
        assert calls.sum_bytes(source, len(data)) == sum(data)
    assert calls.sum_bytes(array.array("H", [1, 2]), 4) == 3
    assert calls.sum_bytes(b"", 0) == 0
    assert calls.sum_bytes(None, 0) == 0
    with c_heap.alloc_array(uint8, data) as block:
        assert calls.sum_bytes(block, len(block)) == sum(data)


def test_what_c_writes_to_a_buffer_is_there_afterwards(calls: Calls, c_heap: HeapManager) -> None:
    buffer = bytearray(b"HAL" * 100)
    calls.add_one(buffer, 300)
    assert buffer == b"IBM" * 100
    half = memoryview(buffer)[150:]
    calls.add_one(half, 150)
    assert buffer == b"IBM" * 50 + b"JCN" * 50
    with c_heap.alloc_array(uint8, b"HAL") as block:
        calls.add_one(block, 3)
        assert bytes(block) == b"IBM"


def test_c_cannot_write_to_bytes(calls: Calls) -> None:
    """Others may have the same object, and what C writes to a copy would be lost."""
    for constant in (b"HAL", memoryview(bytearray(b"HAL")).toreadonly()):
        with pytest.raises(
            TypeError,
            match=r"^parameter 1 of add_one\(\) \(void \*\) is declared as one that C writes to, "
            r"and this \w+ is read-only: pass a writable copy, as bytearray\(\) or numpy.array\(\) "
            r"make one, or declare c.data if C only reads it$",
        ):
            calls.add_one(constant, 3)
        assert constant == b"HAL"
        copy = bytearray(constant)
        calls.add_one(copy, 3)
        assert copy == b"IBM"
        assert calls.sum_bytes(constant, 3) == sum(b"HAL")  # declared c.data
    calls.add_one(b"", 0)
    wild: Any = calls
    with pytest.raises(TypeError, match=r"read-only: .* or declare c\.pointer if C only reads it"):
        wild.divide(17, 5, memoryview(bytes(4)).cast("i"))


def test_what_is_no_buffer_raises(calls: Calls) -> None:
    for wrong in ("text", 5, 1.5, object()):
        with pytest.raises(TypeError, match="takes a bytes-like object, a reference, or None, not"):
            calls.sum_bytes(wrong, 0)  # type: ignore[arg-type]


def test_arrays_of_numbers(calls: Calls, c_heap: HeapManager) -> None:
    values = array.array("f", [1, 2, 3])
    calls.scale(values, 3, 0.5)
    assert list(values) == [0.5, 1, 1.5]
    with c_heap.alloc_array(float32, [1, 2, 3]) as block:
        calls.scale(block, len(block), 2)
        assert block[:] == [2, 4, 6]
    calls.scale(array.array("f"), 0, 2.0)
    for wrong in (array.array("d", [1]), array.array("i", [1]), bytearray(4), [1.0], "x", 5):
        with pytest.raises(
            TypeError, match=r"of scale\(\) \(float \*\) takes a reference to float"
        ):
            calls.scale(wrong, 1, 1)  # type: ignore[arg-type]
    with c_heap.alloc_array(float64, 3) as wide, pytest.raises(TypeError, match="does not take"):
        calls.scale(wide, 3, 1)


# References


class Division(Struct):
    whole: int32
    rest: int32


def test_c_stores_in_a_field_of_a_structure(calls: Calls, c_heap: HeapManager) -> None:
    with c_heap.alloc(Division, whole=0, rest=0) as division:
        division.whole = calls.divide(17, 5, division.field_ref(Division.rest))
        assert division.to_tuple() == (3, 2)


def test_out_parameters(calls: Calls, c_heap: HeapManager) -> None:
    with c_heap.arena() as scratch:
        rest, whole, fraction = scratch.alloc(int32), scratch.alloc(int32), scratch.alloc(float64)
        assert calls.divide(17, 5, rest) == 3
        assert rest.value == 2
        assert calls.divide(17, 5, None) == 3
        calls.split(2.75, whole, fraction)
        assert (whole.value, fraction.value) == (2, 0.75)
        big = scratch.alloc(int64, 2**40)
        calls.increment(big)
        assert big.value == 2**40 + 1
        several = scratch.alloc_array(int32, 3)
        calls.divide(9, 5, several)
        assert several[:] == [4, 0, 0]
        for wrong in (scratch.alloc(uint32), scratch.alloc(float32), scratch.alloc(int64), whole):
            with pytest.raises(TypeError, match=r"of split\(\) \(double \*\) does not take"):
                calls.split(1.0, whole, wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="takes a reference to int, an array of it, a"):
            calls.divide(1, 1, 4096)  # type: ignore[arg-type]
        empty: Any = array.array("i")
        with pytest.raises(ShapeError, match="needs room for one element, and the array is empty"):
            calls.divide(1, 1, empty)
        no_room = scratch.alloc_array(int32, 0)
        calls.divide(1, 1, several)
        with pytest.raises(ShapeError, match="needs room for one element, and the array is empty"):
            calls.divide(1, 1, no_room)


def test_what_c_writes_is_not_lost_in_a_copy(calls: Calls) -> None:
    apart = memoryview(bytearray(8))[::2]
    words = (
        r"add_one\(\) .* takes a buffer whose elements lie one after the other, for C may write to "
        r"it; pass a copy, as bytearray\(\) or numpy.ascontiguousarray\(\) make one, and take from "
        "that what C wrote$"
    )
    with pytest.raises(ShapeError, match=words):
        calls.add_one(apart, 4)
    copied = bytearray(apart)
    calls.add_one(copied, 4)
    assert copied == b"\1" * 4
    numbers: Any = memoryview(array.array("f", [1, 2, 3, 4]))[::-1]
    with pytest.raises(ShapeError, match=r"scale\(\) .* for C may write to it"):
        calls.scale(numbers, 4, 2)
    calls.scale(numbers[4:], 0, 2)


def test_a_view_of_a_block_that_was_freed(calls: Calls, c_heap: HeapManager) -> None:
    native = emheap.wrap_buffer(
        bytearray(64)
    )  # where JavaScript has the bytes, views are no buffers
    heap = c_heap if c_heap.memory.zero_copy else native
    block = heap.alloc_array(uint8, 4)
    view = block.allocated_bytes_view
    block.free()
    for call in (calls.sum_bytes, calls.add_one):
        function: Any = call
        words = rf"parameter 1 of {function.__name__}\(\) .*\(a view of a block ends with it\)"
        around = sys.exc_info()[1]
        with pytest.raises(ValueError, match=words) as caught:
            function(view, 4)
        assert is_alone(caught.value, around), repr(caught.value.__context__)


def test_what_is_refused_has_no_other_error_before_it(calls: Calls) -> None:
    wrong: Any = 5
    for call in (
        lambda: calls.add_one(wrong, 1),
        lambda: calls.divide(1, 1, wrong),
        lambda: calls.apply(wrong, 1),
    ):
        around = sys.exc_info()[1]
        with pytest.raises(TypeError, match=r"takes .*, not int 5") as caught:
            call()
        assert is_alone(caught.value, around), repr(caught.value.__context__)


def test_a_pointer_keeps_its_block_during_the_call(way: Way, c_heap: HeapManager) -> None:
    class Pointed(Struct):
        bytes_there: Pointer[uint8]

    class ByPointer(Library):
        sum_bytes: Function[[Pointer[uint8], c.size_t], c.uint]
        sum_all: Function[Concatenate[c.string, ...], c.double]

    class FreesIt:
        def __index__(self) -> int:
            block.free()
            return 4

    library = way.bind(ByPointer, c_heap)
    block = c_heap.alloc_array(uint8, [1, 2, 3, 0])
    count: Any = FreesIt()
    with c_heap.alloc(Pointed, bytes_there=block) as pointed:
        pointer = pointed.bytes_there
        with pytest.raises(BufferInUseError, match="is not freed"):
            library.sum_bytes(pointer, count)
        assert library.sum_bytes(pointer, 4) == 6
        assert library.sum_all("s", pointer) == 3
        block.free()
        with pytest.raises(UseAfterFreeError):
            library.sum_bytes(pointer, 4)
        with pytest.raises(UseAfterFreeError):
            library.sum_all("s", pointer)


def test_a_freed_reference_raises(calls: Calls, c_heap: HeapManager) -> None:
    number, block = c_heap.alloc(int32), c_heap.alloc_array(uint8, 4)
    text = c_heap.alloc(utf8, "gone")
    for ref in (number, block, text):
        ref.free()
    with pytest.raises(UseAfterFreeError, match="use after free"):
        calls.divide(1, 1, number)
    with pytest.raises(UseAfterFreeError, match="use after free"):
        calls.sum_bytes(block, 4)
    with pytest.raises(UseAfterFreeError, match="use after free"):
        calls.length(text)


def test_a_reference_of_another_heap_raises(calls: Calls) -> None:
    other = emheap.wrap_buffer(bytearray(256))
    with (
        other.alloc(int32) as number,
        pytest.raises(NotAllocatedError, match=r"of this library's heap, in .*: allocate it on"),
    ):
        calls.divide(1, 1, number)


def test_a_reference_of_another_heap_on_the_same_memory(
    calls: Calls, way: Way, c_heap: HeapManager
) -> None:
    if not way.is_wasm:
        other = emheap.open()
        with other.alloc(int32, 5) as number:
            assert calls.divide(7, 2, number) == 3
            assert number.value == 1


def test_a_block_cannot_be_freed_while_c_has_it(calls: Calls, c_heap: HeapManager) -> None:
    values = c_heap.alloc_array(int32, [3, 1, 2])
    refused = []

    def compare(a: int, b: int) -> int:
        try:
            values.free()
        except BufferInUseError as error:
            refused.append(error)
        return c_heap.read_int32(a) - c_heap.read_int32(b)

    for _ in range(2):  # the second time by the short way
        refused.clear()
        values[:] = [3, 1, 2]
        calls.sort(values, 3, compare)
        assert refused
        assert values[:] == [1, 2, 3]
    values.free()


def test_arguments_are_released_after_a_failure(calls: Calls, c_heap: HeapManager) -> None:
    with c_heap.alloc(int32) as number, pytest.raises(TypeError, match="not str 'wrong'"):
        calls.split(1.0, number, "wrong")  # type: ignore[arg-type]


# Enumerations


def test_enumerations(calls: Calls) -> None:
    assert calls.next_color(Color.RED) is Color.GREEN
    with pytest.raises(ValueError, match=r"result of next_color\(\) is 3, which is no Color"):
        calls.next_color(Color.BLUE)
    with pytest.raises(TypeError, match="takes a Color, not int 1"):
        calls.next_color(1)  # type: ignore[arg-type]
    both = calls.both(Flags.ONE, Flags.HIGH)
    assert both is Flags.ONE | Flags.HIGH
    assert calls.both(Flags(0), Flags.TWO) is Flags.TWO


# Variable arguments


def test_variable_arguments(calls: Calls, c_heap: HeapManager) -> None:
    assert calls.sum_ints(0) == 0
    assert calls.sum_ints(3, 10, 20, -5) == 25
    assert calls.sum_ints(8, *range(8)) == 28
    assert calls.sum_all("idls", 1, 0.5, 2**40, "four") == 1 + 0.5 + 2**40 + 4
    assert calls.sum_all("dddddddddd", *(float(n) for n in range(10))) == 45
    with c_heap.alloc(utf8, "in the heap") as text:
        assert calls.sum_all("sis", text, True, b"bytes") == 11 + 1 + 5
    for string in (bytearray(b"four\0"), memoryview(b"four\0")):
        assert calls.sum_all("si", string, 1) == 4 + 1
    assert calls.sum_all("iii", c.vararg(c.uint, 7), 5, c.vararg(c.uchar, 255)) == 7 + 5 + 255
    assert calls.sum_all("il", 5, c.vararg(c.longlong, 7)) == 12
    assert calls.sum_all("iii", 2**31 - 1, -(2**31), 5) == 4
    for large in (2**31, -(2**31) - 1, 2**32 - 1):
        assert calls.sum_all("li", large, 5) == large + 5
    with pytest.raises(OverflowError, match=r"a variable argument of sum_ints\(\) takes 0"):
        calls.sum_ints(1, 1 << 64)
    with pytest.raises(TypeError, match=r"a variable argument of sum_ints\(\) takes a bytes-like"):
        calls.sum_ints(1, [5])
    with pytest.raises(ValueError, match="holds a null"):
        calls.sum_all("s", "a\0b")


def test_a_refused_variable_argument_lets_go_of_the_others(
    calls: Calls, c_heap: HeapManager
) -> None:
    text = c_heap.alloc(utf8, "in use during the call")
    # The error keeps the frames of the call.
    with pytest.raises(TypeError, match=r"list \[5\]") as refused:
        calls.sum_all("si", text, [5])
    text.free()
    assert refused.value.__traceback__ is not None


def test_many_calls_leave_nothing_behind(calls: Calls, c_heap: HeapManager) -> None:
    size = c_heap.memory.size
    buffer = bytearray(5000)
    for _ in range(2000):
        calls.length("x" * 300)
        calls.length("short")
        calls.add_one(buffer, len(buffer))
        calls.sum_all("ss", "one", "two")
    assert c_heap.memory.size == size
