"""The interpreter's own address space: native CPython, and Pyodide's own heap alike.

One memoryview covers all of it, made once; an access through it costs less than through ctypes.
In WebAssembly the memory can grow but never moves, so what was made before stays right. Nothing
below this module protects the program: natively a wrong address is a fault of the process, and
in Pyodide an access past the end of the heap ends the interpreter. There the window ends where
the heap ends, so such an access raises instead.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from emheap._util.checks import check_aligned
from emheap._util.mapped import is_mapped
from emheap._util.platform import IN_PYODIDE, ON_EMSCRIPTEN, c_runtime
from emheap.memories.base import Loan
from emheap.memories.uncounted import open_window
from emheap.memories.window import PAGE, WindowMemory, empty_elements
from emheap.types import Scalar, Text, WideInteger, utf8
from emheap.types.abi import ABI, native_abi

if TYPE_CHECKING or IN_PYODIDE:
    from emheap.javascript.own_module import typed_array

__all__ = ["ProcessMemory", "exported"]

_LARGEST_VIEW = sys.maxsize
_WIDE = ctypes.sizeof(ctypes.c_wchar)
"""The bytes of an element of C's wide strings, in which it looks for a null, too."""
_UPPER_BASE = 0x7FFF8000
"""The second window starts below 2 GiB, so that what crosses the line lies in it."""


def exported(array: Any, scalar: type[Scalar[Any]]) -> Loan[memoryview]:
    """A typed view of a ctypes array of bytes, which is its exporter."""
    if len(array) == 0:
        view = empty_elements(scalar)
        return Loan(view, view.obj)
    numbers = memoryview(array).cast("B")
    if scalar.format and scalar.format != "B":
        numbers = numbers.cast(cast(Any, scalar.format))
    return Loan(numbers, array)


class ProcessMemory(WindowMemory):
    """The memory of this process."""

    name: str = "this process's memory"

    # In WebAssembly all of the heap can be read. Natively one call finds the end and decodes, and
    # never reads a byte behind the terminator.
    looks_ahead = ON_EMSCRIPTEN
    page_mask = 0 if ON_EMSCRIPTEN else PAGE - 1

    def __init__(self) -> None:
        pointer = ctypes.c_void_p
        self.pointer_size = ctypes.sizeof(pointer)
        self._heap_size: Callable[[], int] | None = None
        if ON_EMSCRIPTEN:
            # A fixed name: asking Pyodide's dynamic linker for an unknown one can be fatal.
            self._heap_size = c_runtime().emscripten_get_heap_size
            cast(Any, self._heap_size).restype = ctypes.c_size_t
        if IN_PYODIDE:
            self.name = "Pyodide's heap"
        if hasattr(os, "uname") and os.uname().machine == "aarch64":
            self._tags = 0xFF << 56
        # The null page: wasm modules keep their first kilobyte unused, systems their first page.
        self.lowest_address = 1024 if ON_EMSCRIPTEN else 4096
        find = ctypes.PYFUNCTYPE(pointer, pointer, ctypes.c_int, ctypes.c_size_t)
        self._memchr = find(("memchr", c_runtime()))
        if not ON_EMSCRIPTEN:  # where it may not be there
            length = ctypes.PYFUNCTYPE(ctypes.c_size_t, pointer, ctypes.c_size_t)
            self._wide_length = length(("wcsnlen", c_runtime()))
        decode = ctypes.PYFUNCTYPE(ctypes.py_object, pointer)
        self._from_utf8 = decode(("PyUnicode_FromString", ctypes.pythonapi))
        self._open_windows(self._measure())

    _size: int
    _upper: memoryview | None
    _tags = 0
    """The bits of an address that the machine ignores, and Android's malloc puts a tag into."""

    def _measure(self) -> int:
        if self._heap_size is not None:
            return self._heap_size()
        if self.pointer_size == 4:
            return 1 << 32
        # Linux, macOS and Windows give programs 47 bits on x86-64; other machines up to 52.
        on_x86 = hasattr(os, "uname") and os.uname().machine == "x86_64"
        return 1 << (47 if on_x86 else 52)

    def _open_windows(self, size: int) -> None:
        window = self._window(0, min(size, _LARGEST_VIEW))
        upper = None
        if size > _LARGEST_VIEW:
            upper = self._window(_UPPER_BASE, min(size - _UPPER_BASE, _LARGEST_VIEW))
        # In one call of C, so that an interrupt leaves none of it or all.
        vars(self).update(_size=size, window=window, _upper=upper, _typed={})

    @staticmethod
    def _window(address: int, size: int) -> memoryview:
        return open_window((ctypes.c_ubyte * size).from_address(address))

    @property
    def size(self) -> int:
        self.refresh()
        return self._size

    @property
    def abi(self) -> ABI:
        return native_abi()

    @property
    def largest_block(self) -> int:
        return min(1 << 8 * self.pointer_size, _LARGEST_VIEW)

    def refresh(self) -> None:
        if self._heap_size is not None and self._heap_size() != self._size:
            self._open_windows(self._heap_size())

    def check_extent(self, address: Any, size: int, what: str = "access") -> int:
        # No heap shrinks: what lay inside when its size was asked for still does.
        if type(address) is int and self.lowest_address <= address <= self._size - size:
            return address
        number = address if type(address) is int else self.start_of(address, size, what)
        tag = number & self._tags if number > 0 else 0
        return super().check_extent(number - tag, size, what) + tag

    def locate(self, address: int, size: int) -> tuple[memoryview, int]:
        if address + size <= len(self.window):
            return self.window, address
        upper = self._upper
        if upper is not None and address >= _UPPER_BASE and address + size <= self._upper_end:
            return upper, address - _UPPER_BASE
        return self._window(address, size), 0

    @property
    def _upper_end(self) -> int:
        return _UPPER_BASE + (len(self._upper) if self._upper is not None else 0)

    def lend(self, scalar: type[Scalar[Any]], address: int, count: int) -> Loan[memoryview]:
        size = count * scalar.size
        start = self.check_extent(address, size, "view")
        return exported((ctypes.c_ubyte * size).from_address(start), scalar)

    def host_address(self, address: int) -> int:
        return address

    @property
    def space(self) -> object:
        return ProcessMemory

    def from_host_address(self, address: int) -> int:
        return address

    def is_mapped(self, address: int, size: int) -> bool:
        return ON_EMSCRIPTEN or is_mapped(address & ~self._tags, size)

    def find_null(self, address: int, width: int, limit: int | None) -> int | None:
        if width > 1 and (ON_EMSCRIPTEN or width != _WIDE):
            return super().find_null(address, width, limit)
        start = self.check_extent(address, width, "read of a null-terminated string")
        # memchr reads in order and stops at what it finds, so the end may lie beyond what is
        # mapped. Slices up to the end of a page are as safe, but cost more from three pages on.
        most = (self.size - (start & ~self._tags)) // width
        if limit is not None:
            most = min(most, limit)
        if width > 1:
            length: int = self._wide_length(start, most)
            return length if length < most else None
        found = self._memchr(start, 0, most)
        return None if found is None else found - start

    def decode_string(self, address: int, codec: str, errors: str) -> str:
        # One call that copies nothing. It stops at a zero byte only, so in Pyodide the last byte
        # before the end of the heap, which nobody may have written to, must be one.
        if errors == "strict" and (not ON_EMSCRIPTEN or self.window[-1] == 0):
            try:
                text: str = self._from_utf8(address)
            except (UnicodeDecodeError, ctypes.ArgumentError):
                pass  # the error is to name the encoding asked for; numpy's numbers are no pointers
            else:
                if codec == "utf-8" or text.isascii():
                    return text
        return super().decode_string(address, codec, errors)

    def read_texts(self, text: type[Text], addresses: list[int], errors: str) -> list[str]:
        # One call for each that copies nothing. In WebAssembly it would cost more than looking
        # for the end here.
        lowest, size = self.lowest_address, self._size
        simple = text is utf8 and errors == "strict" and not ON_EMSCRIPTEN
        if simple and addresses and lowest <= min(addresses) and max(addresses) < size:
            return list(map(self._from_utf8, addresses))
        return super().read_texts(text, addresses, errors)

    def readable_end(self, position: int, step: int) -> int:
        return position + step if ON_EMSCRIPTEN else min(position + step, (position | PAGE - 1) + 1)

    def js_view(self, scalar: type[Scalar[Any]], address: int, count: int) -> Any:
        if not IN_PYODIDE or issubclass(scalar, WideInteger):
            return super().js_view(scalar, address, count)
        start = self.check_extent(address, count * scalar.size, "view")
        check_aligned(start, scalar.alignment, f"a view of {scalar.name}")
        return typed_array(scalar.js_array, scalar.size, start, count)
