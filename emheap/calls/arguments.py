"""Turning Python's values into addresses: strings, buffers, references.

A converter takes one argument and gives its address and what keeps the bytes there during the
call, which is released afterwards. Where C shares Python's memory bytes are passed where they lie;
elsewhere they are copied to C's heap, and back if C may have written to them.
"""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable
from pickle import PickleBuffer
from typing import Any

from emheap.calls.accepting import (
    accepts_target,
    array_test,
    describe_target,
    is_row_of_bytes,
)
from emheap.calls.kinds import Address, Buffer, Kind, Reference, String, Text
from emheap.calls.linker import Convention
from emheap.calls.temporaries import Temporaries, as_bytes, view_of
from emheap.errors import NotAllocatedError, ShapeError
from emheap.memories.elements import pin
from emheap.refs.base import HeapRef
from emheap.refs.pointer import Pointer
from emheap.refs.structured import StructuredRef

__all__ = ["Arguments", "Converted", "Converter", "ForeignArguments", "ProcessArguments"]

Converted = tuple[Any, Any]
Convert = Callable[[Any], Converted]

_ANYTHING = "a#, h# = convert#(a#)"
# The elements come first: held, they keep the block from being replaced by `resize`. What fails is
# converted outside of the handler, so that no error has another one as its context.
_REFERENCE = """try: h# = Hold#(a#._elements); b# = a#._block
except (AttributeError, TypeError, ValueError): b# = None
if b# is None: a#, h# = convert#(a#)
else:
 l# = b#[2]
 if l#.kind in good# and l#.table is table#: a# = b#[1]
 else: a#, h# = convert#(a#)"""
_ROOM = _REFERENCE.replace("if l#.kind", "if l#.byte_size and l#.kind")
_QUICK_TEXT = """h# = store_text#(a#) if type(a#) is str else None
if h# is None: a#, h# = convert#(a#)
else: a# = h#.address"""
_TEXT = """if type(a#) is str:
 a# = a#.encode()
 if 0 in a#: convert#(a#)
else: a#, h# = convert#(a#)"""
"""Sources, with the number of the parameter for #."""


class Converter:
    """What converts one parameter: a function for every case, and source for the usual ones."""

    def __init__(
        self,
        convert: Convert,
        source: str = _ANYTHING,
        names: dict[str, Any] | None = None,
        holds: bool = True,
    ) -> None:
        self.convert = convert
        self.source = source
        self.names = names or {}
        """What the source names, each followed by the number of the parameter."""
        self.holds = holds
        """Whether something may have to be released after the call."""


class Kept:
    """Keeps a pointer of ctypes or cffi, which may keep the bytes there, until its `release()`."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def release(self) -> None:
        self._value = None


class Arguments(ABC):
    """What makes converters for one heap."""

    def __init__(self, table: Any, convention: Convention) -> None:
        self.table = table
        self.convention = convention

    def converter(self, kind: Kind, described: str) -> Converter:
        """The converter of one parameter; `described` is what messages call it."""
        if isinstance(kind, String):
            made = self._references(is_row_of_bytes, described, self._string(described))
            return self._text_converter(made.convert)
        if isinstance(kind, Buffer):
            return self._references(lambda _: True, described, self._buffer(kind, described))
        if isinstance(kind, (Address, Reference)):
            return self._references(
                accepts_target(kind.target, self.convention),
                described,
                self._elements(kind, described),
                needs_room=_needs_room(kind),
            )
        advice = "c.text" if isinstance(kind, Text) else "an owned result"
        raise TypeError(
            f"{described} cannot be passed: {advice} is for what C returns; write c.string or "
            "c.buffer"
        )

    # References

    def _references(
        self,
        accepts: Callable[[Any], bool],
        described: str,
        convert_other: Convert,
        *,
        needs_room: bool = False,
    ) -> Converter:
        table = self.table
        good: set[Any] = set()  # the types that were accepted before
        names = {"Hold": PickleBuffer, "good": good, "table": table}

        def convert(value: Any) -> Converted:
            if isinstance(value, Pointer):
                return self._pointer(value, accepts, described)
            if not isinstance(value, HeapRef):
                return convert_other(value)
            kind: Any = value.kind
            if kind not in good:
                if not accepts(kind):
                    raise TypeError(f"{described} does not take {value!r:.80}")
                if not isinstance(value, StructuredRef):  # these know their address by themselves
                    good.add(kind)
            address, pinned = self._hold(value, described)
            if needs_room and not value.allocated_byte_size:  # not before: it could be resized
                pinned.release()
                raise _no_room(described)
            return address, pinned

        return Converter(convert, _ROOM if needs_room else _REFERENCE, names)

    def _hold(self, ref: HeapRef[Any], described: str) -> Converted:
        if ref._table is not self.table:
            self._check_memory(ref, described)
        try:
            pinned = pin(ref._elements)
        except ValueError:
            ref._check_alive()
            raise
        return ref.address, pinned  # in this order: what is pinned cannot be resized

    def _pointer(
        self, pointer: Pointer[Any], accepts: Callable[[Any], bool], described: str
    ) -> Converted:
        target = pointer._kind.of
        if pointer.address and target is not None and target is not Any and not accepts(target):
            raise TypeError(f"{described} does not take {pointer!r}; use its cast()")
        if pointer.address and pointer._table is not self.table:
            self._check_memory(pointer, described)
        block = pointer._block
        if block is None:
            return pointer.address, None
        try:
            return pointer.address, pin(block[0])
        except ValueError:
            raise block[2].table.use_after_free(block) from None

    def _check_memory(self, ref: Any, described: str) -> None:
        theirs, ours = ref._table.memory, self.table.memory
        if theirs is ours:
            return
        alike = theirs.name == ours.name and theirs.zero_copy and ours.zero_copy
        address = ref.address
        if alike and theirs.host_address(address) == ours.host_address(address):
            return
        raise NotAllocatedError(
            f"{described} takes a reference of this library's heap, in {ours.name}, and "
            f"{ref!r:.80} is in {theirs.name}: allocate it on the heap that opened the library"
        )

    def address(self, described: str, checked: Callable[[Any], int]) -> Convert:
        """What passes an address as a number: one that `checked` takes, or what has an address."""

        def convert(value: Any) -> Converted:
            if isinstance(value, Pointer):
                return self._pointer(value, lambda _: True, described)
            if isinstance(value, HeapRef):
                return self._hold(value, described)
            address = self.table.raw_memory.pointed(value)
            return (checked(value), None) if address is None else (checked(address), Kept(value))

        return convert

    # What is no reference

    @abstractmethod
    def _text_converter(self, convert: Convert) -> Converter:
        """The converter of text, which does in line what is most often passed."""

    @abstractmethod
    def _string(self, described: str) -> Convert:
        """What passes a str or bytes, null-terminated."""

    @abstractmethod
    def _buffer(self, kind: Buffer, described: str) -> Convert:
        """What passes a bytes-like object."""

    @abstractmethod
    def _elements(self, kind: Address | Reference, described: str) -> Convert:
        """What passes an array of numbers."""

    def _bytes_at(self, value: Any, described: str) -> Converted:
        """The address that a pointer of ctypes or cffi has."""
        address = self.table.raw_memory.pointed(value)
        if address is None:
            return self._other(value, described, _BYTES)
        if address:
            self.table.raw_memory.check_extent(address, 1, f"{described}: pointer")
        return address, Kept(value)

    def _other(self, value: Any, described: str, expected: str) -> Converted:
        if value is None:
            return 0, None
        raise TypeError(f"{described} takes {expected}, not {type(value).__name__} {value!r:.60}")

    def encode(self, value: Any, described: str) -> bytes | None:
        """A str, as UTF-8, or bytes, to be null-terminated; None for anything else."""
        if isinstance(value, str):
            data = str.encode(value)
        elif isinstance(value, (bytes, bytearray)):
            data = bytes(value)
        else:
            return None
        if 0 in data:
            raise ValueError(
                f"{described} holds a null at byte {data.index(0)}, where C would end it: "
                f"{value!r:.60}"
            )
        return data


def _needs_room(kind: Address | Reference) -> bool:
    return isinstance(kind, Reference) and kind.what == "out"


def _no_room(described: str) -> ShapeError:
    return ShapeError(f"{described} needs room for one element, and the array is empty")


def _check_writable(kind: Address | Reference, view: memoryview, described: str) -> None:
    if _needs_room(kind):
        if not view.nbytes:
            raise _no_room(described)
        _refuse_constant(view, described, "c.pointer")
    _check_row(view, described)


def _refuse_constant(view: memoryview, described: str, constant: str) -> None:
    """C writes to this. A copy would save what others see, and lose what it writes."""
    if view.readonly and view.nbytes:
        raise TypeError(
            f"{described} is declared as one that C writes to, and this "
            f"{type(view.obj).__name__} is read-only: pass a writable copy, as bytearray() or "
            f"numpy.array() make one, or declare {constant} if C only reads it"
        )


def _check_row(view: memoryview, described: str) -> None:
    """C may write to this: if that were a copy, what it writes would be lost."""
    if not view.readonly and view.nbytes and not view.c_contiguous:
        raise ShapeError(
            f"{described} takes a buffer whose elements lie one after the other, for C may write "
            "to it; pass a copy, as bytearray() or numpy.ascontiguousarray() make one, and take "
            "from that what C wrote"
        )


_STRING = "a str, bytes, a reference to a string, or None"
_BYTES = "a bytes-like object, a reference, or None"


class ProcessArguments(Arguments):
    """For functions in this process's memory: C sees the bytes of Python's objects."""

    def _text_converter(self, convert: Convert) -> Converter:
        return Converter(convert, _TEXT)

    def _string(self, described: str) -> Convert:
        def convert(value: Any) -> Converted:
            if type(value) is str:
                data = value.encode()
                if 0 not in data:
                    return data, None
            text = self.encode(value, described)
            return self._other(value, described, _STRING) if text is None else (text, None)

        return convert

    def _buffer(self, kind: Buffer, described: str) -> Convert:
        constant = kind.constant

        def convert(value: Any) -> Converted:
            if constant and type(value) is bytes:
                return value, None
            given = None if isinstance(value, str) else view_of(value, described)
            if given is None:
                return self._bytes_at(value, described)
            if not constant:
                _refuse_constant(given, described, "c.data")
                _check_row(given, described)
            view = as_bytes(given)
            return bytes(view) if view.readonly else _array_of(view), None

        return convert

    def _elements(self, kind: Address | Reference, described: str) -> Convert:
        fits = array_test(kind, self.convention)

        def convert(value: Any) -> Converted:
            given = fits(view_of(value, described))
            if given is None:
                return self._other(value, described, describe_target(kind))
            _check_writable(kind, given, described)
            view = as_bytes(given)
            return _array_of(bytearray(view) if view.readonly else view), None

        return convert


def _array_of(buffer: Any) -> Any:
    return (ctypes.c_char * len(buffer)).from_buffer(buffer)


class ForeignArguments(Arguments):
    """For functions in another memory: arguments are copied there, and back."""

    def __init__(self, table: Any, convention: Convention, temporaries: Temporaries) -> None:
        super().__init__(table, convention)
        self.temporaries = temporaries

    def _text_converter(self, convert: Convert) -> Converter:
        return Converter(convert, _QUICK_TEXT, {"store_text": self.temporaries.store_text})

    def _string(self, described: str) -> Convert:
        store = self.temporaries.store

        def convert(value: Any) -> Converted:
            data = self.encode(value, described)
            if data is None:
                return self._other(value, described, _STRING)
            made = store(data + b"\0")
            return made.address, made

        return convert

    def _buffer(self, kind: Buffer, described: str) -> Convert:
        def convert(value: Any) -> Converted:
            view = None if isinstance(value, str) else view_of(value, described)
            if view is None:
                return self._bytes_at(value, described)
            if not kind.constant:
                _refuse_constant(view, described, "c.data")
                _check_row(view, described)
            return self._copy(as_bytes(view), kind.constant)

        return convert

    def _elements(self, kind: Address | Reference, described: str) -> Convert:
        fits = array_test(kind, self.convention)

        def convert(value: Any) -> Converted:
            view = fits(view_of(value, described))
            if view is None:
                return self._other(value, described, describe_target(kind))
            _check_writable(kind, view, described)
            return self._copy(as_bytes(view), False)

        return convert

    def _copy(self, view: memoryview, constant: bool) -> Converted:
        made = self.temporaries.store(view)
        if not constant and not view.readonly:
            made.copy_back(view)
        return made.address, made
