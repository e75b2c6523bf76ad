"""Reading and writing one number in a memory that JavaScript owns.

An item of a typed array is the cheapest thing to fetch from JavaScript; a call of a method, such
as ``DataView.getInt32``, costs three to six times as much. But JavaScript hides mistakes: a store
of "abc", 2**40 or 2.7 is converted, a negative index counts from the end, and a store past the end
or into a detached array is silently lost. So what is stored is checked in Python, and the
element is fetched before it is stored: that raises IndexError where no element is. (``len()`` is
cheaper but not reliable; see `javascript.bridge.is_alive`.)

Each function made here tries the common case first: an aligned address in the first window, a
value of the very type. Everything else goes the slow way, which checks all and explains.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from emheap.memories.base import Reader, Writer
from emheap.types import FloatingPoint, Integer, Scalar, as_wide
from emheap.types.scalars import BYTE_ORDER

__all__ = [
    "COMPACT",
    "LARGEST_FLOAT32",
    "WINDOW",
    "array_name",
    "make_reader",
    "make_writer",
]

T = TypeVar("T")

WINDOW = 1 << 29
"""The bytes of a window. Both it and its complement are ints of one digit, and those are quick."""
COMPACT = (1 << 30) - 1
"""The largest int of one digit."""
_WORD = (1 << 32) - 1
LARGEST_FLOAT32 = 3.4028234663852886e38
_REFUSALS = (IndexError, TypeError, OverflowError)
"""What an item of a typed array raises where there is none, or for what is no number; and what
numbers of other libraries raise, which have 8 bits, say, for a mask that has more."""


class _Memory(Protocol):
    """What is asked of a memory of JavaScript's. Its module imports this one."""

    @property
    def polls_always(self) -> bool: ...
    def poll(self) -> None: ...
    def cell(self, name: str) -> list[Any]: ...
    def encode(self, scalar: type[Scalar[Any]], value: Any) -> Any: ...
    def encoder(self, scalar: type[Scalar[Any]]) -> Callable[[Any], Any]: ...
    def check_extent(self, address: Any, size: int, what: str = ...) -> int: ...
    def locate(self, name: str, address: int) -> tuple[Any, int]: ...
    def read_bytes(self, address: int, size: int) -> bytes: ...
    def write_bytes(self, address: int, data: bytes | memoryview) -> None: ...


def array_name(scalar: type[Scalar[Any]]) -> str:
    """The typed array that numbers are fetched from: no clamping, and no BigInt."""
    return "Uint8Array" if scalar.format == "B" else scalar.js_array


def make_reader(memory: _Memory, scalar: type[Scalar[T]]) -> Reader[T]:
    """A function that reads one `scalar` at an address."""
    wide = as_wide(scalar)
    if wide is not None:
        size, from_bytes = wide.size, wide.decode_bytes
        return cast("Reader[T]", lambda address: from_bytes(memory.read_bytes(address, size)))
    if scalar.storage is not None:
        return _decoding(make_reader(memory, scalar.storage), scalar.decode)
    make: Any = _word_reader
    if issubclass(scalar, FloatingPoint):
        make = _float_reader
    elif scalar.size == 8:
        make = _long_reader
    read: Reader[T] = make(memory, scalar)
    if scalar.decodes:
        read = _decoding(read, scalar.decode)
    return _polling_reader(memory, read) if memory.polls_always else read


def make_writer(memory: _Memory, scalar: type[Scalar[T]]) -> Writer[T]:
    """A function that checks a value and stores it at an address."""
    wide = as_wide(scalar)
    if wide is not None:
        to_bytes = wide.encode_bytes
        return lambda address, value: memory.write_bytes(address, to_bytes(value))
    if scalar.storage is not None:
        encode = memory.encoder(scalar)
        write_stored = make_writer(memory, scalar.storage)
        return lambda address, value: write_stored(address, encode(value))
    make: Any = _word_writer
    if issubclass(scalar, FloatingPoint):
        make = _float_writer
    elif scalar.size == 8:
        make = _long_writer
    write: Writer[T] = make(memory, scalar)
    return _polling_writer(memory, write) if memory.polls_always else write


def _decoding(read_stored: Reader[T], decode: Callable[[Any], T]) -> Reader[T]:
    return lambda address: decode(read_stored(address))


def _polling_reader(memory: _Memory, read: Reader[T]) -> Reader[T]:
    def read_latest(address: int) -> T:
        memory.poll()
        return read(address)

    return read_latest


def _polling_writer(memory: _Memory, write: Writer[T]) -> Writer[T]:
    def write_latest(address: int, value: T) -> None:
        memory.poll()
        write(address, value)

    return write_latest


# The test ``address - first & mask`` says at once that an address is 0, negative, True, misaligned
# or beyond the first window: `mask` has the bits that no good one has, and True is less than
# `first`.


def _limits(size: int) -> tuple[int, int, int]:
    """`first`, `mask` and how far an address is shifted to make an index."""
    return max(size, 2), -WINDOW | (size - 1), size.bit_length() - 1


def _word_reader(memory: _Memory, scalar: type[Integer]) -> Reader[int]:
    name = array_name(scalar)
    cell = memory.cell(name)
    first, mask, shift = _limits(scalar.size)
    read_anywhere = _slow_reader(memory, scalar)
    what = f"read of {scalar.name}"

    def read(address: int) -> int:
        try:
            if not address - first & mask:
                return cell[0][address >> shift]  # type: ignore[no-any-return]
        except _REFUSALS:
            pass
        return read_slowly(address)

    def read_slowly(address: int) -> int:
        start = memory.check_extent(address, scalar.size, what)
        if start % scalar.size:
            return read_anywhere(start)
        array, index = memory.locate(name, start)
        return array[index]  # type: ignore[no-any-return]

    return read


def _long_reader(memory: _Memory, scalar: type[Integer]) -> Reader[int]:
    # In two words, for one item of a BigInt64Array costs more than both.
    lows = memory.cell("Uint32Array")
    highs = memory.cell("Int32Array" if scalar.minimum < 0 else "Uint32Array")
    first, mask, _ = _limits(8)
    read_slowly = _slow_reader(memory, scalar)

    def read(address: int) -> int:
        try:
            if not address - first & mask:
                index = address >> 2
                return lows[0][index] | highs[0][index + 1] << 32  # type: ignore[no-any-return]
        except _REFUSALS:
            pass
        return read_slowly(address)

    return read


def _float_reader(memory: _Memory, scalar: type[FloatingPoint]) -> Reader[float]:
    cell = memory.cell(array_name(scalar))
    words = memory.cell("Int32Array")
    first, mask, shift = _limits(scalar.size)
    to_sign = scalar.size - 4
    read_slowly = _slow_reader(memory, scalar)

    def read(address: int) -> float:
        try:
            if not address - first & mask:
                value = cell[0][address >> shift]
                if type(value) is float:
                    if value == value:
                        return value
                elif value:
                    return float(value)  # a whole number comes as an int
                else:
                    return 0.0 if words[0][address + to_sign >> 2] >= 0 else -0.0
        except _REFUSALS:
            pass
        return read_slowly(address)  # a NaN too: engines may change its bits on the way

    return read


def _slow_reader(memory: _Memory, scalar: type[Scalar[T]]) -> Reader[T]:
    size = scalar.size
    unpack = struct.Struct(BYTE_ORDER + scalar.format).unpack
    what = f"read of {scalar.name}"

    def read(address: int) -> T:
        start = memory.check_extent(address, size, what)
        return cast(T, unpack(memory.read_bytes(start, size))[0])

    return read


def _slow_writer(memory: _Memory, scalar: type[Scalar[Any]]) -> Writer[Any]:
    size, encode = scalar.size, partial(memory.encode, scalar)
    pack = struct.Struct(BYTE_ORDER + scalar.format).pack
    what = f"write of {scalar.name}"

    def write(address: int, value: Any) -> None:
        data = pack(encode(value))
        memory.write_bytes(memory.check_extent(address, size, what), data)

    return write


def _word_writer(memory: _Memory, scalar: type[Integer]) -> Writer[int]:
    name = array_name(scalar)
    cell = memory.cell(name)
    first, mask, shift = _limits(scalar.size)
    lowest, highest = max(scalar.minimum, -COMPACT), min(scalar.maximum, COMPACT)
    write_anywhere = _slow_writer(memory, scalar)
    what = f"write of {scalar.name}"

    def write(address: int, value: int) -> None:
        try:
            if type(value) is int and lowest <= value <= highest and not address - first & mask:
                array = cell[0]
                index = address >> shift
                array[index]
                array[index] = value
                return
        except _REFUSALS:
            pass
        write_slowly(address, value)

    def write_slowly(address: int, value: int) -> None:
        number = int(memory.encode(scalar, value))  # JavaScript gets no BigInt, and no bool
        start = memory.check_extent(address, scalar.size, what)
        if start % scalar.size:
            write_anywhere(start, number)
        else:
            array, index = memory.locate(name, start)
            array[index] = number

    return write


def _long_writer(memory: _Memory, scalar: type[Integer]) -> Writer[int]:
    cell = memory.cell("Uint32Array")
    first, mask, _ = _limits(8)
    minimum, maximum = scalar.minimum, scalar.maximum
    write_slowly = _slow_writer(memory, scalar)

    def write(address: int, value: int) -> None:
        try:
            if type(value) is int and minimum <= value <= maximum and not address - first & mask:
                words = cell[0]
                index = address >> 2
                words[index + 1]
                words[index] = value & _WORD
                words[index + 1] = value >> 32 & _WORD
                return
        except _REFUSALS:
            pass
        write_slowly(address, value)

    return write


def _float_writer(memory: _Memory, scalar: type[FloatingPoint]) -> Writer[float]:
    cell = memory.cell(array_name(scalar))
    first, mask, shift = _limits(scalar.size)
    limit = LARGEST_FLOAT32 if scalar.size == 4 else math.inf
    write_slowly = _slow_writer(memory, scalar)

    def write(address: int, value: float) -> None:
        try:
            # A NaN fails the comparison: its bits are stored as bytes.
            if type(value) is float and -limit <= value <= limit and not address - first & mask:
                array = cell[0]
                index = address >> shift
                array[index]
                array[index] = value
                return
        except _REFUSALS:
            pass
        write_slowly(address, value)

    return write
