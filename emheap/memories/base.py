"""The contract of a memory: where bytes live. It knows nothing of types' meaning or of blocks.

A new kind of heap implements :class:`Memory` and is then served by everything else. Addresses
are byte offsets in the memory; in the process's own memory they are the machine's addresses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, cast

from emheap._util.checks import check_aligned, check_count
from emheap._util.messages import count_of, format_address
from emheap._util.platform import ON_EMSCRIPTEN
from emheap._util.pointers import Pinned, address_of, address_or_none, is_reference
from emheap.errors import (
    CapacityError,
    NotSupportedError,
    NullPointerError,
    OutOfBoundsError,
    UnterminatedStringError,
)
from emheap.types import Scalar, Text
from emheap.types.abi import ABI, WASM32, WASM64

if TYPE_CHECKING:
    from emheap.memories.atomics.base import Atomics

__all__ = ["Elements", "Loan", "Memory", "PollingMode", "Reader", "Writer"]

T = TypeVar("T")
Reader = Callable[[int], T]
Writer = Callable[[int, T], None]
PollingMode = Literal["when_empty", "always", "never"]
"""How often a heap behind a callback asks for the latest buffer."""


class Elements(Protocol):
    """The inside of a block, as a reference holds it: a memoryview, or what behaves like one.

    It is never handed to users. `release` makes every later use raise ValueError, which is how a
    freed block is noticed at no cost: there is no flag to test. A slice has `tolist`, and is set
    to a buffer of as many stored elements.
    """

    def __getitem__(self, index: Any, /) -> Any: ...
    def __setitem__(self, index: Any, value: Any, /) -> None: ...
    def __len__(self) -> int: ...
    def release(self) -> None: ...


class Loan(Generic[T]):
    """A view that the user has, and the object that lives as long as anything uses it.

    `view` is what the user gets. `exporter` is kept alive by the view and by every slice, cast
    and array made of it, and by nothing else; a weak reference to it tells when all are gone.
    """

    __slots__ = ("exporter", "view")

    def __init__(self, view: T, exporter: Any) -> None:
        self.view = view
        self.exporter = exporter


class Memory(ABC):
    """Bytes with addresses.

    Every method checks the extent it is given and raises OutOfBoundsError (NullPointerError for
    address 0) or TypeError; a store lands whole or raises.
    """

    name: str = "memory"
    """What messages call it."""
    zero_copy: bool = True
    """Whether `lend` gives memoryviews on the very bytes."""
    stable: bool = True
    """Whether elements, once made, stay right for as long as the memory exists."""
    pointer_size: int = 4
    """Bytes of a pointer that a program in this memory uses."""
    lowest_address: int = 1
    """The first address that may be used; everything below is the null page."""
    in_javascript: bool = False
    """Whether JavaScript holds the bytes, and Python reaches them through it."""
    shared: bool = False
    """Whether other threads, workers or processes see the same bytes."""

    keeps: Sequence[Any] = ()
    """What lives as long as the memory: the Python functions that its module imports."""

    @cached_property
    def _readers(self) -> dict[type[Scalar[Any]], Reader[Any]]:
        return {}

    @cached_property
    def _writers(self) -> dict[type[Scalar[Any]], Writer[Any]]:
        return {}

    @cached_property
    def _text_writers(self) -> dict[type[Text], Callable[..., int]]:
        return {}

    @cached_property
    def _text_readers(self) -> dict[type[Text], Callable[..., str]]:
        return {}

    @property
    @abstractmethod
    def size(self) -> int:
        """The bytes there are now, or the end of the address space in the process's own memory."""

    @property
    def abi(self) -> ABI:
        """What the C code in this memory takes for granted: how it lays out structures."""
        return WASM32 if self.pointer_size == 4 else WASM64

    @property
    def largest_block(self) -> int:
        """The most bytes that one block, and one view, can have."""
        return 1 << 8 * self.pointer_size

    @abstractmethod
    def read_bytes(self, address: int, size: int) -> bytes:
        """A copy of `size` bytes."""

    @abstractmethod
    def write_bytes(self, address: int, data: bytes | memoryview) -> None:
        """Store all of `data`, a bytes-like of format ``B``."""

    @abstractmethod
    def elements(self, scalar: type[Scalar[Any]], address: int, count: int) -> Elements:
        """`count` numbers as they are stored (decoded, for a type that decodes)."""

    @abstractmethod
    def lend(self, scalar: type[Scalar[Any]], address: int, count: int) -> Loan[Any]:
        """A view for the user on `count` elements."""

    @abstractmethod
    def reader(self, scalar: type[Scalar[T]]) -> Reader[T]:
        """A function that reads one `scalar` at an address."""

    @abstractmethod
    def writer(self, scalar: type[Scalar[T]]) -> Writer[T]:
        """A function that checks a value and stores it at an address."""

    def release(self) -> None:  # noqa: B027 (most memories keep nothing open)
        """Let go of the bytes, so that their owner can close them; the last use of the memory."""

    def cached_reader(self, scalar: type[Scalar[T]]) -> Reader[T]:
        """`reader`, made once for each type."""
        readers = self._readers  # once: threads that come here first may each make one
        if scalar not in readers:
            readers[scalar] = self.reader(scalar.for_abi(self.abi))
        return cast("Reader[T]", readers[scalar])

    def cached_writer(self, scalar: type[Scalar[T]]) -> Writer[T]:
        """`writer`, made once for each type."""
        writers = self._writers
        if scalar not in writers:
            writers[scalar] = self.writer(scalar.for_abi(self.abi))
        return cast("Writer[T]", writers[scalar])

    def cached_text_reader(self, text: type[Text]) -> Callable[..., str]:
        """`text_reader`, made once for each encoding."""
        readers = self._text_readers
        if text not in readers:
            readers[text] = self.text_reader(text)
        return readers[text]

    def cached_text_writer(self, text: type[Text]) -> Callable[..., int]:
        """`text_writer`, made once for each encoding."""
        writers = self._text_writers
        if text not in writers:
            writers[text] = self.text_writer(text)
        return writers[text]

    def read_texts(self, text: type[Text], addresses: list[int], errors: str) -> list[str]:
        """The strings at several addresses."""
        read = self.cached_text_reader(text)
        return [read(address, None, errors) for address in addresses]

    def read_many(self, scalar: type[Scalar[T]], addresses: list[int]) -> list[T]:
        """The numbers at several addresses."""
        return list(map(self.cached_reader(scalar), addresses))

    @abstractmethod
    def find_null(self, address: int, width: int, limit: int | None) -> int | None:
        """How many elements of `width` bytes precede the first zero one.

        None if there is none among the first `limit` elements, or up to the end of the memory.
        Costs time in proportion to the answer, not to the limit.
        """

    def text_reader(self, text: type[Text]) -> Callable[..., str]:
        """A function ``read(address, max_elements=None, errors="strict")``."""

        def read(address: int, max_elements: int | None = None, errors: str = "strict") -> str:
            with Pinned(address):
                count = self.count_elements(address, text.size, max_elements)
                start = address if type(address) is int else self.address_of(address)
                data = self.read_bytes(start, count * text.size)
            return text.decode(data, errors)

        return read

    def text_writer(self, text: type[Text]) -> Callable[..., int]:
        """A function ``write(address, text, capacity=None, errors="strict")``.

        It checks everything, stores the text with its terminator, and returns the number of
        elements before the terminator.
        """

        def write(
            address: int, value: str, capacity: int | None = None, errors: str = "strict"
        ) -> int:
            data = text.encode(value, errors)
            count = len(data) // text.size - 1
            if capacity is not None:
                room = check_count(capacity, "capacity", text.size, self.largest_block)
                if count > room:
                    raise CapacityError(
                        f"{count_of(count, 'element')} of {text.name} do not fit the capacity of "
                        f"{room} (which does not count the terminator)"
                    )
            with Pinned(address):
                start = self.check_extent(address, len(data), f"write of {text.name}")
                check_aligned(start, text.alignment, f"a {text.name} string")
                self.write_bytes(start, data)
            return count

        return write

    def count_elements(self, address: Any, width: int, max_elements: int | None = None) -> int:
        """The elements of `width` bytes before the terminator of a string.

        Raises UnterminatedStringError if there is no terminator among the first `max_elements`
        and the one after them, or up to the end of the memory, or of what a reference refers to.
        """
        start = self.check_extent(address, width, "read of a null-terminated string")
        check_aligned(start, width, "a string of wide elements")
        limit = None
        if max_elements is not None:
            limit = check_count(max_elements, "max_elements", width, self.largest_block) + 1
        if is_reference(address):
            place: Any = address
            room = place._room() // width
            limit = room if limit is None else min(limit, room)
        count = self.find_null(start, width, limit)
        if count is None:
            extent = "the end of the memory" if limit is None else count_of(limit - 1, "element")
            raise UnterminatedStringError(
                f"no null terminator within {extent} from address {format_address(start)} "
                f"(elements of {count_of(width, 'byte')})"
            )
        return count

    def fill(self, address: int, size: int, byte: int = 0) -> None:
        """Set `size` bytes to `byte`, in pieces that bound what is held beside the memory."""
        start = self.check_extent(address, size, "fill")
        piece = 1 << 20
        whole = bytes([byte]) * min(size, piece)
        for offset in range(0, size, piece):
            length = min(piece, size - offset)
            self.write_bytes(start + offset, whole if length == len(whole) else whole[:length])

    def js_view(self, scalar: type[Scalar[Any]], address: int, count: int) -> Any:
        """A JavaScript typed array on the same bytes."""
        raise NotSupportedError(
            f"js_view needs a memory that JavaScript shares, and this heap is in {self.name}; "
            "in Pyodide, open the heap with emheap.open()"
        )

    def open_atomics(self) -> Atomics:
        """Indivisible reads and writes here.

        Raises NotSupportedError where this machine has none.
        """
        if ON_EMSCRIPTEN and not self.shared:
            from emheap.memories.atomics.plain import PlainAtomics

            return PlainAtomics(self)
        from emheap.memories.atomics.libatomic import LibatomicAtomics

        return LibatomicAtomics(self)

    def host_address(self, address: int) -> int:
        """The address of a byte in the process that runs Python."""
        raise NotSupportedError(f"{self.name} has no address in this process")

    def address_of(self, place: Any, what: str = "address") -> int:
        """The address here that an int, a reference or a pointer of ctypes or cffi means.

        Raises TypeError, NullPointerError for None, UseAfterFreeError, NotAllocatedError for a
        reference of another heap.
        """
        if is_reference(place):
            return place._address_within(self)  # type: ignore[no-any-return]
        number = address_of(place, what)
        return number if hasattr(place, "__index__") else self.from_host_address(number)

    def start_of(self, place: Any, size: int, what: str) -> int:
        """The same, where `size` bytes are wanted; a reference must have as many.

        Raises OutOfBoundsError besides, for a reference to fewer.
        """
        if is_reference(place):
            return place._address_within(self, size, what)  # type: ignore[no-any-return]
        return self.address_of(place)

    @property
    def space(self) -> object:
        """What two memories have in common where an address means the same byte in both."""
        return self

    def encode(self, scalar: type[Scalar[Any]], value: Any) -> Any:
        """The number to store for a value; for a reference in a pointer, its address here, and for
        a pointer of ctypes or cffi that of the byte that it points to.

        Raises what ``scalar.encode`` raises; NotAllocatedError for a reference into another memory.
        """
        if scalar.is_pointer and type(value) is not int:
            value = self.resolved(value)
        return scalar.encode(value)

    def resolved(self, value: Any) -> Any:
        """The address of a reference, and the one here of a pointer of ctypes or cffi; anything
        else as it is. Refuses a reference into another memory."""
        if is_reference(value):
            return value._address_for(self)
        pointed = None if hasattr(type(value), "__index__") else self.pointed(value)
        return value if pointed is None else pointed

    def encoder(self, scalar: type[Scalar[Any]]) -> Callable[[Any], Any]:
        """The function that `encode` comes to for the values of one type."""
        return partial(self.encode, scalar) if scalar.is_pointer else scalar.encode

    def pointed(self, value: Any) -> int | None:
        """The address here that a pointer of ctypes or cffi has; None for anything else."""
        address = address_or_none(value)
        return None if address is None else self.from_host_address(address)

    def encoded(self, scalar: type[Scalar[Any]], value: Any) -> tuple[type[Scalar[Any]], Any]:
        """The type that stores the number for a value, and the number: what may run the user's
        code is over then. Raises what `encode` raises; the writer of the type what is left."""
        if type(value) in (int, float):
            return scalar, value
        return scalar.storage or scalar, self.encode(scalar, value)

    def from_host_address(self, address: int) -> int:
        """The address here of a byte at an address in the process that runs Python; where that
        is no byte of this memory, what lies outside of it too."""
        if not address:
            return 0
        try:
            first = self.host_address(max(self.lowest_address, 1)) - max(self.lowest_address, 1)
        except NotSupportedError:
            raise TypeError(
                f"a pointer of this process says nothing about {self.name}: pass an address in it"
            ) from None
        return address - first

    def check_extent(self, address: Any, size: int, what: str = "access") -> int:
        """Return `address` if `size` bytes from it lie inside this memory."""
        number = address if type(address) is int else self.start_of(address, size, what)
        if number == 0:
            raise NullPointerError(
                f"null pointer: {what} of {count_of(size, 'byte')} at address 0; "
                "an allocation failed unnoticed, or a pointer was never set"
            )
        if self.lowest_address <= number and number + size <= self.size:
            return number
        where = "in the null page of" if 0 < number < self.lowest_address else "outside"
        room = "is empty"
        if self.size > self.lowest_address:
            first, last = format_address(self.lowest_address), format_address(self.size - 1)
            room = f"holds addresses {first} to {last}"
        raise OutOfBoundsError(
            f"{what} of {count_of(size, 'byte')} at address {format_address(number)} lies {where} "
            f"{self.name}, which {room}{self.explain_sign(number)}"
        )

    def is_mapped(self, address: int, size: int) -> bool:
        """Whether bytes that lie inside of this memory can be read. In a process there are many
        that cannot: reading one ends the program."""
        return True

    def explain_sign(self, address: int) -> str:
        """What an error says of an address that came out of WebAssembly as a signed number, or
        may have been one."""
        if self.pointer_size != 4:
            return ""
        if 1 << 31 <= address < 1 << 32:
            return f"; as the signed number that WebAssembly returns it is {address - (1 << 32)}"
        if not -(1 << 31) <= address < 0:
            return ""
        return (
            "; WebAssembly returns addresses above 2 GiB as negative numbers: add 2**32, which "
            f"gives {format_address(address + (1 << 32))}"
        )
