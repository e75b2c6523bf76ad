"""The allocator interface: an allocator returns addresses of blocks and reclaims them, and knows
no types."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

__all__ = ["MOST_SPARE", "Allocator", "is_ours", "most_spare"]

MOST_SPARE = 2048
"""The most blocks that a list of free ones may hold, however small they are."""


def most_spare(size: int) -> int:
    """The blocks of `size` bytes that a list of free ones may hold before `Allocator.shrink` is
    called: 256 KiB of them, but no fewer than 64 and no more than `MOST_SPARE`."""
    return max(64, min(MOST_SPARE, (1 << 18) // (size or 1)))


_OURS = __name__.partition(".")[0] + "."


def is_ours(cls: type[Any]) -> bool:
    """Whether a class is the library's and not one that a user derived from it."""
    return cls.__module__.startswith(_OURS)


class Allocator(ABC):
    """Allocates blocks by address and reclaims them.

    It trusts its caller: sizes are checked before, and only addresses that it returned and has
    not had back are freed. The table of blocks checks what users pass (:mod:`emheap.blocks`).

    Where a KeyboardInterrupt ends a call, the block that it was about may be lost; the allocator
    itself must work on.
    """

    alignment: int = 8
    """What every block's address is a multiple of, in bytes."""
    needs_every_call: bool = False
    """Whether it must be asked for each block, so that an arena may not put many into one."""
    trusted: bool = False
    """Whether its blocks never overlap, and lie in the memory. Those of another allocator are
    compared with what it handed out before."""
    refusals: tuple[type[Exception], ...] = (Exception,)
    """The errors by which `free` tells that the block is allocated still. Where any other ends it,
    an interrupt say, nobody knows, and the block is never used again."""

    def __init_subclass__(cls, **options: Any) -> None:
        # A class of the user's may do anything, whichever of ours it derives from.
        super().__init_subclass__(**options)
        if not is_ours(cls):
            for name in ("trusted", "refusals"):
                if name not in vars(cls):
                    setattr(cls, name, vars(Allocator)[name])

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

    def spare(self, size: int) -> list[int] | None:
        """The list of free addresses that blocks of `size` bytes come from and go to, if any.

        Taking one off is allocating it and putting one on is freeing it. The short cuts do so, for
        a list's pop and append are atomic; where it is long they call `shrink` first.
        """
        return None

    def refill(self, size: int) -> bool:
        """Put addresses on the list of `spare`; tell whether there was room for any."""
        return False

    def shrink(self, size: int) -> None:  # noqa: B027 (most allocators have no such list)
        """Shorten the list of `spare` where it is too long. If this raises, nothing changed."""

    def trim(self) -> None:  # noqa: B027 (most allocators keep nothing)
        """Give what is kept for later blocks back to the allocator beneath."""

    def relinquish(self, address: int) -> bool:
        """Forget a block, so that another program may free it as one of `native`'s.

        False, and nothing done, if only this allocator can take the block back.
        """
        return True
