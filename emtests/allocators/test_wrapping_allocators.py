"""Allocators in front of another one: what they pass on to it, and what they ask of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from emheap import (
    Allocator,
    CountingAllocator,
    FailingAllocator,
    FreeListAllocator,
    HeapCorruptionError,
    PoolAllocator,
    QuotaAllocator,
)
from emheap.allocators.base import is_ours

WRAPPERS: dict[str, Callable[[Allocator], Allocator]] = {
    "pool": PoolAllocator,
    "counting": CountingAllocator,
    "quota": lambda allocator: QuotaAllocator(allocator, 1 << 20),
    "failing": lambda allocator: FailingAllocator(allocator, after=1000),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=list(WRAPPERS))
def test_the_native_allocator_is_beneath_all_that_wrap_it(
    wrap: Callable[[Allocator], Allocator],
) -> None:
    beneath = FreeListAllocator(16, 16384)
    assert wrap(beneath).native is beneath
    assert PoolAllocator(wrap(PoolAllocator(wrap(beneath)))).native is beneath


@pytest.mark.parametrize(
    ("module", "ours"), [("emheap.allocators.pool", True), ("emheap_more.pool", False)]
)
def test_a_class_is_ours_where_its_package_is(module: str, ours: bool) -> None:
    assert is_ours(type("Any", (), {"__module__": module})) is ours


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=list(WRAPPERS))
def test_trimming_reaches_the_allocators_beneath(wrap: Callable[[Allocator], Allocator]) -> None:
    beneath = FreeListAllocator(16, 16384)
    pool = PoolAllocator(beneath)
    allocator = wrap(pool)
    for keeping in (pool, allocator):
        keeping.free_sized(keeping.allocate(16), 16)
    assert beneath.available_byte_size < 16384 - 16
    allocator.trim()
    assert beneath.available_byte_size == beneath.largest_gap == 16384 - 16


@pytest.mark.parametrize("goes", [True, False])
def test_a_block_that_cannot_be_handed_over_stays_a_block(goes: bool) -> None:
    class OnePlace(Allocator):
        def allocate(self, size: int) -> int:
            return 512

        def free(self, address: int) -> None: ...

        def relinquish(self, address: int) -> bool:
            return goes

    quota = QuotaAllocator(OnePlace(), 1000)
    pool = PoolAllocator(quota)
    address = pool.allocate(100)
    size = quota.live_byte_size
    assert size >= 100
    assert pool.relinquish(address) is goes
    assert quota.live_byte_size == (0 if goes else size)
    if goes:
        assert pool.allocate(100) == address
    else:
        with pytest.raises(HeapCorruptionError, match="it was not given back"):
            pool.allocate(100)
