"""The options of a heap, checked once when it is opened."""

from __future__ import annotations

from typing import Any, Final, Literal

from emheap.checks import check_choice

__all__ = ["Options", "PollingMode", "check_options"]

PollingMode = Literal["when_empty", "always", "never"]


class Options:
    """How a heap behaves. The names are wasm-heap-manager's."""

    # No dataclass and no NamedTuple: to make one takes longer than to import most of emheap.
    __slots__ = (
        "clear_allocated_regions",
        "count_allocations",
        "enable_garbage_collection",
        "polling_mode",
        "track_allocations",
    )

    def __init__(
        self,
        clear_allocated_regions: bool = True,
        polling_mode: PollingMode = "when_empty",
        track_allocations: bool = True,
        enable_garbage_collection: bool = False,
        count_allocations: bool = False,
    ) -> None:
        self.clear_allocated_regions: Final = clear_allocated_regions
        """Set every byte of a block to 0 when it is allocated without contents."""
        self.polling_mode: Final = polling_mode
        """How often the latest buffer is asked for, where a callback gives it."""
        self.track_allocations: Final = track_allocations
        """Keep a table of live blocks: what `free` by address, `free_all`, leak warnings and the
        errors about freed and foreign addresses need."""
        self.enable_garbage_collection: Final = enable_garbage_collection
        """Free a block when the last reference, view, slice or array on it is gone."""
        self.count_allocations: Final = count_allocations
        """Count blocks and bytes for `statistics`; every allocation then goes the long way."""

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in _CHOICES)
        return f"Options({values})"


_CHOICES: dict[str, tuple[Any, ...]] = {
    "clear_allocated_regions": (True, False),
    "polling_mode": ("when_empty", "always", "never"),
    "track_allocations": (True, False),
    "enable_garbage_collection": (True, False),
    "count_allocations": (True, False),
}


def check_options(given: dict[str, Any]) -> Options:
    """The options of a call.

    Raises TypeError for an unknown one or a value of another type, ValueError for a bad value.
    """
    for name, value in given.items():
        if name not in _CHOICES:
            raise TypeError(f"unknown option {name!r}; the options are {', '.join(_CHOICES)}")
        check_choice(value, f"option {name}", _CHOICES[name])
    return Options(**given)
