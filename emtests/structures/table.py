"""A table of layouts, for wherever no compiler is: ``python -m emtests.structures.table`` renews
it by libclang.

A line has the declaration, then for each of `TARGETS` the size, the alignment and the first bit of
every named member. A declaration reads ``name(options) kind member[count]:width@align, ...``,
where a kind is one of `BASES` or the name of a line above.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from emheap.types.abi import ABIS
from emtests.structures.declarations import BASES, Declared, FieldOf, place_declared

TARGETS = (
    "wasm32-unknown-unknown",
    "wasm64-unknown-unknown",
    "x86_64-linux-gnu",
    "aarch64-linux-gnu",
    "i386-linux-gnu",
    "x86_64-pc-windows-msvc",
)
PATH = Path(__file__).with_name("layouts.txt")

_HEAD = re.compile(r"(\w+)(?:\(([^)]*)\))?\s+(.*)")
_MEMBER = re.compile(r"(\w+) ?(\w+)?(?:\[(\d+)\])?(?::(\d+))?(?:@(\d+))?")


def read_table() -> Iterator[tuple[Declared, dict[str, list[int]]]]:
    """Every structure, with what is expected for each target."""
    known: dict[str, Declared] = {}
    for line in PATH.read_text(encoding="utf-8").splitlines():
        declaration, _, rest = line.partition(" | ")
        declared = parse(declaration, known)
        known[declared.tag] = declared
        numbers = [[int(each) for each in part.split()] for part in rest.split(" | ")]
        yield declared, dict(zip(TARGETS, numbers, strict=True))


def parse(text: str, known: dict[str, Declared]) -> Declared:
    head = _HEAD.fullmatch(text)
    assert head, text
    tag, options, members = head[1], (head[2] or "").split(), head[3]
    made = Declared(tag, [_parse_member(each, known) for each in members.split(", ")])
    for option in options:
        name, _, number = option.partition("=")
        setattr(made, name, int(number) if number else True)
    return made


def _parse_member(text: str, known: dict[str, Declared]) -> FieldOf:
    found = _MEMBER.fullmatch(text)
    assert found, text
    kind, name, count, width, align = found.groups()
    assert kind in BASES or kind in known, text
    return FieldOf(
        name,
        known.get(kind, kind),
        count=int(count) if count else None,
        width=int(width) if width else None,
        align=int(align) if align else None,
    )


def describe(declared: Declared, target: str) -> list[int]:
    """What emheap computes, as a line of the table has it."""
    placed = place_declared(declared, ABIS[target])
    return [placed.size, placed.alignment, *(start for start, _ in placed.bits.values())]


def renew() -> None:
    """Write the table again from its declarations, where libclang agrees with emheap."""
    from emtests.structures.compilers import ask_libclang

    known: dict[str, Declared] = {}
    lines = []
    for line in PATH.read_text(encoding="utf-8").splitlines():
        text = line.partition(" | ")[0]
        declared = known.setdefault(text.split("(")[0].split()[0], parse(text, known))
        parts = [text]
        for target in TARGETS:
            assert not ask_libclang(target, [declared])
            parts.append(" ".join(map(str, describe(declared, target))))
        lines.append(" | ".join(parts))
    PATH.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    renew()
