"""Reading the annotations of a library: from ``Function[[c.int], c.int]`` to a `Signature`."""

from __future__ import annotations

import collections.abc
import enum
import inspect
import sys
import types
import typing
from typing import Any

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
from emheap.types import Text as TextType
from emheap.types import Type
from emheap.types.pointers import PointerTo
from emheap.types.structs import StructType

__all__ = [
    "Declaration",
    "annotations_of",
    "enumeration_of",
    "kind_of",
    "read_signature",
]


class Declaration:
    """What ``Function[[...], result]`` is at run time, before it is read."""

    def __init__(self, params: Any, result: Any) -> None:
        self.params = params
        self.result = result

    def __call__(self) -> None:
        """Raise TypeError. `typing` takes nothing for a type that cannot be called."""
        raise TypeError("a declaration of a function is no function: bind it by heap.library()")


def read_signature(params: Any, result: Any) -> Signature:
    """The signature of a parameter list, or of ``Concatenate[..., ...]``, and a result.

    Raises TypeError naming the parameter that cannot be one.
    """
    variadic = False
    if typing.get_origin(params) is typing.Concatenate or isinstance(params, _Concatenation):
        *fixed, last = params.__args__
        if last is not ...:
            raise TypeError("Concatenate in a signature ends with ... (C's variable arguments)")
        params, variadic = fixed, True
    if not isinstance(params, (list, tuple)):
        raise TypeError(
            f"a signature is Function[[parameter, ...], result], and {params!r:.60} is no list"
        )
    kinds = [_kind_of_parameter(param, f"parameter {n}") for n, param in enumerate(params, 1)]
    return Signature(tuple(kinds), kind_of(result, "the result"), variadic)


def _kind_of_parameter(annotation: Any, what: str) -> Kind:
    kind = kind_of(annotation, what)
    if kind is VOID:
        raise TypeError(f"{what} cannot be None: leave it out ([] is for no parameters)")
    return kind


def _callback(params: Any, result: Any, what: str) -> Callback:
    signature = read_signature(params, result)
    if signature.variadic:
        raise TypeError(f"{what} is a function with variable arguments, which Python cannot be")
    return Callback(signature)


def kind_of(annotation: Any, what: str) -> Kind:
    """The kind that one annotation stands for."""
    if annotation is None or annotation is type(None):
        return VOID
    if isinstance(annotation, Declaration):
        return _callback(annotation.params, annotation.result, what)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return enumeration_of(annotation)
    metadata = getattr(annotation, "__metadata__", ())
    for item in metadata:
        if isinstance(item, Kind):
            return item
        complete = getattr(item, "complete", None)
        if complete is not None:
            return complete(annotation.__origin__)  # type: ignore[no-any-return]
    return _composed(annotation, what)


def enumeration_of(members: type[enum.Enum], number: Number | None = None) -> Enumeration:
    """The kind of an Enum, which C has as an int, or of a Flag, which it has as an unsigned one."""
    if number is None:
        flags = issubclass(members, enum.Flag)
        number = Number("unsigned int", "I") if flags else Number("int", "i")
    if number.format in "gtT":
        raise TypeError(f"{members.__name__} cannot be stored as {number}, of 16 bytes")
    for member in members:
        if not isinstance(member.value, int):
            raise TypeError(f"{member} is {member.value!r:.60}, and C's enumerations are integers")
    return Enumeration(members, number)


def _composed(annotation: Any, what: str) -> Kind:
    if isinstance(annotation, PointerTo):
        return Address(annotation)
    if isinstance(annotation, StructType):
        return StructureValue(annotation)
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return _nullable(annotation, what)
    if origin is collections.abc.Callable:
        params, result = typing.get_args(annotation)
        return _callback(params, result, what)
    raise TypeError(
        f"{what} is {_name(annotation)}, which C cannot take or give; {_advise(annotation)}"
    )


def _nullable(annotation: Any, what: str) -> Kind:
    members = [one for one in typing.get_args(annotation) if one is not type(None)]
    kind = kind_of(members[0], what) if len(members) == 1 else None
    if isinstance(kind, Text):
        return Text(nullable=True)
    if isinstance(kind, Owned):
        return Owned(kind.target, kind.free, nullable=True)
    if isinstance(kind, (Address, Buffer, Callback, Reference, String)):
        raise TypeError(
            f"{what} is a pointer, which may be null as it is: leave `| None` out (a null pointer "
            "that C returns is false)"
        )
    raise TypeError(f"{what} is {annotation!r:.80}: only c.text and owned results can be None")


def _name(annotation: Any) -> str:
    return getattr(annotation, "__name__", None) or f"{annotation!r:.60}"


_ADVICE = {
    int: "write the C type, such as c.int or c.size_t",
    float: "write c.double or c.float",
    bool: "write c.bool",
    str: "write c.string for a parameter and c.text for a result",
    bytes: "write c.data for bytes that C reads and c.buffer for those that it writes",
    bytearray: "write c.data for bytes that C reads and c.buffer for those that it writes",
}
_NAMES_IN_C = {
    "boolean": "bool",
    "clamped_uint8": "uint8",
    "float32": "float",
    "float64": "double",
    "intptr": "ssize_t",
    "uintptr": "address",
    "pointer32": "uint32",
    "pointer64": "uint64",
}
"""What `emheap.c` calls a number of another name."""
_BY_ADDRESS_ONLY = {"float16", "wchar", "uint256", "pointer53"}
"""The numbers that it has no name for."""


def _advise(annotation: Any) -> str:
    if annotation in _ADVICE:
        return _ADVICE[annotation]
    if isinstance(annotation, type) and issubclass(annotation, TextType):
        return _advise_text(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Type):
        name = annotation.__name__
        by_address = f"c.out[{name}] for its address"
        if name in _BY_ADDRESS_ONLY:
            return f"write {by_address}"
        return f"write c.{_NAMES_IN_C.get(name, name)} for the number, or {by_address}"
    return "write one of the names of emheap.c"


def _advise_text(text: type[TextType]) -> str:
    if text.name in ("ascii", "utf8"):
        return "write c.string for a text that goes in and c.text for one that comes out"
    name = text.__name__
    return (
        f"write c.pointer[{name}] for a text that goes in and Pointer[{name}] for one that comes "
        "out"
    )


# Annotations


class _Concatenation:
    def __init__(self, arguments: tuple[Any, ...]) -> None:
        self.__args__ = arguments


class _AnyConcatenate:
    """``Concatenate`` with ``...`` at its end, which Python 3.10's own does not take."""

    def __getitem__(self, arguments: Any) -> _Concatenation:
        return _Concatenation(arguments if isinstance(arguments, tuple) else (arguments,))


_CONCATENATE = _AnyConcatenate()


def annotations_of(cls: type, outside: dict[str, Any], inside: dict[str, Any]) -> dict[str, Any]:
    """The annotations of one class, its bases left out, as objects.

    Text is evaluated with the names that the class statement saw: those of its module, and those
    of a function that it is in. Raises TypeError for a name that is not there.
    """
    if sys.version_info >= (3, 14):
        import annotationlib

        found = annotationlib.get_annotations(cls)
    else:
        found = inspect.get_annotations(cls)
    names = {**outside, **inside, **vars(cls)}
    names = {
        key: _CONCATENATE if value is typing.Concatenate else value for key, value in names.items()
    }
    return {
        name: _evaluate(cls, name, value, names) if isinstance(value, str) else value
        for name, value in found.items()
    }


def _evaluate(cls: type, name: str, text: str, names: dict[str, Any]) -> Any:
    try:
        return eval(text, names)
    except NameError as error:
        raise TypeError(
            f"{cls.__name__}.{name}: {error}; the types of a library must be importable at run "
            "time, not under TYPE_CHECKING alone"
        ) from None
    except (AttributeError, TypeError) as error:
        raise TypeError(f"{cls.__name__}.{name}: {error}") from None
