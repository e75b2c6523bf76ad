"""What a parameter or a result of a C function is: the run-time side of `emheap.c`.

These are data. How one is passed depends on the backend, and `lowering` writes the code for it.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

__all__ = [
    "UINTPTR",
    "VOID",
    "Address",
    "Buffer",
    "Callback",
    "Enumeration",
    "Kind",
    "Number",
    "Owned",
    "Reference",
    "Signature",
    "String",
    "StructureValue",
    "Text",
    "Void",
]


@dataclass(frozen=True)
class Kind(ABC):
    """The base of all of them."""

    @abstractmethod
    def __str__(self) -> str:
        """What messages call it."""


@dataclass(frozen=True)
class Void(Kind):
    """The result of a function that has none."""

    def __str__(self) -> str:
        return "void"


VOID = Void()


@dataclass(frozen=True)
class Number(Kind):
    """A number, with C's name and the letter that ``struct`` has for it.

    The size of ``l``, ``L`` (long), ``n`` and ``N`` (size_t) is the ABI's.
    """

    name: str
    format: str

    def __str__(self) -> str:
        return self.name


UINTPTR = Number("uintptr_t", "N")
"""An address as a number."""


@dataclass(frozen=True)
class Enumeration(Kind):
    """An int in C that is a member of an ``Enum`` or ``Flag`` in Python."""

    members: type[enum.Enum]
    number: Number

    def __str__(self) -> str:
        return f"enum {self.members.__name__}"


@dataclass(frozen=True)
class String(Kind):
    """A null-terminated string that C reads while the call lasts."""

    def __str__(self) -> str:
        return "const char *"


@dataclass(frozen=True)
class Text(Kind):
    """A null-terminated string that C returns and owns: decoded as UTF-8."""

    nullable: bool = False

    def __str__(self) -> str:
        return "const char *"


@dataclass(frozen=True)
class Buffer(Kind):
    """An address of bytes, of whatever type, that C reads and, unless `constant`, writes."""

    constant: bool = False

    def __str__(self) -> str:
        return "const void *" if self.constant else "void *"


@dataclass(frozen=True)
class Reference(Kind):
    """The address of a value of type `target`, which the caller has a reference or pointer to."""

    target: Any
    what: str = "ref"

    def __str__(self) -> str:
        return f"{type_name(self.target)} *"


@dataclass(frozen=True)
class Address(Kind):
    """A typed pointer that is a value of its own: ``Pointer[K]``."""

    pointer: Any
    """The `PointerTo` of it."""

    @property
    def target(self) -> Any:
        """What it points to; None or Any for ``void *``."""
        return self.pointer.of

    def __str__(self) -> str:
        return f"{type_name(self.target)} *"


@dataclass(frozen=True)
class StructureValue(Kind):
    """A structure by value."""

    structure: Any

    def __str__(self) -> str:
        return type_name(self.structure)


@dataclass(frozen=True)
class Callback(Kind):
    """A pointer to a function, which Python gives as a callable."""

    signature: Signature

    def __str__(self) -> str:
        return f"function pointer {self.signature}"


@dataclass(frozen=True)
class Owned(Kind):
    """The address of a `target` that the caller owns now, and frees by one of C's functions."""

    target: Any
    free: str
    nullable: bool = False

    def __str__(self) -> str:
        return f"{type_name(self.target)} * to be freed by {self.free}"


@dataclass(frozen=True)
class Signature:
    """What a C function takes and gives."""

    params: tuple[Kind, ...]
    result: Kind
    variadic: bool = False

    def __str__(self) -> str:
        shown = [*map(str, self.params)] + ["..."] * self.variadic
        return f"({', '.join(shown) or 'void'}) -> {self.result}"


def type_name(target: Any) -> str:
    """The name of an emheap type, as messages show it."""
    if target is None or target is Any:
        return "void"
    return str(getattr(target, "__name__", target))
