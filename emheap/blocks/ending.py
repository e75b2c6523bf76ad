"""The end of a heap that is dropped with live blocks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from emheap.blocks.block import Block

__all__ = ["Ending"]


class Ending:
    """What a table of blocks does before it is collected."""

    def __iter__(self) -> Iterator[Block]:
        """The live blocks."""
        raise NotImplementedError

    def __del__(self, finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        # While the table has all of them, each forgets the blocks that its pointers point to: in a
        # long list CPython would take one in the middle of taking the one before.
        for block in () if finalizing() else self:
            elements: Any = block[0]
            if hasattr(elements, "forget_pointees"):
                elements.forget_pointees()
