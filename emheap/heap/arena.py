"""Scopes: blocks that die together."""

from __future__ import annotations

import sys
from collections.abc import Callable
from copy import copy
from types import TracebackType
from typing import Any, TypeVar

from emheap._util.free_each import raise_problems
from emheap._util.messages import count_of
from emheap._util.sites import Site, caller_site, describe_site
from emheap.blocks.block import Block
from emheap.blocks.region import Region
from emheap.blocks.table import BlockTable
from emheap.errors import NotAllocatedError, UseAfterFreeError
from emheap.heap.alloc_verbs import AllocVerbs
from emheap.heap.text_verbs import TextAllocVerbs
from emheap.refs import HeapRef
from emheap.refs.lifetime import owning_class

__all__ = ["Arena"]

Ref = TypeVar("Ref", bound="HeapRef[Any]")


class Arena(AllocVerbs, TextAllocVerbs):
    """Allocates as its heap does, and frees all of it, last first, when its ``with`` block ends.

    Small blocks lie in chunks, so that many cost few calls of malloc: C must not free one. A
    block may be freed earlier by hand, or taken out by `keep`. One that a view is still using
    at the end stays live and belongs to the heap; a single BufferInUseError names all of those,
    and never hides an exception from the body. Where freeing a block fails the others are freed
    first, then the error is raised. Arenas that were opened in it end with it.

    >>> import emheap
    >>> with emheap.open().arena() as scratch:
    ...     numbers = scratch.alloc_array(emheap.int16, [1, 2, 3])
    ...     total = scratch.alloc(emheap.int32, sum(numbers))
    ...     total.value
    6
    >>> numbers.is_freed
    True
    """

    _region: Region
    _closed: Site | None = None
    _finished = True
    """Whether its end has nothing left to do: not so where an interrupt came."""

    def __init__(self, table: BlockTable, site: Site) -> None:
        self._opened: Site = site
        self._inner: list[tuple[Arena, int | None]] = []
        """The arenas that end with this one, each with the newest block when it was opened."""
        super().__init__(table, table.open_region())
        self._finished = False  # now: what an interrupt kept from being made has nothing to end

    def arena(self) -> Arena:
        """A scope inside this one, which ends with this one at the latest."""
        self._check_open()
        while self._inner and self._inner[-1][0]._finished:
            self._inner.pop()
        inner = Arena(self._table, caller_site())
        self._inner.append((inner, next(reversed(self._region.blocks), None)))
        return inner

    def keep(self, ref: Ref) -> Ref:
        """Let a block outlive the arena: from now on it is freed like any other of the heap.

        The chunk that it lies in stays as long. Raises NotAllocatedError if the block is not of
        this arena, or was freed.
        """
        self._check_open()
        region, table = self._region, self._table
        block = self._block_of(ref)
        if block is None:
            raise NotAllocatedError(
                f"{ref!r} is no live block of the arena opened at {describe_site(self._opened)}; "
                "keep what this arena allocated and has not kept already"
            )
        elements, address, layout, code, offset = block
        layout = copy(layout)
        layout.blocks, layout.spare = table.mixed, None
        kept = elements, address, layout, code, offset
        cls = owning_class(type(ref)) if table.tracked else type(ref)
        table.keep(region, address)
        # With no call in between: the block is in one table or the other.
        table.mixed[address] = kept
        del region.blocks[address]
        ref._hold(kept)
        if region.held.pop(address, None) is None:
            ref.__class__ = cls
        return ref

    def _block_of(self, ref: Any) -> Block | None:
        """The block of a reference, if it is a live one of this arena."""
        # A part of a structure has the block of what it lies in.
        whole = isinstance(ref, HeapRef) and not hasattr(ref, "_parent")
        block: Block | None = ref._latest_block() if whole else None
        if block is None or self._region.blocks.get(block[1]) is not block:
            return None
        return block

    def _check_open(self) -> None:
        self._table.check_open()
        if self._closed is not None:
            raise UseAfterFreeError(
                f"the arena opened at {describe_site(self._opened)} was closed at "
                f"{describe_site(self._closed)}; allocate within its with block"
            )

    def __enter__(self) -> Arena:
        self._check_open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._table.closed_at is not None:
            return  # with the heap, which freed everything
        self._check_open()
        problems = self._close(caller_site())
        where = f"at the end of the arena opened at {describe_site(self._opened)}: "
        raise_problems(problems, where, error)

    def _close(self, site: Site) -> list[Exception]:
        """Free everything; give what was raised by the blocks that stay, as those in use do."""
        self._closed = site
        problems: list[Exception] = []
        blocks = list(self._region.blocks.values())
        before = blocks.copy()
        positions = {}
        if self._inner:
            positions = {block[1]: place for place, block in enumerate(blocks, start=1)}
        for inner, newest in reversed(self._inner):
            older = 0 if newest is None else positions.get(newest, len(blocks))
            later = blocks[older:]
            del blocks[older:]
            problems += self._table.release_all(later, site)
            if not inner._finished:
                problems += inner._close(site)
        problems += self._table.release_all(blocks, site)
        self._table.stop_region(self._region)
        problems += self._table.release_all(self._made_since(before), site)
        problems += self._table.close_region(self._region)
        self._region.held.clear()
        self._finished = True
        return problems

    def _made_since(self, before: list[Block]) -> list[Block]:
        """The blocks that other threads made while those of `before` were freed."""
        blocks = list(self._region.blocks.values())
        if not blocks:  # as nearly always
            return []
        known = set(map(id, before))
        return [
            block
            for block in blocks
            if id(block) not in known and not self._table.revived.has(block)
        ]

    # At the very end of the interpreter the names of modules are None; a default is there still.
    def __del__(self, finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        if not self._finished and not finalizing():  # it was never closed, or an interrupt came
            self._table.close_region(self._region)

    def __reduce__(self) -> Any:
        # The end of a copy would be the end of this.
        raise TypeError("an arena cannot be pickled or copied: open another one by heap.arena()")

    def __repr__(self) -> str:
        state = "open" if self._closed is None else "closed"
        return f"<Arena of {count_of(len(self._region.blocks), 'block')}, {state}>"
