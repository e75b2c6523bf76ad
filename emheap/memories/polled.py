"""A buffer behind a callback, which may be another one at each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from emheap._util.pointers import Pinned
from emheap._util.released import is_released
from emheap.errors import UseAfterFreeError
from emheap.memories.base import Elements, Loan, Memory, PollingMode, Reader, Writer
from emheap.memories.buffer import BufferMemory
from emheap.memories.elements import indirect_elements
from emheap.types import Scalar

__all__ = ["PolledMemory"]

T = TypeVar("T")


class PolledMemory(Memory):
    """The latest buffer that `get_heap` returns.

    ``always`` asks before every access. ``when_empty`` asks when the buffer at hand is empty, was
    released, or is too short for the access: what a grown memory looks like. ``never`` asks once.
    A buffer that another one replaces while it stays usable is noticed by ``always`` only: release
    it. `first` is what `get_heap` has just returned, if it was asked already.
    """

    name: str = "the latest buffer"
    stable = False

    def __init__(
        self, get_heap: Callable[[], Any], polling_mode: PollingMode, *, first: Any = None
    ) -> None:
        self._get_heap = get_heap
        self._mode = polling_mode
        source = get_heap() if first is None else first
        self._current = source, BufferMemory(source)
        """What `get_heap` returned, and its memory."""

    @property
    def size(self) -> int:
        return self._latest(0).size

    def _latest(self, end: int) -> BufferMemory:
        source, buffer = self._current
        # By its owner, as an ArrayBuffer is detached; the bytes are lent, and so there still.
        released = isinstance(source, memoryview) and is_released(source)
        size = buffer.size
        if self._mode == "always" or (
            self._mode == "when_empty" and (released or size == 0 or end > size)
        ):
            latest = self._get_heap()
            if latest is not source:
                # In one store, once it is known to be a buffer: what is refused is refused again.
                self._current = latest, BufferMemory(latest)
                return self._current[1]
        if released:
            cure = (
                "polling_mode='never' asks for no other: open another heap"
                if self._mode == "never"
                else "get_heap returns it still: it must return the buffer that took its place"
            )
            raise UseAfterFreeError(f"{self.name} was released by its owner, and {cure}")
        return buffer

    def check_extent(self, address: Any, size: int, what: str = "access") -> int:
        if type(address) is not int:
            address = self.start_of(address, size, what)
        return self._at(address, size).check_extent(address, size, what)

    def _at(self, address: Any, size: int) -> BufferMemory:
        number = address if type(address) is int else self.address_of(address)
        return self._latest(number + size)

    def read_bytes(self, address: int, size: int) -> bytes:
        return self._at(address, size).read_bytes(address, size)

    def write_bytes(self, address: int, data: bytes | memoryview) -> None:
        self._at(address, len(data)).write_bytes(address, data)

    def elements(self, scalar: type[Scalar[Any]], address: int, count: int) -> Elements:
        self.check_extent(address, count * scalar.size)
        return indirect_elements(self, scalar, address, count)

    def lend(self, scalar: type[Scalar[Any]], address: int, count: int) -> Loan[memoryview]:
        return self._at(address, count * scalar.size).lend(scalar, address, count)

    def reader(self, scalar: type[Scalar[T]]) -> Reader[T]:
        def read(address: int) -> T:
            with Pinned(address):
                start = address
                if type(address) is not int:
                    start = self.start_of(address, scalar.size, f"read of {scalar.name}")
                return self._at(start, scalar.size).cached_reader(scalar)(start)

        return read

    def writer(self, scalar: type[Scalar[T]]) -> Writer[T]:
        def write(address: int, value: T) -> None:
            stored, number = self.encoded(scalar, value)  # first, for it may run the user's code
            with Pinned(address):
                start = address
                if type(address) is not int:
                    start = self.start_of(address, scalar.size, f"write of {scalar.name}")
                self._at(start, scalar.size).cached_writer(stored)(start, number)

        return write

    def find_null(self, address: int, width: int, limit: int | None) -> int | None:
        address = self.address_of(address)
        count = self._latest(0).find_null(address, width, limit)
        if count is None and self._mode == "when_empty":
            # The string may go on in a buffer that has grown since.
            grown = self._latest(self._current[1].size + 1)
            count = grown.find_null(address, width, limit)
        return count

    def host_address(self, address: int) -> int:
        return self._at(address, 1).host_address(address)
