"""Many small blocks out of a few large ones, for blocks that die together."""

from __future__ import annotations

from _thread import RLock

from emheap.allocators.base import Allocator
from emheap.allocators.bump import BumpAllocator

__all__ = ["ChunkAllocator"]


class _Chunk:
    """A block of the allocator beneath, and how many of ours lie in it."""

    __slots__ = ("address", "bump", "live", "size")

    def __init__(self, address: int, size: int, alignment: int) -> None:
        self.address = address
        self.size = size
        self.bump = BumpAllocator(address, address + size, alignment=alignment)
        self.live = 0


class ChunkAllocator(Allocator):
    """Takes chunks from another allocator, each larger than the last, and bumps through them.

    A chunk goes back when the last block in it is freed, once it is not the newest or the
    allocator was closed. Blocks that would waste much of a chunk are passed on.
    """

    SMALLEST = 256
    LARGEST = 65536
    """The bytes of a chunk. The first is one that a pool has, for arenas of a few numbers."""

    def __init__(self, allocator: Allocator) -> None:
        self._allocator = allocator
        self.alignment = allocator.alignment
        self._next_size = self.SMALLEST
        self._chunk: _Chunk | None = None
        self._home: dict[int, _Chunk] = {}
        """The chunk of each block that lies in one."""
        self._lock = RLock()  # a finalizer may free a block while this thread holds it

    @property
    def native(self) -> Allocator:
        return self._allocator.native

    def allocate(self, size: int) -> int:
        if size > self.LARGEST // 4:
            return self._allocator.allocate(size)
        with self._lock:
            address = self._bump(size)
            if address or not self._add_chunk(size):
                return address or self._allocator.allocate(size)
            return self._bump(size)

    def _bump(self, size: int) -> int:
        chunk = self._chunk
        address = 0 if chunk is None else chunk.bump.take(size)
        if address and chunk is not None:
            chunk.live += 1
            self._home[address] = chunk
        return address

    def _add_chunk(self, size: int) -> bool:
        while self._next_size < size:
            self._next_size *= 4
        address = self._allocator.allocate(self._next_size)
        if not address:
            return False
        before, self._chunk = self._chunk, _Chunk(address, self._next_size, self.alignment)
        self._next_size = min(self._next_size * 4, self.LARGEST)
        if before is not None:
            self._drop_if_empty(before)
        return True

    def free(self, address: int) -> None:
        with self._lock:
            chunk = self._home.pop(address, None)
            if chunk is not None:
                chunk.live -= 1
                if chunk is self._chunk:
                    chunk.bump.give_back(address)
                    return
                try:
                    self._drop_if_empty(chunk)
                except Exception:  # the user's function may raise anything: the block stays
                    chunk.live += 1
                    self._home[address] = chunk
                    raise
                return
        self._allocator.free(address)

    def _drop_if_empty(self, chunk: _Chunk) -> None:
        if chunk.live == 0:
            self._allocator.free_sized(chunk.address, chunk.size)

    def close(self) -> None:
        """Hand out no more from the newest chunk; it goes back with the last block in it."""
        with self._lock:
            chunk, self._chunk = self._chunk, None
            if chunk is not None:
                self._drop_if_empty(chunk)

    def let_go(self, address: int) -> bool:
        return address not in self._home and self._allocator.let_go(address)
