"""Running out of memory, wherever that can happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import (
    FailingAllocator,
    FreeListAllocator,
    HeapManager,
    OutOfMemoryError,
    PoolAllocator,
    QuotaAllocator,
    int8,
    int32,
    uint8,
)
from emheap.allocators.wrapping import WrappingAllocator
from emtests.blocks.consistency import check_consistent
from emtests.blocks.scenarios import SCENARIOS, Scenario

by_name = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)


def second_heap(heap: HeapManager, allocator: emheap.Allocator) -> HeapManager:
    return HeapManager(heap.memory, allocator, heap.options)


class Balance(WrappingAllocator):
    """Knows the blocks that were not given back."""

    def __init__(self, allocator: emheap.Allocator) -> None:
        super().__init__(allocator)
        self.out: set[int] = set()

    def allocate(self, size: int) -> int:
        address = super().allocate(size)
        self.out |= {address} - {0}
        return address

    def allocate_zeroed(self, size: int) -> int | None:
        address = super().allocate_zeroed(size)
        self.out |= {address or 0} - {0}
        return address

    def free(self, address: int) -> None:
        self.out.remove(address)
        super().free(address)

    def free_sized(self, address: int, size: int) -> None:
        self.out.remove(address)
        super().free_sized(address, size)


@by_name
def test_nothing_leaks_whichever_allocation_fails(heap: HeapManager, scenario: Scenario) -> None:
    balance = Balance(heap.allocator)
    passed = 0
    for count in range(100):
        failing = FailingAllocator(balance, after=count)
        limited = second_heap(heap, failing)
        try:
            scenario(limited)
        except OutOfMemoryError:
            assert not balance.out, f"with {count} allocations"
            assert (failing.failures, failing.after) == (1, 0)
            failing.after = 1000
            check_consistent(limited)
        else:
            passed = count
            assert not failing.failures
            break
    assert passed


@pytest.mark.parametrize("after", [0, 1, 2, 5])
def test_as_many_allocations_succeed_as_are_asked_for(heap: HeapManager, after: int) -> None:
    verbs: tuple[Callable[[HeapManager], Any], ...] = (
        lambda limited: limited.alloc(int32, 5),
        lambda limited: limited.alloc(int32),
        lambda limited: limited.alloc_array(uint8, 5000),
    )
    for verb in verbs:
        failing = FailingAllocator(heap.allocator, after=after)
        limited = second_heap(heap, failing)
        made = [verb(limited) for _ in range(after)]
        assert (failing.after, failing.failures) == (0, 0)
        for failures in (1, 2):
            with pytest.raises(OutOfMemoryError):
                verb(limited)
            assert (failing.after, failing.failures) == (0, failures)
        assert len(made) == after
        limited.free_all()


def test_only_what_succeeds_counts_as_an_allocation_that_does() -> None:
    failing = FailingAllocator(FreeListAllocator(16, 4096), after=2)
    assert [failing.allocate(size) for size in (5000, 8, 5000, 8)] == [0, 16, 0, 24]
    assert (failing.after, failing.failures) == (0, 0)
    assert [failing.allocate(8), failing.allocate_zeroed(8)] == [0, 0]
    assert (failing.after, failing.failures) == (0, 2)

    class Zeroing(FreeListAllocator):
        def allocate_zeroed(self, size: int) -> int:
            return self.allocate(size)

    failing = FailingAllocator(Zeroing(16, 4096), after=2)
    assert [failing.allocate_zeroed(size) for size in (5000, 8, 8, 8)] == [0, 16, 24, 0]
    assert (failing.after, failing.failures) == (0, 1)


def test_an_allocation_that_another_thread_is_about_to_get_counts() -> None:
    class Slow(FreeListAllocator):
        """While it works another thread asks too."""

        def allocate(self, size: int) -> int:
            answers.append(failing.allocate(size))
            return super().allocate(size)

    answers: list[int] = []
    failing = FailingAllocator(Slow(16, 4096), after=1)
    assert failing.allocate(8) == 16
    assert answers == [0]
    assert (failing.after, failing.failures) == (0, 1)


def test_a_quota_counts_what_is_live(heap: HeapManager) -> None:
    quota = QuotaAllocator(heap.allocator, 1000)
    limited = second_heap(heap, quota)
    blocks = [limited.alloc_array(uint8, 100) for _ in range(10)]
    assert quota.live_byte_size == 1000
    with pytest.raises(OutOfMemoryError, match="no room for 4 bytes: 1000 bytes are live in 10"):
        limited.alloc(int32)
    for block in blocks[:5]:
        block.free()
    assert quota.live_byte_size == 500
    with limited.arena() as scratch:
        for _ in range(125):
            scratch.alloc(int32)
        with pytest.raises(OutOfMemoryError):
            scratch.alloc(int32)
    assert quota.live_byte_size == 500
    blocks[5].resize(400)
    assert quota.live_byte_size == 800
    heap.adopt(uint8, blocks[6].detach(), 100).free()
    assert quota.live_byte_size == 700
    limited.free_all()
    assert quota.live_byte_size == 0


def test_a_quota_counts_what_another_thread_is_about_to_get() -> None:
    class Slow(FreeListAllocator):
        """While it works another thread asks too."""

        def allocate(self, size: int) -> int:
            answers.append(quota.allocate(size) if not answers else 0)
            return super().allocate(size)

    answers: list[int] = [1]
    quota = QuotaAllocator(Slow(16, 4096), 1000)
    assert quota.allocate(400)
    answers.clear()
    assert quota.allocate(400)
    assert answers == [0]
    assert quota.live_byte_size == 800


def test_a_quota_counts_bytes_once_that_come_again() -> None:
    beneath = emheap.BumpAllocator(16, 4096)
    quota = QuotaAllocator(beneath, 3000)
    for size in (600, 500, 1000):
        beneath.reset()
        assert quota.allocate(size) == 16
        assert quota.live_byte_size == size
    quota.free(16)
    assert quota.live_byte_size == 0


def test_a_quota_counts_what_could_not_be_freed() -> None:
    class Refusing(WrappingAllocator):
        def free(self, address: int) -> None:
            raise ValueError("not now")

        def free_sized(self, address: int, size: int) -> None:
            self.free(address)

    refusing = Refusing(FreeListAllocator(16, 4096))
    refusing.refusals = (ValueError,)
    quota = QuotaAllocator(refusing, 1000)
    address = quota.allocate(100)
    with pytest.raises(ValueError, match="not now"):
        quota.free(address)
    with pytest.raises(ValueError, match="not now"):
        quota.free_sized(address, 100)
    assert quota.live_byte_size == 100


class Whimsical(Exception):  # noqa: N818
    """Raised by a program's own allocator."""


@pytest.mark.parametrize("base", [FreeListAllocator, emheap.BumpAllocator])
def test_an_allocator_derived_from_ours_may_refuse_by_any_error(base: Any) -> None:
    class Derived(base):  # type: ignore[misc]
        def free(self, address: int) -> None:
            if refuses:
                raise Whimsical("not now")
            super().free(address)

    refuses = [True]
    allocator = Derived(16, 4096)
    assert not allocator.trusted
    assert allocator.refusals == (Exception,)
    heap = emheap.wrap_buffer(bytearray(4096), allocator=allocator, debug=False)
    block = heap.alloc_array(uint8, b"kept" * 500)
    with pytest.raises(Whimsical, match="not now"):
        block.free()
    assert block.is_not_freed
    assert heap.total_allocated_byte_size == 2000
    refuses.clear()
    block.free()
    assert heap.live() == []
    with heap.alloc_array(uint8, 2000) as again:
        assert again.address == 16


class _Pair(emheap.Struct):
    first: int32 = emheap.field()
    second: int32 = emheap.field()


class _Refusing(FreeListAllocator):
    refuses = False

    def free_sized(self, address: int, size: int) -> None:
        if self.refuses:
            raise OutOfMemoryError("no room to note that")
        super().free_sized(address, size)


USES: dict[str, Callable[[Any], Any]] = {
    "field": lambda pairs: pairs[0].first,
    "stored": lambda pairs: setattr(pairs[0], "second", 2),
    "element": lambda pairs: pairs.__setitem__(0, (1, 2)),
    "tuples": lambda pairs: pairs.tolist(),
    "column": lambda pairs: pairs.column("first").tolist(),
    "bytes": bytes,
    "resized": lambda pairs: pairs.resize(5),
}


@pytest.mark.parametrize("use", USES.values(), ids=list(USES))
def test_structures_that_the_allocator_did_not_take_back_are_used_on(
    use: Callable[[Any], Any],
) -> None:
    allocator = _Refusing(16, 1 << 12)
    heap = emheap.wrap_buffer(bytearray(1 << 12), allocator=allocator)
    pairs = heap.alloc_array(_Pair, [(1, 1)] * 3)
    allocator.refuses = True
    with pytest.raises(OutOfMemoryError):
        heap.free(pairs.address)
    allocator.refuses = False
    use(pairs)
    assert pairs[2].first == 1
    pairs.free()
    with pytest.raises(emheap.UseAfterFreeError):
        use(pairs)
    assert heap.total_allocated_byte_size == 0
    check_consistent(heap)


def test_numbers_that_the_allocator_did_not_take_back_are_used_on() -> None:
    allocator = _Refusing(16, 1 << 12)
    heap = emheap.wrap_buffer(bytearray(1 << 12), allocator=allocator)
    for use in (list, lambda numbers: numbers.resize(5), lambda numbers: numbers[0]):
        numbers = heap.alloc_array(int32, [1, 2])
        allocator.refuses = True
        with pytest.raises(OutOfMemoryError):
            heap.free(numbers.address)
        allocator.refuses = False
        use(numbers)
        numbers.free()
    assert heap.total_allocated_byte_size == 0


def test_bad_limits() -> None:
    inner = FreeListAllocator(16, 4096)
    for wrong in (None, "1", 1.0, True):
        with pytest.raises(TypeError, match="must be an int"):
            QuotaAllocator(inner, wrong)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="must be an int"):
            FailingAllocator(inner, after=wrong)  # type: ignore[arg-type]
    with pytest.raises(OverflowError, match="must not be negative"):
        QuotaAllocator(inner, -1)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"clear_allocated_regions": False},
        {"track_allocations": False},
        {"enable_garbage_collection": True},
    ],
    ids=str,
)
def test_values_that_do_not_fit_use_up_no_block(options: Any) -> None:
    pool = PoolAllocator(FreeListAllocator(16, 1 << 12))
    heap = emheap.wrap_buffer(bytearray(1 << 12), allocator=pool, debug=False, **options)
    for _ in range(1000):
        with pytest.raises(OverflowError, match=r"^300 does not fit int8"):
            heap.alloc(int8, 300)
        with pytest.raises(OverflowError, match=r"^element 0: 300 does not fit int8"):
            heap.alloc_array(int8, [300])
    heap.alloc(int8, 5).free()
