"""Writing one Python function for each function of C.

A call that walked over its signature would cost three to four times as much as one that was
written for it. So each function is generated, as source: the checks of its arguments stand in
line, in the order of the parameters, then comes the call, then what the result needs. Every
argument is checked before anything is called or copied that another argument could spoil.
"""

from __future__ import annotations

import struct
from types import FunctionType
from typing import Any

from emheap._util.generated import make_function
from emheap.calls.by_value import ByValue
from emheap.calls.conversions import Conversions
from emheap.calls.kinds import (
    UINTPTR,
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
    Void,
)
from emheap.calls.linker import Wire
from emheap.calls.ranges import checked_number, number_test
from emheap.calls.wide import WIDE, lift_wide, split_wide, wide_letters

__all__ = ["compile_call", "wide_of", "wire_letters", "wire_of"]

_GENERATED_NAME = "generated"
"""What no function of C needs to be called: its own name may be one that its code uses."""
_ADDRESSES = (Address, Buffer, Callback, Owned, Reference, String, Text)


def wide_of(kind: Kind, services: Conversions) -> str:
    """The letter of a number of 16 bytes; empty for anything else."""
    letter = services.convention.letter(kind.format) if isinstance(kind, Number) else ""
    return letter if letter and letter in WIDE else ""


def wire_letters(kind: Kind, services: Conversions) -> tuple[Any, ...]:
    """What a kind travels as: one letter, or two words of a wide number; nothing for void."""
    convention = services.convention
    if isinstance(kind, Void):
        return ()
    if wide := wide_of(kind, services):
        return wide_letters(wide, convention)
    if isinstance(kind, Number):
        return (convention.letter(kind.format),)
    if isinstance(kind, Enumeration):
        return (convention.letter(kind.number.format),)
    if isinstance(kind, _ADDRESSES):
        return (convention.address,)
    assert isinstance(kind, StructureValue)
    return (services.by_value(kind).letter,)


def wire_of(signature: Signature, services: Conversions) -> Wire:
    """A signature of numbers and addresses as the machine sees it."""
    convention = services.convention
    params = [letter for kind in signature.params for letter in wire_letters(kind, services)]
    if signature.variadic and convention.is_wasm:  # the rest lies in memory, at an address
        params.append(convention.address)
    results = wire_letters(signature.result, services)
    if returns_by_address(signature, services):
        params.insert(0, convention.address)
        results = ()
    return Wire(tuple(params), results[0] if results else "", signature.variadic)


def returns_by_address(signature: Signature, services: Conversions) -> bool:
    """Whether the result is stored where the caller says."""
    kind = signature.result
    if wide_of(kind, services):
        return services.convention.passes_as_wasm
    return isinstance(kind, StructureValue) and services.by_value(kind).comes_by_address


# Calls


class _Writer:
    """Collects the source of one function and the names that it uses."""

    def __init__(self, name: str, services: Conversions) -> None:
        self.name = name
        self.services = services
        self.convention = services.linker.convention
        self.names: dict[str, Any] = {
            "pending": services.state.pending,
            "settle": services.state.settle,
            "state": services.state,
            "services": services,  # which keeps the callbacks that C was given
            "__name__": __name__,  # or it would be taken for the caller, where a block was made
        }
        self.checks: list[str] = []
        self.passed: list[str] = []
        self.holds: list[str] = []
        self.after: list[str] = []
        self.ends: dict[str, str] = {}
        """How what is held ends, where it is not released."""

    def describe(self, number: int, kind: Kind) -> str:
        return f"parameter {number + 1} of {self.name}() ({kind})"

    def add_number(self, number: int, kind: Kind, letter: str) -> None:
        variable, check = f"a{number}", f"check{number}"
        described = self.describe(number, kind)
        if isinstance(kind, Enumeration):
            self.names[check] = self.services.enumeration_value(kind, letter, described)
            self.checks.append(f"{variable} = {check}({variable})")
        else:
            test, found = number_test(letter, variable), variable
            convert: Any = checked_number(letter, described)
            if kind == UINTPTR:  # a reference may stand for it, and is held
                convert = self.services.arguments.address(described, convert)
                self.holds.append(f"h{number}")
                found = f"{variable}, h{number}"
            self.names[check] = convert
            self.checks.append(f"if not ({test}): {found} = {check}({variable})")
        if wide_of(kind, self.services):
            self.add_wide(number, letter)
        else:
            self._pass(variable, letter)

    def add_wide(self, number: int, letter: str) -> None:
        """Pass a number that was checked as two words, or as an object of ctypes."""
        self.names[f"split{number}"] = split_wide(letter, self.convention)
        letters = wide_letters(letter, self.convention)
        variables = [f"a{number}", f"b{number}"][: len(letters)]
        self.checks.append(f"{', '.join(variables)} = split{number}(a{number})")
        for variable, each in zip(variables, letters, strict=True):
            self._pass(variable, each)

    def add_place_of_result(self, structure: ByValue) -> None:
        """Pass the address of a block for the result, and give what C stored there."""
        self.names.update(reserve=structure.reserve, lift=structure.lift_block)
        self._pass_place("free", "r = lift(place)")

    def add_place_of_wide(self, letter: str) -> None:
        """The same for a wide number."""
        temporaries = self.services.temporaries
        self.names.update(
            reserve=lambda: temporaries.reserve(16),
            words=lambda place: struct.unpack("<QQ", temporaries.memory.read_bytes(place, 16)),
            lift=lift_wide(letter, self.convention, f"the result of {self.name}()"),
        )
        self._pass_place("release", "r = lift(*words(place.address))")

    def _pass_place(self, end: str, lifting: str) -> None:
        self.checks.append("place = reserve()")
        self.holds.append("place")
        self.ends["place"] = end
        self._pass("place.address", self.convention.address)
        self.after.append(lifting)

    def add_address(self, number: int, kind: Kind, letter: Any) -> None:
        """What is most often passed is converted in line: a str natively, a reference to a value
        of the right type, a callable that was passed before."""
        converter = self.services.converter(kind, self.describe(number, kind))
        self.names[f"convert{number}"] = converter.convert
        for name, value in converter.names.items():
            self.names[f"{name}{number}"] = value
        if converter.holds:
            self.holds.append(f"h{number}")
        self.checks.append(converter.source.replace("#", str(number)))
        self._pass(f"a{number}", letter)

    def add_rest(self) -> None:
        self.names["spread"] = self.services.variable_arguments(self.name)
        self.holds.append("held")
        self.checks.append("rest, held = spread(rest)")
        if self.convention.is_wasm:
            self._pass("rest", self.convention.address)
        else:
            self.passed.append("*rest")

    def _pass(self, variable: str, letter: Any) -> None:
        template = self.services.linker.argument_templates.get(letter, "{}")
        self.passed.append(template.format(variable))

    def source(self, count: int, variadic: bool, result: str) -> str:
        params = [f"a{number}" for number in range(count)]
        header = ", ".join(params + (["/"] if params else []) + ["*rest"] * variadic)
        body = [f"def {_GENERATED_NAME}({header}):"]
        inner = [*self.checks, *self._call(result), "if pending: settle()", *self.after]
        inner.append("return r" if result or self.after else "return")
        if not self.holds:
            return "\n ".join([*body, *_lines(inner)])
        body.append(f"{' = '.join(self.holds)} = None")
        body += ["try:", *(f" {line}" for line in _lines(inner)), "finally:"]
        body += [
            f" if {hold} is not None: {hold}.{self.ends.get(hold, 'release')}()"
            for hold in self.holds
        ]
        return "\n ".join(body)

    def _call(self, result: str) -> list[str]:
        call = f"raw({', '.join(self.passed)})"
        assigned = f"r = {result.format(call)}" if result else call
        if not self.services.linker.can_trap:
            return [assigned]
        self.names["failed"] = self.services.state.failure_of(self.name)
        return [
            "try:",
            f" {assigned}",
            "except BaseException as error:",
            " raise failed(error)",
        ]


def _lines(statements: list[str]) -> list[str]:
    return [line for statement in statements for line in statement.split("\n")]


def compile_call(
    name: str, signature: Signature, symbol: Any, services: Conversions
) -> FunctionType:
    """A Python function that calls `symbol`, by what its namespace has as ``raw``."""
    writer = _Writer(name, services)
    linker = services.linker
    wire = wire_of(signature, services)
    if returns_by_address(signature, services):
        _add_place(writer, signature.result)
    for number, kind in enumerate(signature.params):
        if isinstance(kind, Number):
            writer.add_number(number, kind, services.convention.letter(kind.format))
            continue
        (letter,) = wire_letters(kind, services)
        if isinstance(kind, Enumeration):
            writer.add_number(number, kind, letter)
        else:
            writer.add_address(number, kind, letter)
    if signature.variadic:
        writer.add_rest()
    result = "" if writer.after else _result(writer, signature.result, wire.result)
    writer.names["raw"] = linker.raw(symbol, wire)
    writer.names.update(services.template_names)
    source = writer.source(len(signature.params), signature.variadic, result)
    function = make_function(source, writer.names)
    function.__code__ = function.__code__.replace(co_name=name)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"C's {name}{signature}."
    function.__module__ = services.module
    services.state.add_function(function)
    return function


def _add_place(writer: _Writer, kind: Kind) -> None:
    if isinstance(kind, StructureValue):
        writer.add_place_of_result(writer.services.by_value(kind).as_result())
    else:
        writer.add_place_of_wide(wide_of(kind, writer.services))


def _result(writer: _Writer, kind: Kind, letter: Any) -> str:
    """The template of the result; what must wait until callbacks are settled goes `after`."""
    if isinstance(kind, Void):
        return ""
    template = writer.services.linker.result_templates.get(letter, "{}")
    if not isinstance(kind, Number) or wide_of(kind, writer.services):
        writer.names["lift"] = writer.services.lifter(kind, f"the result of {writer.name}()")
        writer.after.append("r = lift(r)")
    return template
