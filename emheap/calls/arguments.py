"""Turning Python's values into addresses: strings, buffers, references.

A converter takes one argument and gives its address and what keeps the bytes there during the
call, which is released afterwards. Where C shares Python's memory bytes are passed where they lie;
elsewhere they are copied to C's heap, and back if C may have written to them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pickle import PickleBuffer
from typing import Any

from emheap.blocks.block import is_released
from emheap.calls.kinds import Buffer, Kind, Number, Reference, String, type_name
from emheap.calls.linker import Convention
from emheap.calls.temporaries import Temporaries, as_bytes
from emheap.errors import NotAllocatedError, UseAfterFreeError
from emheap.memories.base import Loan
from emheap.refs.base import HeapRef
from emheap.types import Scalar

__all__ = ["Arguments", "Converted", "Converter", "ForeignArguments", "ProcessArguments"]

Converted = tuple[Any, Any]
Convert = Callable[[Any], Converted]

_ANYTHING = "a#, h# = convert#(a#)"
_REFERENCE = """try: b# = a#._block; h# = Hold#(a#._elements)
except (AttributeError, TypeError, ValueError): a#, h# = convert#(a#)
else:
 l# = b#[2]
 if l#.kind in good# and l#.table is table#: a# = b#[1]
 else: a#, h# = convert#(a#)"""
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


class _DuringTheCall:
    """Stands among the views of a block while C uses it, where no buffer can be exported."""

    __slots__ = ("__weakref__",)

    def release(self) -> None:
        """Nothing: the entry among the views ends with this object."""


class _Lent:
    """Keeps a `_DuringTheCall` for as long as a call lasts, and no longer."""

    __slots__ = ("_inner",)

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def release(self) -> None:
        """Let it go, even where a traceback keeps this object."""
        self._inner = None


class Arguments:
    """What makes converters for one heap."""

    shares_memory = False
    """Whether C sees the bytes of Python's objects."""

    def __init__(self, table: Any, convention: Convention) -> None:
        self.table = table
        self.convention = convention
        self.lends_blocks = False
        """Whether blocks that export no buffer must be lent during calls: once C can call back."""

    def converter(self, kind: Kind, described: str) -> Converter:
        """The converter of one parameter; `described` is what messages call it."""
        if isinstance(kind, String):
            convert = self._references(self._accepts_text, described, self._string(described))
            if self.shares_memory:
                return Converter(convert.convert, _TEXT)
            return self._quick_text(convert)
        if isinstance(kind, Buffer):
            return self._references(lambda _: True, described, self._buffer(kind, described))
        if isinstance(kind, Reference):
            return self._references(
                self._accepts(kind.target), described, self._elements(kind, described)
            )
        raise TypeError(f"{described} cannot be passed")

    def _quick_text(self, converter: Converter) -> Converter:
        return converter

    # References

    def _references(
        self, accepts: Callable[[Any], bool], described: str, convert_other: Convert
    ) -> Converter:
        table = self.table
        good: set[Any] = set()  # the types that were accepted before
        names = {"Hold": PickleBuffer, "good": good, "table": table}

        def convert(value: Any) -> Converted:
            try:
                elements, block = value._elements, value._block
            except AttributeError:
                return convert_other(value)
            layout = block[2]
            if layout.kind not in good:
                if not accepts(layout.kind):
                    raise TypeError(f"{described} does not take {value!r:.80}")
                good.add(layout.kind)
            if layout.table is not table:
                self._check_memory(value, described)
            try:
                return block[1], PickleBuffer(elements)
            except (TypeError, ValueError):
                return block[1], self._lend(value, described)

        return Converter(convert, _REFERENCE, names)

    def _check_memory(self, ref: HeapRef[Any], described: str) -> None:
        theirs, ours = ref._block[2].table.memory, self.table.memory
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

    def _lend(self, ref: Any, described: str) -> Any:
        if is_released(ref._elements):
            ref._check_alive()
            raise UseAfterFreeError(f"use after free: {ref!r}")
        if not self.lends_blocks:
            return None
        inner = _DuringTheCall()
        loans, size = ref._block[2].table.loans, max(ref._block[2].byte_size, 1)
        loans.add(ref._block[1], size, Loan(inner, inner), f"call ({described})")
        return _Lent(inner)

    def _accepts_text(self, kind: Any) -> bool:
        return int(kind.size) == 1

    def _accepts(self, target: Any) -> Callable[[Any], bool]:
        if target is None or target is Any:
            return lambda _: True
        if not isinstance(target, Number):
            return lambda kind: kind is target
        letter = self.convention.letter(target.format)

        def accepts(kind: type[Any]) -> bool:
            return issubclass(kind, Scalar) and kind.format == letter

        return accepts

    # What is no reference

    def _string(self, described: str) -> Convert:
        raise NotImplementedError

    def _buffer(self, kind: Buffer, described: str) -> Convert:
        raise NotImplementedError

    def _elements(self, kind: Reference, described: str) -> Convert:
        raise NotImplementedError

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


_STRING = "a str, bytes, a reference to a string, or None"
_BYTES = "a bytes-like object, a reference, or None"


class ProcessArguments(Arguments):
    """For functions in this process's memory: C sees the bytes of Python's objects."""

    shares_memory = True

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
            if type(value) is bytes:
                # Others may have the same object: C must not write to it.
                return (value if constant else _array_of(bytearray(value))), None
            view = None if isinstance(value, str) else as_bytes(value)
            if view is None:
                return self._other(value, described, _BYTES)
            if view.readonly:
                return (bytes(view) if constant else _array_of(bytearray(view))), None
            return _array_of(view), view

        return convert

    def _elements(self, kind: Reference, described: str) -> Convert:
        fits = _format_test(kind, self.convention)

        def convert(value: Any) -> Converted:
            view = fits(value)
            if view is None:
                return self._other(value, described, _describe_target(kind))
            return _array_of(bytearray(view) if view.readonly else view), None

        return convert


def _array_of(buffer: Any) -> Any:
    return (ctypes.c_char * len(buffer)).from_buffer(buffer)


class ForeignArguments(Arguments):
    """For functions in another memory: arguments are copied there, and back."""

    def __init__(self, table: Any, convention: Convention, temporaries: Temporaries) -> None:
        super().__init__(table, convention)
        self.temporaries = temporaries

    def _quick_text(self, converter: Converter) -> Converter:
        return Converter(
            converter.convert, _QUICK_TEXT, {"store_text": self.temporaries.store_text}
        )

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
            view = None if isinstance(value, str) else as_bytes(value)
            if view is None:
                return self._other(value, described, _BYTES)
            return self._copy(view, kind.constant)

        return convert

    def _elements(self, kind: Reference, described: str) -> Convert:
        fits = _format_test(kind, self.convention)

        def convert(value: Any) -> Converted:
            view = fits(value)
            if view is None:
                return self._other(value, described, _describe_target(kind))
            return self._copy(view, False)

        return convert

    def _copy(self, view: memoryview, constant: bool) -> Converted:
        made = self.temporaries.store(view)
        if not constant and not view.readonly:
            made.copy_back(view)
        return made.address, made


def _describe_target(kind: Reference) -> str:
    return f"a reference to {type_name(kind.target)}, an array of it, or None"


def _format_test(kind: Reference, convention: Convention) -> Callable[[Any], memoryview | None]:
    """A function that gives the bytes of an object that is an array of the right numbers."""
    if not isinstance(kind.target, Number):
        return lambda value: None
    letter = convention.letter(kind.target.format)
    size = ctypes.sizeof(_C_TYPES[letter])

    def test(value: Any) -> memoryview | None:
        try:
            view = memoryview(value)
        except TypeError:
            return None
        found = view.format.lstrip("@=<")
        same = found == letter or (
            view.itemsize == size
            and found.lower() in "bhilqn"
            and letter.lower() in "bhiq"
            and found.isupper() == letter.isupper()
        )
        return as_bytes(view) if same else None

    return test


_C_TYPES: dict[str, Any] = {
    "?": ctypes.c_bool, "b": ctypes.c_int8, "B": ctypes.c_uint8, "h": ctypes.c_int16,
    "H": ctypes.c_uint16, "i": ctypes.c_int32, "I": ctypes.c_uint32, "q": ctypes.c_int64,
    "Q": ctypes.c_uint64, "f": ctypes.c_float, "d": ctypes.c_double,
}  # fmt: skip
