"""Memories that are wrong in one case alone: each question of the kit finds what no other does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from emheap._util.platform import HAS_GIL
from emheap.memories.base import Loan, Memory
from emheap.memories.buffer import BufferMemory
from emheap.memories.elements import IndirectElements
from emheap.testing import ROOM, check_memory
from emheap.types import Scalar, Text
from emtests.conftest import skip_for_gap

START = 64
SIZE = START + ROOM
"""The bytes of the memories here: no more than the kit asks for."""


def finds(memory: type[BufferMemory], message: str, size: int = SIZE) -> None:
    with pytest.raises(AssertionError, match=f"(?m){message}"):  # pytest may add lines
        check_memory(lambda: (memory(bytearray(size)), START))


def test_as_many_bytes_as_are_asked_for_will_do() -> None:
    check_memory(lambda: (BufferMemory(bytearray(SIZE)), START))
    with pytest.raises(AssertionError, match="size is 8255, but the factory offers bytes up to"):
        check_memory(lambda: (BufferMemory(bytearray(SIZE - 1)), START))


def test_each_check_asks_for_a_memory() -> None:
    made = []

    def factory() -> tuple[Memory, int]:
        made.append(BufferMemory(bytearray(SIZE)))
        return made[-1], START

    check_memory(factory)
    assert len(made) > 5


@pytest.mark.parametrize(
    ("fact", "value", "message"),
    [
        ("pointer_size", 16, "pointer_size is 16, not 4 or 8"),
        ("pointer_size", 5, "pointer_size is 5, not 4 or 8"),
        ("lowest_address", 0, "lowest_address is 0: 0 is null"),
    ],
)
def test_wrong_facts(fact: str, value: int, message: str) -> None:
    class Odd(BufferMemory):
        def __init__(self, buffer: bytearray) -> None:
            super().__init__(buffer)
            setattr(self, fact, value)

    finds(Odd, message)


# Bytes


@pytest.mark.parametrize("size", [1, 2, 7, 64, 65, 4096])
def test_writes_of_one_size_are_lost(size: int) -> None:
    class Losing(BufferMemory):
        def write_bytes(self, address: int, data: bytes | memoryview) -> None:
            if len(data) != size:
                super().write_bytes(address, data)

    finds(Losing, f"^{size} bytes? written at 0x")


@pytest.mark.parametrize("offset", range(8))
def test_writes_at_one_offset_are_lost(offset: int) -> None:
    class Losing(BufferMemory):
        def write_bytes(self, address: int, data: bytes | memoryview) -> None:
            if address % 8 != offset or len(data) == ROOM:
                super().write_bytes(address, data)

    finds(Losing, f"^1 byte written at {2 * START + offset:#x}, and then there was a5")


@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_writes_of_one_type_are_lost(kind: type) -> None:
    class Losing(BufferMemory):
        def write_bytes(self, address: int, data: bytes | memoryview) -> None:
            if len(data) == ROOM or type(data) is not kind:
                super().write_bytes(address, data)

    finds(Losing, "^1 byte written at 0x.*, and then there was a5")


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0, 1)])
@pytest.mark.parametrize("size", [0, 1, 4096])
def test_writes_that_reach_beyond_their_bytes(size: int, before: int, after: int) -> None:
    class Spilling(BufferMemory):
        def write_bytes(self, address: int, data: bytes | memoryview) -> None:
            super().write_bytes(address, data)
            if len(data) == size:
                super().write_bytes(address - before, b"b" * before + bytes(data) + b"a" * after)

    beside = -1 if before else size
    finds(
        Spilling, rf"^write_bytes of {size} bytes? at 0x\w+ changed bytes beside it: \[{beside}\]"
    )


@pytest.mark.parametrize(("byte", "size"), [(0, 1), (7, 100), (255, 4096), (0, 5000)])
def test_one_fill_is_lost(byte: int, size: int) -> None:
    lost = byte, size

    class Losing(BufferMemory):
        def fill(self, address: int, size: int, byte: int = 0) -> None:
            if (byte, size) != lost:
                super().fill(address, size, byte)

    finds(Losing, f"^fill of {size} bytes? with {byte}, and then there was a5")


@pytest.mark.parametrize("byte", [3, 0])
def test_fills_that_reach_beyond_their_bytes(byte: int) -> None:
    wrong = byte, 0 if byte else 1

    class Spilling(BufferMemory):
        def fill(self, address: int, size: int, byte: int = 0) -> None:
            super().fill(address, size + ((byte, size) == wrong), byte)

    finds(Spilling, rf"^fill of {wrong[1]} bytes? at 0x81 changed bytes beside it: \[{wrong[1]}\]")


# Numbers


@pytest.mark.parametrize("beside", [-1, 8])
def test_numbers_that_reach_beyond_their_bytes(beside: int) -> None:
    class Spilling(BufferMemory):
        def writer(self, scalar: type[Scalar[Any]]) -> Callable[[int, Any], None]:
            write = super().writer(scalar)

            def write_more(address: int, value: Any) -> None:
                write(address, value)
                if scalar.name == "float64":
                    self.window[address + beside] = 1

            return write_more

    finds(Spilling, rf"^float64 1.5 written at 0x\w+ at 0x\w+ changed .* beside it: \[{beside}\]")


def test_numbers_at_one_offset_are_wrong() -> None:
    class Aligning(BufferMemory):
        def writer(self, scalar: type[Scalar[Any]]) -> Callable[[int, Any], None]:
            write = super().writer(scalar)
            return lambda address, value: write(
                address & ~1 if address % 8 == 7 else address, value
            )

    finds(Aligning, "^int8 127 written at 0xc7, and then there was a5")


REFUSED_BY_INTEGERS = [
    ("int16", "1"),
    ("int8", None),
    ("uint16", 65536),
    ("int32", -(2**31) - 1),
    ("uint32", 1.5),
]
REFUSED = [*REFUSED_BY_INTEGERS, ("float64", None), ("float32", 1e39)]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_a_value_that_a_writer_takes(name: str, value: Any) -> None:
    class Lenient(BufferMemory):
        def writer(self, scalar: type[Scalar[Any]]) -> Callable[[int, Any], None]:
            write = super().writer(scalar)

            def write_some(address: int, given: Any) -> None:
                if scalar.name != name or given != value:
                    write(address, given)

            return write_some

    finds(
        Lenient,
        f"^the writer took {name} {re.escape(repr(value))} and gave None, instead of raising ",
    )


@pytest.mark.parametrize(("name", "value"), REFUSED_BY_INTEGERS)
def test_a_value_that_elements_take(name: str, value: Any) -> None:
    class Lenient(IndirectElements):
        __slots__ = ()

        def __setitem__(self, index: Any, given: Any) -> None:
            if given != value:
                super().__setitem__(index, given)

    finds(
        with_elements(Lenient, name),
        f"^elements took {name} {value!r} and gave None, instead of raising ",
    )


def test_a_refused_value_that_is_stored() -> None:
    class Storing(BufferMemory):
        def writer(self, scalar: type[Scalar[Any]]) -> Callable[[int, Any], None]:
            write = super().writer(scalar)

            def clear_first(address: int, value: Any) -> None:
                self.window[address] = 0
                write(address, value)

            return clear_first

    finds(Storing, r"^a refused value at 0x40 changed bytes beside it: \[0\b")


# Bounds


PLACES = [0, -1, SIZE - 1, SIZE, 1 << 64, 1.0, True, None]


@pytest.mark.parametrize("place", PLACES, ids=repr)
@pytest.mark.parametrize("verb", ["read_bytes", "write_bytes", "fill", "check_extent"])
def test_a_place_that_a_verb_takes(verb: str, place: Any) -> None:
    class Lenient(BufferMemory):
        pass

    def take(self: Any, address: Any, *rest: Any) -> Any:
        if is_same(address, place):
            return "taken"
        return getattr(BufferMemory, verb)(self, address, *rest)

    setattr(Lenient, verb, take)
    problem = f"^{verb} took {place!r} and gave 'taken', instead of raising "
    if verb == "check_extent":
        problem = rf"took (\w+ at )?{place!r}"
    finds(Lenient, problem)


@pytest.mark.parametrize("place", PLACES, ids=repr)
@pytest.mark.parametrize(
    ("verb", "problem"),
    [
        ("reader", "a read took"),
        ("writer", "a write took"),
        ("elements", "elements took"),
        ("lend", "lend took"),
    ],
)
def test_a_place_that_numbers_are_taken_at(verb: str, problem: str, place: Any) -> None:
    class Lenient(BufferMemory):
        pass

    def make(self: Any, scalar: type[Scalar[Any]]) -> Any:
        function = getattr(BufferMemory, verb)(self, scalar)

        def take(address: Any, *value: Any) -> Any:
            wrong = scalar.name == "int16" and is_same(address, place)
            return "taken" if wrong else function(address, *value)

        return take

    def take(self: Any, scalar: type[Scalar[Any]], address: Any, count: int) -> Any:
        wrong = scalar.name == "int16" and is_same(address, place)
        return "taken" if wrong else getattr(BufferMemory, verb)(self, scalar, address, count)

    setattr(Lenient, verb, make if verb in ("reader", "writer") else take)
    finds(Lenient, f"^{problem} int16 at {place!r} and gave 'taken', instead of raising ")


def test_one_number_that_is_lent_beyond_the_end() -> None:
    class Lenient(BufferMemory):
        def lend(self, scalar: type[Scalar[Any]], address: int, count: int) -> Loan[Any]:
            if count == 1 and type(address) is int and address < self.size < address + scalar.size:
                address = self.size - scalar.size
            return super().lend(scalar, address, count)

    finds(Lenient, r"^lend took int16 at \d+ and gave ")


def is_same(address: Any, place: Any) -> bool:
    """Whether it is the very place: 1 is not True."""
    return type(address) is type(place) and bool(address == place)


def test_a_place_below_the_lowest_that_is_taken() -> None:
    class Lenient(BufferMemory):
        lowest_address = 32

        def fill(self, address: int, size: int, byte: int = 0) -> None:
            if address != 31:
                super().fill(address, size, byte)

    finds(Lenient, "^fill took 31 and gave None, instead of raising OutOfBoundsError")


def test_another_error_than_the_promised_one() -> None:
    class Impolite(BufferMemory):
        def fill(self, address: int, size: int, byte: int = 0) -> None:
            if address == 0:
                raise ZeroDivisionError(size)
            super().fill(address, size, byte)

    finds(Impolite, r"^fill took 0: it raised ZeroDivisionError\(2\), not NullPointerError$")


# Elements and views


def with_elements(kind: type[IndirectElements], name: str) -> type[BufferMemory]:
    """A memory with elements of this kind for one type of numbers."""

    class Odd(BufferMemory):
        def elements(self, scalar: type[Scalar[Any]], address: int, count: int) -> Any:
            if scalar.name != name or count == 0:
                return super().elements(scalar, address, count)
            self.check_extent(address, count * scalar.size)
            return kind(self, scalar, address, count)

    return Odd


@pytest.mark.parametrize(("index", "shown"), [(5, "5"), (-6, "-6")])
def test_an_index_that_elements_take(index: int, shown: str) -> None:
    class Lenient(IndirectElements):
        __slots__ = ()

        def __getitem__(self, asked: Any) -> Any:
            return super().__getitem__(0 if asked == index else asked)

    finds(with_elements(Lenient, "int16"), f"^elements of int16 took index {shown} and gave ")


@pytest.mark.parametrize("wrong", range(5))
def test_an_index_that_means_another(wrong: int) -> None:
    # Those that are odd are set from the end.
    index = wrong - 5 if wrong % 2 else wrong

    class Astray(IndirectElements):
        __slots__ = ()

        def __setitem__(self, asked: Any, value: Any) -> None:
            before = self[asked]
            super().__setitem__(asked, value)
            if asked == index:
                super().__setitem__(asked, before)

    finds(with_elements(Astray, "int16"), r"^elements of int16 set to \[32767, .*then there was ")


def test_elements_that_are_released_and_read() -> None:
    class Readable(IndirectElements):
        __slots__ = ()

        def __getitem__(self, asked: Any) -> Any:
            try:
                return super().__getitem__(asked)
            except ValueError:
                return 0

    finds(with_elements(Readable, "int16"), "^released elements of int16 could be read and gave 0")


def test_no_elements_that_are_some() -> None:
    class Some(BufferMemory):
        def elements(self, scalar: type[Scalar[Any]], address: int, count: int) -> Any:
            return super().elements(scalar, address, count or 1)

    finds(Some, "^no elements of int8 have a length")


def test_elements_of_another_length() -> None:
    class Longer(BufferMemory):
        def elements(self, scalar: type[Scalar[Any]], address: int, count: int) -> Any:
            return super().elements(scalar, address, count + 1)

    finds(Longer, "^5 elements of int8 have the length 6$")


class LastingView:
    """A view that can be used when it was released."""

    def __init__(self, view: memoryview) -> None:
        self.view = view

    def __getattr__(self, name: str) -> Any:
        return getattr(self.view, name)

    def __len__(self) -> int:
        return len(self.view)

    def __getitem__(self, index: Any) -> Any:
        return self.view[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self.view[index] = value

    def release(self) -> None: ...


class LyingView(LastingView):
    def __len__(self) -> int:
        return 5


class StaleView(LastingView):
    def tobytes(self) -> bytes:
        return bytes(4)


class ShiftedView(LastingView):
    def __getitem__(self, index: Any) -> Any:
        return self.view[0:2]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (LastingView, "^released a view of int8 could be used and gave 1, instead of raising"),
        (LyingView, "^a view of int8 of 4 elements has the length 5"),
        (StaleView, "^a view of int8 does not show what was stored beside it"),
        (ShiftedView, "^a slice of a view of int8 shows other elements"),
    ],
)
def test_views_that_are_wrong(kind: type[LastingView], message: str) -> None:
    class Odd(BufferMemory):
        def lend(self, scalar: type[Scalar[Any]], address: int, count: int) -> Loan[Any]:
            loan = super().lend(scalar, address, count)
            view = loan.view
            for index in range(len(view)):
                view[index] = index
            return Loan(kind(view), loan.exporter)

    finds(Odd, message)


def test_an_exporter_that_is_never_gone() -> None:
    kept = []

    class Keeping(BufferMemory):
        def lend(self, scalar: type[Scalar[Any]], address: int, count: int) -> Loan[Any]:
            loan = super().lend(scalar, address, count)
            kept.append(loan.exporter)
            return loan

    finds(Keeping, "^the exporter of a view of int8 outlives all that uses it$")
    assert len(kept) == 1


# Texts


@pytest.mark.parametrize("characters", [0, 2, 126, 128, 130, 2000])
@pytest.mark.parametrize("name", ["utf8", "utf16"])
def test_texts_of_one_length_are_wrong(name: str, characters: int) -> None:
    class Odd(BufferMemory):
        def text_reader(self, text: type[Text]) -> Callable[..., str]:
            read = super().text_reader(text)

            def read_wrongly(address: int, *rest: Any) -> str:
                found = read(address, *rest)
                wrong = text.name == name and len(found) == characters
                return f"{found}x" if wrong else found

            return read_wrongly

    finds(Odd, f"^{name} text of {characters} characters, and then there was ")


def test_texts_are_more_than_ascii() -> None:
    class Plain(BufferMemory):
        def text_reader(self, text: type[Text]) -> Callable[..., str]:
            read = super().text_reader(text)
            mark = {"utf8": "é", "utf16": "Ā"}.get(text.name, "no such")
            return lambda address, *rest: read(address, *rest).replace(mark, "?")

    finds(Plain, "^utf8 text of 2 characters, and then there was 61 3f$")

    class Narrow(BufferMemory):
        def text_reader(self, text: type[Text]) -> Callable[..., str]:
            read = super().text_reader(text)
            if text.size == 1:
                return read
            return lambda address, *rest: read(address, *rest).replace("Ā", "\0")

    finds(Narrow, "^utf16 text of 2 characters, and then there was 61 00$")


def test_a_limit_that_the_reader_ignores() -> None:
    class Greedy(BufferMemory):
        def text_reader(self, text: type[Text]) -> Callable[..., str]:
            read = super().text_reader(text)
            return lambda address, limit=None: read(address)

    finds(Greedy, "^ascii text of 2 characters was read with room for one element less and gave ")


@pytest.mark.parametrize("beside", [-1, 3])
def test_texts_that_reach_beyond_their_bytes(beside: int) -> None:
    class Spilling(BufferMemory):
        def text_writer(self, text: type[Text]) -> Callable[..., int]:
            write = super().text_writer(text)

            def write_more(address: int, value: str) -> int:
                count = write(address, value)
                if count == 2:
                    self.window[address + beside] = 1
                return count

            return write_more

    finds(Spilling, rf"^ascii text of 2 characters at 0x80 changed .* beside it: \[{beside}\]")


def test_a_wrong_number_of_written_elements() -> None:
    class Miscounting(BufferMemory):
        def text_writer(self, text: type[Text]) -> Callable[..., int]:
            write = super().text_writer(text)
            return lambda address, value: write(address, value) + 1

    finds(Miscounting, "^ascii text of 0 characters: wrong length")


# Growth


def grow(memory: Any) -> None:
    """Make a memory grow, and move."""
    old = memory.window
    memory.window = memoryview(bytearray(old) + bytes(len(old)))
    memory._typed.clear()


class Growing(BufferMemory):
    """A memory whose functions look where its bytes are at each call."""

    def reader(self, scalar: type[Scalar[Any]]) -> Callable[[int], Any]:
        return lambda address: BufferMemory.reader(self, scalar)(address)

    def writer(self, scalar: type[Scalar[Any]]) -> Callable[[int, Any], None]:
        return lambda address, value: BufferMemory.writer(self, scalar)(address, value)

    def elements(self, scalar: type[Scalar[Any]], address: int, count: int) -> Any:
        self.check_extent(address, count * scalar.size)
        return IndirectElements(self, scalar, address, count)


class StaleReader(Growing):
    reader = BufferMemory.reader


class StaleWriter(Growing):
    def writer(self, scalar: type[Scalar[Any]]) -> Callable[[int, Any], None]:
        end, write = self.size, super().writer(scalar)

        def write_before(address: int, value: Any) -> None:
            if self.size == end or address != START + 2:
                write(address, value)

        return write_before


class StaleElements(Growing):
    elements = BufferMemory.elements


class StaleEnd(Growing):
    def writer(self, scalar: type[Scalar[Any]]) -> Callable[[int, Any], None]:
        end, write = self.size, super().writer(scalar)

        def write_before(address: int, value: Any) -> None:
            if self.size == end or address != self.size - 1:
                write(address, value)

        return write_before


def test_what_grows() -> None:
    check_memory(lambda: (Growing(bytearray(SIZE)), START), grow=grow)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (StaleReader, r"^byte 1 is 77, but after growing it is read \(1, 1, 77\)"),
        (StaleWriter, r"^byte 2 is 78, but after growing it is read \(2, 2, 2\)"),
        (StaleElements, r"^byte 1 is 77, but after growing it is read \(1, 77, 1\)"),
        (StaleEnd, "^the last byte of the grown memory was set to 79 and is 0"),
    ],
)
def test_what_does_not_grow(kind: type[BufferMemory], message: str) -> None:
    if kind is StaleElements and not HAS_GIL:
        skip_for_gap("free-threaded CPython", "its elements ask the memory at every access")
    with pytest.raises(AssertionError, match=f"(?m){message}"):  # pytest may add lines
        check_memory(lambda: (kind(bytearray(SIZE)), START), grow=grow)
