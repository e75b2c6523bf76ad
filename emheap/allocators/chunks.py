"""Many small blocks out of a few large ones, for blocks that die together."""

from __future__ import annotations

from _thread import RLock

from emheap.allocators.base import Allocator, allocate_locked
from emheap.allocators.bump import BumpAllocator

__all__ = ["ChunkAllocator"]


class _Chunk:
    """A block of the allocator beneath, and those of ours that lie in it."""

    __slots__ = ("blocks", "bump", "owed", "size")

    def __init__(self, owed: list[int], size: int, alignment: int) -> None:
        self.owed = owed
        """Its address, until it is given back; see `Allocator.take_back`."""
        self.size = size
        self.bump = BumpAllocator(owed[0], owed[0] + size, alignment=alignment)
        self.blocks: set[int] = set()


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
        self._chunks: dict[int, _Chunk] = {}
        """Those that were not given back, by id."""
        self._home: dict[int, _Chunk] = {}
        """The chunk of each block that lies in one; an interrupt may leave one too many."""
        self._lock = RLock()  # a finalizer may free a block while this thread holds it

    @property
    def native(self) -> Allocator:
        return self._allocator.native

    def allocate(self, size: int) -> int:
        if size > self.LARGEST // 4:
            return self._allocator.allocate(size)
        # In one line: between two an interrupt could lose the address.
        return allocate_locked(self._lock, self._take, size, self.free) or self._allocator.allocate(
            size
        )

    def _take(self, size: int) -> int:
        return self._bump(size) or (self._bump(size) if self._add_chunk(size) else 0)

    def _bump(self, size: int) -> int:
        chunk = self._chunk
        address = 0 if chunk is None else chunk.bump.take(size)
        if address and chunk is not None:
            try:
                self._home[address] = chunk
                chunk.blocks.add(address)
                return address
            except BaseException:  # an interrupt: the bytes are lost until the chunk goes back
                chunk.blocks.discard(address)
                raise
        return address

    def _add_chunk(self, size: int) -> bool:
        while self._next_size < size:
            self._next_size *= 4
        owed: list[int] = []
        try:
            owed.append(self._allocator.allocate(self._next_size))
            if not owed[0]:
                return False
            chunk = _Chunk(owed, self._next_size, self.alignment)
            self._chunks[id(chunk)] = chunk
        except BaseException:  # an interrupt
            if any(owed):
                self._allocator.take_back(owed, self._next_size)
            raise
        before, self._chunk = self._chunk, chunk
        self._next_size = min(self._next_size * 4, self.LARGEST)
        if before is not None:
            self._drop_if_empty(before)
        return True

    def free(self, address: int) -> None:
        ChunkAllocator.take_back(self, [address])

    def take_back(self, owed: list[int], size: int | None = None) -> None:
        address = owed[0]
        with self._lock:
            chunk = self._home.get(address)
            if chunk is not None and address in chunk.blocks:
                try:
                    chunk.blocks.remove(owed.pop())
                    self._leave(chunk, address)
                except Exception:  # the user's function may raise anything: the block stays
                    chunk.blocks.add(address)
                    self._home[address] = chunk
                    owed.append(address)
                    raise
                except BaseException:  # an interrupt: what was begun is done all the same
                    if not owed:
                        self._leave(chunk, address)
                    raise
                return
        self._allocator.take_back(owed, size)

    def _leave(self, chunk: _Chunk, address: int) -> None:
        """Do what is to be done once a block is out of its chunk. May be done twice."""
        self._home.pop(address, None)
        if chunk is self._chunk:
            chunk.bump.give_back(address)
        else:
            self._drop_if_empty(chunk)

    def _drop_if_empty(self, chunk: _Chunk) -> None:
        if not chunk.blocks and chunk.owed:
            self._allocator.take_back(chunk.owed, chunk.size)
        if not chunk.owed:
            self._chunks.pop(id(chunk), None)

    def close(self) -> None:
        """Hand out no more from the newest chunk; each goes back with the last block in it."""
        with self._lock:
            self._chunk = None
            for chunk in list(self._chunks.values()):
                self._drop_if_empty(chunk)

    def relinquish(self, address: int) -> bool:
        return address not in self._home and self._allocator.relinquish(address)
