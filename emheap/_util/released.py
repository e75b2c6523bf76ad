"""Views that have ended."""

from __future__ import annotations

from collections.abc import Sized

__all__ = ["is_released"]


def is_released(view: Sized) -> bool:
    """Whether a memoryview was released; or other elements were, as those of a freed block are."""
    try:
        len(view)
    except ValueError:
        return True
    return False
