"""Fields that Python sees as something else than what is stored: bit-fields and enumerations."""

from __future__ import annotations

import enum
from typing import Any

from emheap._util.checks import check_integer
from emheap._util.messages import count_of
from emheap.types.c_scalars import boolean
from emheap.types.pointers import is_type, name_of
from emheap.types.scalars import Integer
from emheap.types.struct_fields import Entry, Spec, range_of
from emheap.types.wide import WideInteger

__all__ = ["read_converted"]


def read_converted(entry: Entry, where: str, spec: Spec) -> None:
    """A bit-field or an enumeration: the annotation is what Python sees."""
    note, kind = entry.kind, spec.options["kind"]
    whole = is_type(kind) and (issubclass(kind, Integer) or kind is boolean)
    if not whole or not _can_be_bits(kind):
        raise TypeError(
            f"{where}: {spec.what}() takes an integer type such as uint32, not {name_of(kind)}"
        )
    entry.kind = kind
    if spec.what == "bits":
        entry.width = _check_width(entry, where, spec.options["width"])
    if note is bool or kind is boolean:
        entry.convert = bool
    elif isinstance(note, type) and issubclass(note, enum.Enum):
        _check_enumeration(entry, where, note)
        entry.convert = note
    elif note is not int:
        raise TypeError(
            f"{where}: what {spec.what}() stores is seen as int, bool or an enumeration, "
            f"not as {name_of(note)}"
        )


def _can_be_bits(kind: Any) -> bool:
    if issubclass(kind, WideInteger) or kind.is_pointer:
        return False
    return not kind.encodes or kind is boolean


def _check_width(entry: Entry, where: str, value: Any) -> int:
    width = check_integer(value, f"{where}: the width")
    most = 1 if entry.kind is boolean else 8 * min(entry.kind.size, 4 if _varies(entry) else 8)
    if not 0 <= width <= most:
        raise ValueError(
            f"{where}: {name_of(entry.kind)} has 1 to {count_of(most, 'bit')}, not {width}"
        )
    entry.width = width
    if width == 0 and not entry.unnamed:
        raise ValueError(
            f"{where}: a bit-field of width 0, which ends the unit, has no name; call it _"
        )
    return width


def _varies(entry: Entry) -> bool:
    return hasattr(entry.kind, "_by_size")


def _check_enumeration(entry: Entry, where: str, note: type[enum.Enum]) -> None:
    if not note.__members__:
        raise TypeError(f"{where}: {note.__name__} has no members, so nothing can be stored")
    for member in note.__members__.values():
        value = member.value
        if not isinstance(value, int):
            raise TypeError(f"{where}: {member} is {value!r}, and only ints can be stored")
        least, most = range_of(entry)
        if not least <= value <= most:
            raise ValueError(f"{where}: {member} is {value}, which does not fit {least} to {most}")
