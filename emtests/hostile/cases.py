"""The table of public callables: each parameter of each, open for a hostile argument."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import emheap
from emheap import Scalar, int32, uint8, utf8, utf16
from emheap.heap.flat_names import ALLOC_NAMES, FLAT_NAMES
from emheap.types import Text
from emtests.hostile.parameters import (
    Case,
    anything,
    fits,
    is_count,
    is_error_handler,
    is_iterable,
    is_text,
    is_text_or_capacity,
    lies_inside,
    nothing,
    or_none,
)
from emtests.hostile.victim import Victim
from emtests.types.values import SCALARS

Cases = Iterator[Case]
SAMPLE: tuple[Any, ...] = (
    int32,
    uint8,
    emheap.clamped_uint8,
    emheap.uint128,
    emheap.float32,
)


# Flat names


def flat_cases(victim: Victim) -> Cases:
    """Every parameter of every flat name."""
    for name, entry in FLAT_NAMES.items():
        function = getattr(victim.heap, name)
        kind: Any = entry.kind
        if issubclass(kind, Text):
            yield from text_cases(victim, name, kind, function)
        else:
            yield from number_cases(victim, name, kind, function)


def number_cases(victim: Victim, name: str, kind: Any, function: Any) -> Cases:
    place, inside = victim.room.address, lies_inside(victim.heap)
    if name.startswith("read_"):
        yield Case(f"{name}(address)", function, inside, touches=True)
    elif name.startswith("write_"):
        yield Case(f"{name}(address)", lambda a: function(a, 1), inside, touches=True)
        yield Case(f"{name}(value)", lambda a: function(place, a), fits(kind))
    elif name.startswith("alloc_") and name.endswith("_array"):
        yield from alloc_array_cases(name, kind, function)
    elif name.startswith("alloc_"):
        yield Case(f"{name}(initial)", function, or_none(fits(kind)))
    elif name.endswith("_array"):
        yield Case(f"{name}(address)", lambda a: function(a, 1), inside)
        yield Case(f"{name}(count)", lambda a: function(place, a), is_count)
    else:
        yield Case(f"{name}(address)", function, inside)


def alloc_array_cases(name: str, kind: Any, function: Any) -> Cases:
    size = kind.size

    def is_source(argument: Any) -> bool:
        return is_count(argument) or is_iterable(argument)

    yield Case(f"{name}(count)", function, is_source, allocates=size)
    yield Case(f"{name}(element)", lambda a: function([1, a]), fits(kind))
    yield Case(f"{name}(align)", lambda a: function(2, align=a), or_none(nothing))


def text_cases(victim: Victim, name: str, text: type[Text], function: Any) -> Cases:
    place, inside = victim.room.address, lies_inside(victim.heap)
    if name.startswith("read_"):
        at_text = victim.text.address if text.size == 1 else victim.wide_texts[text].address
        yield Case(f"{name}(address)", function, inside, touches=True)
        yield Case(f"{name}(max_elements)", lambda a: function(at_text, a), or_none(is_count))
        yield Case(f"{name}(errors)", lambda a: function(at_text, None, a), is_error_handler)
    elif name.startswith("write_"):
        yield Case(f"{name}(address)", lambda a: function(a, "x"), inside, touches=True)
        yield Case(f"{name}(value)", lambda a: function(place, a), is_text)
        yield Case(f"{name}(capacity)", lambda a: function(place, "x", a), or_none(is_count))
        yield Case(f"{name}(errors)", lambda a: function(place, "x", None, a), is_error_handler)
    elif name.startswith("alloc_"):
        yield from alloc_text_cases(name, text, function)
    else:
        yield Case(f"{name}(address)", lambda a: function(a, 2), inside)
        yield Case(f"{name}(capacity)", lambda a: function(place, a), or_none(is_count))


def alloc_text_cases(name: str, text: type[Text], function: Any) -> Cases:
    yield Case(f"{name}(text)", function, is_text_or_capacity, allocates=text.size)
    yield Case(f"{name}(align)", lambda a: function("x", align=a), or_none(nothing))
    yield Case(f"{name}(errors)", lambda a: function("x", errors=a), is_error_handler)


# Generic verbs


def generic_cases(victim: Victim) -> Cases:
    """Every parameter of the verbs that take a type."""
    heap: Any = victim.heap
    place, inside = victim.room.address, lies_inside(heap)
    for verb, rest in (
        ("read", ()),
        ("write", (1,)),
        ("view", (1,)),
        ("wrap", ()),
        ("wrap_array", (1,)),
    ):
        method = getattr(heap, verb)
        touches = verb in ("read", "write")
        yield Case(f"{verb}(kind)", _first(method, place, *rest), nothing)
        for kind in SAMPLE:
            call = _second(method, kind, *rest)
            yield Case(f"{verb}({kind.name} address)", call, inside, touches)
    kinds: tuple[Any, ...] = (*SCALARS, emheap.uint128)
    for kind in kinds:
        yield Case(f"write({kind.name} value)", _third(heap.write, kind, place), fits(kind))
        yield Case(f"view({kind.name} count)", _third(heap.view, kind, place), is_count)
        yield Case(f"wrap_array({kind.name})", _third(heap.wrap_array, kind, place), is_count)
    for text in (utf8, utf16):
        yield Case(f"read({text.name} address)", _second(heap.read, text), inside, True)
        yield Case(f"write({text.name} address)", _second(heap.write, text, "x"), inside, True)
        yield Case(f"wrap({text.name} address)", _second(heap.wrap, text, 3), inside)
        yield Case(f"write({text.name} value)", _third(heap.write, text, place), is_text)
        yield Case(f"wrap({text.name} capacity)", _third(heap.wrap, text, place), or_none(is_count))
    count = heap.get_element_count_of_null_terminated_string
    name = "get_element_count_of_null_terminated_string"
    at_text = victim.text.address
    yield Case(f"{name}(address)", lambda a: count(a, 1), inside, touches=True)
    yield Case(f"{name}(width)", lambda a: count(at_text, a), nothing)
    yield Case(f"{name}(max_elements)", lambda a: count(at_text, 1, a), or_none(is_count))
    yield Case("free(place)", heap.free, nothing)


def _first(method: Callable[..., Any], *rest: Any) -> Callable[[Any], Any]:
    return lambda argument: method(argument, *rest)


def _second(method: Callable[..., Any], first: Any, *rest: Any) -> Callable[[Any], Any]:
    return lambda argument: method(first, argument, *rest)


def _third(method: Callable[..., Any], first: Any, second: Any) -> Callable[[Any], Any]:
    return lambda argument: method(first, second, argument)


def several_cases(victim: Victim) -> Cases:
    """Text with a length, and several values at once."""
    heap: Any = victim.heap
    place, inside = victim.room.address, lies_inside(heap)
    for text in (utf8, utf16):
        name = text.name
        for verb, rest in (("read_text", (2,)), ("write_text", ("x",)), ("read_strings", (1,))):
            call = _second(getattr(heap, verb), text, *rest)
            yield Case(f"{verb}({name} address)", call, inside, touches=True)
        read_text = _third(heap.read_text, text, place)
        yield Case(f"read_text({name} length)", read_text, is_zero, allocates=1)
        yield Case(f"write_text({name} text)", _third(heap.write_text, text, place), is_any_text)
        read_strings = _third(heap.read_strings, text, place)
        yield Case(f"read_strings({name} count)", read_strings, or_none(is_zero), allocates=1)
    write_nothing = _fourth(heap.write_text, utf8, place, "")
    yield Case("write_text(capacity)", write_nothing, or_none(is_count))
    yield Case("read_many(addresses)", lambda a: heap.read_many(int32, a), is_sequence)
    yield Case("read_many(address)", lambda a: heap.read_many(int32, [a]), inside, touches=True)
    write_many = heap.write_many
    yield Case("write_many(address)", lambda a: write_many(int32, [a], [1]), inside, touches=True)
    yield Case("write_many(value)", lambda a: write_many(int32, [place], [a]), fits(int32))


def _fourth(method: Callable[..., Any], *given: Any) -> Callable[[Any], Any]:
    return lambda argument: method(*given, argument)


def is_zero(argument: Any) -> bool:
    return is_count(argument) and argument == 0


def is_sequence(argument: Any) -> bool:
    return argument == "" or is_iterable(argument)


def is_any_text(argument: Any) -> bool:
    return isinstance(argument, str)


def maker_cases(victim: Victim, maker: Any) -> Cases:
    """What a heap and an arena both allocate by."""
    yield Case("alloc_text(text)", lambda a: maker.alloc_text(utf8, a), is_any_text)
    alloc_text: Any = maker.alloc_text
    align_text = partial(alloc_text, utf8, "x")
    yield Case("alloc_text(align)", lambda a: align_text(align=a), or_none(nothing))
    yield Case("alloc_strings(texts)", lambda a: maker.alloc_strings(utf8, a), is_iterable)
    yield Case("alloc_strings(text)", lambda a: maker.alloc_strings(utf8, ["x", a]), is_text)
    yield Case("alloc(kind)", maker.alloc, nothing)
    yield Case("alloc_array(kind)", lambda a: maker.alloc_array(a, 1), nothing)
    kinds: tuple[type[Scalar[Any]], ...] = (*SCALARS, emheap.uint256)
    for kind in kinds:
        yield Case(f"alloc({kind.name})", _second(maker.alloc, kind), or_none(fits(kind)))
        yield from alloc_array_cases("alloc_array", kind, _bound(maker.alloc_array, kind))
        align = _with_align(maker.alloc, kind)
        yield Case(f"alloc({kind.name} align)", align, or_none(nothing))
    for text in (utf8, utf16):
        yield from alloc_text_cases("alloc", text, _bound(maker.alloc, text))
    for name in ALLOC_NAMES:
        if name.endswith(("int32", "int32_array", "utf8_string")):
            yield Case(f"{name}(value)", getattr(maker, name), anything, allocates=4)


def _bound(method: Callable[..., Any], kind: Any) -> Callable[..., Any]:
    return lambda *given, **named: method(kind, *given, **named)


def _with_align(method: Callable[..., Any], kind: Any) -> Callable[[Any], Any]:
    return lambda argument: method(kind, 1, align=argument)


def is_size(argument: Any) -> bool:
    """Whether so many bytes are in the victim's room."""
    return is_count(argument) and argument <= 64


def bulk_cases(victim: Victim) -> Cases:
    """The verbs for many bytes."""
    heap: Any = victim.heap
    room, inside = victim.room, lies_inside(victim.heap)

    def is_byte(argument: Any) -> bool:
        return is_count(argument) and argument <= 255

    def is_pattern(argument: Any) -> bool:
        return is_byte(argument) or is_iterable(argument)

    yield Case("fill(place)", lambda a: heap.fill(a, 1, 8), inside, touches=True)
    yield Case("fill(byte)", lambda a: heap.fill(room, a), is_byte)
    yield Case("fill(size)", lambda a: heap.fill(room, 1, a), or_none(is_size))
    yield Case("find(place)", lambda a: heap.find(a, b"x", 8), inside, touches=True)
    yield Case("find(pattern)", lambda a: heap.find(room, a), is_pattern)
    yield Case("find(size)", lambda a: heap.find(room, b"x", a), or_none(is_size))
    for verb in ("compare", "copy_to"):
        yield from two_place_cases(victim, verb, getattr(heap, verb))


def two_place_cases(victim: Victim, verb: str, method: Any) -> Cases:
    heap, room, inside = victim.heap, victim.room, lies_inside(victim.heap)
    yield Case(f"{verb}(other)", lambda a: method(a, room, room), nothing)
    yield Case(f"{verb}(place)", lambda a: method(heap, a, room, 8), inside, touches=True)
    yield Case(f"{verb}(other place)", lambda a: method(heap, room, a, 8), inside, touches=True)
    yield Case(f"{verb}(size)", lambda a: method(heap, room, room, a), or_none(is_size))
