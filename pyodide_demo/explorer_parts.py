"""What a structure consists of: its fields with their places and values, and its padding."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any, TypedDict

from emheap import ArrayRef, HeapManager, Pointer, StringRef, Struct, StructArrayRef

__all__ = ["Part", "parts_of"]


class Part(TypedDict):
    """A field, an element of one, or bits that belong to none."""

    path: str
    """As Python names it: ``offset.x``, ``kerning[0, 1]``; empty for padding."""
    kind: str
    start: int
    """In bits from the start of the structure, as is `length`."""
    length: int
    value: str
    """As Python writes it; empty where the bytes are none of this kind."""
    problem: str
    """Why they are none."""


def parts_of(heap: HeapManager, structure: Struct) -> list[Part]:
    """All parts in the order in which they lie."""
    parts = list(_fields(heap, structure, structure.address, ""))
    parts += _padding(parts, 8 * heap.layout(structure.kind).size)
    return sorted(parts, key=lambda part: part["start"])


def _fields(heap: HeapManager, structure: Any, origin: int, prefix: str) -> Iterator[Part]:
    base = structure.address - origin
    for name, field in heap.layout(structure.kind).fields.items():
        path = f"{prefix}{name}"
        start = 8 * (base + field.offset) + field.bit_offset
        value, problem = _attempt(partial(getattr, structure, name))
        if isinstance(value, Struct):
            yield from _fields(heap, value, origin, f"{path}.")
        elif isinstance(value, StructArrayRef):
            for index, element in zip(_indices(field.kind), value, strict=True):
                yield from _fields(heap, element, origin, f"{path}{index}.")
        elif isinstance(value, ArrayRef):
            yield from _elements(value, field.kind, path, start)
        elif isinstance(value, StringRef):
            value, problem = _attempt(partial(getattr, value, "value"))
            yield _part(path, field.kind, start, 8 * field.size, value, problem)
        else:
            length = 8 * field.size if field.bit_width is None else field.bit_width
            yield _part(path, field.kind, start, length, value, problem)


def _elements(array: Any, kind: Any, path: str, start: int) -> Iterator[Part]:
    length = 8 * array.bytes_per_element
    for at, index in enumerate(_indices(kind)):
        value, problem = _attempt(partial(array.__getitem__, at))
        yield _part(f"{path}{index}", kind.of, start + at * length, length, value, problem)


def _indices(kind: Any) -> Iterator[str]:
    """The indices of an array's elements in order: ``[0]``, or ``[0, 0]`` of one with two
    dimensions."""
    flexible = not kind.shape  # none of its elements belong to the structure
    for index in () if flexible else product(*map(range, kind.shape)):
        yield f"[{', '.join(map(str, index))}]"


def _attempt(read: Callable[[], Any]) -> tuple[Any, str]:
    """A value, or why the bytes are none: no member of an enumeration, say."""
    try:
        return read(), ""
    except ValueError as error:
        return None, str(error)


def _part(path: str, kind: Any, start: int, length: int, value: Any, problem: str) -> Part:
    return {
        "path": path,
        "kind": getattr(kind, "__name__", str(kind)),
        "start": start,
        "length": length,
        "value": "" if problem else _written(value),
        "problem": problem,
    }


def _written(value: Any) -> str:
    """A value as Python writes it."""
    if isinstance(value, Pointer):
        return hex(value.address) if value.address else "None"
    if isinstance(value, enum.Flag):
        return f"{type(value).__name__}({value.value})"
    return str(value) if isinstance(value, enum.Enum) else repr(value)


def _padding(parts: list[Part], size: int) -> Iterator[Part]:
    """The bits that no field has, as far as they lie side by side."""
    taken = sorted((part["start"], part["start"] + part["length"]) for part in parts)
    end = 0
    for start, stop in [*taken, (size, size)]:
        if start > end:
            yield Part(path="", kind="padding", start=end, length=start - end, value="", problem="")
        end = max(end, stop)
