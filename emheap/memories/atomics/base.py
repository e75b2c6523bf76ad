"""The interface of atomic access."""

from __future__ import annotations

import operator
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from emheap._util.checks import check_aligned
from emheap.errors import NotSupportedError
from emheap.types import Integer, Scalar, WideInteger

__all__ = ["MODIFICATIONS", "Addressable", "Atomics"]

MODIFICATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
}
"""What an atomic step can do with a number."""


class Addressable(Protocol):
    """What atomic access asks of a memory. The memories' module imports this one."""

    def check_extent(self, address: Any, size: int, what: str = ...) -> int: ...
    def encoder(self, scalar: type[Scalar[Any]]) -> Callable[[Any], Any]: ...
    def host_address(self, address: int) -> int: ...
    def read_bytes(self, address: int, size: int) -> bytes: ...
    def write_bytes(self, address: int, data: bytes | memoryview) -> None: ...


class Atomics(ABC):
    """Atomic access to the numbers in one memory, by integers of the same width.

    Floats go through their bits and ``clamped_uint8`` through its conversion, so the bytes stored
    are the ones an ordinary write stores.
    """

    def __init__(self, memory: Addressable) -> None:
        self.memory = memory
        self.extents: Addressable = memory
        """What checks addresses: on a debug heap more than the memory does."""

    # One unsigned integer of `size` bytes (1, 2, 4 or 8) at an address that was checked and is
    # aligned. What changes it gives what was there before.

    @abstractmethod
    def load(self, address: int, size: int) -> int:
        """The integer."""

    @abstractmethod
    def store(self, address: int, size: int, value: int) -> None:
        """Store `value`."""

    @abstractmethod
    def exchange(self, address: int, size: int, value: int) -> int:
        """Store `value`."""

    @abstractmethod
    def compare_exchange(self, address: int, size: int, expected: int, value: int) -> int:
        """Store `value` if the integer is `expected`."""

    @abstractmethod
    def modify(self, name: str, address: int, size: int, operand: int) -> int:
        """Add, subtract or combine `operand`: `name` is one of `MODIFICATIONS`. What goes beyond
        `size` bytes is lost."""

    # One number, for the flat names: encoded here

    def reader(self, scalar: type[Scalar[Any]]) -> Callable[[int], Any]:
        """A function that reads one `scalar` atomically."""
        size = _check_type(scalar)

        def read_atomic(address: int) -> Any:
            checked = self._check(scalar, address, "atomic read")
            return _number_of(scalar, self.load(checked, size))

        return read_atomic

    def writer(self, scalar: type[Scalar[Any]]) -> Callable[[int, Any], None]:
        """A function that checks a value and writes it atomically."""
        _check_type(scalar)
        encode = self.memory.encoder(scalar)

        def write_atomic(address: int, value: Any) -> None:
            number = encode(value)  # may run the user's code: before the address is checked
            self.store_number(scalar, address, number)

        return write_atomic

    # One number, for references: encoded already

    def store_number(self, scalar: type[Scalar[Any]], address: int, number: Any) -> None:
        """Store a number."""
        size = _check_type(scalar)
        bits = _bits_of(scalar, number)
        self.store(self._check(scalar, address, "atomic write"), size, bits)

    def exchange_number(self, scalar: type[Scalar[Any]], address: int, number: Any) -> Any:
        """Store a number; gives the value before."""
        size = _check_type(scalar)
        bits = _bits_of(scalar, number)
        checked = self._check(scalar, address, "atomic exchange")
        return _number_of(scalar, self.exchange(checked, size, bits))

    def compare_exchange_number(
        self, scalar: type[Scalar[Any]], address: int, expected: Any, number: Any
    ) -> Any:
        """Store a number if the one there is `expected`; gives the value before."""
        size = _check_type(scalar)
        wanted, bits = _bits_of(scalar, expected), _bits_of(scalar, number)
        checked = self._check(scalar, address, "atomic exchange")
        return _number_of(scalar, self.compare_exchange(checked, size, wanted, bits))

    def modify_number(
        self, scalar: type[Scalar[Any]], address: int, name: str, operand: Any
    ) -> Any:
        """Add, subtract or combine a number; gives the value before.

        Integers wrap around, as in C. Numbers of other types are exchanged for the result as often
        as another one came between.
        """
        size = _check_type(scalar)
        checked = self._check(scalar, address, "atomic change")
        if issubclass(scalar, Integer) and not scalar.encodes:
            mask = (1 << 8 * size) - 1
            return _number_of(scalar, self.modify(name, checked, size, operand & mask))
        operand = scalar.decode(operand)
        while True:
            bits = self.load(checked, size)
            before = _number_of(scalar, bits)
            after = scalar.encode(_result(scalar, name, before, operand))
            if self.compare_exchange(checked, size, bits, _bits_of(scalar, after)) == bits:
                return before

    def _check(self, scalar: type[Scalar[Any]], address: int, what: str) -> int:
        checked = self.extents.check_extent(address, scalar.size, f"{what} of {scalar.name}")
        check_aligned(checked, scalar.size, f"an {what} of {scalar.name}")
        return checked


def _check_type(scalar: type[Scalar[Any]]) -> int:
    if issubclass(scalar, WideInteger):
        raise NotSupportedError(
            f"{scalar.name} has no atomic access: no processor reads {scalar.size} bytes at once"
        )
    return scalar.size


def _number_of(scalar: type[Scalar[Any]], bits: int) -> Any:
    stored = bits.to_bytes(scalar.size, sys.byteorder)
    return scalar.decode(memoryview(stored).cast(scalar.format)[0])  # type: ignore[call-overload]


def _bits_of(scalar: type[Scalar[Any]], number: Any) -> int:
    stored = bytearray(scalar.size)
    memoryview(stored).cast(scalar.format)[0] = number  # type: ignore[call-overload]
    return int.from_bytes(stored, sys.byteorder)


def _result(scalar: type[Scalar[Any]], name: str, before: Any, operand: Any) -> Any:
    if isinstance(before, float) and name not in ("add", "sub"):
        raise TypeError(f"{scalar.name} is no integer, so its bits have no atomic {name}")
    if not isinstance(before, (int, float)):
        raise TypeError(f"{scalar.name} is no number, so it has no atomic {name}")
    return MODIFICATIONS[name](before, operand)
