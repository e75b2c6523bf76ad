"""The exceptions of emheap: each derives from HeapError and, if one fits, from a builtin.

Code that knows nothing of emheap can therefore catch what it already catches (``IndexError``,
``OverflowError``, ``MemoryError``), and code that does can catch :class:`HeapError`.
"""

from __future__ import annotations

__all__ = [
    "AlreadyOwnedError",
    "BufferInUseError",
    "CapacityError",
    "DoubleFreeError",
    "EmbeddedNullError",
    "ForeignTrapError",
    "HeapCorruptionError",
    "HeapError",
    "LeakError",
    "MisalignedError",
    "NotAllocatedError",
    "NotSupportedError",
    "NullPointerError",
    "OutOfBoundsError",
    "OutOfMemoryError",
    "ShapeError",
    "UnterminatedStringError",
    "UseAfterFreeError",
    "ValueOutOfRangeError",
]


class HeapError(Exception):
    """The base of every error that emheap defines."""


class ValueOutOfRangeError(HeapError, OverflowError):
    """Raised when a number does not fit the type it is written as; nothing was written."""


class OutOfBoundsError(HeapError, IndexError):
    """Raised when an address, with its whole extent, lies outside its memory, or an index or a size
    outside of what a reference refers to; on a debug heap also when an address lies in no live
    block."""


class NullPointerError(OutOfBoundsError):
    """Raised when address 0, or None for an address, is read, written, viewed, wrapped or freed."""


class ShapeError(HeapError, ValueError):
    """Raised when there are more or fewer elements than the place for them has, or more
    dimensions."""


class MisalignedError(HeapError, ValueError):
    """Raised when an array, a structure, a view, a wide string or an atomic access is not
    aligned."""


class CapacityError(HeapError, ValueError):
    """Raised when a string, with its terminator, does not fit the room it has."""


class UnterminatedStringError(HeapError, ValueError):
    """Raised when no null terminator lies within the extent that may be scanned."""


class EmbeddedNullError(HeapError, ValueError):
    """Raised when a null-terminated string would hold a null character, which ends it early."""


class OutOfMemoryError(HeapError, MemoryError):
    """Raised when the allocator has no room for a block; nothing changed."""


class UseAfterFreeError(HeapError, ValueError):
    """Raised when a reference, or on a debug heap an address, is used after its block was freed,
    and when a heap or an arena is used after it was closed."""


class DoubleFreeError(HeapError, ValueError):
    """Raised when a block is freed that was freed before; the allocator was not called."""


class NotAllocatedError(HeapError, ValueError):
    """Raised when something is freed that this heap did not allocate, or does not own, and when a
    reference of another heap is given for an address."""


class BufferInUseError(HeapError, BufferError):
    """Raised when a block cannot be freed, resized or handed over because something still uses its
    bytes, such as a slice of a view."""


class NotSupportedError(HeapError, NotImplementedError):
    """Raised when this heap, or this machine, cannot do what was asked."""


class AlreadyOwnedError(HeapError, ValueError):
    """Raised when bytes are adopted that the heap has already: those of a live block, or of a
    freed one that it keeps."""


class LeakError(HeapError):
    """Raised when blocks are live that should have been freed; says where each came from."""


class HeapCorruptionError(HeapError):
    """Raised when the bytes around a block, or of a freed one, were written to; and when an
    allocator returns bytes that are live."""


class ForeignTrapError(HeapError, RuntimeError):
    """Raised when a library's function did not return: it trapped, aborted or ended its program;
    when a module's malloc or free did so; and when a module did so as it started, or could not
    start.

    `reason` says what happened, `function` names the C function. The error of wasmtime or of
    JavaScript is its ``__cause__``.
    """

    reason: str = ""
    function: str = ""
