"""Locks that a forked child can take."""

from __future__ import annotations

import os
import sys
from _thread import RLock
from operator import methodcaller
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

__all__ = ["Lock", "renew_after_fork", "value_of"]

K = TypeVar("K")
V = TypeVar("V")

# Reentrant, because a finalizer may free a block while its thread has the lock.
if sys.version_info >= (3, 14):
    # There the interpreter looks for signals after a C function that a `with` statement calls to
    # enter, and before the exit is certain: an interrupt would leave the lock taken. It looks for
    # none while an attribute is read, nor when a Python function returns.
    class Lock(RLock):  # type: ignore[misc]  # typeshed says that it is final
        """An RLock that an interrupt right after it was taken releases."""

        __slots__ = ()
        _taken: Any = property(methodcaller("acquire"))

        def __enter__(self) -> bool:  # type: ignore[override]
            return self._taken  # type: ignore[no-any-return]

else:
    Lock = RLock


def value_of(values: dict[K, V], key: K) -> V | None:
    """What a dictionary that threads share has for a key; None if it has not.

    Where there is no interpreter's lock, `dict.get` takes the dictionary's own, for which threads
    queue up while one of them writes: eight were sixty times as slow. Subscription takes none.
    """
    try:
        return values[key]
    except KeyError:
        return None


class _Owner(Protocol):
    _lock: Lock


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
