"""The map of a heap: where its blocks lie, and the gaps between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from emheap._util.messages import count_of, format_address
from emheap.blocks.table import BlockTable
from emheap.diagnosis.html import escape, page, preformatted

__all__ = ["HeapMap", "Region", "draw_map"]

_APART = 1 << 20
"""Blocks further apart than this many bytes lie in regions of their own."""
_REGIONS = 16
"""The regions that are shown."""
_ROW = 64
_MOST_CELLS = 16 * _ROW
_FILLINGS = ".-+#"
_LEGEND = "in use: # all of a cell's bytes, + more than half, - fewer, . none"
_PIXELS = 10


class Cell(NamedTuple):
    """A piece of a region, as one character or one square."""

    used: int
    """The bytes of it in live blocks."""
    blocks: int
    """The live blocks that reach into it."""


class Region:
    """A stretch of memory with live blocks not far from each other."""

    def __init__(self, blocks: list[tuple[int, int, str]]) -> None:
        self.start = blocks[0][0]
        self.end = max(end for _, end, _ in blocks)
        self.block_count = len(blocks)
        self.used = 0
        """The bytes in live blocks."""
        self.largest_gap = 0
        """The bytes of the largest stretch between two of them."""
        self.cell_size = 16
        """The bytes of one cell."""
        while (self.end - self.start) > self.cell_size * _MOST_CELLS:
            self.cell_size *= 2
        self._used: list[int] = [0] * -(-(self.end - self.start) // self.cell_size)
        self._names: list[list[str]] = [[] for _ in self._used]
        position = self.start
        for start, end, name in blocks:
            self.largest_gap = max(self.largest_gap, start - position)
            self._fill(max(start, position), end, name)
            position = max(position, end)

    def _fill(self, start: int, end: int, name: str) -> None:
        self.used += max(end - start, 0)
        offset = start - self.start
        while offset < end - self.start:
            cell = offset // self.cell_size
            stop = min((cell + 1) * self.cell_size, end - self.start)
            self._used[cell] += stop - offset
            self._names[cell].append(name)
            offset = stop

    @property
    def cells(self) -> list[Cell]:
        """The pieces of the region, all of `cell_size` bytes but the last."""
        return [Cell(used, len(names)) for used, names in zip(self._used, self._names, strict=True)]

    def describe(self) -> str:
        """The region in numbers."""
        whole = self.end - self.start
        return (
            f"{format_address(self.start)} to {format_address(self.end)}: "
            f"{count_of(self.block_count, 'block')} of {count_of(self.used, 'byte')} in {whole}, "
            f"{100 * self.used // max(whole, 1)} % in use, largest gap {self.largest_gap}; "
            f"cells of {count_of(self.cell_size, 'byte')}"
        )

    def rows(self) -> Iterator[str]:
        """The cells as characters."""
        cells = "".join(_FILLINGS[self._filling(used)] for used in self._used)
        for start in range(0, len(cells), _ROW):
            yield cells[start : start + _ROW]

    def _filling(self, used: int) -> int:
        if not used or used >= self.cell_size:
            return 3 if used else 0
        return 2 if 2 * used > self.cell_size else 1

    def draw(self) -> str:
        """The cells as a picture in HTML, with the blocks of each in its tooltip."""
        height = -(-len(self._used) // _ROW) * _PIXELS
        width = min(len(self._used), _ROW) * _PIXELS
        squares = "".join(map(self._square, range(len(self._used))))
        return (
            f'<svg width="{width}" height="{height}" role="img" '
            f'style="display:block;margin:2px 0 8px">{squares}</svg>'
        )

    def _square(self, cell: int) -> str:
        names = self._names[cell]
        more = f"\n... and {len(names) - 8} more" if len(names) > 8 else ""
        title = "\n".join([format_address(self.start + cell * self.cell_size), *names[:8]]) + more
        # A blue that stands out on white and on black, as strong as the cell is full.
        opacity = (0, 35, 65, 100)[self._filling(self._used[cell])] / 100
        fill = f'fill="#3b82f6" fill-opacity="{opacity}"'
        return (
            f'<rect x="{cell % _ROW * _PIXELS}" y="{cell // _ROW * _PIXELS}" width="{_PIXELS - 1}" '
            f'height="{_PIXELS - 1}" {fill} stroke="#808080" stroke-opacity=".45">'
            f"<title>{escape(title)}</title></rect>"
        )


class HeapMap:
    """Where the live blocks of a heap were at one moment: text when printed, a picture in a
    notebook."""

    def __init__(self, name: str, blocks: Iterable[tuple[int, int, str]]) -> None:
        self.name = name
        """The memory that it is a map of."""
        self.regions = list(_group(sorted(blocks)))
        """In the order of their addresses."""

    @property
    def title(self) -> str:
        """The heap in numbers."""
        blocks = sum(region.block_count for region in self.regions)
        used = sum(region.used for region in self.regions)
        if not self.regions:
            return f"{self.name}: no live blocks"
        return (
            f"{self.name}: {count_of(blocks, 'block')} of {count_of(used, 'byte')} in "
            f"{count_of(len(self.regions), 'region')}"
        )

    def _shown(self) -> tuple[list[Region], str]:
        """The regions with the most bytes, and what is said of the others."""
        largest = sorted(self.regions, key=lambda region: -region.used)[:_REGIONS]
        rest = len(self.regions) - len(largest)
        return sorted(largest, key=lambda region: region.start), (
            f"... and {count_of(rest, 'smaller region')}" if rest else ""
        )

    def __str__(self) -> str:
        shown, rest = self._shown()
        lines = [self.title]
        for region in shown:
            lines += [region.describe(), *(f"  {row}" for row in region.rows())]
        if self.regions:
            lines.append(_LEGEND)
        return "\n".join([*lines, rest] if rest else lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        shown, rest = self._shown()
        parts = [preformatted(region.describe()) + region.draw() for region in shown]
        return page(self.title, *parts, preformatted(rest) if rest else "")


def _group(blocks: list[tuple[int, int, str]]) -> Iterator[Region]:
    group: list[tuple[int, int, str]] = []
    reach = 0
    for block in blocks:
        if group and block[0] - reach > _APART:
            yield Region(group)
            group = []
        group.append(block)
        reach = max(reach, block[1])
    if group:
        yield Region(group)


def draw_map(table: BlockTable) -> HeapMap:
    """The map of the live blocks of a heap."""
    blocks = [
        (
            address,
            address + layout.byte_size,
            f"{layout.describe()} of {count_of(layout.byte_size, 'byte')}",
        )
        for _, address, layout, _, _ in table
    ]
    return HeapMap(table.memory.name, blocks)
