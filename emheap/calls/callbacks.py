"""Python functions that C calls.

C may keep the address of a function for as long as it likes, so what was passed once stays: a
callable takes one slot for each signature that it is passed as, and the same callable always the
same slot. `ScopedCallback` is for those that C forgets when a call is over.
"""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from emheap.calls.arguments import Converter
from emheap.calls.conversions import Conversions
from emheap.calls.kinds import Enumeration, Kind, Number, Signature, StructureValue, Void
from emheap.calls.linker import CallbackSlot
from emheap.calls.lowering import wire_of
from emheap.calls.ranges import checked_number, limits_of, number_test
from emheap.calls.traps import GENERATED
from emheap.errors import NotSupportedError, UseAfterFreeError

__all__ = ["CallbackTable", "ScopedCallback"]

_CALLABLE = """try: a# = addresses#[a#]
except (KeyError, TypeError): a# = convert#(a#)[0]"""

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)
"""Callables that are equal to nothing but themselves."""

_MANY = 64
"""So many functions made by one line of a program are probably made for each call."""


F_co = TypeVar("F_co", covariant=True)


class ScopedCallback(Generic[F_co]):
    """A callable that C may call until the end of a ``with`` block; see `Library.callback`."""

    def __init__(self, function: F_co, error_result: Any = 0) -> None:
        if not callable(function):
            raise TypeError(f"a callback must be callable, not {function!r:.60}")
        self.function = function
        self.error_result = error_result
        self._slots: dict[Signature, CallbackSlot] = {}
        self._ended = False

    def slot(self, signature: Signature, make: Callable[..., CallbackSlot]) -> CallbackSlot:
        """Its slot for one signature."""
        if self._ended:
            raise UseAfterFreeError(
                f"the scope of the callback {self.function!r:.60} is over: pass it within its with "
                "block"
            )
        if signature not in self._slots:
            self._slots[signature] = make(signature, self.function, self.error_result)
        return self._slots[signature]

    def __enter__(self) -> ScopedCallback[F_co]:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        while self._slots:
            self._slots.popitem()[1].release()


class _Kept:
    """The callables passed as one signature, which live as long as the library."""

    def __init__(self) -> None:
        self.addresses: dict[Any, int] = {}
        """Those of functions, which are found without a call."""
        self.by_identity: dict[Any, int] = {}
        """Of all others by id; what keeps them alive makes that nobody else's."""
        self.slots: list[tuple[CallbackSlot, Any]] = []


class CallbackTable:
    """The callbacks of one library."""

    def __init__(self, services: Conversions) -> None:
        self._services = services
        self._kept: dict[Signature, _Kept] = {}
        self._made_by: dict[types.CodeType, int] = {}

    def converter(self, signature: Signature, described: str) -> Converter:
        """A function that gives the address of a callable, as `Arguments.converter` does."""
        kept = self._kept.setdefault(signature, _Kept())

        def convert(value: Any) -> tuple[Any, Any]:
            if value is None:
                return 0, None
            if isinstance(value, ScopedCallback):
                return value.slot(signature, self.make).address, None
            return self._address(value, signature, kept, described), None

        return Converter(convert, _CALLABLE, {"addresses": kept.addresses}, holds=False)

    def _address(self, value: Any, signature: Signature, kept: _Kept, described: str) -> int:
        if not callable(value):
            raise TypeError(
                f"{described} takes a callable or None, not {type(value).__name__} {value!r:.60}"
            )
        key: Any = id(value)
        if isinstance(value, types.MethodType):  # another object each time it is asked for
            key = id(value.__self__), id(value.__func__)
        if key not in kept.by_identity:
            self._count(value, described)
            slot = self.make(signature, value)
            kept.slots.append((slot, value))
            kept.by_identity[key] = slot.address
            if type(value) in _FUNCTIONS:
                kept.addresses[value] = slot.address
        return kept.by_identity[key]

    def _count(self, function: Any, described: str) -> None:
        code = getattr(function, "__code__", None)
        if code is None:
            return
        self._made_by[code] = count = self._made_by.get(code, 0) + 1
        if count == _MANY:
            warnings.warn(
                f"{described} was given {count} functions made at line {code.co_firstlineno} of "
                f"{code.co_filename}, and each is kept as long as the library, for C may call it: "
                "define the function once, or pass `with library.callback(function) as callback`",
                ResourceWarning,
                stacklevel=5,
            )

    def make(
        self, signature: Signature, function: Callable[..., Any], error_result: Any = 0
    ) -> CallbackSlot:
        """A new slot for a callable."""
        services = self._services
        adapter = _compile_adapter(signature, function, services, error_result)
        return services.linker.make_callback(wire_of(signature, services), adapter)


def _compile_adapter(
    signature: Signature, function: Callable[..., Any], services: Conversions, error_result: Any
) -> Callable[..., Any]:
    linker, state = services.linker, services.state
    wire = wire_of(signature, services)
    names: dict[str, Any] = {
        "function": function,
        "pending": state.pending,
        "is_ending": state.is_ending,
        "remember": state.remember,
        **services.template_names,
    }
    if isinstance(signature.result, StructureValue):
        raise NotSupportedError(f"a callback cannot return {signature.result} by value")
    given = []
    for number, (kind, letter) in enumerate(zip(signature.params, wire.params, strict=True)):
        value = linker.callback_argument_templates.get(letter, "{}").format(f"a{number}")
        if not isinstance(kind, Number):
            names[f"lift{number}"] = services.lifter(kind, f"parameter {number + 1} of a callback")
            value = f"lift{number}({value})"
        given.append(value)
    back = linker.callback_result_templates.get(wire.result, "{}")
    names["error_result"] = _error_result(wire.result, error_result, back, names)
    finish = _finish(signature.result, wire.result, back, names, services)
    body = [
        f"def adapter({', '.join(f'a{number}' for number in range(len(given)))}):",
        " if pending and is_ending(): return error_result",
        " try:",
        f"  r = function({', '.join(given)})",
        *finish,
        " except BaseException as error:",
        "  remember(error)",
        "  return error_result",
    ]
    exec(compile("\n".join(body), GENERATED, "exec"), names)
    return names.pop("adapter")  # type: ignore[no-any-return]


def _error_result(letter: str, value: Any, template: str, names: dict[str, Any]) -> Any:
    if not letter:
        return None
    if letter in "fd":
        value = float(value)
    elif letter != "P" and letter != "?":
        low, high = limits_of(letter)
        if not low <= value <= high:
            raise ValueError(f"error_result {value} is not what the callback can return")
    return eval(template.format("value"), {**names, "value": value})


def _finish(
    kind: Kind, letter: str, template: str, names: dict[str, Any], services: Conversions
) -> list[str]:
    described = f"the result of the callback {names['function']!r:.60}"
    if isinstance(kind, Void):
        return ["  return None"]
    if isinstance(kind, Number):
        names["check"] = checked_number(letter, described)
        lines = [f"  if not ({number_test(letter, 'r')}): r = check(r)"]
    elif isinstance(kind, Enumeration):
        names["check"] = services.enumeration_value(kind, letter, described)
        lines = ["  r = check(r)"]
    else:
        names["check"] = services.converter(kind, described).convert
        lines = ["  r = check(r)[0]"]
    return [*lines, f"  return {template.format('r')}"]
