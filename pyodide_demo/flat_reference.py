"""The flat names of a heap, as its reference lists them: one entry for each verb."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from emheap.heap.flat_names import FLAT_NAMES, FlatName
from emheap.types import FloatingPoint, Text

__all__ = ["Verb", "verbs"]


class Verb(NamedTuple):
    """What the flat names of one verb do, for any type `T`."""

    signatures: list[str]
    """With the name: ``read_int8(address: int) -> int``."""
    words: str


def verbs() -> Iterator[Verb]:
    """Every flat name, under its verb."""
    groups: dict[object, dict[str, FlatName]] = {}
    for name, entry in FLAT_NAMES.items():
        groups.setdefault(entry.make, {})[name] = entry
    for group in groups.values():
        first = next(iter(group.values()))
        yield Verb(
            [f"{name}{_signature(entry)}" for name, entry in group.items()],
            first.doc.replace(first.kind.name, "*T*"),
        )


def _signature(entry: FlatName) -> str:
    value = "float" if issubclass(entry.kind, FloatingPoint) else "int"
    return entry.signature.format(value="str" if issubclass(entry.kind, Text) else value)
