"""The options of a heap, checked once when it is opened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from emheap._util.checks import check_choice, check_integer
from emheap.memories.base import PollingMode

if TYPE_CHECKING:
    from typing_extensions import TypedDict

    class OptionValues(TypedDict, total=False):
        """The options as keyword arguments, for type checkers."""

        clear_allocated_regions: bool
        polling_mode: PollingMode
        track_allocations: bool
        enable_garbage_collection: bool
        count_allocations: bool
        debug: bool
        site_depth: int


__all__ = ["Options", "check_options"]


class Options:
    """How a heap behaves. The names are wasm-heap-manager's."""

    # No dataclass and no NamedTuple: to make one takes longer than to import most of emheap.
    __slots__ = (
        "clear_allocated_regions",
        "count_allocations",
        "debug",
        "enable_garbage_collection",
        "polling_mode",
        "site_depth",
        "track_allocations",
    )

    def __init__(
        self,
        clear_allocated_regions: bool = True,
        polling_mode: PollingMode = "when_empty",
        track_allocations: bool = True,
        enable_garbage_collection: bool = False,
        count_allocations: bool = False,
        debug: bool = False,
        site_depth: int = 4,
    ) -> None:
        self.clear_allocated_regions: Final = clear_allocated_regions
        """Set every byte of a block to 0 when it is allocated without contents."""
        self.polling_mode: Final = polling_mode
        """How often the latest buffer is asked for, where a callback gives it."""
        self.track_allocations: Final = track_allocations
        """Keep a table of live blocks: what `free_all`, reports, leak warnings and the errors about
        freed and foreign addresses need. Without it an address is freed on trust."""
        self.enable_garbage_collection: Final = enable_garbage_collection
        """Free a block when the last reference, view, slice or array on it is gone."""
        self.count_allocations: Final = count_allocations
        """Count blocks and bytes for `statistics`; every allocation then goes the long way."""
        self.debug: Final = debug
        """Put red zones around blocks and freed ones into quarantine, and let raw addresses lie
        in live blocks only; see `emheap.DebugAllocator` and `HeapManager.verify`."""
        self.site_depth: Final = site_depth
        """How many frames of the program a debug heap records as the site of each event."""

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in _NAMES)
        return f"Options({values})"


_CHOICES: dict[str, tuple[Any, ...]] = {
    "clear_allocated_regions": (True, False),
    "polling_mode": ("when_empty", "always", "never"),
    "track_allocations": (True, False),
    "enable_garbage_collection": (True, False),
    "count_allocations": (True, False),
    "debug": (True, False),
}
_NAMES = (*_CHOICES, "site_depth")
_DEEPEST = 100
_DEBUG_VARIABLE = "EMHEAP_DEBUG"


def check_options(given: Mapping[str, Any], *others: str) -> Options:
    """The options of a call to a function that takes the keywords `others`, too.

    Where ``debug`` is not given, the environment variable EMHEAP_DEBUG decides: 1 is on, for every
    heap that tracks its allocations. Raises TypeError for an unknown option or a value of another
    type, ValueError for a bad value.
    """
    for name, value in given.items():
        if name == "site_depth":
            _check_depth(value)
        elif name not in _CHOICES:
            raise _unknown(name, others)
        else:
            check_choice(value, f"option {name}", _CHOICES[name])
    tracking = given.get("track_allocations", True)
    debug = given.get("debug")
    if debug is None:
        debug = tracking and _debug_by_default()
    if debug and not tracking:
        raise ValueError("option debug=True needs the table of live blocks: track_allocations=True")
    return Options(**{**given, "debug": debug})


def _unknown(name: str, others: tuple[str, ...]) -> TypeError:
    from difflib import get_close_matches

    near = get_close_matches(name, (*_NAMES, *others), n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return TypeError(f"unknown option {name!r}; the options are {', '.join(_NAMES)}{meant}")


def _check_depth(value: Any) -> None:
    depth = check_integer(value, "option site_depth")
    if not 1 <= depth <= _DEEPEST:
        raise ValueError(f"option site_depth must be 1 to {_DEEPEST}, got {depth}")


def _debug_by_default() -> bool:
    value = os.environ.get(_DEBUG_VARIABLE, "")
    if value not in ("", "0", "1"):
        raise ValueError(
            f"the environment variable {_DEBUG_VARIABLE} must be 0 or 1, got {value!r}"
        )
    return value == "1"
