"""Many small blocks out of a few large ones, for blocks that die together."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from emheap._util.checks import align_up
from emheap._util.free_each import problem_of
from emheap._util.locks import Locked
from emheap.allocators.base import Allocator

__all__ = ["ChunkAllocator"]


class ChunkAllocator(Allocator, Locked):
    """Takes chunks from another allocator, each larger than the last, and cuts blocks off them.

    Freed blocks are kept for the next of their size until `close`: then each chunk goes back, at
    once or with the last block that stays in it. Blocks that would waste much of a chunk are
    passed on.
    """

    SMALLEST = 256
    LARGEST = 65536
    """The bytes of a chunk. The first is one that a pool has, for arenas of a few numbers."""

    def __init__(self, allocator: Allocator) -> None:
        self._allocator = allocator
        self.alignment = allocator.alignment
        self.trusted, self.refusals = allocator.trusted, allocator.refusals
        self.closed = False
        self._granule = max(16, allocator.alignment)
        self._largest = 0 if allocator.needs_every_call else self.LARGEST // 4
        """The bytes of the largest block that is cut off a chunk."""
        self._next_size = self.SMALLEST
        self._next = self._end = 0
        """The bytes of the newest chunk that were not cut off yet."""
        self._chunks: dict[int, int] = {}
        """The bytes of those that were not given back, by their address."""
        self._spare: dict[int, list[int]] = {}
        """The free blocks, by their bytes."""
        self._left: dict[int, set[int]] = {}
        """The blocks that stay after the end, by the address of their chunk."""
        self._cut = 0
        """How many blocks were cut off chunks."""
        self._returned = 0
        """How many of those came back and are on no list."""

    @property
    def native(self) -> Allocator:
        return self._allocator.native

    def _rounded(self, size: int) -> int:
        """The bytes of a block for `size`: at most an eighth more, so that there are few lists."""
        return align_up(size, max(self._granule, 1 << max(size.bit_length() - 4, 0)))

    def spare(self, size: int) -> list[int] | None:
        if self.closed or size > self._largest:
            return None
        return self._spare.setdefault(self._rounded(size), [])

    def allocate(self, size: int) -> int:
        spare = self.spare(size)
        if spare is None:
            return self._allocator.allocate(size)
        if not spare and not self.refill(size):
            return self._allocator.allocate(size) if self.closed else 0
        try:
            return spare.pop()
        except IndexError:  # another thread was faster
            return self.allocate(size)

    def refill(self, size: int) -> bool:
        spare, rounded = self.spare(size), self._rounded(size)
        if spare is None:
            return False
        with self._lock:
            if self.closed:
                return False
            # Cut off before they are on the list: an interrupt in between wastes them until the
            # chunk goes back.
            addresses = self._cut_off(rounded)
            self._cut += len(addresses)
            spare.extend(reversed(addresses))
        return bool(addresses)

    def _cut_off(self, rounded: int) -> range:
        """Some blocks off the newest chunk; none if there is no room for another chunk."""
        while True:
            start, end = self._next, self._end
            if end - start < rounded:
                if not self._add_chunk(rounded):
                    return range(0)
                continue
            count = min((end - start) // rounded, max(1, 4096 // rounded))
            addresses = range(start, start + count * rounded, rounded)
            stop = addresses.stop
            if start == self._next:  # no finalizer has allocated meanwhile
                self._next = stop
                return addresses

    def _add_chunk(self, rounded: int) -> bool:
        """Begin a chunk that has room for a block; tell whether there was one."""
        while self._next_size < 4 * rounded and self._next_size < self.LARGEST:
            self._next_size *= 4
        # An allocator of the user's may give any address.
        slack = 0 if self._allocator.trusted else self._granule - 1
        for size in (self._next_size, rounded + slack):  # where no chunk fits, one block may
            base = self._allocator.allocate(size)
            if base:
                try:
                    start, end = align_up(base, self._granule), base + size
                    self._chunks[base] = size
                except MemoryError:
                    self._allocator.free_sized(base, size)
                    raise
                self._next, self._end = start, end
                self._next_size = min(self._next_size * 4, self.LARGEST)
                return self._end - start >= rounded
        return False

    def free(self, address: int) -> None:
        self._free(address, None)

    def free_sized(self, address: int, size: int) -> None:
        spare = self.spare(size)
        if spare is not None:
            spare.append(address)
        else:
            self._free(address, size)

    def _free(self, address: int, size: int | None) -> None:
        """Free a block of unknown size, one that was passed on, or any after the end."""
        with self._lock:
            chunk = self._chunk_of(address)
            if chunk is None:
                below = self._allocator
                below.free(address) if size is None else below.free_sized(address, size)
                return
            self._returned += 1
            left = self._left.get(chunk, set())
            if left == {address}:
                self._give_back(chunk)
            left.discard(address)

    def _chunk_of(self, address: int) -> int | None:
        inside = (base for base, size in self._chunks.items() if base <= address < base + size)
        return next(inside, None)

    def _give_back(self, chunk: int) -> None:
        size = self._chunks.pop(chunk)
        try:
            self._allocator.free_sized(chunk, size)
        except self._allocator.refusals:
            self._chunks[chunk] = size
            raise
        self._left.pop(chunk, None)

    def stop(self) -> None:
        """Cut off no more blocks: the allocator beneath gives those that are asked for."""
        with self._lock:
            self.closed = True

    def count_missing(self, live: Iterable[int]) -> int:
        """How many of the blocks that were cut off are neither free nor among the `live`.

        Those are what other threads are about to enter as theirs, or to free, and what interrupts
        lost. Once this was asked after `stop`, no block that is free is handed out any more.
        """
        with self._lock:
            self._take_free()
            cut_off = sum(self._chunk_of(address) is not None for address in live)
            return self._cut - self._returned - cut_off

    def _take_free(self) -> None:
        """Empty the lists of free blocks, which are counted."""
        for spare in list(self._spare.values()):
            taken: list[int] = []
            try:  # one by one, for what another thread takes at this moment is not free
                taken.extend(iter(spare.pop, None))
            except IndexError:
                pass
            finally:
                self._returned += len(taken)

    def close(self, left: Iterable[int]) -> list[Exception]:
        """Allocate no more. Chunks go back but for those of the blocks that are `left`, which go
        with the last of these. Returns the errors of those that could not go."""
        with self._lock:
            self.closed = True
            return self._give_back_but(sorted(left))

    def _give_back_but(self, left: list[int]) -> list[Exception]:
        """Give back the chunks that none of the blocks that are `left` is in."""
        problems: list[Exception] = []
        self._take_free()
        for chunk, size in reversed(list(self._chunks.items())):
            if chunk in self._left:
                continue
            inside = {address for address in left if chunk <= address < chunk + size}
            if inside:
                self._left[chunk] = inside
                continue
            problem = problem_of(partial(self._give_back, chunk))
            if problem is not None:
                problems.append(problem)
        return problems

    def relinquish(self, address: int) -> bool:
        return self._chunk_of(address) is None and self._allocator.relinquish(address)
