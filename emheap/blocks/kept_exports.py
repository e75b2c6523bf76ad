"""Keeping memoryviews that have exports from CPython's garbage collector.

Before 3.12.7 the collector clears a memoryview in a cycle of garbage even while exports of it
live, and the interpreter crashes when the last of them ends
(https://github.com/python/cpython/issues/77894). What something else refers to is no garbage. So
what has exports when its heap ends is kept here, until they are gone.
"""

from __future__ import annotations

import gc
import sys
from sys import getrefcount
from typing import Any, Protocol

from emheap.blocks.block import Block
from emheap.memories.elements import stored_in

__all__ = ["CLEARS_EXPORTED", "keep_exported", "keep_exports_of"]

CLEARS_EXPORTED: bool = sys.version_info < (3, 12, 7)
"""Whether the collector clears memoryviews that have exports."""

_UNUSED = 3
"""The references to a memoryview that has no exports: one of what it lies in, two of the code that
counts them. The versions above count alike."""

_kept: dict[int, memoryview] = {}
"""By id, for memoryviews compare by what is in them."""


class _Table(Protocol):
    """The blocks of a heap. Their module imports this one."""

    loans: Any
    _tables: dict[int, dict[int, Block]]
    detached: dict[int, Block]


def keep_exported(view: memoryview) -> None:
    """Keep a memoryview until nothing else refers to it: its exports do."""
    if _let_go not in gc.callbacks:
        gc.callbacks.append(_let_go)
    _kept[id(view)] = view


def keep_exports_of(table: _Table) -> None:
    """Keep what has exports on a heap that ends: of its blocks, and of what was lent by address."""
    for blocks in [*table._tables.values(), table.detached]:
        for block in list(blocks.values()):
            view = stored_in(block[0])
            if view is not None and getrefcount(view) > _UNUSED:
                keep_exported(view)
    for entry in list(table.loans.entries):
        for view in entry:
            if type(view) is memoryview:
                keep_exported(view)


def _let_go(phase: str, _: Any) -> None:
    if phase == "stop":
        for key in list(_kept):
            view = _kept.get(key)
            if getrefcount(view) <= _UNUSED:
                _kept.pop(key, None)
