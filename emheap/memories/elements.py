"""The inside of blocks: how references reach bytes, and how a block is kept while they do.

`Elements` are a memoryview, or one of the classes here. One operation on them is one step: either
it is done before another thread frees the block, or it raises ValueError. Two operations are not,
and neither is a C function that is called with an address. For those the elements are *exported*:
while an export lives, `release` raises BufferError, so that the block cannot be freed.
"""

from __future__ import annotations

import operator
from _thread import get_ident
from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast
from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

from emheap._util.locks import Locked, short_waits
from emheap._util.messages import count_of
from emheap._util.platform import HAS_GIL, IN_PYODIDE
from emheap.memories.base import Elements, Memory
from emheap.types import Scalar, WideInteger
from emheap.types.arrays import decode_elements

__all__ = [
    "DecodedElements",
    "ExclusiveElements",
    "Gate",
    "IndirectElements",
    "Pin",
    "WideElements",
    "exported_view",
    "exporter",
    "indirect_elements",
    "pin",
    "stored_in",
]


class Pin(Protocol):
    """What keeps elements from being released, until its own `release`."""

    def release(self) -> None: ...


_pickle_buffer: Any = None


def _load_pickle_buffer() -> Any:
    global _pickle_buffer  # importing it takes a third of what importing ctypes takes
    from pickle import PickleBuffer

    _pickle_buffer = PickleBuffer
    return PickleBuffer


# A memoryview, or a ctypes array, made of a memoryview does not count as an export of it: they
# share what it was made of. A PickleBuffer counts, and so does what is made of that.


def pin(elements: Elements) -> Pin:
    """Keep elements from being released. Raises ValueError if they were."""
    stored = stored_in(elements)
    if stored is None:
        return cast("IndirectElements", elements).pin()
    return (_pickle_buffer or _load_pickle_buffer())(stored)  # type: ignore[no-any-return]


def exporter() -> Any:
    """What makes an export of a memoryview; for short cuts."""
    return _pickle_buffer or _load_pickle_buffer()


def exported_view(stored: memoryview) -> memoryview:
    """A view of the same numbers. While it, a slice, a cast or an array made of it lives, `stored`
    cannot be released. Raises ValueError if it was."""
    return memoryview((_pickle_buffer or _load_pickle_buffer())(stored))


def stored_in(elements: Elements) -> memoryview | None:
    """The memoryview beneath elements; None where Python cannot point at their bytes."""
    if type(elements) is memoryview:
        return elements
    return getattr(elements, "stored", None)


class DecodedElements:
    """Elements whose numbers are decoded as they are read."""

    __slots__ = ("__weakref__", "_decode", "stored")

    def __init__(self, scalar: type[Scalar[Any]], stored: memoryview) -> None:
        self._decode = scalar.decode
        self.stored = stored

    def __len__(self) -> int:
        # Without a call, after which another thread may run: freeing asks this last.
        return self.stored.nbytes // self.stored.itemsize

    def __getitem__(self, index: Any) -> Any:
        if type(index) is slice:
            return _Decoded(list(map(self._decode, self.stored[index].tolist())))
        return self._decode(self.stored[index])

    def __iter__(self) -> Iterator[Any]:
        len(self.stored)  # of a released view, CPython makes an iterator and raises as well
        return map(self._decode, self.stored)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.stored[index] = value

    def release(self) -> None:
        self.stored.release()


class _Decoded:
    """A slice of elements that are decoded one by one."""

    __slots__ = ("_values",)

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def tolist(self) -> list[Any]:
        return self._values


class WideElements:
    """Integers of 16 or 32 bytes over a memoryview of bytes."""

    __slots__ = ("__weakref__", "_size", "stored")

    def __init__(self, scalar: type[WideInteger], stored: memoryview) -> None:
        self.stored = stored
        self._size = scalar.size

    def __len__(self) -> int:
        return self.stored.nbytes // self._size  # without a call, as above

    def _slice(self, index: int) -> slice:
        index = operator.index(index)  # an int's product does not wrap, as numpy's do
        count = len(self)
        position = index + count if index < 0 else index
        if not 0 <= position < count:
            raise IndexError(f"index {index} out of range of {count_of(count, 'element')}")
        return slice(position * self._size, (position + 1) * self._size)

    def __getitem__(self, index: Any) -> Any:
        if type(index) is slice:
            data, size = self.stored.tobytes(), self._size
            positions = range(len(data) // size)[index]
            return _Decoded(
                [int.from_bytes(data[n * size : (n + 1) * size], "little") for n in positions]
            )
        return int.from_bytes(self.stored[self._slice(index)], "little")

    def __setitem__(self, index: Any, value: Any) -> None:
        """Store an int; or, in a slice, the bytes of as many."""
        if type(index) is not slice:
            self.stored[self._slice(index)] = value.to_bytes(self._size, "little")
            return
        start, stop, step = index.indices(len(self))
        if step == 1:
            self.stored[start * self._size : max(start, stop) * self._size] = value
            return
        positions = range(start, stop, step)
        _check_length(len(value), len(positions) * self._size)
        value = bytes(value)  # it may be these very elements, as in a[::-1] = a
        for n, position in enumerate(positions):
            self.stored[self._slice(position)] = value[n * self._size : (n + 1) * self._size]

    def release(self) -> None:
        self.stored.release()


def _check_length(given: int, taken: int) -> None:
    if given != taken:
        raise ValueError(f"a slice of {count_of(taken, 'byte')} takes as many, not {given}")


class IndirectElements:
    """Elements reached by address at every access, for a memory that may move or be replaced.

    A memoryview kept over such a memory would go stale: it would read what was, and its stores
    would be lost. An access is more than one step here, so it is held against `release` by hand.
    """

    __slots__ = (
        "__weakref__",
        "_address",
        "_count",
        "_memory",
        "_pins",
        "_read",
        "_scalar",
        "_size",
        "_write",
    )

    stored = None
    typed = False
    """Whether a typed array of JavaScript's has the items as they are."""

    def __init__(self, memory: Memory, scalar: type[Scalar[Any]], address: int, count: int) -> None:
        self._memory = memory
        self._scalar = scalar
        self._read = memory.cached_reader(scalar)
        # What is stored was encoded already: a type that does not take its own encoded values is
        # written as what it is stored as.
        self._write = memory.cached_writer(scalar.storage or scalar)
        self._address = address
        self._size = scalar.size
        self._count = count
        self._pins: _Pins = {}

    def __len__(self) -> int:
        if self._count < 0:
            raise ValueError("operation forbidden on released elements")
        return self._count

    def _locate(self, index: int) -> int:
        if type(index) is not int:
            index = operator.index(index)  # an int's product does not wrap, as numpy's do
        count = self._count
        if 0 <= index < count:
            return self._address + index * self._size
        if count < 0:
            raise ValueError("operation forbidden on released elements")
        if -count <= index < 0:
            return self._address + (index + count) * self._size
        raise IndexError(f"index {index} out of range of {count_of(count, 'element')}")

    def __getitem__(self, index: Any) -> Any:
        value = self._get_slice(index) if type(index) is slice else self._read(self._locate(index))
        if self._count < 0:  # freed by another thread meanwhile: that may be another's value
            raise ValueError("operation forbidden on released elements")
        return value

    def _get_slice(self, index: slice) -> _Decoded:
        positions = range(len(self))[index]
        if not positions:
            return _Decoded([])
        first, last = min(positions[0], positions[-1]), max(positions[0], positions[-1])
        size = self._size
        data = self._memory.read_bytes(self._address + first * size, (last - first + 1) * size)
        values = decode_elements(self._scalar, data)
        return _Decoded(values[:: positions.step])

    def __setitem__(self, index: Any, value: Any) -> None:
        if type(index) is not slice and type(value) not in (int, float):
            # This may run the user's code: before the look.
            value = self._memory.encode(self._scalar, value)
        if IN_PYODIDE and type(index) is not slice:  # no other thread could free them meanwhile
            self._write(self._locate(index), value)
            return
        pinned = self.pin()
        try:
            if type(index) is slice:
                self._set_slice(index, value)
            else:
                self._write(self._locate(index), value)
        finally:
            pinned.release()

    def __iter__(self) -> Iterator[Any]:
        # Python's own iteration by index takes any IndexError for the end, such as that of an
        # address that is no longer in the memory.
        for index in range(len(self)):
            yield self[index]

    def _set_slice(self, index: slice, data: memoryview) -> None:
        positions = range(self._count)[index]
        size = self._size
        source = memoryview(data).cast("B")
        _check_length(len(source), len(positions) * size)
        if not positions:
            return
        if positions.step == 1:
            self._memory.write_bytes(self._address + positions[0] * size, source)
            return
        source = memoryview(bytes(source))  # it may be these very elements, as in a[::-1] = a
        for number, position in enumerate(positions):
            self._memory.write_bytes(
                self._address + position * size, source[number * size : (number + 1) * size]
            )

    def pin(self) -> _IndirectPin:
        """Keep the elements from being released. Raises ValueError if they were."""
        pinned = _pin_in(self._pins)
        # After the pin was seen to: `release` does the two in the other order, so that of two
        # threads one at least finds out.
        if self._count < 0:
            pinned.release()
            raise ValueError("operation forbidden on released elements")
        return pinned

    def release(self) -> None:
        count = self._count
        if not self._is_pinned():
            self._count = -1
        if self._is_pinned():
            self._count = count
            raise BufferError("the elements are in use")

    def _is_pinned(self) -> bool:
        return bool(self._pins) and _are_alive(self._pins)


class _IndirectPin:
    __slots__ = ("__weakref__", "_pins")

    def __init__(self, pins: _Pins) -> None:
        self._pins = pins

    def release(self) -> None:
        self._pins.pop(id(self), None)


class _GatePin(_IndirectPin):
    """One that says whose it is."""

    __slots__ = ("thread",)

    def __init__(self, pins: _Pins) -> None:
        super().__init__(pins)
        self.thread = get_ident()


_Pins = dict[int, "WeakReference[Any]"]
"""Pins by their ids. Those that live count: an interrupt may come before a pin has a name. It is
no list, for to remove an item takes one of those several steps where there is no interpreter's
lock."""


def _pin_in(pins: _Pins, cls: type[_IndirectPin] = _IndirectPin) -> _IndirectPin:
    pinned = cls(pins)
    pins[id(pinned)] = WeakReference(pinned)
    return pinned


def _are_alive(pins: _Pins) -> bool:
    return any(pinned() is not None for pinned in pins.copy().values())


class Gate(Locked):
    """Lets threads to the bytes of a block, none of which is within once it was closed.

    This is for builds of CPython without the interpreter's lock. A thread notes an access, or a
    pin, and then looks whether the gate is closed; `close` closes it and then looks for those.
    Both use the same dictionary, whose own lock brings the two in an order: either the access was
    noted first, and `close` sees it, opens the gate again and refuses; or `close` has looked
    first, and what it stored before that is seen by the thread, which leaves. So no thread that is
    within, and none that comes later, reaches bytes that were given away.
    """

    __slots__ = ("_accesses", "_pins", "is_closed")

    def __init__(self) -> None:
        self.is_closed = False
        self._accesses: dict[object, int] = {}
        """One key for each access that is under way, with its thread."""
        self._pins: _Pins = {}

    def check(self) -> None:
        """Raise ValueError if the gate is closed for good."""
        if self.is_closed:
            # Who closes it has the lock until it is certain that the block is freed. For that it
            # may wait for accesses: no thread waits here within one.
            with self._lock:
                if self.is_closed:
                    raise ValueError("operation forbidden on released elements")

    def access(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """``work(*arguments)``, while the gate is open. Raises ValueError if it is closed."""
        key, thread = object(), get_ident()
        while True:
            # No interrupt leaves the key behind: there is no call between here and the `try`.
            self._accesses[key] = thread
            try:
                if not self.is_closed:
                    return work(*arguments)
            finally:
                del self._accesses[key]
            self.check()

    def pin(self) -> Pin:
        """Keep the gate open until the pin's ``release()``. Raises ValueError if it is closed."""
        while True:
            pinned = _pin_in(self._pins, _GatePin)
            if not self.is_closed:
                return pinned
            pinned.release()
            self.check()

    def reopen(self) -> None:
        """Open the gate again, for the block could not be freed after all."""
        self.is_closed = False

    def close(self) -> None:
        """Close the gate for good. Raises BufferError while something uses the bytes.

        Most of that are single accesses, which take microseconds: it waits for them. Not for long,
        for a call on the bytes may take minutes; and not where this thread is within itself, as it
        is where a finalizer frees a block.
        """
        for _ in short_waits():
            if self._try_to_close():
                return
            if self._is_within():
                break
        raise BufferError("the elements are in use")

    def _try_to_close(self) -> bool:
        with self._lock:
            if self.is_closed:
                return True
            self.is_closed = True
            # Copies, for only that takes the lock of a dictionary: to ask for a length does not.
            if self._accesses.copy() or _are_alive(self._pins):
                self.is_closed = False
            return self.is_closed

    def _is_within(self) -> bool:
        """Whether this thread is within, or has a pin."""
        thread = get_ident()
        if thread in self._accesses.copy().values():
            return True
        pins = [pinned() for pinned in self._pins.copy().values()]
        return any(pin.thread == thread for pin in pins if pin is not None)


class ExclusiveElements(IndirectElements):
    """Elements for builds of CPython without the interpreter's lock.

    There a memoryview's access and its `release` do not exclude each other: the access looks
    whether the view was released, another thread releases it and frees the block, and the access
    goes on. To look again afterwards would be too late: a large block may be unmapped by then. So
    every access is pinned.
    """

    __slots__ = ("_gate",)

    def __init__(
        self,
        memory: Memory,
        scalar: type[Scalar[Any]],
        address: int,
        count: int,
        gate: Gate | None = None,
    ) -> None:
        super().__init__(memory, scalar, address, count)
        self._gate = gate or Gate()
        """That of all elements on the same block."""

    def __len__(self) -> int:
        self._gate.check()
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if type(index) is slice:
            return self._gate.access(self._get_slice, index)
        position = operator.index(index)  # may run the user's code: before the access
        return self._gate.access(self._get, position)

    def _get(self, position: int) -> Any:
        return self._read(self._locate(position))

    def __setitem__(self, index: Any, value: Any) -> None:
        if type(index) is slice:
            self._gate.access(self._set_slice, index, value)
            return
        position = operator.index(index)
        if type(value) not in (int, float):
            value = self._memory.encode(self._scalar, value)
        self._gate.access(self._set, position, value)

    def _set(self, position: int, value: Any) -> None:
        self._write(self._locate(position), value)

    def pin(self) -> Any:
        return self._gate.pin()

    def release(self) -> None:
        self._gate.close()

    def reopen(self, length: int) -> None:
        """Let the elements be used again: the block could not be freed after all."""
        self._gate.reopen()


def indirect_elements(
    memory: Memory, scalar: type[Scalar[Any]], address: int, count: int
) -> IndirectElements:
    """`count` elements at an address that was checked, in a memory that may move, or where no
    lock of the interpreter's makes one step of an access to a memoryview."""
    return (IndirectElements if HAS_GIL else ExclusiveElements)(memory, scalar, address, count)
