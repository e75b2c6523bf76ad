"""The functions that shared libraries export, for messages: those in ELF, as on Linux."""

from __future__ import annotations

import re
import struct
from pathlib import Path

__all__ = ["exported_functions", "loaded_files"]

_HEADERS = {1: "=32xI10xHH", 2: "=40xQ10xHH"}
"""By the class of the file, of 32 or 64 bits: where its table of sections is, the size of an entry,
and how many there are."""
_SECTIONS = {1: "=4xI8xIII", 2: "=4xI16xQQI"}
"""The type of a section, where it lies, its size, and the section that has its names."""
_SYMBOLS = {1: "=I8xBxH", 2: "=IBxH16x"}
"""Where the name of a symbol begins, its type, and the section that it is in."""
_SYMBOLS_OF_OTHERS = 11
_FUNCTIONS = (2, 10)


def loaded_files(pattern: str) -> list[Path]:
    """The files of this process's shared libraries whose names begin like a pattern."""
    try:
        maps = Path("/proc/self/maps").read_text(errors="replace")
    except OSError:
        return []
    paths = {Path(line[line.index("/") :]) for line in maps.splitlines() if "/" in line}
    return sorted(path for path in paths if re.match(pattern, path.name))


def exported_functions(path: Path) -> list[str]:
    """The names of the functions that a file defines for others; none for what is no such file."""
    try:
        return _functions(path.read_bytes())
    except (OSError, struct.error, LookupError, OverflowError, ValueError):
        return []


def _functions(data: bytes) -> list[str]:
    if data[:4] != b"\x7fELF":
        return []
    bits = data[4]
    start, size, count = struct.unpack_from(_HEADERS[bits], data)
    sections = [
        struct.unpack_from(_SECTIONS[bits], data, start + size * number) for number in range(count)
    ]
    found = []
    for kind, place, length, names in sections:
        if kind == _SYMBOLS_OF_OTHERS:
            texts = sections[names][1]
            table = data[place : place + length]
            for name, type_, defined_in in struct.iter_unpack(_SYMBOLS[bits], table):
                if type_ & 15 in _FUNCTIONS and defined_in:
                    found.append(data[texts + name : data.index(b"\0", texts + name)].decode())
    return found
