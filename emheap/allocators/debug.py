"""An allocator that notices writes outside of blocks and into freed ones."""

from __future__ import annotations

from collections import deque

from emheap._util.locks import Locked
from emheap._util.messages import count_of, format_address
from emheap._util.sites import Site, caller_stack, describe_site
from emheap.allocators.base import Allocator
from emheap.allocators.wrapping import WrappingAllocator
from emheap.errors import HeapCorruptionError
from emheap.memories.base import Memory

__all__ = ["DebugAllocator", "find_debug_allocator"]

RED_ZONE = 0xFD
FRESH = 0xCD
FREED = 0xDD


class _Record:
    """A block between its red zones."""

    __slots__ = ("address", "allocated", "base", "freed", "freed_bytes", "size")

    def __init__(self, base: int, zone: int, size: int, site: Site) -> None:
        self.base = base
        """Its address to the allocator beneath."""
        self.address = base + zone
        self.size = size
        self.allocated = site
        self.freed: Site | None = None
        self.freed_bytes = 0
        """The bytes of all blocks freed up to this one: an interrupt could come between a sum
        of those that wait and the queue."""

    def describe(self) -> str:
        named = (
            f"the block of {count_of(self.size, 'byte')} at {format_address(self.address)}, "
            f"allocated at {describe_site(self.allocated)}"
        )
        return f"{named}, freed at {describe_site(self.freed)}" if self.freed else named


class DebugAllocator(WrappingAllocator, Locked):
    """Puts a red zone of `zone` bytes before and after each block, and looks at both when the
    block is freed and when `verify` is called. Fresh blocks are filled with 0xCD and freed ones
    with 0xDD; freed ones wait, up to `quarantine` bytes of them and their red zones, before their
    memory is used again, and one that was written to meanwhile is reported. Damage is reported
    once, as a HeapCorruptionError, and repaired, so that the block can be freed. What an
    alignment above the allocator's own adds counts as part of the block. Of the places named,
    the innermost `site_depth` frames are.

    The option ``debug=True`` puts one on a heap. By hand it goes in front of a heap's allocator,
    as all wrapping allocators do::

        guarded = DebugAllocator(heap.allocator, heap.memory)
        heap = HeapManager(heap.memory, guarded, heap.options)
    """

    def __init__(
        self,
        allocator: Allocator,
        memory: Memory,
        *,
        zone: int = 32,
        quarantine: int = 1 << 20,
        site_depth: int = 1,
    ) -> None:
        super().__init__(allocator)
        self.refusals = (HeapCorruptionError, MemoryError)
        self._memory = memory
        self._zone = -(-zone // self.alignment) * self.alignment
        self._room = quarantine
        self._depth = site_depth
        self._live: dict[int, _Record] = {}
        self._waiting: deque[_Record] = deque()

    def allocate(self, size: int) -> int:
        zone = self._zone
        whole = size + 2 * zone
        if whole >= 1 << 8 * self._memory.pointer_size:
            return 0  # a 32-bit malloc would take it modulo 2**32
        with self._lock:
            self._make_room(self._room)
            base = super().allocate(whole)
            if not base:  # the quarantine may hold what is needed
                self._make_room(0)
                base = super().allocate(whole)
            return self._guard(base, size) if base else 0

    def _guard(self, base: int, size: int) -> int:
        """Draw the zones of a block."""
        try:
            record = _Record(base, self._zone, size, caller_stack(self._depth))
            self._memory.fill(record.address, size, FRESH)
            self._draw_zones(record)
            self._live[record.address] = record
            return record.address
        except Exception:
            self._allocator.free_sized(base, size + 2 * self._zone)
            raise

    def allocate_zeroed(self, size: int) -> int | None:
        return None

    def free(self, address: int) -> None:
        with self._lock:
            record = self._live[address]
            damage = self._zone_damage(record)
            if damage:
                raise self._corruption([damage])
            record.freed = caller_stack(self._depth)
            self._memory.fill(address, record.size, FREED)
            del self._live[address]
            try:
                before = self._waiting[-1].freed_bytes if self._waiting else 0
                record.freed_bytes = before + record.size + 2 * self._zone
                self._waiting.append(record)
            except MemoryError:
                self._live[address] = record
                raise

    def free_sized(self, address: int, size: int) -> None:
        DebugAllocator.free(self, address)

    def trim(self) -> None:
        """Let no freed block wait any longer, and give all back to the allocator beneath."""
        with self._lock:
            self._make_room(-1)
        super().trim()

    def relinquish(self, address: int) -> bool:
        return False

    def describe_at(self, address: int, size: int) -> str:
        """The block, live or waiting, of which bytes or red zones are among `size` bytes from an
        address; empty if there is none."""
        with self._lock:
            records = [*self._live.values(), *self._waiting]
        for record in records:
            if record.base < address + size and address < record.address + record.size + self._zone:
                return record.describe()
        return ""

    def verify(self) -> None:
        """Raise HeapCorruptionError, which names every live or freed block that is damaged."""
        damages = self.find_damage()
        if damages:
            raise self._corruption(damages)

    def find_damage(self) -> list[str]:
        """The message for each damaged block. The damage is repaired."""
        with self._lock:
            found = list(map(self._zone_damage, list(self._live.values())))
            found += map(self._freed_damage, list(self._waiting))
        return [damage for damage in found if damage]

    def _corruption(self, damages: list[str]) -> HeapCorruptionError:
        noticed = describe_site(caller_stack(self._depth))
        return HeapCorruptionError("\n".join([*damages, f"noticed at {noticed}"]))

    def _make_room(self, room: int) -> None:
        while self._waiting_bytes > room:
            try:
                # Taken out before anything is called: a finalizer that allocates in the middle
                # of that would find it there, and give it back, too.
                record = self._waiting.popleft()
            except IndexError:
                return
            damage = self._freed_damage(record)
            if damage:
                self._waiting.appendleft(record)
                raise self._corruption([damage])
            try:
                self._allocator.free_sized(record.base, record.size + 2 * self._zone)
            except self._allocator.refusals:
                self._waiting.appendleft(record)
                raise

    @property
    def _waiting_bytes(self) -> int:
        """The bytes of all blocks that wait; -1 if none does."""
        try:
            first, last = self._waiting[0], self._waiting[-1]
        except IndexError:
            return -1
        return last.freed_bytes - first.freed_bytes + first.size + 2 * self._zone

    def _draw_zones(self, record: _Record) -> None:
        self._memory.fill(record.base, self._zone, RED_ZONE)
        self._memory.fill(record.address + record.size, self._zone, RED_ZONE)

    def _zone_damage(self, record: _Record) -> str:
        before = self._memory.read_bytes(record.base, self._zone)
        after = self._memory.read_bytes(record.address + record.size, self._zone)
        low, high = _changed(before, RED_ZONE), _changed(after, RED_ZONE)
        damage = []
        if high:
            damage.append(f"overrun: {_written(high[0], high[-1], 'after its end')}")
        if low:
            nearest, farthest = self._zone - low[-1], self._zone - low[0]
            damage.append(f"underrun: {_written(nearest, farthest, 'before its start')}")
        if not damage:
            return ""
        self._draw_zones(record)
        return f"{record.describe()}, was {' and '.join(damage)}"

    def _freed_damage(self, record: _Record) -> str:
        around = self._zone_damage(record)
        written = _changed(self._memory.read_bytes(record.address, record.size), FREED)
        if not written:
            return around
        self._memory.fill(record.address, record.size, FREED)
        inside = f"was written to after it was freed: {_span(written[0], written[-1])}"
        return f"{around}; it {inside}" if around else f"{record.describe()}, {inside}"


def _span(first: int, last: int) -> str:
    return f"byte {first}" if first == last else f"bytes {first} to {last}"


def _written(first: int, last: int, where: str) -> str:
    verb = "was" if first == last else "were"
    return f"{_span(first, last)} {where} {verb} written"


def _changed(data: bytes, expected: int) -> list[int]:
    """The offsets of the bytes that are not as expected."""
    if data.count(expected) == len(data):
        return []
    return [offset for offset, byte in enumerate(data) if byte != expected]


def find_debug_allocator(allocator: Allocator) -> DebugAllocator | None:
    """The debug allocator among an allocator and those that it wraps."""
    while isinstance(allocator, WrappingAllocator):
        if isinstance(allocator, DebugAllocator):
            return allocator
        allocator = allocator._allocator
    return None
