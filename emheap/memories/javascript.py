"""Memories that JavaScript owns: another module's, a SharedArrayBuffer, any ArrayBuffer.

Seen from Pyodide, which this module is imported in only. A buffer may be replaced (a WebAssembly
memory that grew has another one, and the old is detached), may grow or shrink in place, or may grow
because another worker made it. So nothing made of it is trusted to be right later: typed arrays
have explicit lengths, which are those they were made with or, once the buffer went from under
them, 0; and an access that finds one too short asks for the latest buffer and tries again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from weakref import WeakSet

import js
from pyodide.ffi import JsException

from emheap._util.checks import check_aligned
from emheap._util.messages import count_of
from emheap.errors import OutOfBoundsError
from emheap.javascript.bridge import copy_in, copy_out, is_alive, read_member, tag_of
from emheap.memories.atomics.base import Atomics
from emheap.memories.base import Elements, Loan, Memory, PollingMode, Reader, Writer
from emheap.memories.elements import indirect_elements
from emheap.memories.heap_view import HeapView, lend_indirectly
from emheap.memories.javascript_access import WINDOW, make_reader, make_writer
from emheap.memories.javascript_elements import TypedElements, typed_elements
from emheap.memories.window import HEAD
from emheap.types import Scalar, Text, WideInteger
from emheap.types.text import find_zero

__all__ = ["JavaScriptMemory"]

T = TypeVar("T")

_LARGEST_STEP = 1 << 20
_WINDOW_BITS = WINDOW.bit_length() - 1
_array_of_bytes: Callable[[Any, int, int], Any] = js.Uint8Array.new


def _window(name: str, number: int, buffer: Any, size: int) -> Any:
    constructor = getattr(js, name)
    start = number * WINDOW
    count = (min(size, start + WINDOW) - start) // constructor.BYTES_PER_ELEMENT
    return constructor.new(buffer, start, count)


class JavaScriptMemory(Memory):
    """The latest buffer that `get_buffer` returns, an ArrayBuffer or a SharedArrayBuffer.

    ``always`` asks for it before every access. ``when_empty`` asks when the buffer at hand was
    detached or shrunk, or is too short for the access, as a shared memory's is after it grew.
    ``never`` asks once, and a memory that grows is then lost: accesses raise. A buffer that is
    replaced by another of the same length and not detached is noticed by ``always`` only. `first`
    is what `get_buffer` has just returned, if it was asked already.
    """

    name: str = "the JavaScript heap"
    zero_copy: bool = False
    stable: bool = False
    in_javascript: bool = True

    def __init__(
        self,
        get_buffer: Callable[[], Any],
        polling_mode: PollingMode = "when_empty",
        *,
        first: Any = None,
        name: str = "",
        pointer_size: int = 4,
    ) -> None:
        self.name = name or type(self).name
        self.pointer_size = pointer_size
        self.polls_always = polling_mode == "always"
        self._polls = polling_mode != "never"
        self._get_buffer = get_buffer
        self._cells: dict[str, list[Any]] = {}
        self._keepers: WeakSet[TypedElements] = WeakSet()
        """Elements that keep a typed array."""
        self._adopt(get_buffer() if first is None else first)

    _buffer: Any
    _size: int
    _last_byte: Any
    _windows: dict[tuple[str, int], Any]

    # The latest buffer

    def poll(self) -> None:
        """Ask for the latest buffer."""
        buffer = self._get_buffer()
        if not (
            is_alive(self._last_byte) and buffer == self._buffer and buffer.byteLength == self._size
        ):
            self._adopt(buffer)

    def _adopt(self, buffer: Any) -> None:
        kind = tag_of(buffer, "the latest buffer")
        if kind not in ("ArrayBuffer", "SharedArrayBuffer"):
            raise TypeError(
                "a heap's latest buffer must be an ArrayBuffer or a SharedArrayBuffer, such as the "
                f"buffer of a WebAssembly.Memory or of a typed array, not {kind}"
            )
        size: int = read_member(buffer, "byteLength", "the latest buffer")
        # It is alive for as long as the buffer has at least the size it has now.
        last_byte = _array_of_bytes(buffer, size - 1, 1) if size else ()
        windows = {}
        for name, cell in self._cells.items():
            cell[0] = windows[name, 0] = _window(name, 0, buffer, size) if size else ()
        if kind == "ArrayBuffer" and self._replaces(buffer):
            for keeper in list(self._keepers):
                keeper.forget()
        # In one call of C: after an interrupt all of it is as it was, and is looked for again.
        vars(self).update(
            shared=kind == "SharedArrayBuffer",
            _buffer=buffer,
            _size=size,
            _last_byte=last_byte,
            _windows=windows,
        )

    def _replaces(self, buffer: Any) -> bool:
        """Whether a buffer takes the place of one that is still there, and readable."""
        return "_buffer" in vars(self) and buffer != self._buffer and is_alive(self._last_byte)

    @property
    def size(self) -> int:
        if self._polls:
            self.poll()
        return self._size if is_alive(self._last_byte) else 0

    @property
    def largest_block(self) -> int:
        # Python counts bytes in signed 32-bit numbers here, whatever the memory's pointers are.
        return sys.maxsize

    def check_extent(self, address: Any, size: int, what: str = "access") -> int:
        number = address if type(address) is int else self.start_of(address, size, what)
        end = number + size
        alive = is_alive(self._last_byte)
        if self.polls_always or (self._polls and not alive):
            self.poll()
            alive = is_alive(self._last_byte)
        if alive and self.lowest_address <= number and end <= self._size:
            return number
        if not alive and number:
            raise OutOfBoundsError(self._explain_emptiness(size, what))
        # A buffer that is too short: this asks for the size, and so for the latest one.
        return super().check_extent(number, size, what)

    def _explain_emptiness(self, size: int, what: str) -> str:
        problem = f"{what} of {count_of(size, 'byte')}: the buffer of {self.name} "
        if not self._polls:
            return problem + (
                "was detached or shrunk, as when a WebAssembly memory grows, and "
                "polling_mode='never' asks for no other"
            )
        return problem + "is empty: its memory has no page yet, or the buffer was transferred"

    # Typed arrays

    def cell(self, name: str) -> list[Any]:
        """A list whose one item is the typed array over the first window, the latest always."""
        if name not in self._cells:
            self._cells[name] = [self._window(name, 0)]
        return self._cells[name]

    def locate(self, name: str, address: int) -> tuple[Any, int]:
        """A typed array and an index in it, for a checked and aligned address."""
        array = self._window(name, address >> _WINDOW_BITS)
        return array, (address & (WINDOW - 1)) // array.BYTES_PER_ELEMENT

    def _window(self, name: str, number: int) -> Any:
        """The typed array over the bytes of one window; an empty tuple where there are none."""
        array = self._windows.get((name, number))
        if array is None:
            if not is_alive(self._last_byte):
                return ()
            array = self._windows[name, number] = _window(name, number, self._buffer, self._size)
        return array

    # The contract

    def read_bytes(self, address: int, size: int) -> bytes:
        start = self.check_extent(address, size, "read")
        return copy_out(_array_of_bytes(self._buffer, start, size), size) if size else b""

    def write_bytes(self, address: int, data: bytes | memoryview) -> None:
        start = self.check_extent(address, len(data), "write")
        if len(data):
            copy_in(_array_of_bytes(self._buffer, start, len(data)), data)

    def fill(self, address: int, size: int, byte: int = 0) -> None:
        start = self.check_extent(address, size, "fill")
        _array_of_bytes(self._buffer, start, size).fill(byte)

    def reader(self, scalar: type[Scalar[T]]) -> Reader[T]:
        return make_reader(self, scalar)

    def writer(self, scalar: type[Scalar[T]]) -> Writer[T]:
        return make_writer(self, scalar)

    def elements(self, scalar: type[Scalar[Any]], address: int, count: int) -> Elements:
        start = self.check_extent(address, count * scalar.size)
        made = None if self.polls_always else typed_elements(self, scalar, start, count)
        return indirect_elements(self, scalar, start, count) if made is None else made

    def lasting_array(self, elements: TypedElements, name: str, address: int, count: int) -> Any:
        """A typed array on the latest buffer, for `elements` to keep."""
        self._keepers.add(elements)
        return getattr(js, name).new(self._buffer, address, count)

    def lend(self, scalar: type[Scalar[Any]], address: int, count: int) -> Loan[HeapView[Any]]:
        start = self.check_extent(address, count * scalar.size, "view")
        return lend_indirectly(self, scalar, start, count)

    def text_reader(self, text: type[Text]) -> Callable[..., str]:
        read_any = super().text_reader(text)
        if text.size > 1 or self.polls_always:
            return read_any
        codec = text.codec

        def read(address: int, max_elements: int | None = None, errors: str = "strict") -> str:
            if max_elements is None and type(address) is int and address > 0:
                try:
                    head: bytes = _array_of_bytes(self._buffer, address, HEAD).to_bytes()
                    length = head.find(0)
                    if length >= 0:
                        return head[:length].decode(codec, errors)
                except JsException:
                    pass  # the buffer ends there, or is no longer the latest
            return read_any(address, max_elements, errors)

        return read

    def read_texts(self, text: type[Text], addresses: list[int], errors: str) -> list[str]:
        # Texts that lie close together come in one crossing, as bytes that one search goes over.
        if text.size == 1 and addresses:
            start, last = min(addresses), max(addresses)
            near = last - start <= HEAD * len(addresses)
            if near and self.lowest_address <= start and last < self.size:
                data = self.read_bytes(start, min(last + HEAD, self._size) - start)
                read = partial(self._read_within, text, errors, data, start)
                return list(map(read, addresses))
        return super().read_texts(text, addresses, errors)

    def _read_within(
        self, text: type[Text], errors: str, data: bytes, start: int, address: int
    ) -> str:
        """The string at an address, of which `data` from address `start` on may hold all."""
        offset = address - start
        end = data.find(0, offset)
        if end < 0:
            return self.cached_text_reader(text)(address, None, errors)
        return data[offset:end].decode(text.codec, errors)

    def find_null(self, address: int, width: int, limit: int | None) -> int | None:
        start = self.check_extent(address, width, "read of a null-terminated string")
        end = self.size if limit is None else min(self.size, start + limit * width)
        position, step = start, HEAD
        while position < end:
            stop = min(end, position + step)
            found = find_zero(self.read_bytes(position, stop - position), width)
            if found >= 0:
                return (position - start + found) // width
            position, step = stop, min(step * 8, _LARGEST_STEP)
        return None

    def open_atomics(self) -> Atomics:
        from emheap.memories.atomics.javascript import JavaScriptAtomics

        return JavaScriptAtomics(self)

    def js_view(self, scalar: type[Scalar[Any]], address: int, count: int) -> Any:
        if issubclass(scalar, WideInteger):
            return super().js_view(scalar, address, count)
        start = self.check_extent(address, count * scalar.size, "view")
        check_aligned(start, scalar.alignment, f"a view of {scalar.name}")
        return getattr(js, scalar.js_array).new(self._buffer, start, count)
