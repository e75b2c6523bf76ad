"""The options of a heap, checked once when it is opened."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from emheap.checks import check_choice

__all__ = ["Options", "PollingMode", "check_options"]

PollingMode = Literal["when_empty", "always", "never"]


# No dataclass: importing that module, which imports inspect, takes longer than all of emheap.
class Options(NamedTuple):
    """How a heap behaves. The names are wasm-heap-manager's."""

    clear_allocated_regions: bool = True
    """Set every byte of a block to 0 when it is allocated without contents."""
    polling_mode: PollingMode = "when_empty"
    """How often the latest buffer is asked for, where a callback gives it."""
    track_allocations: bool = True
    """Keep a table of live blocks: what `free` by address, `free_all`, leak warnings and the
    errors about freed and foreign addresses need."""
    enable_garbage_collection: bool = False
    """Free a block when the last reference, view, slice or array on it is gone."""


_CHOICES: dict[str, tuple[Any, ...]] = {
    "clear_allocated_regions": (True, False),
    "polling_mode": ("when_empty", "always", "never"),
    "track_allocations": (True, False),
    "enable_garbage_collection": (True, False),
}


def check_options(given: dict[str, Any]) -> Options:
    """The options of a call.

    Raises TypeError for an unknown one or a value of another type, ValueError for a bad value.
    """
    known = Options._fields
    for name, value in given.items():
        if name not in known:
            raise TypeError(f"unknown option {name!r}; the options are {', '.join(known)}")
        check_choice(value, f"option {name}", _CHOICES[name])
    return Options(**given)
