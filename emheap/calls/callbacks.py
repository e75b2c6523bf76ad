"""Python functions that C calls.

C may keep the address of a function for as long as it likes, so what was passed once stays: a
callable takes one slot for each signature that it is passed as, and the same callable always the
same slot. `ScopedCallback` is for those that C forgets when a call is over. Their slots are used
again, and are never freed while C may have their addresses: what C calls too late raises.
"""

from __future__ import annotations

import types
import warnings
from _thread import get_ident
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from emheap._util.generated import make_function
from emheap.calls.arguments import Converter
from emheap.calls.conversions import Conversions
from emheap.calls.kinds import Callback, Enumeration, Kind, Number, Signature, StructureValue, Void
from emheap.calls.linker import Linker
from emheap.calls.lowering import wide_of, wire_letters, wire_of
from emheap.calls.ranges import checked_number, number_test
from emheap.errors import NotSupportedError, UseAfterFreeError
from emheap.refs.base import HeapRef
from emheap.refs.pointer import Pointer

__all__ = ["CallbackTable", "ScopedCallback"]

_CALLABLE = """try: f#, a# = a#, addresses#[a#]
except (KeyError, TypeError): f#, a# = a#, None
if a# is None: a# = convert#(f#)[0]"""

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)
"""Callables that are equal to nothing but themselves."""

_MANY = 64
"""So many functions made by one line of a program are probably made for each call."""

_immortal: set[Slot] = set()
"""Slots whose functions C may call as long as the process lives: code outlasts its library."""


class Slot:
    """An address that C calls, and the Python function there: another one when the scope of the
    first is over."""

    def __init__(self, signature: Signature, services: Conversions) -> None:
        self.signature = signature
        self._services = services
        adapter, self._names = _compile_adapter(signature, services)
        linker, wire = services.linker, wire_of(signature, services)
        self._letter = wire.result
        self._template = linker.callback_result_templates.get(wire.result, "{}")
        self.address, self._keep = linker.make_callback(wire, adapter)

    def set(self, function: Callable[..., Any], error_result: Any) -> None:
        """Let C call `function`."""
        services, names, letter = self._services, self._names, self._letter
        described = f"the result of the callback {function!r:.60}"
        names.update(
            function=function,
            error_result=_error_result(
                self.signature.result, letter, error_result, self._template, names
            ),
            check=_result_check(self.signature.result, letter, described, services),
        )
        if services.linker.code_outlives_library:
            _immortal.add(self)

    def release(self) -> None:
        """Let go of the function: what C calls from now on raises where the call was made."""
        function = self._names["function"]

        def late(*_: Any) -> Any:
            raise UseAfterFreeError(f"C called {shown} after the scope of its callback was over")

        shown = f"{function!r:.60}"
        del function
        self._names["function"] = late
        _immortal.discard(self)


F_co = TypeVar("F_co", covariant=True)


class ScopedCallback(Generic[F_co]):
    """A callable that C may call until the end of a ``with`` block; see `Library.callback`."""

    def __init__(self, function: F_co, error_result: Any = 0) -> None:
        if not callable(function):
            raise TypeError(f"a callback must be callable, not {function!r:.60}")
        self.function: Any = function
        self.error_result = error_result
        self._uses: dict[tuple[int, Signature], tuple[Slot, Callable[[Slot], None]]] = {}
        """The slots, by the table that each is of and what it is called as."""
        self._ended = False

    def address(self, signature: Signature, table: CallbackTable) -> int:
        """Where C finds it, as a function of one signature."""
        if self._ended:
            raise UseAfterFreeError(
                f"the scope of the callback {self.function!r:.60} is over: pass it within its with "
                "block"
            )
        use = id(table), signature  # the slot keeps the table
        if use not in self._uses:
            slot = table.lend(signature, self.function, self.error_result)
            self._uses[use] = slot, table.take_back
        return self._uses[use][0].address

    def __enter__(self) -> ScopedCallback[F_co]:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        while self._uses:
            slot, take_back = self._uses.popitem()[1]
            take_back(slot)


class _Kept:
    """The callables passed as one signature, which live as long as the library."""

    def __init__(self) -> None:
        self.addresses: dict[Any, int] = {}
        """Those of functions, which are found without a call."""
        self.by_identity: dict[Any, int] = {}
        """Of all others by id; what keeps them alive makes that nobody else's."""
        self.slots: list[tuple[Slot, Any]] = []
        self.free: list[Slot] = []
        """Those whose scopes are over."""


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
                return value.address(signature, self), None
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
            slot = Slot(signature, self._services)
            slot.set(value, 0)
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

    def lend(self, signature: Signature, function: Callable[..., Any], error_result: Any) -> Slot:
        """A slot for a callable until `take_back`."""
        free = self._kept[signature].free
        slot = free.pop() if free else Slot(signature, self._services)
        try:
            slot.set(function, error_result)
        except BaseException:
            free.append(slot)
            raise
        return slot

    def take_back(self, slot: Slot) -> None:
        """Keep a slot for the next callable."""
        slot.release()
        self._kept[slot.signature].free.append(slot)


def _compile_adapter(
    signature: Signature, services: Conversions
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """What C calls for any function of a signature, and its namespace, which `Slot.set` completes:
    ``function``, ``error_result`` and ``check``."""
    linker, state = services.linker, services.state
    wire = wire_of(signature, services)
    names: dict[str, Any] = {
        "pending": state.pending,
        "is_ending": state.is_ending,
        "remember": state.remember,
        "get_ident": get_ident,
        "__name__": __name__,
        **services.template_names,
    }
    if isinstance(signature.result, StructureValue) or wide_of(signature.result, services):
        raise NotSupportedError(
            f"a callback cannot return {signature.result} by value, for ctypes returns no more "
            "than 8 bytes; let C take what it gives at an address that it passes"
        )
    arguments = [f"a{number}" for number in range(len(wire.params))]
    lowered = iter(
        linker.callback_argument_templates.get(letter, "{}").format(argument)
        for argument, letter in zip(arguments, wire.params, strict=True)
    )
    given = []
    for number, kind in enumerate(signature.params):
        value = ", ".join(next(lowered) for _ in wire_letters(kind, services))
        if not isinstance(kind, Number) or wide_of(kind, services):
            names[f"lift{number}"] = services.lifter(kind, f"parameter {number + 1} of a callback")
            value = f"lift{number}({value})"
        given.append(value)
    body = [
        f"def adapter({', '.join(arguments)}):",
        " try:",
        "  if pending and is_ending(): return error_result",
        f"  r = function({', '.join(given)})",
        *_finish(signature.result, wire.result, linker),
        " except BaseException as error:",
        "  try: remember(error)",
        # Without room for a frame.
        "  except (MemoryError, RecursionError): pending.append((get_ident(), error))",
        "  return error_result",
    ]
    return make_function("\n".join(body), names), names


def _finish(kind: Kind, letter: str, linker: Linker) -> list[str]:
    """The lines that return what the function gave."""
    if isinstance(kind, Void):
        return ["  return None"]
    if isinstance(kind, Number):
        check = f"  if not ({number_test(letter, 'r')}): r = check(r)"
    else:
        check = "  r = check(r)"
    template = linker.callback_result_templates.get(letter, "{}")
    return [check, f"  return {template.format('r')}"]


def _result_check(
    kind: Kind, letter: str, described: str, services: Conversions
) -> Callable[[Any], Any] | None:
    """What makes a number for C of what the function gave."""
    if isinstance(kind, Void):
        return None
    if isinstance(kind, Number):
        return checked_number(letter, described)
    if isinstance(kind, Enumeration):
        return services.enumeration_value(kind, letter, described)
    convert = services.converter(kind, described).convert
    if isinstance(kind, Callback):
        return lambda value: convert(value)[0]

    def check(value: Any) -> Any:
        if value is None or isinstance(value, (HeapRef, Pointer)):
            return convert(value)[0]
        raise TypeError(
            f"{described} takes a reference, a pointer or None, not {type(value).__name__} "
            f"{value!r:.60}: C has the address when the callback is over, so allocate on the heap "
            "what lies there"
        )

    return check


def _error_result(kind: Kind, letter: str, value: Any, template: str, names: dict[str, Any]) -> Any:
    if not letter:
        return None
    if isinstance(kind, Enumeration) and isinstance(value, kind.members):
        value = value.value
    address = "Q" if letter == "P" else letter
    value = checked_number(address, f"error_result of a callback that returns {kind}")(value)
    return value if template == "{}" else eval(template.format("value"), {**names, "value": value})
