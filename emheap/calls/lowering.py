"""Writing one Python function for each function of C.

A call that walked over its signature would cost three to four times as much as one that was
written for it. So each function is generated, as source: the checks of its arguments stand in
line, in the order of the parameters, then comes the call, then what the result needs. Every
argument is checked before anything is called or copied that another argument could spoil.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

from emheap.calls.by_value import ByValue
from emheap.calls.conversions import Conversions
from emheap.calls.kinds import (
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
from emheap.calls.traps import GENERATED

__all__ = ["compile_call", "wire_letter", "wire_of"]

_GENERATED_NAME = "generated"
"""What no function of C needs to be called: its own name may be one that its code uses."""
_ADDRESSES = (Address, Buffer, Callback, Owned, Reference, String, Text)


def wire_letter(kind: Kind, services: Conversions) -> Any:
    """The letter that a kind travels as; nothing for void."""
    convention = services.convention
    if isinstance(kind, Void):
        return ""
    if isinstance(kind, Number):
        return convention.letter(kind.format)
    if isinstance(kind, Enumeration):
        return convention.letter(kind.number.format)
    if isinstance(kind, _ADDRESSES):
        return convention.address
    assert isinstance(kind, StructureValue)
    return services.by_value(kind).letter


def wire_of(signature: Signature, services: Conversions) -> Wire:
    """A signature of numbers and addresses as the machine sees it."""
    convention = services.convention
    params = [wire_letter(kind, services) for kind in signature.params]
    if signature.variadic and convention.is_wasm:  # the rest lies in memory, at an address
        params.append(convention.address)
    result = wire_letter(signature.result, services)
    if returns_by_address(signature, services):
        params.insert(0, convention.address)
        result = ""
    return Wire(tuple(params), result, signature.variadic)


def returns_by_address(signature: Signature, services: Conversions) -> bool:
    """Whether the result is a structure that is stored where the caller says."""
    kind = signature.result
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

    def describe(self, number: int, kind: Kind) -> str:
        return f"parameter {number + 1} of {self.name}() ({kind})"

    def add_number(self, number: int, kind: Kind, letter: str) -> None:
        variable, check = f"a{number}", f"check{number}"
        described = self.describe(number, kind)
        if isinstance(kind, Enumeration):
            self.names[check] = self.services.enumeration_value(kind, letter, described)
            self.checks.append(f"{variable} = {check}({variable})")
        else:
            self.names[check] = checked_number(letter, described)
            test = number_test(letter, variable)
            self.checks.append(f"if not ({test}): {variable} = {check}({variable})")
        self._pass(variable, letter)

    def add_place_of_result(self, structure: ByValue) -> None:
        """Pass the address of a block for the result, and give what C stored there."""
        self.names.update(reserve=structure.reserve, lift=structure.lift_block)
        self.checks.append("place = reserve()")
        self.holds.append("place")
        self._pass("place.address", self.convention.address)
        self.after.append("r = lift(place)")

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
        ends = {"place": "free"}
        body += [
            f" if {hold} is not None: {hold}.{ends.get(hold, 'release')}()" for hold in self.holds
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
        writer.add_place_of_result(services.by_value(signature.result).as_result())  # type: ignore[arg-type]
    for number, kind in enumerate(signature.params):
        letter = wire_letter(kind, services)
        if isinstance(kind, (Number, Enumeration)):
            writer.add_number(number, kind, letter)
        else:
            writer.add_address(number, kind, letter)
    if signature.variadic:
        writer.add_rest()
    result = "" if writer.after else _result(writer, signature.result, wire.result)
    writer.names["raw"] = linker.raw(symbol, wire)
    writer.names.update(services.template_names)
    source = writer.source(len(signature.params), signature.variadic, result)
    exec(compile(source, GENERATED, "exec"), writer.names)
    function: FunctionType = writer.names.pop(
        _GENERATED_NAME
    )  # or it would be a cycle with its globals
    function.__code__ = function.__code__.replace(co_name=name)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"C's {name}{signature}."
    function.__module__ = services.module
    services.state.add_function(function)
    return function


def _result(writer: _Writer, kind: Kind, letter: Any) -> str:
    """The template of the result; what must wait until callbacks are settled goes `after`."""
    if isinstance(kind, Void):
        return ""
    template = writer.services.linker.result_templates.get(letter, "{}")
    if not isinstance(kind, Number):
        writer.names["lift"] = writer.services.lifter(kind, f"the result of {writer.name}()")
        writer.after.append("r = lift(r)")
    return template
