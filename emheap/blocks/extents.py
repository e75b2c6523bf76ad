"""Which live block an address lies in.

Nothing that allocates or frees takes notice of this index: it is brought up to date when it is
asked. New blocks are at the end of their table, for dictionaries keep the order of insertion, so
going backwards until a block that is known finds all of them. What was freed is found not to be
live, and is taken out when it is more than what lives.

A dictionary keeps gaps where something was removed until it is full, and going backwards goes over
those at its end. So they are closed every so often, before they are gone over often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import tee

from emheap._util.locks import Locked
from emheap._util.platform import HAS_GIL
from emheap.blocks.block import Block

__all__ = ["ExtentIndex"]

_SMALLEST_SCALE = 6
_FEW = 1024
_OFTEN = 32
"""How many times the index is brought up to date before gaps are closed."""
_Tables = Iterable[dict[int, Block]]


class ExtentIndex(Locked):
    """The blocks of one heap, by the bytes that they cover.

    A block is entered at a scale, a power of two that is not less than its size: so it lies in
    two buckets of that many bytes at most, and few others do.
    """

    def __init__(self) -> None:
        self._known: dict[int, Block] = {}
        """Those that were entered, by address."""
        self._buckets: dict[tuple[int, int], list[Block]] = {}
        self._scales: set[int] = set()
        self._updates = 0

    def forget(self) -> None:
        """Begin again, because a block that was known has become the last one of its table."""
        with self._lock:
            self._updates += 1
            self._clear()

    def containing(
        self, address: int, tables: _Tables, is_live: Callable[[Block], bool]
    ) -> Block | None:
        """The live block that an address lies in; of blocks in each other the innermost."""
        with self._lock:
            self._update(list(tables))
            near = self._near(address)
        found = [block for block in near if block[1] <= address < _end_of(block) and is_live(block)]
        return max(found, key=lambda block: (block[1], -_end_of(block)), default=None)

    def _near(self, address: int) -> list[Block]:
        """The blocks in the buckets of an address."""
        return [
            block
            for scale in tuple(self._scales)
            for block in self._buckets.get((scale, address >> scale), ())
        ]

    def _update(self, tables: list[dict[int, Block]]) -> None:
        while True:
            self._updates = update = self._updates + 1
            if len(self._known) > 2 * sum(map(len, tables)) + _FEW:
                self._clear()
            if HAS_GIL and not update % _OFTEN:
                for blocks in filter(None, tables):
                    self._close_gaps(blocks)
            for blocks in tables:
                for block in self._new_ones(blocks):
                    self._enter(block)
            if update == self._updates:
                return
            self._clear()  # a finalizer has asked the index, or begun it again, in between

    def _close_gaps(self, blocks: dict[int, Block]) -> None:
        """Let the last block of a table follow the one before it."""
        # Popping puts the end there. With what enters it again it is one call of C, so that neither
        # another thread nor an interrupt finds the block gone.
        item, kept = tee(map(dict.popitem, (blocks,)))
        try:
            blocks.update(item)
        except KeyError:  # another thread freed the last one
            pass
        except MemoryError:
            self._clear()  # which is more than what the table asked for
            blocks.update(kept)

    def _clear(self) -> None:
        self._known, self._buckets, self._scales = {}, {}, set()

    def _new_ones(self, blocks: dict[int, Block]) -> list[Block]:
        """The blocks of a table that are not known, the oldest first."""
        found: list[Block | None] = []
        try:
            for address in reversed(blocks):
                block = blocks.get(address)
                if block is not None and self._known.get(address) is block:
                    break
                found.append(block)
        except RuntimeError:  # another thread changed the table
            every = list(blocks.copy().values())
            return [block for block in every if self._known.get(block[1]) is not block]
        # Last the newest: one that is entered tells that all before it are.
        return [block for block in reversed(found) if block is not None]

    def _enter(self, block: Block) -> None:
        old = self._known.get(block[1])
        if old is not None:
            for key in _keys(old):
                bucket = self._buckets.get(key, ())  # a finalizer may have begun it again
                self._buckets[key] = [one for one in bucket if one is not old]
        for key in _keys(block):
            self._buckets.setdefault(key, []).append(block)
            self._scales.add(key[0])
        self._known[block[1]] = block


def _end_of(block: Block) -> int:
    _, start, layout, _, _ = block
    return start + max(layout.byte_size, 1)


def _keys(block: Block) -> set[tuple[int, int]]:
    """The buckets that a block lies in: of what scale, and which."""
    _, start, layout, _, _ = block
    last = max(layout.byte_size, 1) - 1
    scale = max(last.bit_length(), _SMALLEST_SCALE)
    return {(scale, start >> scale), (scale, (start + last) >> scale)}
