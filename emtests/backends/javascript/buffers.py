"""JavaScript's buffers and memories, made from Python, and what an engine knows of them."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import js
from pyodide.ffi import JsException, to_js

from emheap import FreeListAllocator
from emheap._util.checks import align_up
from emheap.javascript.bridge import big_int

PAGE = 65536


def js_object(**members: Any) -> Any:
    """A JavaScript object."""
    return to_js(members, dict_converter=js.Object.fromEntries)


def with_room(make: Callable[[], Any]) -> Any:
    """What `make` gives, a WebAssembly.Memory or something that has one.

    An engine has address space for about a hundred of them. It looks for garbage before it gives
    up, but those of former tests are held by heaps, which are garbage of Python's, also those that
    were frozen when the tests of this file began.
    """
    try:
        return make()
    except JsException as error:
        if error.name != "RangeError":
            raise
    gc.unfreeze()
    gc.collect()
    return make()


def wasm_memory(pages: int = 1, maximum: int = 1024, **more: Any) -> Any:
    """A WebAssembly.Memory; ``shared=True`` makes it one that workers can share."""
    limits = js_object(initial=pages, maximum=maximum, **more)
    return with_room(lambda: js.WebAssembly.Memory.new(limits))


def memory64(pages: int = 1, maximum: int | None = 1024) -> Any:
    """A WebAssembly.Memory with 64-bit addresses."""
    limits = js_object(address="i64")
    limits.initial = big_int(pages)
    if maximum is not None:
        limits.maximum = big_int(maximum)
    return with_room(lambda: js.WebAssembly.Memory.new(limits))


def growable(size: int, limit: int, *, shared: bool = False) -> Any:
    """An ArrayBuffer or SharedArrayBuffer that changes its length in place."""
    constructor = js.SharedArrayBuffer if shared else js.ArrayBuffer
    most = js_object(maxByteLength=limit)
    return with_room(lambda: constructor.new(size, most))


class GrowingBuffer:
    """A buffer and an allocator of ours, which asks for more room when there is none.

    It grows by a little at a time, so that the heap has to notice often.
    """

    START = 64

    def __init__(self, get_buffer: Callable[[], Any], grow: Callable[[int], None]) -> None:
        self.get_buffer = get_buffer
        self._grow = grow
        self._free_list = FreeListAllocator(self.START, self.size, alignment=16)

    @property
    def size(self) -> int:
        return int(self.get_buffer().byteLength)

    def allocate(self, size: int) -> int:
        address = self._free_list.allocate(size)
        while not address:
            before = self.size
            try:
                self._grow(align_up(before + max(size, PAGE), 16))
            except JsException:
                return 0
            self._free_list.add(before, self.size)
            address = self._free_list.allocate(size)
        return address

    def free(self, address: int) -> None:
        self._free_list.free(address)
