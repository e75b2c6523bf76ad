"""Memories and allocators with one mistake each, which the kit must find and name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emheap import Allocator, BumpAllocator, FreeListAllocator
from emheap.memories.base import Loan, Memory
from emheap.memories.buffer import BufferMemory
from emheap.memories.elements import IndirectElements
from emheap.testing import ROOM, check_allocator, check_memory
from emheap.types import Scalar

SIZE = 1 << 20


# Memories


class ShortReads(BufferMemory):
    def read_bytes(self, address: int, size: int) -> bytes:
        return super().read_bytes(address, min(size, 4000))


class ByteArrays(BufferMemory):
    def read_bytes(self, address: int, size: int) -> Any:
        return bytearray(super().read_bytes(address, size))


class RoundedWrites(BufferMemory):
    def write_bytes(self, address: int, data: bytes | memoryview) -> None:
        whole = bytes(data) + bytes(-len(data) % 4)
        super().write_bytes(address, whole)


class LostWrites(BufferMemory):
    def write_bytes(self, address: int, data: bytes | memoryview) -> None:
        if address % 8 != 7:
            super().write_bytes(address, data)


class LongFill(BufferMemory):
    def fill(self, address: int, size: int, byte: int = 0) -> None:
        super().fill(address, size + (size == 5000), byte)


class ZeroFill(BufferMemory):
    def fill(self, address: int, size: int, byte: int = 0) -> None:
        super().fill(address, size)


class AlignedReads(BufferMemory):
    def reader(self, scalar: type[Scalar[Any]]) -> Callable[[int], Any]:
        read = super().reader(scalar)
        return lambda address: read(address & -scalar.alignment)


class SignlessZero(BufferMemory):
    def writer(self, scalar: type[Scalar[Any]]) -> Callable[[int, Any], None]:
        write = super().writer(scalar)
        return lambda address, value: write(address, value or 0)


class IntegralFloats(BufferMemory):
    def reader(self, scalar: type[Scalar[Any]]) -> Callable[[int], Any]:
        read = super().reader(scalar)

        def read_as_javascript_does(address: int) -> Any:
            value = read(address)
            return int(value) if isinstance(value, float) and value == 2.0 else value

        return read_as_javascript_does


class WrappingWrites(BufferMemory):
    def writer(self, scalar: type[Scalar[Any]]) -> Callable[[int, Any], None]:
        write = super().writer(scalar)
        wraps = scalar.name == "uint8"
        return lambda address, value: write(address, value & 255 if wraps else value)


class NoNull(BufferMemory):
    def check_extent(self, address: Any, size: int, what: str = "access") -> int:
        return 1 if address == 0 else super().check_extent(address, size, what)


class NegativeIndices(BufferMemory):
    def check_extent(self, address: Any, size: int, what: str = "access") -> int:
        if isinstance(address, int) and -self.size < address < 0:
            address += self.size
        return super().check_extent(address, size, what)


class Lasting(IndirectElements):
    __slots__ = ()

    def release(self) -> None:
        pass


class LastingElements(BufferMemory):
    def elements(self, scalar: type[Scalar[Any]], address: int, count: int) -> Any:
        self.check_extent(address, count * scalar.size)
        return Lasting(self, scalar, address, count)


class CopiedViews(BufferMemory):
    def lend(self, scalar: type[Scalar[Any]], address: int, count: int) -> Loan[Any]:
        import array

        copy = array.array(scalar.format, bytes(self.read_bytes(address, count * scalar.size)))
        return Loan(memoryview(copy), copy)


class ForgottenExporter(BufferMemory):
    def lend(self, scalar: type[Scalar[Any]], address: int, count: int) -> Loan[Any]:
        loan = super().lend(scalar, address, count)

        class Exporter:
            pass

        loan.exporter = Exporter()
        return loan


class GreedyStrings(BufferMemory):
    def find_null(self, address: int, width: int, limit: int | None) -> int | None:
        return super().find_null(address, width, None)


class NarrowStrings(BufferMemory):
    def find_null(self, address: int, width: int, limit: int | None) -> int | None:
        count = super().find_null(address, 1, None if limit is None else limit * width)
        return None if count is None else count // width


class NoName(BufferMemory):
    name = ""


MEMORIES = [
    (ShortReads, r"4096 bytes written at 0x"),
    (ByteArrays, "read_bytes gave bytearray, not bytes"),
    (RoundedWrites, r"write_bytes of 1 byte at 0x\w+ changed bytes beside it: \[1, 2, 3\]"),
    (LostWrites, "bytes? written at 0x.*, and then there was a5"),
    (LongFill, r"fill of 5000 bytes at 0x\w+ changed bytes beside it: \[5000\]"),
    (ZeroFill, "fill of 100 bytes with 7, and then there was 00 00"),
    (AlignedReads, "was read as"),
    (SignlessZero, r"float32 -0.0 written at 0x\w+, and then there was 00 00 00 00"),
    (IntegralFloats, "float32 2.0 written at .* was read as 2"),
    (WrappingWrites, "the writer took uint8 '1': it raised|the writer took uint8 256"),
    (NoNull, "took .* at 0"),
    (NegativeIndices, "took .* at -1"),
    (LastingElements, "released elements of int8 have a length and gave 5"),
    (CopiedViews, r"a view of int8 set to 1, and then there was a5"),
    (ForgottenExporter, "the exporter of a view of int8 died before a slice of it did"),
    (GreedyStrings, "ascii text of 0 characters: find_null looked beyond its limit, at element 0"),
    (NarrowStrings, "utf16 text of 2 characters: wrong length"),
    (NoName, "has no name for messages"),
]


@pytest.mark.parametrize(
    ("broken", "message"), MEMORIES, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_broken_memory(broken: type[BufferMemory], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_memory(lambda: (broken(bytearray(4 * ROOM)), 64))


def test_a_memory_that_loses_its_contents_as_it_grows() -> None:
    def grow(memory: Any) -> None:
        memory.window = memoryview(bytearray([9]) * (2 * len(memory.window)))
        memory._typed.clear()

    with pytest.raises(AssertionError, match="byte 0 is 0, but after"):
        check_memory(lambda: (BufferMemory(bytearray(4 * ROOM)), 64), grow=grow)
    with pytest.raises(AssertionError, match=r"size is 32768 after growing, as it was before"):
        check_memory(lambda: (BufferMemory(bytearray(4 * ROOM)), 64), grow=id)


def test_a_factory_that_offers_what_is_not_there() -> None:
    with pytest.raises(AssertionError, match="but the factory offers bytes up to 8256"):
        check_memory(lambda: (BufferMemory(bytearray(ROOM)), 64))
    with pytest.raises(AssertionError, match="the factory's address 96 is no multiple of 64"):
        check_memory(lambda: (BufferMemory(bytearray(2 * ROOM)), 96))


# Allocators


class Misaligned(FreeListAllocator):
    def allocate(self, size: int) -> int:
        return super().allocate(size + 8) + 4

    def free(self, address: int) -> None:
        super().free(address - 4)


class Overlapping(FreeListAllocator):
    def allocate(self, size: int) -> int:
        return super().allocate(size // 2 if size == 257 else size)


class Endless(BumpAllocator):
    def allocate(self, size: int) -> int:
        return super().allocate(size) or 16


class Negative(FreeListAllocator):
    def allocate(self, size: int) -> int:
        return super().allocate(size) or -1


class Outside(FreeListAllocator):
    def allocate(self, size: int) -> int:
        address = super().allocate(size)
        return address + SIZE if size == 5000 else address


class NotFreeing(FreeListAllocator):
    def free(self, address: int) -> None:
        pass


class FreeingTwice(FreeListAllocator):
    """Hands out a block that is in use, after a while."""

    def free(self, address: int) -> None:
        super().free(address)
        if len(self._used) == 20:
            super().free(max(self._used))


class NoZeros(FreeListAllocator):
    def allocate_zeroed(self, size: int) -> int | None:
        return self.allocate(size)


class Nothing(Allocator):
    def allocate(self, size: int) -> Any:
        return None

    def free(self, address: int) -> None:
        pass


class OddAlignment(FreeListAllocator):
    def __init__(self, start: int, end: int) -> None:
        super().__init__(start, end)
        self.alignment = 12


ALLOCATORS = [
    (Misaligned, r"allocate\(1\) gave 0x14, no multiple of the alignment 8"),
    (Overlapping, "overlaps the one of|changed while it was live"),
    (Endless, "gave 0x10; 0 says there is no room"),
    (Negative, "gave -0x1; 0 says there is no room"),
    (Outside, r"allocate\(5000\) gave a block outside the memory: access of 5000 bytes"),
    (
        NotFreeing,
        "800 blocks of 1024 bytes, at most 8 of them live, took 800 addresses: what is fr",
    ),
    (FreeingTwice, "overlaps the one of|changed while it was live|is not the address of a block"),
    (NoZeros, r"allocate_zeroed\(1\) gave a block that is not zero"),
    (Nothing, r"allocate\(1\) gave None, not an int"),
    (OddAlignment, "alignment is 12"),
]


@pytest.mark.parametrize(
    ("broken", "message"), ALLOCATORS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_broken_allocator(broken: Any, message: str) -> None:
    def make() -> tuple[Allocator, Memory]:
        allocator = broken() if broken is Nothing else broken(16, SIZE)
        return allocator, BufferMemory(bytearray(SIZE))

    with pytest.raises(Exception, match=message) as caught:
        check_allocator(make)
    assert isinstance(caught.value, AssertionError) or broken is FreeingTwice
