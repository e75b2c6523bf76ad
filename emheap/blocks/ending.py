"""The end of a heap that is dropped with live blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from emheap.blocks.block import Block

__all__ = ["forget_pointees"]


def forget_pointees(blocks: Iterable[Block]) -> None:
    """Let each block forget the blocks that its pointers point to, while all of them are there: in
    a long list CPython would take one in the middle of taking the one before."""
    for block in blocks:
        elements: Any = block[0]
        if hasattr(elements, "forget_pointees"):
            elements.forget_pointees()
