"""The contract of an allocator: who hands out blocks. It knows nothing of types."""

from __future__ import annotations

from _thread import RLock
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

__all__ = ["Allocator", "allocate_locked", "call_free"]


class Allocator(ABC):
    """Hands out addresses of blocks and takes them back.

    It trusts its caller: sizes are checked before, and only addresses that it handed out and has
    not had back are freed. Whoever offers it to users checks that (see :mod:`emheap.blocks`).

    Where a KeyboardInterrupt ends `allocate` or `allocate_zeroed`, nothing was handed out.
    """

    alignment: int = 8
    """What every block's address is a multiple of, in bytes."""
    needs_every_call: bool = False
    """Whether it must be asked for each block, so that an arena may not put many into one."""

    def __init_subclass__(cls, **options: Any) -> None:
        # A subclass that frees in another way, and knows nothing of `take_back`, must be asked.
        # So in ours `free` names the class whose `take_back` it means.
        super().__init_subclass__(**options)
        if "take_back" not in vars(cls) and {"free", "free_sized"} & vars(cls).keys():
            cls.take_back = Allocator.take_back  # type: ignore[method-assign]

    @property
    def native(self) -> Allocator:
        """Whose blocks these are to other programs in the same memory: beneath all wrappers."""
        return self

    @abstractmethod
    def allocate(self, size: int) -> int:
        """The address of a block of at least `size` bytes (more than 0); 0 if there is no room."""

    def allocate_zeroed(self, size: int) -> int | None:
        """Like `allocate`, with every byte 0; None where the caller must clear the block."""
        return None

    @abstractmethod
    def free(self, address: int) -> None:
        """Take back the block at `address`."""

    def free_sized(self, address: int, size: int) -> None:
        """Take back a block that was allocated with `size` bytes."""
        self.free(address)

    def take_back(self, owed: list[int], size: int | None = None) -> None:
        """Take back the one block on a list, of `size` bytes if that is known, and empty the list.

        The list tells what became of the block where this raises, or an interrupt comes in
        between: what is on it is allocated still. So ours take the address off in the very line
        that frees it. Another's that has only `free` is taken to have freed it when interrupted.
        """
        if size is None:
            call_free(self.free, owed)
        else:
            call_free(self.free_sized, owed, size)

    def relinquish(self, address: int) -> bool:
        """Forget a block, so that another program may free it as one of `native`'s.

        False, and nothing done, if only this allocator can take the block back.
        """
        return True


def allocate_locked(
    lock: RLock, take: Callable[[int], int], size: int, free: Callable[[int], object]
) -> int:
    """``take(size)``, one thread at a time. What it gave is freed where an interrupt comes while
    the lock is let go: in a line of its own, after the address was returned."""
    address = 0
    try:
        with lock:
            address = take(size)
        return address  # noqa: RET504 (within the lock it could get lost)
    except BaseException:
        if address:
            free(address)
        raise


def call_free(free: Callable[..., Any], owed: list[int], *size: int) -> None:
    """Call ``free(address)`` with the one address on a list; it stays there if that raises."""
    address = owed[0]
    try:
        free(owed.pop(), *size)
    except Exception:  # the user's function may raise anything; it did not free the block
        owed.append(address)
        raise
