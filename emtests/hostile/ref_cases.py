"""The members of references that take an argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import emheap
from emheap import clamped_uint8, float32, int32, pointer53, uint8, uint128, utf8, utf16
from emtests.hostile.cases import Cases
from emtests.hostile.parameters import (
    Case,
    anything,
    fits,
    is_count,
    is_error_handler,
    is_iterable,
    is_text,
    nothing,
)
from emtests.hostile.victim import Victim

KINDS: tuple[Any, ...] = (int32, uint8, clamped_uint8, float32, pointer53, uint128)


def scalar_ref_cases(victim: Victim) -> Cases:
    for kind in KINDS:
        ref = victim.heap.wrap(kind, victim.room.address)
        yield Case(f"value({kind.name})", setter(ref, "value"), fits(kind))
        yield Case(f"write({kind.name})", ref.write, fits(kind))
        yield Case("==(other)", ref.__eq__, anything)
        if kind is not uint128:
            yield Case(f"write_atomic({kind.name})", ref.write_atomic, fits(kind))
    yield Case("address(value)", setter(victim.number, "address"), nothing)
    yield Case("new_attribute(value)", setter(victim.number, "new_attribute"), nothing)


def array_ref_cases(victim: Victim) -> Cases:
    for kind in KINDS:
        # One element in the middle of the room: whatever goes beside it is seen.
        array: Any = victim.heap.wrap_array(kind, victim.room.address + 16, 1)
        yield from item_cases(array, kind)
        yield from slice_cases(array, kind)
        if kind is not uint128:
            yield from atomic_cases(array, kind)
    yield Case("free(free_elements)", bad_pointers(victim), is_count_zero)
    yield Case("resize(count)", victim.pointers.resize, is_count, allocates=8)


def item_cases(array: Any, kind: Any) -> Cases:
    name = kind.name
    yield Case(f"getitem({name} index)", array.__getitem__, is_index)
    yield Case(f"setitem({name} index)", lambda a: array.__setitem__(a, 1), is_index)
    yield Case(f"setitem({name} value)", lambda a: array.__setitem__(0, a), fits(kind))
    yield Case(f"read_at({name} index)", array.read_at, is_first)
    yield Case(f"write_at({name} index)", lambda a: array.write_at(a, 1), is_first)
    yield Case(f"write_at({name} value)", lambda a: array.write_at(0, a), fits(kind))
    yield Case(f"==({name} other)", array.__eq__, anything)
    yield Case(f"in({name} value)", array.__contains__, anything)
    yield Case(f"count({name} value)", array.count, anything)
    yield Case(f"index({name} value)", array.index, anything)


def slice_cases(array: Any, kind: Any) -> Cases:
    name, all_of_it, nothing_of_it = kind.name, slice(None), slice(0, 0)

    def is_bound(argument: Any) -> bool:
        return argument is None or isinstance(argument, int)

    def fills_one(argument: Any) -> bool:
        return len(array) == 1 and argument != [] and is_iterable(argument)

    yield Case(f"getslice({name} stop)", lambda a: array[:a], is_bound)
    yield Case(f"getslice({name} step)", lambda a: array[::a], is_bound)
    yield Case(f"setslice({name})", lambda a: array.__setitem__(nothing_of_it, a), is_iterable)
    yield Case(f"setslice({name})", lambda a: array.__setitem__(all_of_it, a), fills_one)
    yield Case(f"setslice({name})", lambda a: array.__setitem__(all_of_it, [a]), fits(kind))


def atomic_cases(array: Any, kind: Any) -> Cases:
    name = kind.name
    yield Case(f"read_atomic_at({name} index)", array.read_atomic_at, is_first)
    yield Case(f"write_atomic_at({name} index)", lambda a: array.write_atomic_at(a, 1), is_first)
    yield Case(f"write_atomic_at({name})", lambda a: array.write_atomic_at(0, a), fits(kind))


def is_index(argument: Any) -> bool:
    # As with a list, True is 1; of one element that is outside.
    return isinstance(argument, int) and -1 <= argument <= 0


def is_first(argument: Any) -> bool:
    return is_index(argument) and not isinstance(argument, bool)


def is_count_zero(argument: Any) -> bool:
    return is_count(argument) and argument == 0


def setter(ref: Any, name: str) -> Callable[[Any], None]:
    return lambda argument: setattr(ref, name, argument)


def bad_pointers(victim: Victim) -> Callable[[Any], None]:
    """Free the elements of an array with a hostile pointer; what it points to first stays."""

    def free(argument: Any) -> None:
        array = victim.heap.alloc_array(emheap.pointer64, 2)
        try:
            array[0] = victim.number.address
            array[1] = argument
            if argument == 0:
                return
            array.free(free_elements=True)
        finally:
            if array.is_not_freed:
                array.free()

    return free


def string_ref_cases(victim: Victim) -> Cases:
    for text in (utf8, utf16):
        yield from text_member_cases(victim.heap.wrap(text, victim.room.address, 8), text.name)
    yield Case("read(errors)", victim.text.read, is_error_handler)
    yield Case("resize(capacity)", victim.text.resize, is_count, allocates=1)


def text_member_cases(ref: Any, name: str) -> Cases:
    yield Case(f"value({name})", setter(ref, "value"), is_text)
    yield Case(f"write({name} text)", ref.write, is_text)
    yield Case(f"write({name} errors)", lambda a: ref.write("x", a), is_error_handler)
    yield Case(f"==({name} other)", ref.__eq__, anything)
