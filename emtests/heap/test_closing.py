"""``heap.close()``: on every heap, whatever is live or lent on it."""

from __future__ import annotations

import gc
import mmap
import operator
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from weakref import ref as WeakReference  # noqa: N812 (a class with a name like a function's)

import pytest

import emheap
from emheap import (
    BufferInUseError,
    FreeListAllocator,
    HeapManager,
    QuotaAllocator,
    Struct,
    UseAfterFreeError,
    field,
    float32,
    int32,
    uint8,
    utf8,
    utf16,
    utf32,
)
from emheap._util.platform import HAS_GIL
from emtests.conftest import OpenHeap
from emtests.contexts import is_alone, notes_of
from emtests.structures.kinds import Vec

CLOSED = "was closed at .*test_closing.py:.*open another one"
IN_USE = (
    "^the heap of .* is not closed: .*; still in use: a slice or cast of a view of int32; "
    "release or delete every slice, cast and array made of these views first"
)


def test_every_block_is_freed(open_heap: OpenHeap) -> None:
    heap = open_heap()
    refs: list[Any] = [heap.alloc(int32, 7), heap.alloc_array(float32, 300), heap.alloc(utf8, "é")]
    refs += [heap.alloc_array(uint8, 5000), heap.alloc(int32, align=256)]
    wrapped = heap.wrap(int32, refs[0].address)
    heap.close()
    for ref in [*refs, wrapped]:
        assert ref.is_freed
        with pytest.raises(UseAfterFreeError, match=r"use after free: .*freed at .*test_closing"):
            ref.clear()


def test_a_closed_heap_says_so_whatever_is_asked_of_it(open_heap: OpenHeap) -> None:
    heap = open_heap()
    assert not heap.is_closed
    number = heap.alloc_int32(5)
    address = number.address
    heap.read_int32(address)  # which leaves a function with the heap
    heap.close()
    uses: list[Any] = [
        lambda: heap.alloc(int32),
        lambda: heap.alloc_int32(),
        lambda: heap.alloc_array(uint8, 4),
        lambda: heap.read_int32(address),
        lambda: heap.write(int32, address, 1),
        lambda: heap.view(uint8, address, 1),
        lambda: heap.wrap(int32, address),
        lambda: heap.adopt(int32, address),
        lambda: heap.free(address),
        lambda: heap.free_all(),
        lambda: heap.arena(),
        lambda: heap.memory,
        lambda: heap.total_allocated_byte_size,
        lambda: heap.__enter__(),
    ]
    for use in uses:
        with pytest.raises(UseAfterFreeError, match=CLOSED):
            use()
    for name in {each for each in dir(HeapManager) if each[0] != "_"} - {"close", "is_closed"}:
        with pytest.raises(UseAfterFreeError, match=CLOSED):
            pytest.fail(f"{name} is {getattr(heap, name)!r}")
    assert repr(heap) == "<HeapManager, closed>"
    assert bool(getattr(heap, "is_closed"))  # noqa: B009 (type checkers believe what it was above)
    heap.close()  # again, which does nothing


def test_functions_that_were_taken_off_a_heap_allocate_no_more(open_heap: OpenHeap) -> None:
    heap = open_heap()
    alloc, alloc_int32, alloc_array = heap.alloc, heap.alloc_int32, heap.alloc_array
    for ref in [alloc_int32() for _ in range(20)]:
        ref.free()
    alloc_array(uint8, 20).free()
    alloc(utf8, "some text").free()
    heap.close()
    for use in (alloc_int32, lambda: alloc_array(uint8, 20), lambda: alloc(utf8, "some text")):
        with pytest.raises(UseAfterFreeError, match=CLOSED):
            use()


def test_a_view_in_use_keeps_a_heap_open(open_heap: OpenHeap) -> None:
    heap = open_heap()
    numbers, other = heap.alloc_array(int32, [1, 2, 3]), heap.alloc(int32, 5)
    with numbers.edit() as buffer:
        part = buffer[1:]
        if heap.memory.zero_copy:
            with pytest.raises(BufferInUseError, match=r"is not closed: .*int32 array of 12 bytes"):
                heap.close()
            assert numbers[:] == [1, 2, 3]
            assert other.is_freed
        assert not heap.is_closed
        heap.alloc(int32).free()
        del part, buffer
    heap.close()
    assert numbers.is_freed


def test_a_view_of_an_address_in_use_keeps_a_heap_open(open_heap: OpenHeap) -> None:
    heap = open_heap()
    with heap.alloc_array(int32, 4) as numbers:
        view = heap.view(int32, numbers.address, 4)
        part = view[1:]
        if heap.memory.zero_copy:
            numbers_again = numbers
            with pytest.raises(BufferInUseError, match=IN_USE):
                heap.close()
            assert numbers_again.is_not_freed
        del part, view
        gc.collect()
        heap.close()


def test_arenas_end_with_their_heap(open_heap: OpenHeap) -> None:
    heap = open_heap()
    with heap.arena() as outer:
        number, inner = outer.alloc(int32, 3), outer.arena()
        array = inner.alloc_array(uint8, 40)
        kept = inner.keep(inner.alloc(utf8, "kept"))
        heap.close()
        assert number.is_freed
        assert array.is_freed
        assert kept.is_freed
        for arena in (outer, inner):
            with pytest.raises(UseAfterFreeError, match=CLOSED):
                arena.alloc(int32)


def test_an_exception_in_an_arena_passes_its_end_after_the_heap_was_closed(
    open_heap: OpenHeap,
) -> None:
    heap = open_heap()

    def close_and_fail() -> None:
        with heap.arena() as scratch:
            scratch.alloc(int32)
            heap.close()
            raise KeyError("of the body")

    with pytest.raises(KeyError, match="of the body"):
        close_and_fail()


def test_the_allocator_has_everything_back() -> None:
    allocator = FreeListAllocator(16, 1 << 16)
    before = allocator.available_byte_size
    for debug in (False, True):
        memory = emheap.wrap_buffer(bytearray(1 << 16)).memory
        options = emheap.wrap_buffer(bytearray(64), debug=debug).options
        heap = HeapManager(memory, QuotaAllocator(emheap.PoolAllocator(allocator), 60000), options)
        for ref in [heap.alloc_int32(number) for number in range(50)]:
            ref.free()
        arena = heap.arena()
        arrays = [arena.alloc_array(uint8, 100), heap.alloc_array(uint8, 2000)]
        assert allocator.available_byte_size < before
        heap.close()
        assert allocator.available_byte_size == before
        del arrays


class Closing:
    """A number that closes the heap when it is asked for its value."""

    def __init__(self, heap: HeapManager) -> None:
        self._heap = heap

    def __index__(self) -> int:
        self._heap.close()
        return 100

    def __float__(self) -> float:
        return float(self.__index__())


def in_order(ref: Any, value: Any) -> Iterator[Any]:
    """A reference, after the value was asked for."""
    operator.index(value)
    yield ref


class Pair(Struct):
    first: int32 = field()
    second: int32 = field()


VALUES: dict[str, Callable[[HeapManager, Any, Any], Any]] = {
    "alloc": lambda heap, ref, value: heap.alloc(int32, value).free(),
    "alloc_int32": lambda heap, ref, value: heap.alloc_int32(value).free(),
    "alloc_float32": lambda heap, ref, value: heap.alloc_float32(value).free(),
    "alloc_array": lambda heap, ref, value: heap.alloc_array(int32, [1, value]).free(),
    "a length": lambda heap, ref, value: heap.alloc_array(int32, value).free(),
    "a structure": lambda heap, ref, value: heap.alloc(Vec, x=value, y=2).free(),
    "a structure of integers": lambda heap, ref, value: heap.alloc(Pair, first=value).free(),
    "a capacity": lambda heap, ref, value: heap.alloc(utf8, value).free(),
    "value": lambda heap, ref, value: setattr(ref, "value", value),
    "write": lambda heap, ref, value: heap.write(int32, ref, value),
    "fill": lambda heap, ref, value: heap.fill(ref, value),
    "read_many": lambda heap, ref, value: heap.read_many(int32, in_order(ref, value)),
}


def used(verb: str, place: Any, ref: Any = None) -> Callable[[Any, Any, Any], Any]:
    """A verb that was used before: its short cuts know what it takes."""
    use = VALUES[verb]
    for _ in range(3):
        use(place, ref, 100)
    return use


@pytest.mark.parametrize("verb", VALUES)
def test_a_value_that_closes_the_heap(open_heap: OpenHeap, verb: str) -> None:
    heap = open_heap()
    ref = heap.alloc(int32)
    use = used(verb, heap, ref)
    around = sys.exc_info()[1]
    with pytest.raises(UseAfterFreeError) as caught:
        use(heap, ref, Closing(heap))
    assert is_alone(caught.value, around)
    assert heap.is_closed


def test_a_heap_may_be_closed_before_its_scope_ends(open_heap: OpenHeap) -> None:
    with open_heap() as heap:
        number = heap.alloc(int32, 5)
        heap.close()
    assert (heap.is_closed, number.is_freed) == (True, True)
    later = open_heap()
    with pytest.raises(KeyError, match="body"), later:  # noqa: PT012
        later.close()
        raise KeyError("body")


@pytest.mark.needs("zero copy")
def test_an_exception_in_the_scope_of_a_heap_passes_its_end(open_heap: OpenHeap) -> None:
    heap = open_heap()
    array = heap.alloc_array(uint8, 8)
    part = array.view[:4]
    with pytest.raises(KeyError, match="body") as caught, heap:
        raise KeyError("body")
    (note,) = notes_of(caught.value, ["and then, at the end of the heap: "])
    assert note.startswith("and then, at the end of the heap: ")
    part.release()
    array.free()


class Ending:
    """A number that ends something when it is asked for its value, and may then refuse."""

    def __init__(self, end: Callable[[], Any], error: BaseException | None) -> None:
        self._end = end
        self._error = error

    def __index__(self) -> int:
        self._end()
        if self._error is not None:
            raise self._error
        return 100

    def __float__(self) -> float:
        return float(self.__index__())


ALLOCATIONS = (
    "alloc",
    "alloc_int32",
    "alloc_float32",
    "alloc_array",
    "a length",
    "a structure",
    "a structure of integers",
)
REFUSALS: tuple[BaseException | None, ...] = (None, KeyError("no"), TypeError("no"), SystemExit())


@pytest.mark.parametrize("error", REFUSALS, ids=repr)
@pytest.mark.parametrize("verb", ALLOCATIONS)
def test_a_value_that_closes_the_heap_leaves_no_byte_with_the_pool(
    verb: str, error: BaseException | None
) -> None:
    allocator = FreeListAllocator(16, 1 << 16)
    before = allocator.available_byte_size
    made = emheap.wrap_buffer(bytearray(1 << 16), debug=False)
    for arenas in (False, True):
        heap = HeapManager(made.memory, emheap.PoolAllocator(allocator), made.options)
        arena = heap.arena() if arenas else None
        place: Any = arena or heap
        use = used(verb, place)
        with pytest.raises((UseAfterFreeError, KeyError, TypeError, SystemExit)):
            use(place, None, Ending(heap.close, error))
        assert allocator.available_byte_size == before


@pytest.mark.parametrize("error", REFUSALS, ids=repr)
@pytest.mark.parametrize("verb", ALLOCATIONS)
def test_a_value_that_ends_the_arena_leaves_no_chunk_of_it(
    verb: str, error: BaseException | None
) -> None:
    allocator = FreeListAllocator(16, 1 << 16)
    before = allocator.available_byte_size
    made = emheap.wrap_buffer(bytearray(1 << 16), debug=False)
    heap = HeapManager(made.memory, allocator, made.options)
    arena = heap.arena()
    untyped: Any = arena
    use = used(verb, untyped)
    with pytest.raises((UseAfterFreeError, KeyError, TypeError, SystemExit)):
        use(untyped, None, Ending(lambda: arena.__exit__(None, None, None), error))
    assert allocator.available_byte_size == before
    heap.close()


def test_the_owner_of_a_buffer_can_close_it() -> None:
    owned = mmap.mmap(-1, 4096)
    heap = emheap.wrap_buffer(owned)
    numbers = heap.alloc_array(int32, [1, 2, 3])
    heap.read_int32(16)
    with pytest.raises(BufferError, match="exported pointers exist"):
        owned.close()
    heap.close()
    owned.close()
    assert numbers.is_freed


def test_a_heap_that_nothing_refers_to_goes_without_an_end() -> None:
    buffer = bytearray(4096)

    def use(heap: HeapManager) -> WeakReference[HeapManager]:
        numbers = heap.alloc_array(int32, [1, 2, 3])
        assert heap.read_int32(numbers.address) == numbers.view[0] == 1
        numbers.free()
        with heap.arena() as scratch:
            scratch.alloc(utf8, "text")
        return WeakReference(heap)

    heaps = [use(emheap.open()), use(emheap.wrap_buffer(buffer))]
    gc.collect()
    assert [heap() for heap in heaps] == [None, None]
    buffer.append(0)  # which Python refuses while the heap has the buffer


def test_a_memory_stays_for_another_heap_in_it() -> None:
    heap = emheap.wrap_buffer(bytearray(4096))
    limited = HeapManager(heap.memory, QuotaAllocator(heap.allocator, 100), heap.options)
    number, another = heap.alloc(int32, 5), limited.alloc(int32)
    limited.close()
    assert another.is_freed
    assert number.value == 5
    with heap.alloc(int32, 6) as later:
        assert [heap.read_int32(each.address) for each in (number, later)] == [5, 6]
    heap.close()


def test_a_heap_without_a_table_leaves_its_blocks() -> None:
    heap = emheap.open(track_allocations=False, debug=False)
    heap.alloc(Vec).free()  # later ones are made in one step
    number, text, pair = heap.alloc(int32, 5), heap.alloc(utf8, "five"), heap.alloc(Vec, x=5, y=6)
    with heap:
        assert number.value == 5
    assert number.is_not_freed
    heap.close()
    assert (number.value, text.value, pair.to_tuple()) == (5, "five", (5, 6))
    for block in (number, text, pair):
        block.free()
        assert block.is_freed


class Stubborn(FreeListAllocator):
    stubborn = True

    def free(self, address: int) -> None:
        if self.stubborn:
            raise RuntimeError("not now")
        super().free(address)


def test_where_freeing_fails_the_heap_stays_open() -> None:
    allocator = Stubborn(16, 4096)
    heap = emheap.wrap_buffer(bytearray(4096), allocator=allocator)
    block = heap.alloc_array(uint8, 100)
    with pytest.raises(RuntimeError, match="not now"):
        heap.close()
    assert not heap.is_closed
    assert heap.total_allocated_byte_size == 100
    allocator.stubborn = False
    heap.close()
    assert block.is_freed


def test_where_what_was_kept_is_not_taken_back_the_heap_is_closed() -> None:
    buffer = emheap.wrap_buffer(bytearray(4096), debug=False)
    heap = HeapManager(buffer.memory, emheap.PoolAllocator(Stubborn(16, 4096)), buffer.options)
    heap.alloc_int32(5).free()  # which the pool keeps
    with pytest.raises(RuntimeError, match=r"^not now$"):
        heap.close()
    assert heap.is_closed
    with pytest.raises(UseAfterFreeError, match="was closed at"):
        heap.alloc_int32(5)


TEXTS: tuple[Any, ...] = (utf8, utf16, utf32, emheap.text("latin-1"), emheap.text("utf-16-be"))


def test_a_heap_whose_buffer_was_released_under_it_says_so() -> None:
    heap = emheap.wrap_buffer(mmap.mmap(-1, 4096), debug=False)
    array = heap.alloc_array(uint8, [1, 2])
    read, alloc = heap.read_int32, heap.alloc_int32
    alloc(5).free()
    with pytest.raises(emheap.HeapError):
        read(1 << 20)
    heap.memory.release()
    if HAS_GIL:  # else a block has no buffer of its own
        assert array[:] == [1, 2]
    uses: tuple[Callable[[], Any], ...] = (
        lambda: read(array.address),
        lambda: heap.write_float64(array.address, 1.5),
        lambda: alloc(5),
        lambda: heap.alloc_array(uint8, 3000),
        lambda: heap.wrap(int32, array.address),
        lambda: heap.view(uint8, array.address, 2),
        lambda: heap.memory.size,
        *(partial(heap.read, kind, array.address) for kind in TEXTS),
        *(partial(heap.write, kind, array.address, "a") for kind in TEXTS),
    )
    words = (
        r"was released at .*test_closing.*; free the blocks in it and close the heap before that, "
        "or open another heap$"
    )
    for use in uses:
        with pytest.raises(UseAfterFreeError, match=words):
            use()
    heap.memory.release()
    array.free()
