"""Integers of other libraries, whose own sums and products wrap, as indices and as addresses."""

from __future__ import annotations

from typing import Any

import pytest

import emheap
from emheap import Array, HeapManager, Scalar, Struct, Text, array, int16, int32, uint8, utf8
from emtests.types.values import ALL_NUMBERS

TEXTS = (utf8, emheap.utf16, emheap.utf32, emheap.ascii)


class Wrapping:
    """An integer of few bits with the arithmetic of numpy's: what is too large wraps, and an int
    that does not fit is refused."""

    def __init__(self, value: int, bits: int = 8) -> None:
        self.value = value
        self.bits = bits

    def __index__(self) -> int:
        return self.value

    def _wrap(self, number: int) -> Wrapping:
        return Wrapping(number % (1 << self.bits), self.bits)

    def _other(self, other: Any) -> int:
        number = int(other)
        if not 0 <= number < 1 << self.bits:
            raise OverflowError(f"{number} is out of bounds")
        return number

    def __add__(self, other: Any) -> Wrapping:
        return self._wrap(self.value + self._other(other))

    def __sub__(self, other: Any) -> Wrapping:
        return self._wrap(self.value - self._other(other))

    def __mul__(self, other: Any) -> Wrapping:
        return self._wrap(self.value * self._other(other))

    def __and__(self, other: Any) -> Wrapping:
        return self._wrap(self.value & self._other(other))

    def __rshift__(self, other: Any) -> Wrapping:
        return self._wrap(self.value >> self._other(other))

    __radd__, __rmul__ = __add__, __mul__

    def __eq__(self, other: object) -> bool:
        return self.value == other

    def __lt__(self, other: Any) -> bool:
        return bool(self.value < other)

    def __le__(self, other: Any) -> bool:
        return bool(self.value <= other)

    def __gt__(self, other: Any) -> bool:
        return bool(self.value > other)

    def __ge__(self, other: Any) -> bool:
        return bool(self.value >= other)

    __hash__ = None  # type: ignore[assignment]


class Row(Struct):
    number: int32
    cells: Array[int16] = array(120)
    grid: Array[int16] = array(4, 50)
    name: Array[utf8] = array(8)


def a_hundred() -> Any:
    return Wrapping(100)


def test_the_number_wraps_as_numpys_do() -> None:
    assert (a_hundred() * 16).value == 1600 % 256
    with pytest.raises(OverflowError, match="4096"):
        assert a_hundred() + 4096


@pytest.mark.parametrize("scalar", ALL_NUMBERS, ids=lambda scalar: scalar.name)
def test_an_index_of_any_array(heap: HeapManager, scalar: type[Scalar[Any]]) -> None:
    with heap.alloc_array(scalar, [*[0] * 100, 7, *[0] * 9]) as numbers:
        assert numbers[a_hundred()] == numbers.read_at(a_hundred()) == 7
        assert numbers[a_hundred() :][0] == 7
        numbers[a_hundred()] = 0
        assert 7 not in numbers
        numbers.write_at(a_hundred(), 7)
        assert numbers.index(7) == 100
        assert heap.wrap_array(scalar, numbers.address, 101)[a_hundred()] == 7


@pytest.mark.needs("atomics")
def test_an_index_of_atomic_elements(heap: HeapManager) -> None:
    with heap.alloc_array(int32, 110) as numbers:
        numbers.write_atomic_at(a_hundred(), 7)
        assert (numbers.index(7), numbers.read_atomic_at(a_hundred())) == (100, 7)
        assert numbers.atomic[a_hundred()].add(1) == 7


def test_an_index_of_structures_and_of_their_arrays(heap: HeapManager) -> None:
    with heap.alloc_array(Row, 110) as rows:
        rows[100].number = 7
        row = rows[a_hundred()]
        assert (row.number, row.address, type(row.address)) == (7, rows[100].address, int)
        rows[a_hundred()] = {"number": 8}
        row.cells[a_hundred()], row.grid[Wrapping(3), Wrapping(40)] = 5, 6
        assert (rows[100].number, row.cells[100], row.grid[3, 40]) == (8, 5, 6)
        assert (row.cells[a_hundred()], row.grid[Wrapping(190)]) == (5, 6)
        assert rows.column(Row.number)[a_hundred()] == 8
        assert [each.number for each in rows[a_hundred() : Wrapping(102)]] == [8, 0]


def test_an_index_of_structures_is_an_integer(heap: HeapManager) -> None:
    with heap.alloc_array(Row, 3) as rows:
        wild: Any = rows
        for bad in (1.0, "1", None):
            with pytest.raises(TypeError, match=f"index must be an int, not {type(bad).__name__}"):
                wild[bad]
        rows[1].number = 7
        assert rows[True].number == 7  # as with a list


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
@pytest.mark.parametrize("length", [5, 100])
def test_an_address_of_text(text: type[Text], length: int) -> None:
    written = "x" * length
    with emheap.wrap_buffer(bytearray(1024)) as heap:
        place: Any = Wrapping(240)
        heap.write(text, place, written)
        assert heap.memory.read_bytes(240, (length + 1) * text.size) == text.encode(written)
        assert not any(heap.memory.read_bytes(16, 224))  # nothing lies where a sum would wrap to
        assert heap.read(text, place) == heap.wrap(text, place).value == written
        assert heap.read_text(text, place, length) == written


def test_an_address_of_bits_as_many_as_fit(heap: HeapManager) -> None:
    with heap.alloc_array(uint8, 400) as block:
        at = block.address + -block.address % 16
        bits = max(at.bit_length(), 8)
        place: Any = Wrapping(at, bits)
        for scalar in ALL_NUMBERS:
            heap.write(scalar, place, 7)
            assert heap.read(scalar, place) == heap.read(scalar, at) == 7, scalar
            assert heap.wrap(scalar, place).value == heap.read_many(scalar, [place])[0] == 7
        written = "x" * 100
        heap.write(utf8, place, written)
        assert heap.read(utf8, place) == heap.read(utf8, at) == written
        heap.fill(place, Wrapping(65), Wrapping(200))  # type: ignore[arg-type]
        assert block[:].count(65) == 200
        assert heap.find(place, b"AA", Wrapping(200)) == at  # type: ignore[arg-type]
