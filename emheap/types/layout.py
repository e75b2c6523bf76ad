"""The layout of C structures and unions, as compilers compute it, for any ABI.

`place` works on numbers alone: each member is a `Member` with its size and alignment, or its
width in bits. It gives a `Placed`: the size, the alignment, and for each named member the bits it
takes. What the sizes of emheap's types are for an ABI, `emheap.types.structs` knows; the layout
of a structure is asked for by ``layout_of(Point, abi)`` there.

>>> from emheap.types.abi import ABIS
>>> members = [Member("tag", 1, 1), Member("value", 8, 8), Member("on", 4, 4, width=1)]
>>> placed = place(members, ABIS["x86_64-linux-gnu"])
>>> placed.size, placed.alignment, placed.bits["value"], placed.bits["on"]
(24, 8, (64, 64), (128, 1))

The rules are those of the System V ABIs (and of WebAssembly, which follows them) and, where the
ABI says so, of Microsoft's compiler. They were compared with gcc, clang and libclang; see
emtests/structures.
"""

from __future__ import annotations

from collections.abc import Iterable

from emheap.types.abi import ABI

__all__ = ["Member", "Placed", "place"]


class Member:
    """A member of a structure or union, as its layout sees it.

    Sizes and alignments are in bytes. `width` makes it a bit-field, of so many bits of a type
    with this size and alignment; it may be unnamed then, and of width 0. `align` is what
    ``_Alignas`` asks for. `required` is what ``_Alignas`` asked for inside of a nested structure:
    Microsoft's compiler lets no ``pack`` weaken that.
    """

    __slots__ = ("align", "alignment", "name", "required", "size", "width")

    def __init__(
        self,
        name: str | None,
        size: int,
        alignment: int,
        *,
        width: int | None = None,
        align: int | None = None,
        required: int = 1,
    ) -> None:
        self.name = name
        self.size = size
        self.alignment = alignment
        self.width = width
        self.align = align
        self.required = max(required, align or 1)


class Placed:
    """Where the members of a structure lie."""

    __slots__ = ("alignment", "bits", "required", "size")

    def __init__(self) -> None:
        self.size = 0
        """In bytes, with the padding at the end."""
        self.alignment = 1
        self.required = 1
        """What ``_Alignas`` asked for, of the structure or inside of it."""
        self.bits: dict[str, tuple[int, int]] = {}
        """For each named member the first bit, counted from the start, and how many there are."""


def place(
    members: Iterable[Member],
    abi: ABI,
    *,
    union: bool = False,
    pack: int | None = None,
    align: int | None = None,
) -> Placed:
    """Lay out a structure, or a union.

    `pack` limits the alignment of the members, as ``#pragma pack`` does; `align` is the least
    alignment of the whole, as ``_Alignas`` asks for.
    """
    placer = (_MicrosoftPlacer if abi.microsoft else _Placer)(abi, union, pack)
    for member in members:
        placer.add(member)
    return placer.finish(align or 1)


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


class _Placer:
    """The rules of the System V ABIs. Positions are in bits."""

    def __init__(self, abi: ABI, union: bool, pack: int | None) -> None:
        self.abi = abi
        self.union = union
        self.pack = pack
        self.end = 0
        """Where the next member may begin."""
        self.longest = 0
        self.placed = Placed()

    def add(self, member: Member) -> None:
        self.placed.required = max(self.placed.required, member.required)
        if member.width is None:
            alignment = self.alignment(member)
            start = _up(self.start, 8 * alignment)
            self.put(member, start, 8 * member.size, alignment)
        else:
            self.add_bits(member, member.width)

    def add_bits(self, member: Member, width: int) -> None:
        alignment = self.alignment(member)
        start = self.start
        if width == 0:
            # It ends the unit. Its place follows from its type whatever the packing is, and where
            # it counts for the alignment of the structure, packing does not weaken that either.
            if self.abi.unnamed_bits_align:
                alignment = member.alignment
            start = _up(start, 8 * member.alignment)
        elif self.pack is None and start % (8 * alignment) + width > 8 * member.size:
            start = _up(start, 8 * alignment)  # it may not lie across two units of its type
        counts = member.name is not None or self.abi.unnamed_bits_align
        self.put(member, start, width, alignment if counts else 1)

    @property
    def start(self) -> int:
        return 0 if self.union else self.end

    def alignment(self, member: Member) -> int:
        """The alignment of a member here. One asked for strengthens it, but not beyond `pack`."""
        wanted = max(member.alignment, member.align or 1)
        return wanted if self.pack is None else min(wanted, self.pack)

    def put(self, member: Member, start: int, length: int, alignment: int) -> None:
        self.placed.alignment = max(self.placed.alignment, alignment)
        if member.name is not None:
            self.placed.bits[member.name] = (start, length)
        self.end = start + length
        self.longest = max(self.longest, self.end)

    def finish(self, align: int) -> Placed:
        placed = self.placed
        placed.required = max(placed.required, align)
        placed.alignment = max(placed.alignment, align)
        placed.size = _up(-(-self.longest // 8), placed.alignment)
        return placed


class _MicrosoftPlacer(_Placer):
    """The rules of Microsoft's compiler.

    Bit-fields lie in whole units of their type, and a unit is shared only by neighbours of one
    size. What ``_Alignas`` asks for is not weakened by packing.
    """

    def __init__(self, abi: ABI, union: bool, pack: int | None) -> None:
        super().__init__(abi, union, pack)
        self.close_unit()

    def close_unit(self) -> None:
        self.unit_start = self.unit_bits = self.used = 0

    def alignment(self, member: Member) -> int:
        packed = member.alignment if self.pack is None else min(member.alignment, self.pack)
        return max(packed, member.required)

    def add(self, member: Member) -> None:
        if member.width is None:
            self.close_unit()
        super().add(member)

    def add_bits(self, member: Member, width: int) -> None:
        alignment = self.alignment(member)
        if width == 0:
            self.end_unit(member, alignment)
            return
        bits = 8 * member.size
        if not self.union and self.unit_bits == bits and self.used + width <= bits:
            start = self.unit_start + self.used
            self.used += width
        else:
            start = _up(self.start, 8 * alignment)
            self.unit_start, self.unit_bits, self.used = start, bits, width
        # In a union a bit-field does not count for the alignment.
        self.put(member, start, width, 1 if self.union else alignment)
        self.end = self.unit_start + self.unit_bits
        self.longest = max(self.longest, self.end)

    def end_unit(self, member: Member, alignment: int) -> None:
        """What a bit-field of no bits does; it counts only after another bit-field."""
        if self.unit_bits and self.union:
            self.longest = max(self.longest, 8 * member.size)
        elif self.unit_bits:
            self.end = _up(self.end, 8 * alignment)
            self.placed.alignment = max(self.placed.alignment, alignment)
        self.close_unit()

    def finish(self, align: int) -> Placed:
        placed = super().finish(align)
        if align > 1:  # then the members' own alignment is asked for too
            placed.required = max(placed.required, placed.alignment)
        return placed
