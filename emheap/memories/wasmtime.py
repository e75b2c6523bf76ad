"""The memories of WebAssembly modules that run in wasmtime, natively.

An access to where a memory was before it moved, or was unmapped, ends the process. What can go
wrong, and what stands against it:

- The memory grows and moves. Whether it can is found out when it is opened (`_stays`); where it
  can, its base is asked for before every access, and views go through the memory (`lend`).
- The memory grows and stays. What lay below the old end still does; an access above it fails in
  Python first, and then the size is asked for again.
- The store is dropped or closed. Everything made here keeps a `Hold` on it.
- The call ends during which a `Caller` stood for the store. Every access asks it first.
- Code runs in the store on another thread meanwhile. Nothing stands against that: wasmtime allows
  a store, unlike a shared memory, to one thread at a time.
"""

from __future__ import annotations

import ctypes
import functools
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from emheap._util.pointers import Pinned
from emheap.errors import UseAfterFreeError
from emheap.memories.base import Elements, Loan, Memory, Reader, Writer
from emheap.memories.elements import indirect_elements
from emheap.memories.heap_view import lend_indirectly
from emheap.memories.process import exported
from emheap.memories.uncounted import open_window
from emheap.memories.wasmtime_lifetime import Hold
from emheap.memories.window import ACCESS_ERRORS, WindowMemory
from emheap.types import Scalar, Text
from emheap.types.scalars import BYTE_ORDER

if TYPE_CHECKING:
    import wasmtime

__all__ = [
    "MovingWasmtimeMemory",
    "WasmtimeMemory",
    "open_caller_memory",
    "open_wasmtime_memory",
    "page_size",
]

T = TypeVar("T")
Ask = Callable[[], int]

_SMALL = 4096
"""Up to so many bytes, storing a bytes object costs less than a call of memset."""


class WasmtimeMemory(WindowMemory):
    """A memory that stays where it is, however it grows."""

    name: str = "the wasmtime memory"

    _base: int
    _size: int

    def __init__(self, holds: tuple[Hold, ...], ask_base: Ask, ask_size: Ask, is_64: bool) -> None:
        self._holds = holds
        self._ask_base = ask_base
        self._ask_size = ask_size
        self.pointer_size = 8 if is_64 else 4
        self._open_window(ask_base(), ask_size())

    def _open_window(self, base: int, size: int) -> None:
        window = open_window(self._array(base, size)) if size else memoryview(b"")
        # In one call of C: an interrupt between two stores would leave the size of a window that
        # is not there.
        vars(self).update(_base=base, _size=size, window=window, _typed={})

    def _array(self, host_address: int, size: int) -> Any:
        array: Any = (ctypes.c_ubyte * size).from_address(host_address)
        # Whatever is made of the array, a slice of a view or a numpy array, keeps it alive.
        array.emheap_holds = self._holds
        return array

    def refresh(self) -> None:
        size = self._ask_size()
        if size != self._size:
            self._open_window(self._ask_base(), size)

    @property
    def size(self) -> int:
        self.refresh()
        return self._size

    def check_extent(self, address: Any, size: int, what: str = "access") -> int:
        # No memory shrinks: what lay inside when its size was asked for still does.
        if type(address) is int and 0 < address <= self._size - size:
            return address
        return super().check_extent(address, size, what)

    def fill(self, address: int, size: int, byte: int = 0) -> None:
        if size > _SMALL:
            super().fill(address, size, byte)
        else:
            self.write_bytes(address, bytes((byte,)) * size)

    def lend(self, scalar: type[Scalar[Any]], address: int, count: int) -> Loan[Any]:
        size = count * scalar.size
        start = self.check_extent(address, size, "view")
        return exported(self._array(self._base + start, size), scalar)

    def host_address(self, address: int) -> int:
        return self._base + self.check_extent(address, 1)


class MovingWasmtimeMemory(WasmtimeMemory):
    """A memory that may be elsewhere after every call into its store."""

    name: str = "the wasmtime memory, which may move"
    zero_copy: bool = False
    stable: bool = False

    def refresh(self) -> None:
        base, size = self._ask_base(), self._ask_size()
        if base != self._base or size != self._size:
            before = self.window
            self._open_window(base, size)
            before.release()

    def check_extent(self, address: Any, size: int, what: str = "access") -> int:
        if self._ask_base() != self._base:
            self.refresh()
        return super().check_extent(address, size, what)

    def elements(self, scalar: type[Scalar[Any]], address: int, count: int) -> Elements:
        self.check_extent(address, count * scalar.size)
        return indirect_elements(self, scalar, address, count)

    def lend(self, scalar: type[Scalar[Any]], address: int, count: int) -> Loan[Any]:
        self.check_extent(address, count * scalar.size, "view")
        return lend_indirectly(self, scalar, address, count)

    def _stored_reader(self, scalar: type[Scalar[T]]) -> Reader[T]:
        unpack_from = struct.Struct(BYTE_ORDER + scalar.format).unpack_from
        ask_base, base, window = self._ask_base, self._base, self.window
        size = scalar.size

        def read(address: int) -> T:
            nonlocal base, window
            try:
                if ask_base() == base and address > 1:
                    return unpack_from(window, address)[0]  # type: ignore[no-any-return]
            except ACCESS_ERRORS:
                pass
            with Pinned(address):
                checked = self.check_extent(address, size, f"read of {scalar.name}")
                base, window = self._base, self.window
                return unpack_from(window, checked)[0]  # type: ignore[no-any-return]

        return read

    def _stored_writer(self, scalar: type[Scalar[T]]) -> Writer[T]:
        pack = struct.Struct(BYTE_ORDER + scalar.format).pack
        ask_base, base, typed = self._ask_base, self._base, self.typed_window(scalar.format)
        size = scalar.size
        mask, shift = size - 1, size.bit_length() - 1

        def write(address: int, value: T) -> None:
            nonlocal base, typed
            try:
                if ask_base() == base and address > 1 and not address & mask:
                    typed[address >> shift] = value  # type: ignore[call-overload]
                    return
            except ACCESS_ERRORS:
                pass
            data = pack(self.encode(scalar, value))  # may run the user's code: before the look
            with Pinned(address):
                checked = self.check_extent(address, size, f"write of {scalar.name}")
                self.window[checked : checked + size] = data
            base, typed = self._base, self.typed_window(scalar.format)

        return write

    # The short cuts for strings and for packed numbers keep a window, and that for several numbers
    # takes the last one that was seen; these look for the latest one at each call.

    def _packing_writer(self, scalar: type[Scalar[T]], write_any: Writer[T]) -> Writer[T]:
        return write_any

    def read_many(self, scalar: type[Scalar[T]], addresses: list[int]) -> list[T]:
        return Memory.read_many(self, scalar, addresses)

    def text_reader(self, text: type[Text]) -> Callable[..., str]:
        return Memory.text_reader(self, text)

    def text_writer(self, text: type[Text]) -> Callable[..., int]:
        return Memory.text_writer(self, text)


def open_wasmtime_memory(
    store: wasmtime.Store, memory: wasmtime.Memory | wasmtime.SharedMemory
) -> WasmtimeMemory:
    """The memory of a module, as one that stays or one that moves."""
    import wasmtime

    if not isinstance(memory, wasmtime.Memory):
        return _open_shared(store, memory)
    context = _argument(store._context())
    handle = ctypes.byref(memory._memory)
    made = WasmtimeMemory if _stays(store, memory) else MovingWasmtimeMemory
    return made(
        (Hold(store),),
        _bind("wasmtime_memory_data", context, handle),
        _bind("wasmtime_memory_data_size", context, handle),
        memory.type(store).is_64,
    )


def open_caller_memory(caller: wasmtime.Caller, memory: wasmtime.Memory) -> WasmtimeMemory:
    """A memory for use during one call into the host.

    A Caller has no store to keep open, so users get no memoryview of the bytes.
    """
    context = _argument(caller._context())
    handle = ctypes.byref(memory._memory)
    return MovingWasmtimeMemory(
        (),
        _while_valid(caller, _bind("wasmtime_memory_data", context, handle)),
        _while_valid(caller, _bind("wasmtime_memory_data_size", context, handle)),
        memory.type(caller).is_64,
    )


def _while_valid(caller: wasmtime.Caller, ask: Ask) -> Ask:
    def asked() -> int:
        try:
            caller._context()
        except ValueError:
            raise UseAfterFreeError(
                "this heap was opened on a wasmtime Caller, and the call that it stood for has "
                "ended: open a heap in each call, or on the store and the instance"
            ) from None
        return ask()

    return asked


def _open_shared(store: wasmtime.Store, memory: wasmtime.SharedMemory) -> WasmtimeMemory:
    # It stays: its maximum is reserved from the start, for other threads use it while it grows.
    handle = _argument(memory.ptr())
    opened = WasmtimeMemory(
        (Hold(memory), Hold(store)),
        _bind("wasmtime_sharedmemory_data", handle),
        _bind("wasmtime_sharedmemory_data_size", handle),
        memory.type().is_64,
    )
    opened.shared = True
    return opened


def _stays(store: wasmtime.Store, memory: wasmtime.Memory) -> bool:
    """Whether a memory keeps its base whatever it grows to.

    That follows from its limits and from how much address space its engine reserves, which can
    be set but not asked for. So another memory of the same type and engine is grown to its end,
    in a store of its own; this takes address space for 0.2 ms and nothing else. If it cannot
    grow that far on this machine, the memory counts as one that moves.
    """
    import wasmtime

    kind = memory.type(store)
    maximum = kind.limits.max
    if maximum is None:
        if kind.is_64:
            return False
        maximum = (1 << 32) // page_size(store, memory)
    with wasmtime.Store(store.engine) as trial_store:
        try:
            trial = wasmtime.Memory(trial_store, kind)
            before = _address(trial.data_ptr(trial_store))
            trial.grow(trial_store, maximum - trial.size(trial_store))
        except wasmtime.WasmtimeError:
            return False
        return before == _address(trial.data_ptr(trial_store))


def _address(pointer: Any) -> int | None:
    return ctypes.cast(pointer, ctypes.c_void_p).value


def page_size(store: wasmtime.Store, memory: wasmtime.Memory) -> int:
    """The bytes of a page of a memory: nearly always 65536, or one if its module says so."""
    import wasmtime

    pages = memory.size(store)
    if pages:
        return memory.data_len(store) // pages
    # wasmtime-py does not tell; a page of another memory of the same type shows it.
    with wasmtime.Store(store.engine) as trial_store:
        trial = wasmtime.Memory(trial_store, memory.type(store))
        try:
            trial.grow(trial_store, 1)
        except wasmtime.WasmtimeError:  # it can have no page at all
            return 1 << 16
        return trial.data_len(trial_store)


def _argument(pointer: Any) -> Any:
    """A pointer in the form that ctypes passes on as it is: others are converted at each call."""
    return ctypes.byref(ctypes.c_ubyte.from_address(_address(pointer) or 0))


def _bind(name: str, *arguments: Any) -> Ask:
    """A function of the C API that returns a pointer or a size, with its arguments.

    ``Memory.data_ptr`` and its like make new objects at each call and cost ten times as much.
    These functions are so short that they keep the interpreter's lock.
    """
    from wasmtime import _ffi

    # Without the types of the arguments: converting pointers to pointers costs a third.
    function = ctypes.PYFUNCTYPE(ctypes.c_size_t)((name, cast(Any, _ffi.dll)))
    return functools.partial(function, *arguments)
