"""What a reference does when nothing refers to it any more."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

from emheap._util.messages import count_of, format_address
from emheap._util.sites import describe_site
from emheap.blocks.block import Block
from emheap.errors import HeapError

__all__ = ["Holder", "Owner", "make_ref", "owning_class"]


class Owner:
    """What a reference is, besides, while it owns a live block: it notices being dropped.

    A finalizer costs a tenth of an allocation even when it has nothing to do, so a reference
    leaves this class when its block is freed (`_borrowed_class`).
    """

    __slots__ = ()

    __init__ = object.__init__

    # At the very end of the interpreter the names of modules are None; a default is there still.
    def __del__(self, finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        try:
            block: Block = self._block  # type: ignore[attr-defined]
        except AttributeError:  # the allocation failed before there was a block
            return
        _, address, layout, code, offset = block
        try:
            if layout.blocks[address] is not block:
                return
        except KeyError:
            return
        if finalizing():
            return  # while the interpreter ends, what a warning needs may be gone
        warnings.warn(
            f"{layout.describe()} of {count_of(layout.byte_size, 'byte')} at "
            f"{format_address(address)} was dropped and not freed; it was allocated at "
            f"{describe_site((code, offset))}",
            ResourceWarning,
            source=None,
            stacklevel=2,
        )


def owning_class(cls: Any) -> Any:
    """The class of references that own what references of a class borrow."""
    owners: list[Any] = Owner.__subclasses__()
    return next(owner for owner in owners if owner._borrowed_class is cls)


class Holder:
    """What keeps a block alive on a heap that collects garbage.

    References and the exporters of their views share one; the block goes with it.
    """

    __slots__ = ("__weakref__", "_block")

    def __init__(self, block: Block) -> None:
        self._block = block

    def follow(self, block: Block) -> None:
        """Keep another block alive, in place of the one before."""
        holders = block[2].table.holders
        holders.pop(id(self._block), None)
        self._block = block
        holders[id(block)] = self

    def attach(self, exporter: Any) -> None:
        """Live at least as long as `exporter`."""
        if hasattr(exporter, "__dict__"):
            exporter.emheap_holder = self

    def __del__(self, finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        try:
            block = self._block
        except AttributeError:  # an interrupt came before there was a block
            return
        if finalizing():
            return  # its memory goes with the process
        try:
            block[2].table.release_if_live(block, (None, 0))
        except HeapError as error:  # nobody is there to catch it
            warnings.warn(f"not collected: {error}", ResourceWarning, stacklevel=2)


def make_ref(cls: Any, block: Block) -> Any:
    """A reference of class `cls` to `block`."""
    ref = object.__new__(cls)
    ref._elements = block[0]
    ref._block = block
    return ref
