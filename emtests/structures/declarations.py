"""Random structures, as C declares them and as `emheap.types.layout` is asked to place them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from emheap.types.abi import ABI
from emheap.types.layout import Member, Placed, place

BASES = {
    "bool": "_Bool",
    "char": "signed char",
    "uchar": "unsigned char",
    "short": "short",
    "ushort": "unsigned short",
    "int": "int",
    "uint": "unsigned",
    "long": "long",
    "ulong": "unsigned long",
    "longlong": "long long",
    "ulonglong": "unsigned long long",
    "float": "float",
    "double": "double",
    "pointer": "void *",
}
"""C's spelling of each scalar."""

SIZES = {"bool": 1, "char": 1, "short": 2, "int": 4, "longlong": 8, "float": 4, "double": 8}
INTEGERS = ("bool", "char", "uchar", "short", "ushort", "int", "uint", "longlong", "ulonglong")
"""What bit-fields are made of."""


@dataclass(frozen=True)
class FieldOf:
    """A member as C writes it; `kind` is a scalar's name or a structure."""

    name: str | None
    kind: str | Declared
    count: int | None = None
    width: int | None = None
    align: int | None = None


@dataclass
class Declared:
    """A structure or union as C declares it."""

    tag: str
    fields: list[FieldOf]
    union: bool = False
    pack: int | None = None
    align: int | None = None

    @property
    def c_name(self) -> str:
        return f"{'union' if self.union else 'struct'} {self.tag}"


def scalar_size(name: str, abi: ABI) -> int:
    plain = name.removeprefix("u")
    if plain == "pointer":
        return abi.pointer_size
    return abi.long_size if plain == "long" else SIZES[plain]


def place_declared(declared: Declared, abi: ABI) -> Placed:
    """What emheap computes."""
    members = [_member(each, abi) for each in declared.fields]
    return place(members, abi, union=declared.union, pack=declared.pack, align=declared.align)


def _member(each: FieldOf, abi: ABI) -> Member:
    required = 1
    if isinstance(each.kind, Declared):
        inner = place_declared(each.kind, abi)
        size, alignment, required = inner.size, inner.alignment, inner.required
    else:
        size = scalar_size(each.kind, abi)
        alignment = abi.alignment(size)
    return Member(
        each.name,
        size * (1 if each.count is None else each.count),
        alignment,
        width=each.width,
        align=each.align,
        required=required,
    )


def to_c(declared: Declared) -> str:
    """The declaration in C, after those of the structures nested in it."""
    lines = [to_c(each.kind) for each in declared.fields if isinstance(each.kind, Declared)]
    if declared.pack:
        lines.append(f"#pragma pack(push, {declared.pack})")
    lines.append(f"{declared.c_name} {{")
    for each in declared.fields:
        base = each.kind.c_name if isinstance(each.kind, Declared) else BASES[each.kind]
        suffix = "" if each.count is None else f"[{each.count}]"
        width = "" if each.width is None else f" : {each.width}"
        lines.append(f"  {base} {each.name or ''}{suffix}{width}{_aligned(each.align)};")
    lines.append(f"}}{_aligned(declared.align)};")
    if declared.pack:
        lines.append("#pragma pack(pop)")
    return "\n".join(lines)


def _aligned(align: int | None) -> str:
    return f" __attribute__((aligned({align})))" if align else ""


def make_structures(seed: int, count: int) -> list[Declared]:
    """Random structures and unions."""
    source = random.Random(seed)
    return [_make(source, f"s{index}", 0) for index in range(count)]


def _make(source: random.Random, tag: str, depth: int) -> Declared:
    mode = source.choice(("", "", "", "pack", "align"))
    made = Declared(
        tag,
        [],
        union=source.random() < 0.15,
        pack=source.choice((1, 2, 4, 8)) if mode == "pack" else None,
        align=source.choice((2, 4, 8, 16, 32)) if mode == "align" else None,
    )
    bits = source.choice((0.1, 0.5))
    for index in range(source.randint(1, 9)):
        name = f"f{index}"
        if source.random() < bits:
            made.fields.append(_make_bits(source, name))
        else:
            made.fields.append(_make_whole(source, name, tag, depth))
    if not any(each.name for each in made.fields):
        made.fields.append(FieldOf("last", "char"))
    return made


def _make_bits(source: random.Random, name: str) -> FieldOf:
    kind = source.choice(INTEGERS)
    most = 1 if kind == "bool" else 8 * SIZES[kind.removeprefix("u")]
    width = source.randint(0 if source.random() < 0.3 else 1, most)
    unnamed = width == 0 or source.random() < 0.07
    return FieldOf(None if unnamed else name, kind, width=width)


def _make_whole(source: random.Random, name: str, tag: str, depth: int) -> FieldOf:
    kind: str | Declared = source.choice(tuple(BASES))
    if depth < 2 and source.random() < 0.2:
        kind = _make(source, f"{tag}_{name}", depth + 1)
    count = source.randint(1, 5) if source.random() < 0.2 else None
    align = source.choice((1, 2, 8, 16)) if source.random() < 0.06 else None
    return FieldOf(name, kind, count=count, align=align)
