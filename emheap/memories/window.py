"""What memories behind one memoryview have in common: the process's own, and Python buffers."""

from __future__ import annotations

import array
import operator
import struct
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar, cast

from emheap._util.c_memory import memset
from emheap._util.platform import HAS_GIL, IN_PYODIDE
from emheap._util.pointers import Pinned
from emheap._util.released import is_released
from emheap.memories.base import Elements, Memory, Reader, Writer
from emheap.memories.elements import DecodedElements, WideElements, indirect_elements
from emheap.types import Scalar, Text, as_wide, utf8, utf16
from emheap.types.scalars import BYTE_ORDER
from emheap.types.text import LOW_BYTE, find_zero

__all__ = ["ACCESS_ERRORS", "HEAD", "PAGE", "WindowMemory", "empty_elements"]

T = TypeVar("T")
_STRICT = "strict"
"""Compared by identity: a caller's own object may run code, and the default is this one."""

ACCESS_ERRORS = (struct.error, TypeError, OverflowError, IndexError, ValueError)
"""What struct and memoryview raise for a bad address or value; `explain` says which it was."""

HEAD = 128
"""The bytes that a reader of strings looks at first."""
PAGE = 4096
"""The smallest page of memory that any system maps."""

_packers: dict[int, dict[int, Callable[..., None]]] = {1: {}, 2: {}, 4: {}}
"""The ``pack_into`` that stores so many bytes and a null element behind them, by the element's
bytes and their number: one step, where two stores of slices take half as long again."""
_MOST_PACKED = 512
"""The most bytes of a text that is stored so: each number keeps a struct of 200 bytes."""


def empty_elements(scalar: type[Scalar[Any]]) -> memoryview:
    """A memoryview of no elements (one of no bytes cannot be cast to another format)."""
    return memoryview(array.array(scalar.format or "B"))


class WindowMemory(Memory):
    """A memory whose bytes, or nearly all of them, lie behind `window`, a memoryview of bytes.

    The functions it makes try the access first and look for the reason only when it fails: the
    memoryview's own bounds check costs nothing, a check before it as much as the access.
    """

    window: memoryview
    looks_ahead: bool = True
    """Whether a string is looked for in its first HEAD bytes, before anything costlier is done."""
    page_mask: int = 0
    """The bits of an address that say where in a page it is, where the next page may be missing."""

    @cached_property
    def _typed(self) -> dict[str, memoryview]:
        return {}

    def typed_window(self, code: str) -> memoryview:
        """`window` as numbers of one format, for aligned addresses; a rest of up to 7 bytes at
        its end is left out."""
        if code not in self._typed:
            if not HAS_GIL:
                self._typed[code] = self.window.cast(cast(Any, code))
                return self._typed[code]
            whole = self.window[: len(self.window) & -8]
            self._typed[code] = whole.cast(cast(Any, code)) if len(whole) else whole
        return self._typed[code]

    def locate(self, address: int, size: int) -> tuple[memoryview, int]:
        """The window that holds a checked extent, and the offset of `address` in it."""
        return self.window, address

    def refresh(self) -> None:
        """Look again how large the memory is. `size` does so, and with it every checked access."""

    def bytes_at(self, address: int, size: int) -> memoryview:
        """A memoryview of `size` bytes, not counted as lent; for use inside the library."""
        start = self.check_extent(address, size)
        window, offset = self.locate(start, size)
        return window[offset : offset + size]

    def read_bytes(self, address: int, size: int) -> bytes:
        return self.bytes_at(address, size).tobytes()

    def write_bytes(self, address: int, data: bytes | memoryview) -> None:
        size = len(data)
        window, offset = self.locate(self.check_extent(address, size), size)
        window[offset : offset + size] = data

    def fill(self, address: int, size: int, byte: int = 0) -> None:
        start = self.check_extent(address, size)
        if size:  # an empty block at the end of a buffer has no host address
            memset(self.host_address(start), byte, size)

    def elements(self, scalar: type[Scalar[Any]], address: int, count: int) -> Elements:
        if count == 0:
            self.check_extent(address, 0)
            return empty_elements(scalar)
        size = count * scalar.size
        if not HAS_GIL:
            # There threads damage what a memoryview counts its slices and exports by.
            self.check_extent(address, size)
            return indirect_elements(self, scalar, address, count)
        stored = self.bytes_at(address, size)
        wide = as_wide(scalar)
        if wide is not None:
            return WideElements(wide, stored)
        numbers = stored.cast(cast(Any, scalar.format))
        return DecodedElements(scalar, numbers) if scalar.decodes else cast(Elements, numbers)

    def reader(self, scalar: type[Scalar[T]]) -> Reader[T]:
        wide = as_wide(scalar)
        if wide is not None:
            size, from_bytes = wide.size, wide.decode_bytes
            return cast("Reader[T]", lambda address: from_bytes(self._read_place(address, size)))
        if scalar.decodes:
            read_stored, decode = self._stored_reader(scalar), scalar.decode
            return lambda address: decode(read_stored(address))
        return self._stored_reader(scalar)

    def _read_place(self, place: Any, size: int) -> bytes:
        with Pinned(place):
            return self.bytes_at(place, size).tobytes()

    def _write_place(self, place: Any, data: bytes) -> None:
        with Pinned(place):
            self.bytes_at(place, len(data))[:] = data

    def _stored_reader(self, scalar: type[Scalar[T]]) -> Reader[T]:
        unpack_from = struct.Struct(BYTE_ORDER + scalar.format).unpack_from
        window = self.window
        lowest = max(self.lowest_address, 2)  # so that True, which is 1, is looked at
        size = scalar.size

        def read(address: int) -> T:
            nonlocal window
            try:
                if address >= lowest:
                    return unpack_from(window, address)[0]  # type: ignore[no-any-return]
            except ACCESS_ERRORS:
                pass
            with Pinned(address):
                checked = self.check_extent(address, size, f"read of {scalar.name}")
                window = self.window
                return unpack_from(*self.locate(checked, size))[0]  # type: ignore[no-any-return]

        return read

    def writer(self, scalar: type[Scalar[T]]) -> Writer[T]:
        wide = as_wide(scalar)
        if wide is not None:
            to_bytes = wide.encode_bytes
            return lambda address, value: self._write_place(address, to_bytes(value))
        write_stored: Writer[Any] = self._stored_writer(scalar.storage or scalar)
        if scalar.encodes:
            encode = scalar.encode

            def write_any(address: int, value: Any) -> None:
                write_stored(address, encode(value))

            def write_pointer(address: int, value: Any) -> None:
                # Of a reference the address in this memory is meant.
                number = encode(value) if type(value) is int else self.encode(scalar, value)
                write_stored(address, number)

            if scalar.is_pointer:
                return write_pointer

            # A float is stored in float64 as it is; only other objects must be looked at.
            return self._packing_writer(scalar, write_any) if scalar.format == "d" else write_any
        return write_stored

    def _stored_writer(self, scalar: type[Scalar[T]]) -> Writer[T]:
        write = self._typed_writer(scalar)
        if IN_PYODIDE or scalar.format not in "bhiqd":
            return write
        return self._packing_writer(scalar, write)

    def _typed_writer(self, scalar: type[Scalar[T]]) -> Writer[T]:
        pack = struct.Struct(BYTE_ORDER + scalar.format).pack
        typed = self.typed_window(scalar.format)
        lowest = max(self.lowest_address, 2)
        size = scalar.size
        mask, shift = size - 1, size.bit_length() - 1

        # Two functions, for each variable of ours costs the one that uses it at every call.
        def write(address: int, value: T) -> None:
            try:
                if address >= lowest and not address & mask:
                    typed[address >> shift] = value  # type: ignore[call-overload]
                    return
            except ACCESS_ERRORS:
                pass
            write_slowly(address, value)

        def write_slowly(address: int, value: T) -> None:
            nonlocal typed
            data = pack(self.encode(scalar, value))  # may run the user's code: before the look
            with Pinned(address):
                checked = self.check_extent(address, size, f"write of {scalar.name}")
                window, offset = self.locate(checked, size)
                window[offset : offset + size] = data
            typed = self.typed_window(scalar.format)

        return write

    def _packing_writer(self, scalar: type[Scalar[T]], write_any: Writer[T]) -> Writer[T]:
        """`write_any` with a short cut, which costs a tenth less natively.

        struct's pack_into clears its target before it converts the value, so that one which does
        not fit would leave zeros behind. It gets none but those that it cannot refuse.
        """
        pack_into = struct.Struct(BYTE_ORDER + scalar.format).pack_into
        window = self.window
        lowest = max(self.lowest_address, 2)
        bits = 8 * scalar.size
        bit_length: Any = int.bit_length  # not the value's own, which a subclass may change

        def write_integer(address: int, value: T) -> None:
            try:
                if address >= lowest and bit_length(value) < bits:
                    pack_into(window, address, value)
                    return
            except ACCESS_ERRORS:
                pass
            write_otherwise(address, value)

        def write_float(address: int, value: T) -> None:
            try:
                if address >= lowest and type(value) is float:
                    pack_into(window, address, value)
                    return
            except ACCESS_ERRORS:
                pass
            write_otherwise(address, value)

        def write_otherwise(address: int, value: T) -> None:
            nonlocal window
            write_any(address, value)
            window = self.window

        return write_float if scalar.format == "d" else write_integer

    def read_many(self, scalar: type[Scalar[T]], addresses: list[int]) -> list[T]:
        size = scalar.size
        mask, shift = size - 1, size.bit_length() - 1
        if scalar.decodes or not addresses or min(addresses) < max(self.lowest_address, 2):
            return super().read_many(scalar, addresses)
        window: Any = self.typed_window(scalar.format)
        try:
            found = [window[address >> shift] for address in addresses if not address & mask]
        except IndexError:  # beyond the window
            found = []
        return found if len(found) == len(addresses) else super().read_many(scalar, addresses)

    def text_reader(self, text: type[Text]) -> Callable[..., str]:
        read_any = super().text_reader(text)
        if text.size > 1:
            return self._wide_short_cut(text, read_any) if text.decoder else read_any
        read = self._short_cut(text.codec, read_any)
        return self._usual_short_cut(read) if text is utf8 and self.looks_ahead else read

    def _usual_short_cut(self, read_any: Callable[..., str]) -> Callable[..., str]:
        """For UTF-8 that must be valid: to name codec and errors takes a quarter of it more."""
        unpack_head = struct.Struct(f"{HEAD}s").unpack_from
        window = self.window
        lowest = max(self.lowest_address, 2)

        def read(address: int, max_elements: int | None = None, errors: str = _STRICT) -> str:
            try:
                if max_elements is None and errors is _STRICT and address >= lowest:
                    head: bytes = unpack_head(window, address)[0]
                    length = head.find(0)
                    if length >= 0:
                        return head[:length].decode()
                    return self.decode_string(address, utf8.codec, errors)
            except ACCESS_ERRORS as error:
                _raise_of_text(error, window)
            return read_any(address, max_elements, errors)

        return read

    def _short_cut(self, codec: str, read_any: Callable[..., str]) -> Callable[..., str]:
        unpack_head = struct.Struct(f"{HEAD}s").unpack_from
        window = self.window
        lowest = max(self.lowest_address, 2)
        looks_ahead = self.looks_ahead

        def read(address: int, max_elements: int | None = None, errors: str = "strict") -> str:
            if max_elements is not None:
                return read_any(address, max_elements, errors)
            try:
                if address >= lowest:
                    if looks_ahead:
                        head: bytes = unpack_head(window, address)[0]
                        length = head.find(0)
                        if length >= 0:
                            return head[:length].decode(codec, errors)
                    elif not window[address]:  # also asks whether it is an address at all
                        return ""
                    return self.decode_string(address, codec, errors)
            except ACCESS_ERRORS as error:  # a bad address, or one near the end of the window
                _raise_of_text(error, window)
            return read_any(address, None, errors)

        return read

    def _wide_short_cut(self, text: type[Text], read_any: Callable[..., str]) -> Callable[..., str]:
        lowest, size = max(self.lowest_address, 2), text.size
        mask, null, decoder = size - 1, bytes(size), text.decoder
        unpack_head = struct.Struct(f"{HEAD * size}s").unpack_from
        page_mask, last_start = self.page_mask, PAGE - HEAD * size
        low_byte = LOW_BYTE[size]

        def read(address: int, max_elements: int | None = None, errors: str = _STRICT) -> str:
            try:
                plain = max_elements is None and type(errors) is str and type(address) is int
                if plain and address >= lowest and not address & mask:
                    window = self.window
                    head: bytes
                    if address & page_mask <= last_start:
                        head = unpack_head(window, address)[0]
                    else:
                        head = window[address : (address | page_mask) + 1].tobytes()
                    # `find_zero` for the usual case: the call would take a tenth more.
                    found = head[low_byte::size].find(0) * size
                    if found >= 0 and head[found : found + size] == null:
                        return decoder(head[:found], errors, True)[0]  # type: ignore[no-any-return]
                    # Other errors may add nulls, or call what is not to see more than the string.
                    if text is utf16 and errors == _STRICT:
                        value = self._decode_pages(window, address, decoder)
                        if value is not None:
                            return value
            except ACCESS_ERRORS as error:
                _raise_of_text(error, self.window)
            return read_any(address, max_elements, errors)

        return read

    def _decode_pages(self, window: memoryview, address: int, decoder: Any) -> str | None:
        """The UTF-16 string at an address; None if its end is not in the window, or if it is none.

        To decode page by page and look for the null in what comes out takes two thirds of looking
        for it in the bytes first; in UTF-32, which is slow to decode, it takes longer.
        """
        pieces: list[str] = []
        step = 4 * HEAD  # less at first, for what lies behind is decoded, too
        position, end = address, self.readable_end(address, step)
        while True:
            chunk = window[position:end].tobytes()
            try:
                piece, used = decoder(chunk, _STRICT, False)
            except UnicodeDecodeError as error:  # perhaps because of what lies behind the string
                chunk = chunk[: error.start]
                piece, used = decoder(chunk, _STRICT, False)
            found = piece.find("\0")
            if found >= 0:
                pieces.append(piece[:found])
                return "".join(pieces)
            if len(chunk) < end - position:
                return None
            pieces.append(piece)
            # Half a pair at the end of a page is read again, with the next page.
            position, end = position + used, self.readable_end(end, step)
            step = PAGE

    def text_writer(self, text: type[Text]) -> Callable[..., int]:
        write_any = super().text_writer(text)
        if text.size > 1:
            return self._wide_writer(text, write_any) if text.encoder else write_any
        window = self.window
        lowest = max(self.lowest_address, 2)
        codec, is_usual, packers = text.codec, text is utf8, _packers[1]

        def write(
            address: int, value: str, capacity: int | None = None, errors: str = _STRICT
        ) -> int:
            # An error handler may add nulls, so it is for the long way.
            if type(value) is str and errors is _STRICT and "\0" not in value:
                data = value.encode() if is_usual else value.encode(codec)
                count = len(data)
                try:
                    if (
                        (capacity is None or (type(capacity) is int and count <= capacity))
                        # Exactly an int: the sums of another number may wrap, as numpy's do.
                        and type(address) is int
                        and address >= lowest
                    ):
                        if count <= _MOST_PACKED:
                            packers[count](window, address, data)
                            return count
                        # The terminator first: if it lies inside, so does all before it.
                        end = address + count
                        window[end] = 0
                        window[address:end] = data
                        return count
                except KeyError:  # the first text of this length
                    packers[count] = struct.Struct(f"{count + 1}s").pack_into
                except ACCESS_ERRORS:
                    pass
            return write_any(address, value, capacity, errors)

        return write

    def _wide_writer(self, text: type[Text], write_any: Callable[..., int]) -> Callable[..., int]:
        window = self.window
        lowest, size = max(self.lowest_address, 2), text.size
        mask, null = size - 1, bytes(size)
        encode, packers = text.encoder, _packers[size]

        def write(
            address: int, value: str, capacity: int | None = None, errors: str = _STRICT
        ) -> int:
            if type(value) is str and errors is _STRICT and "\0" not in value:
                data = encode(value)[0]
                length = len(data)
                count: int = length // size
                try:
                    if (
                        (capacity is None or (type(capacity) is int and count <= capacity))
                        and type(address) is int
                        and address >= lowest
                        and not address & mask
                    ):
                        if length <= _MOST_PACKED:
                            packers[length](window, address, data)
                            return count
                        # As above. A slice that ends outside of the window is too short.
                        end = address + length
                        window[end : end + size] = null
                        window[address:end] = data
                        return count
                except KeyError:
                    packers[length] = struct.Struct(f"{length + size}s").pack_into
                except ACCESS_ERRORS:
                    pass
            return write_any(address, value, capacity, errors)

        return write

    def find_null(self, address: int, width: int, limit: int | None) -> int | None:
        start = self.check_extent(address, width, "read of a null-terminated string")
        end = self.size if limit is None else min(self.size, start + limit * width)
        position, step = start, HEAD
        while position < end:
            stop = min(end, self.readable_end(position, step))
            window, offset = self.locate(position, stop - position)
            found = find_zero(window[offset : offset + stop - position].tobytes(), width)
            if found >= 0:
                return (position - start + found) // width
            position, step = stop, min(step * 8, 1 << 20)
        return None

    def decode_string(self, address: int, codec: str, errors: str) -> str:
        """The string of one-byte elements at an address, when it is no short one."""
        address = operator.index(address)
        count = self.count_elements(address, 1)
        window, offset = self.locate(address, count)
        return str(window[offset : offset + count], codec, errors)

    def readable_end(self, position: int, step: int) -> int:
        """Where to stop when `step` bytes from `position` on are to be read ahead of need."""
        return position + step


def _raise_of_text(error: Exception, window: memoryview) -> None:
    """Raise an error that decoding gave; not one of an access, which `read_any` explains."""
    # Where the window was released, the owner of the bytes has closed them.
    if isinstance(error, ValueError) and not is_released(window):
        raise error
