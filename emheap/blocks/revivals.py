"""Blocks that stand for others, which could not be freed after their references had ended."""

from __future__ import annotations

from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

from emheap._util.locks import value_of
from emheap.blocks.block import Block
from emheap.memories.base import Elements

__all__ = ["Revivals"]


class Revivals(dict[int, "tuple[list[WeakReference[Elements]], Block]"]):
    """Such blocks by their addresses, each with the elements of those that it stands for:
    references have these until they are used again."""

    def note(self, block: Block, revived: Block) -> None:
        """Remember that `revived` stands for `block`."""
        former, latest = value_of(self, block[1]) or ([], None)
        # References may have those that this one stood for: its address was freed again since.
        kept = [one for one in former if latest is block and one() is not None]
        self[block[1]] = [*kept, WeakReference(block[0])], revived

    def standing_for(self, block: Block) -> Block | None:
        """What stands for a block."""
        former, latest = value_of(self, block[1]) or ([], None)
        return latest if any(one() is block[0] for one in former) else None

    def has(self, block: Block) -> bool:
        """Whether a block stands for another."""
        _, latest = value_of(self, block[1]) or ([], None)
        return latest is block
