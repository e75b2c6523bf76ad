"""The lock that heaps share, which a forked child can take."""

from __future__ import annotations

import os
import sys
from _thread import RLock
from collections.abc import Callable, Iterator
from operator import methodcaller
from time import sleep
from typing import Any, ClassVar, TypeVar, cast

from emheap._util.platform import HAS_GIL

__all__ = ["Lock", "Locked", "exclusive", "short_waits", "value_of"]

F = TypeVar("F", bound=Callable[..., Any])
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


def short_waits() -> Iterator[None]:
    """Some attempts, each 0.1 ms after the last, at what another thread is about to make possible:
    most accesses and allocations end within microseconds, but a call of C may take minutes."""
    for _ in range(50):
        yield
        sleep(1e-4)


class Locked:
    """What takes the one lock that all heaps share.

    A finalizer may run wherever Python collects garbage, in a thread that has the lock too, and
    free a block of any heap. With a lock for each table and allocator, two threads could wait for
    each other, each in a finalizer.
    """

    __slots__ = ()
    _lock: ClassVar[Lock] = Lock()


def _renew() -> None:
    """Make another lock in a child that this process forked.

    The thread that had the lock at that moment does not exist in the child and would never
    release it. What it left half done is like what an interrupt leaves: see `emheap.blocks`.
    """
    Locked._lock = Lock()


if hasattr(os, "register_at_fork"):  # on Windows there is no fork
    os.register_at_fork(after_in_child=_renew)


def exclusive(method: F) -> F:
    """A method of what is `Locked`, with the lock taken where there is no interpreter's lock: until
    it is certain how the method ends, others that take the lock wait."""
    if HAS_GIL:
        return method

    def locked(self: Locked, *arguments: Any) -> Any:
        with self._lock:
            return method(self, *arguments)

    return cast(F, locked)
