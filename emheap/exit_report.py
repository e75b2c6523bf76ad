"""What debug heaps say on stderr when the interpreter ends. Imported with the first of them."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from emheap.guarding import GuardedTable

__all__ = ["hold", "let_go", "report", "watch"]

_watched: WeakSet[GuardedTable] = WeakSet()
_holding_blocks: dict[int, GuardedTable] = {}
"""Those with live blocks, by id: a heap that the program forgot is told of all the same."""


def watch(table: GuardedTable) -> None:
    """Report on a debug heap at exit, if it is there by then."""
    _watched.add(table)


def hold(table: GuardedTable) -> None:
    """Keep a debug heap until exit, for it has a live block."""
    _holding_blocks[id(table)] = table


def let_go(table: GuardedTable) -> None:
    """Keep a debug heap no longer, for it has no live block."""
    _holding_blocks.pop(id(table), None)


def report() -> None:
    """Write to stderr what is live and what is damaged on every debug heap. Raises nothing."""
    tables = {id(table): table for table in _watched}
    tables.update(_holding_blocks)
    for table in tables.values():
        try:
            lines = list(_findings(table))
        except Exception as error:  # noqa: BLE001 (a memory or an allocator of the user's may raise anything, and nobody could catch it here)
            lines = [f"could not be looked at: {type(error).__name__}: {error}"]
        if sys.stderr is not None:
            for line in lines:
                sys.stderr.write(f"emheap at exit: {table.memory.name}: {line}\n")


def _findings(table: GuardedTable) -> Iterator[str]:
    from emheap.reports import describe_live, leak_report

    live = describe_live(table)
    if live:
        yield leak_report(live, "live")
    yield from table.find_damage()


atexit.register(report)
