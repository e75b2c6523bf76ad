"""Locks that a forked child can take."""

from __future__ import annotations

import os
from _thread import RLock
from typing import Protocol
from weakref import WeakSet

__all__ = ["Lock", "renew_after_fork"]

Lock = RLock
"""Reentrant, because a finalizer may free a block while its thread has the lock."""


class _Owner(Protocol):
    _lock: RLock


_owners: WeakSet[_Owner] = WeakSet()


def renew_after_fork(owner: _Owner) -> None:
    """Give an object a new `_lock` in every child that this process forks.

    The thread that had the lock at that moment does not exist in the child and would never
    release it. What it left half done is like what an interrupt leaves: see `emheap.blocks`.
    """
    _owners.add(owner)


def _renew() -> None:
    for owner in _owners:
        owner._lock = Lock()


if hasattr(os, "register_at_fork"):  # on Windows there is no fork
    os.register_at_fork(after_in_child=_renew)
