"""What generated functions and callbacks take from their library; `services` provides it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from emheap.calls.arguments import Arguments, Converter
from emheap.calls.by_value import ByValue
from emheap.calls.kinds import Enumeration, Kind, StructureValue
from emheap.calls.linker import Convention, Linker
from emheap.calls.temporaries import Temporaries
from emheap.calls.traps import CallState

__all__ = ["Conversions"]


class Conversions(Protocol):
    """The conversions of one library on one heap."""

    linker: Linker
    convention: Convention
    module: str
    """The module of the library's class."""
    state: CallState
    arguments: Arguments
    temporaries: Temporaries
    template_names: Mapping[str, Any]
    """What the linker's templates name."""

    def converter(self, kind: Kind, described: str) -> Converter:
        """What turns an argument of one kind into an address and what is held for it."""
        ...

    def by_value(self, kind: StructureValue) -> ByValue:
        """What passes and returns a structure by value."""
        ...

    def enumeration_value(
        self, kind: Enumeration, letter: str, described: str
    ) -> Callable[[Any], int]:
        """What turns a member of an Enum into C's number."""
        ...

    def variable_arguments(self, name: str) -> Callable[[tuple[Any, ...]], tuple[Any, Any]]:
        """What turns the arguments at ``...`` into what is passed for them."""
        ...

    def lifter(self, kind: Kind, described: str) -> Callable[[Any], Any]:
        """What turns a number that C gave into a value of one kind."""
        ...
