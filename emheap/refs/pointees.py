"""Which blocks the pointers in other blocks point to, as far as Python stored them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

from emheap.blocks.block import Block
from emheap.memories.base import Elements
from emheap.refs.cells import Cells

__all__ = ["Pointees"]


class Pointees:
    """What one heap knows of its pointers.

    The cells of a structure keep it themselves. Elements of pointers alone are often a memoryview,
    which can keep nothing, so theirs is here as long as they live.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[WeakReference[Any], dict[int, Block]]] = {}
        """By the id of the elements: what ends the record with them, and the blocks by offset."""

    def note(self, elements: Elements | Cells, offset: int, block: Block | None) -> None:
        """Remember the block that a pointer stored at an offset points to, or that none is
        known."""
        if isinstance(elements, Cells):
            elements.note(offset, block)
            return
        found = self._known.get(id(elements))
        if block is None:
            if found is not None:
                found[1].pop(offset, None)
            return
        if found is None:
            found = self._known.setdefault(id(elements), (self._forget_with(elements), {}))
        found[1][offset] = block

    def _forget_with(self, elements: Elements) -> WeakReference[Any]:
        key, pop = id(elements), self._known.pop

        def forget(_: object) -> None:
            pop(key, None)

        return WeakReference(elements, forget)

    def note_all(
        self, elements: Elements | Cells, offset: int, size: int, blocks: Mapping[int, Block]
    ) -> None:
        """Remember the blocks that the pointers in bytes just stored point to, by their offset
        from the first of these, and forget those of the pointers that were there."""
        if isinstance(elements, Cells):
            elements.note_all(offset, size, blocks)
            return
        found = self._known.get(id(elements))
        if found is not None:
            for at in [at for at in list(found[1]) if offset <= at < offset + size]:
                found[1].pop(at, None)
        for at, block in blocks.items():
            self.note(elements, offset + at, block)

    def find(self, elements: Elements | Cells, offset: int) -> Block | None:
        """The block that a pointer stored at an offset pointed to then."""
        if isinstance(elements, Cells):
            return elements.pointee(offset)  # type: ignore[no-any-return]
        found = self._known.get(id(elements))
        return None if found is None else found[1].get(offset)

    def copy(self, old: Elements, new: Elements) -> None:
        """Know the same of elements to which others were copied."""
        found = self._known.get(id(old))
        if found is not None:
            self.note_all(new, 0, 0, dict(found[1]))
