"""The contract of an allocator: who hands out blocks. It knows nothing of types."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["Allocator"]


class Allocator(ABC):
    """Hands out addresses of blocks and takes them back.

    It trusts its caller: sizes are checked before, and only addresses that it handed out and has
    not had back are freed. Whoever offers it to users checks that (see :mod:`emheap.blocks`).
    """

    alignment: int = 8
    """What every block's address is a multiple of, in bytes."""
    sees_every_block: bool = False
    """Whether it must be asked for each block, so that an arena may not put many into one."""

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

    def let_go(self, address: int) -> bool:
        """Forget a block, so that another program may free it as one of `native`'s.

        False, and nothing done, if only this allocator can take the block back.
        """
        return True
