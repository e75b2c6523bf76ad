"""README's table of mistakes: each row is made on every heap, and raises what the table says."""

from __future__ import annotations

import ctypes
import gc
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import emheap
import emheap.errors
from emheap import HeapManager, int32, uint8, utf8
from emtests.conftest import skip_for_gap
from emtests.heaps import IN_PYODIDE

README = Path(__file__).parents[2] / "README.md"
Mistake = Callable[[HeapManager], None]
ROWS: dict[str, tuple[Mistake, ...]] = {}
"""The ways to make the mistake of each row."""


def row(name: str) -> Callable[[Mistake], Mistake]:
    """Add a way to make the mistake of a row."""

    def add(mistake: Mistake) -> Mistake:
        ROWS[name] = (*ROWS.get(name, ()), mistake)
        return mistake

    return add


@contextmanager
def freed(heap: HeapManager) -> Iterator[Any]:
    """A freed array whose bytes another may have by now."""
    ref = heap.alloc_array(uint8, [1, 2, 3, 4])
    ref.free()
    with heap.alloc_array(uint8, [9] * 4) as other:
        yield ref
        assert other[:] == [9] * 4


@row("read or write after `free`")
def read_after_free(heap: HeapManager) -> None:
    with freed(heap) as ref:
        ref[0]


@row("read or write after `free`")
def write_after_free(heap: HeapManager) -> None:
    with freed(heap) as ref:
        ref[:2] = [7, 7]


@row("free twice")
def free_twice(heap: HeapManager) -> None:
    with freed(heap) as ref:
        ref.free()


@row("free what somebody else allocated")
def free_wrapped(heap: HeapManager) -> None:
    with heap.alloc(int32, 5) as number:
        try:
            heap.wrap(int32, number.address).free()
        finally:
            assert number.value == 5


@row("free what somebody else allocated")
def free_inside(heap: HeapManager) -> None:
    with heap.alloc_array(int32, [5, 6]) as numbers:
        try:
            heap.free(numbers.address + 4)
        finally:
            assert numbers[:] == [5, 6]


@row("free while a slice of a view or a numpy array is in use")
def free_while_in_use(heap: HeapManager) -> None:
    with heap.alloc_array(int32, [5, 6, 7]) as numbers:
        part = numbers.view[1:]
        try:
            numbers.free()
        finally:
            assert part.tolist() == [6, 7]
            part.release()


@row("an index or a length beyond the block")
def index_beyond(heap: HeapManager) -> None:
    with heap.alloc_array(uint8, 4) as numbers:
        numbers[4]


@row("an index or a length beyond the block")
def length_beyond(heap: HeapManager) -> None:
    with heap.alloc_array(uint8, 4) as numbers:
        heap.fill(numbers, 7, 5)


@row("a null pointer")
def read_null(heap: HeapManager) -> None:
    heap.read_int32(0)


@row("a null pointer")
def write_null(heap: HeapManager) -> None:
    heap.write_int32(0, 5)


@row("an address outside the heap, in Pyodide")
def read_outside(heap: HeapManager) -> None:
    heap.read_int32(2**64)


@row("300 into a `uint8`, 2\\*\\*40 into an `int32`")
def too_large(heap: HeapManager) -> None:
    with heap.alloc(uint8, 5) as number:
        try:
            number.value = 300
        finally:
            assert number.value == 5


@row("300 into a `uint8`, 2\\*\\*40 into an `int32`")
def much_too_large(heap: HeapManager) -> None:
    heap.alloc_array(int32, [1, 2**40])


@row("a size of 2\\*\\*32 + 16 on a 32-bit heap")
def size_beyond_the_addresses(heap: HeapManager) -> None:
    if heap.memory.pointer_size == 4:
        heap.alloc_array(uint8, 2**32 + 16)
    emheap.wrap_buffer(bytearray(1 << 12)).alloc_array(uint8, 2**32 + 16)


def store_in_vain(heap: HeapManager, value: str) -> None:
    """Store a text over one of four characters, of which nothing must be lost."""
    with heap.alloc(utf8, "four") as text:
        try:
            text.value = value
        finally:
            assert text.value == "four"


@row("a string that does not fit, or holds a null")
def text_too_long(heap: HeapManager) -> None:
    store_in_vain(heap, "five!")


@row("a string that does not fit, or holds a null")
def text_with_a_null(heap: HeapManager) -> None:
    store_in_vain(heap, "a\0b")


@row("a string without its terminator")
def unterminated(heap: HeapManager) -> None:
    with heap.alloc(utf8, 4) as text:
        heap.fill(text, 65)
        text.read()


@row("a block dropped and never freed")
def dropped(heap: HeapManager) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                heap.alloc(int32, 5)
                gc.collect()
            for each in caught:
                assert "test_readme_table.py" in str(each.message)
                raise each.category(each.message)
        finally:
            heap.free_all()


def rows() -> list[list[str]]:
    """The three cells of each row of README's table."""
    if not README.exists():
        skip_for_gap("README", "it is not where the tests run")
    table = README.read_text(encoding="utf-8").split("| mistake |")[1].split("\n\n")[0]
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def promised() -> dict[str, set[str]]:
    """The mistakes of README's table, and the errors that it names for each."""
    return {mistake: set(re.findall(r"\w+(?:Error|Warning)", told)) for mistake, told, _ in rows()}


def test_every_row_is_made_here() -> None:
    assert promised().keys() == ROWS.keys()


@pytest.mark.parametrize("name", ROWS)
def test_a_mistake_raises_what_the_table_says(heap: HeapManager, name: str) -> None:
    told = promised()[name]
    for mistake in ROWS[name]:
        with pytest.raises((Exception, Warning)) as caught:
            mistake(heap)
        found = {each.__name__ for each in type(caught.value).__mro__}
        assert told & found, f"{mistake.__name__}: {caught.value!r}"
        assert isinstance(caught.value, (emheap.HeapError, Warning))
        assert str(caught.value)


FITTING: dict[str, type[Exception]] = {
    "BufferInUseError": BufferError,
    "ForeignTrapError": RuntimeError,
    "HeapCorruptionError": Exception,
    "HeapError": Exception,
    "LeakError": Exception,
    "NotSupportedError": NotImplementedError,
    "NullPointerError": IndexError,
    "OutOfBoundsError": IndexError,
    "OutOfMemoryError": MemoryError,
    "ValueOutOfRangeError": OverflowError,
}
"""The builtin exceptions that fit the errors; those that are not here are ValueErrors."""


@pytest.mark.parametrize("name", emheap.errors.__all__)
def test_an_error_is_a_builtin_exception_too_where_one_fits(name: str) -> None:
    error = getattr(emheap, name)
    builtin = next(each for each in error.__mro__ if each.__module__ == "builtins")
    assert builtin is FITTING.get(name, ValueError)
    assert issubclass(error, emheap.HeapError)


# The right column. What ctypes does to freed blocks is in emtests/demo/test_breaking.py, and what
# ends Pyodide in emtests/backends/javascript/outside/test_programs.py.


class Neighbours(ctypes.Structure):
    first: bytes
    second: bytes
    _fields_ = [("first", ctypes.c_char * 4), ("second", ctypes.c_char * 5)]


def a_number_wraps() -> None:
    assert (ctypes.c_uint8(300).value, ctypes.c_int32(2**40).value) == (44, 0)
    if IN_PYODIDE:
        import js

        for kind, value, stored in ((js.Uint8Array, 300, 44), (js.Int32Array, 2**40, 0)):
            assert kind.new(1).fill(value)[0] == stored
        assert js.Uint8Array.new(1).fill("x")[0] == 0


def a_size_wraps() -> None:
    assert ctypes.c_uint32(2**32 + 16).value == 16
    if IN_PYODIDE:
        assert ctypes.c_size_t(2**32 + 16).value == 16


def an_index_leaves_the_block() -> None:
    both = Neighbours(b"four", b"more")
    first = ctypes.cast(ctypes.byref(both), ctypes.POINTER(ctypes.c_char))
    assert first[4] == b"m"


def a_string_runs_over_or_is_cut() -> None:
    both = Neighbours(b"four", b"more")
    ctypes.memmove(ctypes.byref(both), b"five!", 5)
    assert both.second == b"!ore"
    assert ctypes.create_string_buffer(b"a\0b").value == b"a"


def a_string_goes_on() -> None:
    both = Neighbours(b"four", b"more")
    assert ctypes.string_at(ctypes.byref(both)) == b"fourmore"


def null_is_an_address() -> None:
    if IN_PYODIDE:
        ctypes.c_int32.from_address(0).value += 0


OTHERS: dict[str, Callable[[], None]] = {
    "44, and 0": a_number_wraps,
    "16 bytes": a_size_wraps,
    "the neighbour's bytes": an_index_leaves_the_block,
    "an overrun, or half a string": a_string_runs_over_or_is_cut,
    "whatever follows": a_string_goes_on,
    "in wasm: succeeds": null_is_an_address,
}
TOLD_ELSEWHERE = {"other data, silently", "a corrupted heap", "a dangling view", "a leak"}
TOLD_ELSEWHERE |= {"the interpreter dies"}


def test_what_others_do_is_made_here_or_there() -> None:
    assert {others for _, _, others in rows()} == OTHERS.keys() | TOLD_ELSEWHERE


@pytest.mark.parametrize("told", OTHERS)
def test_others_do_what_the_table_says(told: str) -> None:
    OTHERS[told]()
