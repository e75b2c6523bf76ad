"""Views that have ended."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

__all__ = ["is_released", "not_released"]


def is_released(view: Sized) -> bool:
    """Whether a memoryview was released; or other elements were, as those of a freed block are."""
    try:
        len(view)
    except ValueError:
        return True
    except TypeError:  # of no dimensions, from Python 3.12 on
        return False
    return False


def not_released(value: Any, what: str) -> Any:
    """`value`; raises ValueError, which says what to do, for a memoryview that was released."""
    if isinstance(value, memoryview) and is_released(value):
        raise ValueError(
            f"{what} cannot have the bytes of a memoryview that was released, as the views of a "
            "block are when it is freed; take a view of what is there still, or copy the bytes "
            "before they go"
        )
    return value
