"""Which arguments are in order for which parameter; all others must be refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from emheap import ArrayRef, HeapManager, HeapRef, Scalar, ScalarRef, clamped_uint8
from emtests.types.values import ALL_NUMBERS, FLOATS, boundary_values

Accepts = Callable[[Any], bool]

LARGEST_FLOAT = 10**308


class Case(NamedTuple):
    """A public callable with one of its parameters open."""

    name: str
    call: Callable[[Any], Any]
    accepts: Accepts
    """Whether an argument may be in order here; then the call may also succeed."""
    touches: bool = False
    """Whether the bytes at an address are read or written at once."""
    allocates: int = 0
    """For a count of what is to be allocated: the bytes of one."""

    @property
    def callable_name(self) -> str:
        return self.name.split("(")[0]


def nothing(argument: Any) -> bool:
    return False


def anything(argument: Any) -> bool:
    return True


def is_count(argument: Any) -> bool:
    return isinstance(argument, int) and not isinstance(argument, bool) and argument >= 0


def or_none(accepts: Accepts) -> Accepts:
    return lambda argument: argument is None or accepts(argument)


def is_text(argument: Any) -> bool:
    return argument == "" and isinstance(argument, str)


def is_text_or_capacity(argument: Any) -> bool:
    return is_text(argument) or is_count(argument)


def is_error_handler(argument: Any) -> bool:
    # Python looks a name up only where something cannot be encoded.
    return isinstance(argument, str)


def is_iterable(argument: Any) -> bool:
    """A reference is one where Python code can be a buffer: from CPython 3.12 on."""
    buffers = (ArrayRef, ScalarRef) if sys.version_info >= (3, 12) else ArrayRef
    return argument == [] or (isinstance(argument, buffers) and argument.is_not_freed)


def fits(scalar: type[Scalar[Any]]) -> Accepts:
    """Whether a value may be written as a `scalar`."""
    if scalar in FLOATS:
        return lambda value: isinstance(value, (int, float)) and not value > LARGEST_FLOAT
    if scalar is clamped_uint8:
        return lambda value: isinstance(value, (int, float))
    assert scalar in ALL_NUMBERS
    least, greatest = boundary_values(scalar)[0], boundary_values(scalar)[-1]

    def accepts(value: Any) -> bool:
        if scalar.is_pointer and isinstance(value, HeapRef) and value.is_not_freed:
            value = value.address  # a pointer to what a reference names
        return isinstance(value, int) and least <= value <= greatest

    return accepts


def lies_inside(heap: HeapManager) -> Accepts:
    """Whether something of no extent at an address would lie inside the heap's memory."""
    memory = heap.memory
    return lambda address: is_count(address) and memory.lowest_address <= address <= memory.size


def is_left_out(case: Case, argument: Any, heap: HeapManager, *, protected: bool) -> bool:
    """What is not tried, by two rules.

    The process's memory protects nothing: there, natively, a plausible address that is read or
    written ends the process. And in 64 bits a gigantic block is no mistake: there may be room.
    """
    if not is_count(argument):
        return False
    if case.touches:
        return not protected and lies_inside(heap)(argument)
    return heap.pointer_size == 8 and 2**20 < argument * case.allocates < 2**47
