"""The references that a program has."""

from __future__ import annotations

import gc
from typing import Any

from emheap.refs.base import HeapRef

__all__ = ["existing_refs"]


def existing_refs() -> list[HeapRef[Any]]:
    """All references that exist, of whichever heap; nothing keeps a list of them.

    What refers to their classes, as each of them does, is asked for, and not all objects there
    are: among those may be a tuple that another thread is making. CPython raises SystemError there
    when it finds that somebody else has it.
    """
    classes: list[type[Any]] = [HeapRef]
    for known in classes:
        classes += known.__subclasses__()
    # By its own type: isinstance would ask a dead weak proxy for its class.
    return [each for each in gc.get_referrers(*classes) if issubclass(type(each), HeapRef)]
