"""What the functions of one library share: how its kinds are converted, each way."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from emheap._util.messages import add_note
from emheap.calls.arguments import Arguments, Converter, ForeignArguments, ProcessArguments
from emheap.calls.by_value import ByValue
from emheap.calls.callbacks import CallbackTable
from emheap.calls.conversions import Conversions
from emheap.calls.kinds import (
    VOID,
    Address,
    Buffer,
    Callback,
    Enumeration,
    Kind,
    Number,
    Owned,
    Reference,
    Signature,
    String,
    StructureValue,
    Text,
)
from emheap.calls.linker import Linker
from emheap.calls.lowering import compile_call
from emheap.calls.ranges import checked_number
from emheap.calls.traps import CallState
from emheap.calls.variable import VariableArguments
from emheap.calls.wide import lift_wide
from emheap.errors import NotSupportedError, NullPointerError
from emheap.refs.pointer import Pointer
from emheap.types import boolean, long, size_t, ssize_t, stored_types, ulong, utf8
from emheap.types.pointers import PointerTo

if TYPE_CHECKING:
    from emheap.blocks.table import BlockTable

__all__ = ["Services"]


class Services(Conversions):
    """The conversions of one library on one heap."""

    def __init__(self, heap: Any, linker: Linker, module: str) -> None:
        table: BlockTable = heap._table
        self.heap = heap
        self.linker = linker
        self.module = module
        """The module of the library's class."""
        self.convention = linker.convention
        heap._calls = self.state = heap._calls or CallState(linker)
        self.template_names = linker.template_names
        self._memory = table.raw_memory
        self.temporaries = linker.make_temporaries(table.raw_memory, table.allocator)
        self.arguments: Arguments
        if self.convention.is_wasm:
            self.arguments = ForeignArguments(table, self.convention, self.temporaries)
        else:
            self.arguments = ProcessArguments(table, self.convention)
        self.callbacks = CallbackTable(self)

    # From Python to C

    def converter(self, kind: Kind, described: str) -> Converter:
        """What turns an argument of one kind into an address and what is held for it."""
        if isinstance(kind, Callback):
            return self.callbacks.converter(kind.signature, described)
        if isinstance(kind, StructureValue):
            made = self.by_value(kind)
            return Converter(lambda value: made.convert(value, described))
        return self.arguments.converter(kind, described)

    def enumeration_value(
        self, kind: Enumeration, letter: str, described: str
    ) -> Callable[[Any], int]:
        """What turns a member of an Enum into C's number."""
        check, members = checked_number(letter, described), kind.members

        def convert(value: Any) -> int:
            if isinstance(value, members):
                return check(value.value)  # type: ignore[no-any-return]
            raise TypeError(
                f"{described} takes a {members.__name__}, not {type(value).__name__} {value!r:.60}"
            )

        return convert

    def variable_arguments(self, name: str) -> Callable[[tuple[Any, ...]], tuple[Any, Any]]:
        """What turns the arguments at ``...`` into what is passed for them."""
        made = VariableArguments(self, f"a variable argument of {name}()")
        return made.in_memory if self.convention.is_wasm else made.by_ctypes

    # From C to Python

    def lifter(self, kind: Kind, described: str) -> Callable[[Any], Any]:
        """What turns a number that C gave into a value of one kind."""
        if isinstance(kind, Number):
            return lift_wide(kind.format, self.convention, described)
        if isinstance(kind, Text):
            return self._text(kind, described)
        if isinstance(kind, Enumeration):
            return _member(kind.members, described)
        if isinstance(kind, Address):
            return self._pointer(kind.pointer)
        if isinstance(kind, (Buffer, Reference)):
            return self._pointer(PointerTo(_type_of_target(kind)))
        if isinstance(kind, StructureValue):
            made = self.by_value(kind).as_result()
            return made.lift_address if made.comes_by_address else made.lift
        if isinstance(kind, Owned):
            return self._owned(kind, described)
        advice = "c.text" if isinstance(kind, String) else "Pointer[Any] and library.function_at()"
        raise TypeError(f"{described} cannot be a {kind}: write {advice}")

    def _pointer(self, kind: PointerTo) -> Callable[[Any], Any]:
        table = self.arguments.table
        return lambda address: Pointer(table, kind, address or 0)

    def by_value(self, kind: StructureValue) -> ByValue:
        """What passes and returns a structure by value."""
        return ByValue(kind, self.convention, self.arguments.table, self.temporaries)

    def _text(self, kind: Text, described: str) -> Callable[[Any], str | None]:
        read = self._memory.cached_text_reader(utf8)

        def lift(address: int | None) -> str | None:
            if address:
                try:
                    return read(address)
                except UnicodeDecodeError as error:
                    add_note(
                        error,
                        f"{described} is not UTF-8: declare Pointer[Any], and read its address by "
                        'heap.read(), as emheap.text("latin-1") for example',
                    )
                    raise
            if kind.nullable:
                return None
            raise NullPointerError(
                f"{described} is a null pointer, not a text: declare c.text | None if it may be"
            )

        return lift

    def _owned(self, kind: Owned, described: str) -> Callable[[Any], Any]:
        adopt, free = self.heap.adopt, self._free_function(kind.free)

        def lift(address: int | None) -> Any:
            if address:
                return adopt(kind.target, address, free=free)
            if kind.nullable:
                return None
            raise NullPointerError(f"{described} is a null pointer: add | None where that is right")

        return lift

    def _free_function(self, name: str) -> Callable[[int], Any]:
        symbol = self.linker.find(name)
        if symbol is None:
            raise NotSupportedError(
                f"{self.linker.name} has no function {name}, which is to free a result"
            )
        signature = Signature((Number("void *", "N"),), VOID)
        free = compile_call(name, signature, symbol, self)
        return self.linker.unless_closed(free)


def _type_of_target(kind: Buffer | Reference) -> Any:
    """The type of memory of what is pointed to; None for ``void``."""
    target = getattr(kind, "target", None)
    return _TYPES[target.format] if isinstance(target, Number) else target


_TYPES: dict[str, Any] = {
    **stored_types, "?": boolean, "l": long, "L": ulong, "n": ssize_t, "N": size_t,
}  # fmt: skip
"""By the letter of a number of C's."""


def _member(members: type[enum.Enum], described: str) -> Callable[[int], enum.Enum]:
    def lift(number: int) -> enum.Enum:
        try:
            return members(number)
        except ValueError:
            raise ValueError(f"{described} is {number}, which is no {members.__name__}") from None

    return lift
