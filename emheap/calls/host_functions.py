"""Python functions that a WebAssembly module imports.

They get WebAssembly's numbers, integers signed, and give one back. An exception leaves the module
at once, as a trap does: an import may be there to end the program, and then there is nothing to go
on with. That is what callbacks must not do, which C expects to return.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any

from emheap.calls.module_types import Import
from emheap.calls.ranges import checked_number
from emheap.calls.verifying import FunctionType, show_type
from emheap.errors import NotSupportedError
from emheap.memories.base import Memory

__all__ = ["HeapGrowth", "find_imports", "host_function"]

_NUMBERS = frozenset(["i32", "i64", "f32", "f64"])


class HeapGrowth:
    """What a module of Emscripten's asks its JavaScript for when its heap is full."""

    def __init__(self) -> None:
        self._memory: Callable[[], Memory | None] = lambda: None
        self._grow: Callable[[int], int] | None = None

    def attach(self, memory: Memory, grow: Callable[[int], int]) -> None:
        """Say what memory it is, and what adds pages to it: -1 where that fails.

        Both are kept for as long as the heap has the memory, and no longer; see `Wasi.attach`.
        """
        self._grow = grow
        self._memory = weakref.ref(memory, self._detach)

    def _detach(self, _: object) -> None:
        self._grow = None

    def served(self, needed: list[Import]) -> dict[str, Callable[..., Any]]:
        """The functions, by name, of those that a module imports."""
        functions = {
            "emscripten_resize_heap": self._resize,
            "emscripten_notify_memory_growth": lambda _: None,
        }
        names = {one.name for one in needed}
        return {name: function for name, function in functions.items() if name in names}

    def _resize(self, size: int) -> int:
        memory, grow = self._memory(), self._grow
        if memory is None or grow is None:
            return 0
        missing = (size & 0xFFFFFFFF) - memory.size
        return 1 if missing <= 0 or grow(-(-missing // 65536)) != -1 else 0


def host_function(
    name: str, function: Callable[..., Any], kind: FunctionType
) -> Callable[..., Any]:
    """A function that a module may call: checked in what it returns.

    Raises NotSupportedError for a type that has more than numbers, or more than one result.
    """
    params, results = kind
    if not _NUMBERS.issuperset(params + results) or len(results) > 1:
        raise NotSupportedError(
            f"the module imports {name}{show_type(kind)}, which no Python function can be: one "
            "takes i32, i64, f32 and f64, and returns one of them, or nothing"
        )
    if not results:

        def call_for_nothing(*arguments: Any) -> None:
            function(*arguments)

        return call_for_nothing
    described = f"the result of the imported function {name}"
    if results[0] in ("f32", "f64"):
        check = checked_number("f" if results[0] == "f32" else "d", described)
        return lambda *arguments: check(function(*arguments))
    return _integer_function(function, 32 if results[0] == "i32" else 64, described)


def _integer_function(
    function: Callable[..., Any], bits: int, described: str
) -> Callable[..., Any]:
    check = checked_number("q", described)
    check_unsigned = checked_number("Q", described)
    half = 1 << bits - 1

    def call(*arguments: Any) -> int:
        result = function(*arguments)
        number: int = check_unsigned(result) if _is_large(result) else check(result)
        if not -half <= number < 2 * half:
            raise OverflowError(f"{described} takes an integer of {bits} bits, and got {number}")
        return number if number < half else number - 2 * half

    return call


def _is_large(value: Any) -> bool:
    return isinstance(value, int) and value >= 1 << 63


def find_imports(
    needed: list[Import], given: Mapping[str, Any] | None
) -> dict[tuple[str, str], Any]:
    """What was given for each import that is looked for, by module and name.

    `given` has functions by name, or a mapping of them by module. Raises NotSupportedError naming
    all that are missing with their types, and TypeError for what nobody asks for.
    """
    left = {(one.module, one.name): one for one in needed}
    found: dict[tuple[str, str], Any] = {}
    unused = []
    for name, value in (given or {}).items():
        if isinstance(value, Mapping):
            places = {(name, inner): one for inner, one in value.items()}
        else:
            places = {place: value for place in left if place[1] == name} or {("", name): value}
        for place, one in places.items():
            if place in left:
                found[place] = one
            else:
                unused.append(".".join(map(str, filter(None, place))))
    missing = [one for place, one in left.items() if place not in found]
    if missing:
        raise NotSupportedError(
            f"the module imports {', '.join(map(str, missing))}; give what is missing as "
            f"imports={{{missing[0].module!r}: {{{missing[0].name!r}: ...}}}}"
        )
    if unused:
        raise TypeError(f"the module does not import {', '.join(unused)}")
    return found
