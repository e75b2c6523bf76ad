"""The interface of atomic access."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from emheap._util.checks import check_aligned
from emheap.errors import NotSupportedError
from emheap.types import Scalar, WideInteger

__all__ = ["Addressable", "Atomics"]


class Addressable(Protocol):
    """What atomic access asks of a memory. The memories' module imports this one."""

    def check_extent(self, address: Any, size: int, what: str = ...) -> int: ...
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

    @abstractmethod
    def load(self, address: int, size: int) -> int:
        """The unsigned integer of `size` bytes (1, 2, 4 or 8) at a checked, aligned address."""

    @abstractmethod
    def store(self, address: int, size: int, value: int) -> None:
        """Store the unsigned integer `value` of `size` bytes at a checked, aligned address."""

    def reader(self, scalar: type[Scalar[Any]]) -> Callable[[int], Any]:
        """A function that reads one `scalar` atomically."""
        size = _check_type(scalar)

        def read_atomic(address: int) -> Any:
            checked = self._check(scalar, address, "atomic read")
            stored = self.load(checked, size).to_bytes(size, sys.byteorder)
            number = memoryview(stored).cast(scalar.format)[0]  # type: ignore[call-overload]
            return scalar.decode(number)

        return read_atomic

    def writer(self, scalar: type[Scalar[Any]]) -> Callable[[int, Any], None]:
        """A function that checks a value and writes it atomically."""
        size = _check_type(scalar)

        def write_atomic(address: int, value: Any) -> None:
            number = scalar.encode(value)  # may run the user's code: before the address is checked
            stored = bytearray(size)
            memoryview(stored).cast(scalar.format)[0] = number  # type: ignore[call-overload]
            checked = self._check(scalar, address, "atomic write")
            self.store(checked, size, int.from_bytes(stored, sys.byteorder))

        return write_atomic

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
