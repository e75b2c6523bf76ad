"""A block is taken away in the middle of a verb: an error, or the right block; never another's."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain, count
from threading import Event, Thread, current_thread
from typing import Any

import pytest

import emheap
from emheap import (
    Arena,
    ArrayRef,
    BufferInUseError,
    DoubleFreeError,
    FreeListAllocator,
    HeapManager,
    UseAfterFreeError,
    int32,
    uint8,
    utf8,
)
from emtests.conftest import OpenHeap
from emtests.contexts import is_alone
from emtests.heaps import RUNNING, HeapKind
from emtests.hostile.stealing import (
    MARK,
    Call,
    Thief,
    allocate,
    evil,
    handler,
    plain,
    targets,
    wrap,
)
from emtests.hostile.stealing_structures import structure_targets
from emtests.structures.kinds import Node, Vec
from emtests.threads import need_threads

CASES = [*targets(), *structure_targets()]
by_kind = pytest.mark.parametrize(
    "kind",
    [
        kind
        for kind in RUNNING
        if kind.name not in ("libc", "mmap", "module-functions", "debug-wasm")
    ],
    ids=str,
)
TAKEN_AT_EVERY_CALL = ("int32", "utf8", "Node", "Vec", "Packed", "Pointer")
RIGHT = (UseAfterFreeError, BufferInUseError)
FREED = 0xDD
"""What a debug heap writes over a block that is freed."""


def judge(name: str, thief: Thief, call: Callable[[], Any]) -> None:
    """Make a call in which the thief may strike."""
    around = sys.exc_info()[1]
    error, result = outcome(call)
    if isinstance(error, RIGHT):
        assert is_alone(error, around), name
    elif error is not None:
        # A resized block is shorter; a view made before ends with its block.
        views = type(error) is ValueError and ("view" in name or "edit" in name)
        assert thief.resizes or views, f"{name}: {error!r}"
    for byte, whose in (MARK, "another's"), (FREED, "freed"):
        number = int.from_bytes(bytes([byte] * 4), "little", signed=True)
        assert str(number) not in repr(result), f"{name}: {whose} bytes were read"
        if isinstance(result, bytes):
            assert byte not in result, f"{name}: {whose} bytes were read"
    if not thief.struck:
        assert error is None, f"{name}: {error!r}"
    del error, around
    thief.check()


def outcome(call: Callable[[], Any]) -> tuple[Exception | None, Any]:
    try:
        return None, call()
    except (*RIGHT, IndexError, ValueError) as error:
        return error.with_traceback(None), None  # its frames hold views


def fitting(kind: HeapKind, only: tuple[str, ...] = ("",)) -> list[tuple[str, Any, Any, Call]]:
    return [
        case
        for case in CASES
        if ("atomic" not in case[0] or kind.can("atomics")) and case[0].startswith(only)
    ]


@by_kind
@pytest.mark.parametrize("way", ["freed", "resized", "wrapped"])
def test_values_that_take_the_block_away(kind: HeapKind, open_heap: OpenHeap, way: str) -> None:
    heap = open_heap()
    struck = 0
    for name, number_kind, contents, call in fitting(kind):
        owner = ref = allocate(heap, number_kind, contents)
        if way == "resized" and not hasattr(ref, "resize"):
            ref.free()
            continue
        if way == "wrapped":
            ref = wrap(heap, number_kind, contents, owner.address)
        thief = Thief(heap, owner, resizes=way == "resized")
        judge(name, thief, partial(call, heap, ref, evil(thief.strike)))
        struck += thief.struck
        thief.end()
    assert struck > 40
    assert heap.total_allocated_byte_size == 0


@by_kind
def test_error_handlers_that_take_the_block_away(kind: HeapKind, open_heap: OpenHeap) -> None:
    heap = open_heap()
    calls: tuple[Callable[[Any, str], Any], ...] = (
        lambda ref, errors: ref.write("\ud800", errors),
        lambda ref, errors: heap.write(utf8, ref, "\ud800", None, errors),
        lambda ref, errors: ref.read(errors),
        lambda ref, errors: heap.read(utf8, ref, 5, errors),
    )
    for call in calls:
        ref = heap.alloc(utf8, 400)
        heap.memory.write_bytes(ref.address, b"\xff\0")
        thief = Thief(heap, ref)
        judge("errors", thief, partial(call, ref, handler(thief.strike)))
        assert thief.struck
        thief.end()


class Profiler:
    """Strikes at the n-th call, or return, of any function within a ``with`` block: what another
    thread may do that was given the interpreter then."""

    def __init__(self, moment: int, strike: Callable[[], None]) -> None:
        self._left = moment
        self._strike = strike

    def _event(self, frame: Any, event: str, argument: Any) -> None:
        self._left -= 1
        if self._left == 0:
            self._strike()

    def __enter__(self) -> None:
        sys.setprofile(self._event)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


def call_profiled(moment: int, thief: Thief, call: Callable[[], Any]) -> Any:
    with Profiler(moment, thief.strike):
        return call()


def moments_of(kind: HeapKind) -> Iterator[int]:
    """Each of the first calls, and some of those that many fields take; fewer on further heaps."""
    step = 1 if kind.name == "own" else 7
    return chain(range(1, 150, step), count(150, 17 * step))


def judge_every_moment(
    kind: HeapKind, name: str, prepare: Callable[[], tuple[Thief, Callable[[], Any]]]
) -> int:
    """Judge what `prepare` gives, with the thief at one moment after the other; tells how many
    moments there are."""
    moments = 0
    for moment in moments_of(kind):
        thief, work = prepare()
        judge(f"{name}, call {moment}", thief, partial(call_profiled, moment, thief, work))
        struck = thief.struck
        thief.end()
        if not struck:
            break
        moments += 1
    return moments


@by_kind
def test_a_block_taken_away_at_every_call(kind: HeapKind, open_heap: OpenHeap) -> None:
    need_threads()
    heap = open_heap()
    moments = 0
    for name, number_kind, contents, call in fitting(kind, TAKEN_AT_EVERY_CALL):

        def prepare(
            number_kind: Any = number_kind, contents: Any = contents, call: Call = call
        ) -> Any:
            ref = allocate(heap, number_kind, contents)
            return Thief(heap, ref), partial(call, heap, ref, plain)

        moments += judge_every_moment(kind, name, prepare)
    assert moments > 80
    assert heap.total_allocated_byte_size == 0


class ThiefOfAll(Thief):
    """Frees every block of the heap, as another thread may."""

    def free(self) -> None:
        self.heap.free_all()


@by_kind
@pytest.mark.parametrize("contents", ["numbers", "text", "structures"])
def test_all_blocks_are_freed_at_every_call_of_a_resize(
    kind: HeapKind, open_heap: OpenHeap, contents: str
) -> None:
    need_threads()
    heap = open_heap()

    def prepare() -> tuple[Thief, Callable[[], Any]]:
        if contents == "numbers":
            ref: Any = heap.alloc_array(int32, [1, 2, 3, 4])
        elif contents == "text":
            ref = heap.alloc(utf8, "abcdef")
        else:
            ref = heap.alloc_array(Vec, [(1, 2)] * 4)
        return ThiefOfAll(heap, ref), partial(ref.resize, 40)

    assert judge_every_moment(kind, contents, prepare) > 4
    assert heap.total_allocated_byte_size == 0


ENDS_OF_ALL: dict[str, Callable[[HeapManager, Arena], object]] = {
    "free_all": lambda heap, arena: heap.free_all(),
    "the end of a heap": lambda heap, arena: heap.__exit__(None, None, None),
    "close": lambda heap, arena: heap.close(),
    "the end of an arena": lambda heap, arena: arena.__exit__(None, None, None),
}


@by_kind
@pytest.mark.parametrize("end", ENDS_OF_ALL)
def test_a_block_that_another_thread_frees_meanwhile_is_no_error_at_the_end_of_all(
    kind: HeapKind, open_heap: OpenHeap, end: str
) -> None:
    need_threads()
    heap = open_heap()
    moments = 0
    for moment in moments_of(kind):
        if heap.is_closed:
            heap = open_heap()
        arena = heap.arena()
        allocate = arena.alloc_array if end == "the end of an arena" else heap.alloc_array
        others = [allocate(int32, [1, 2], align=64), allocate(int32, [1, 2])]
        victim = allocate(int32, [3, 4], align=64)
        struck: list[bool] = []

        def strike(victim: ArrayRef[int] = victim, struck: list[bool] = struck) -> None:
            struck.append(victim.is_not_freed)
            with suppress(DoubleFreeError):
                victim.free()

        with Profiler(moment, strike):
            ENDS_OF_ALL[end](heap, arena)
        assert victim.is_freed
        assert all(other.is_freed for other in others)
        if not struck:
            break
        moments += struck[0]
    assert moments > 1


IN_AN_ARENA: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Any]] = {
    "a number": (lambda arena: arena.alloc(int32, 7), lambda ref: ref.value, 7),
    "a zero": (lambda arena: arena.alloc(int32), lambda ref: ref.value, 0),
    "an array": (lambda arena: arena.alloc_array(int32, [1, 2]), list, [1, 2]),
    "zeros": (lambda arena: arena.alloc_array(int32, 2), list, [0, 0]),
    "an aligned array": (
        lambda arena: arena.alloc_array(int32, [1, 2], align=64),
        list,
        [1, 2],
    ),
    "a text": (lambda arena: arena.alloc(utf8, "abcdef"), str, "abcdef"),
    "a structure": (lambda arena: arena.alloc(Vec, x=1, y=2), lambda ref: ref.to_tuple(), (1, 2)),
}


class Ender:
    """Ends an arena in another thread, and fills what the next owners of its bytes get."""

    def __init__(self, heap: HeapManager, arena: Arena) -> None:
        self.heap = heap
        self.thread = Thread(target=arena.__exit__, args=(None, None, None))
        self.owners: list[ArrayRef[int]] = []

    def strike(self) -> None:
        self.thread.start()
        self.thread.join(0.1)  # it waits where this thread has the lock
        # Of several sizes, for one that was given back, a chunk or a block, is found then.
        for size in (40, 256, 1000):
            self.owners.append(self.heap.alloc_array(uint8, bytes([MARK]) * size))

    def end(self) -> None:
        if self.owners:
            self.thread.join(30)
            assert not self.thread.is_alive()

    def check(self) -> None:
        for owner in self.owners:
            assert set(bytes(owner)) == {MARK}, "another's bytes were written"
            owner.free()


@by_kind
@pytest.mark.parametrize("what", IN_AN_ARENA)
@pytest.mark.parametrize("warm", [False, True], ids=["the first", "a later"])
def test_an_arena_ends_at_every_call_of_an_allocation_in_it(
    kind: HeapKind, open_heap: OpenHeap, what: str, warm: bool
) -> None:
    need_threads()
    heap = open_heap()
    allocate, read, contents = IN_AN_ARENA[what]
    moments = 0
    for moment in moments_of(kind):
        arena = heap.arena()
        if warm:  # the second time goes a shorter way
            allocate(arena)
        ender = Ender(heap, arena)
        with Profiler(moment, ender.strike):
            error, ref = outcome(partial(allocate, arena))
        ender.end()
        if not ender.owners:
            arena.__exit__(None, None, None)
            break
        moments += 1
        if error is None:
            error, found = outcome(partial(read, ref))
            assert found == contents or isinstance(error, UseAfterFreeError)
            if error is None:
                heap.free(ref)
        assert error is None or isinstance(error, UseAfterFreeError), f"call {moment}"
        ender.check()
    assert moments > 1
    assert heap.total_allocated_byte_size == 0


def test_an_arena_that_ended_within_an_allocation_goes_back_with_its_heap() -> None:
    """Its end waits a few milliseconds for the thread, which stays where it is for longer."""
    need_threads()
    stayed = 0
    for moment in count(1):
        allocator = FreeListAllocator(16, 1 << 14)
        heap = emheap.wrap_buffer(bytearray(1 << 14), allocator=allocator)
        arena = heap.arena()
        arena.alloc_array(uint8, 40)  # the second time goes a shorter way
        end = Thread(target=arena.__exit__, args=(None, None, None))

        def strike(end: Thread = end) -> None:
            end.start()
            end.join(1)

        with Profiler(moment, strike):
            error, _ = outcome(partial(arena.alloc_array, uint8, 40))
        if end.ident is None:
            arena.__exit__(None, None, None)
            break
        end.join(30)
        assert error is None or isinstance(error, UseAfterFreeError)
        stayed += allocator.available_byte_size < (1 << 14) - 16
        heap.close()
        assert allocator.available_byte_size == (1 << 14) - 16, f"call {moment}"
    assert stayed


class Waiting(FreeListAllocator):
    """Lets one thread wait within an allocation."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(start, end)
        self.asked, self.going_on = Event(), Event()
        self.thread: Thread | None = None

    def allocate(self, size: int) -> int:
        if current_thread() is self.thread:
            self.asked.set()
            assert self.going_on.wait(30)
        return super().allocate(size)


def test_an_arena_frees_what_another_thread_makes_while_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need_threads()
    size = 1 << 17
    allocator = Waiting(16, size)
    heap = emheap.wrap_buffer(bytearray(size), allocator=allocator)
    arena = heap.arena()
    refs: list[ArrayRef[int]] = []
    thread = Thread(target=lambda: refs.append(arena.alloc_array(uint8, 20_000)))
    allocator.thread = thread
    thread.start()
    assert allocator.asked.wait(30)
    stop = heap._table.stop_region

    def stop_late(region: Any) -> bool:
        allocator.going_on.set()
        thread.join(30)
        return stop(region)

    monkeypatch.setattr(heap._table, "stop_region", stop_late)
    arena.__exit__(None, None, None)
    assert not thread.is_alive()
    assert [ref.is_freed for ref in refs] == [True]
    assert heap.total_allocated_byte_size == 0
    heap.close()
    assert allocator.available_byte_size == size - 16


BORROWED: dict[str, tuple[Any, Any, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "an array": (int32, [1, 2, 3, 4], lambda ref: ref, lambda ref: ref.view),
    "its bytes": (int32, [1, 2, 3, 4], lambda ref: ref, lambda ref: ref.allocated_bytes_view),
    "a number": (int32, 1, lambda ref: ref, lambda ref: ref.allocated_bytes_view),
    "a text": (utf8, "abcdef", lambda ref: ref, lambda ref: ref.encoded_bytes_view),
    "a structure": (Node, {"id": 1}, lambda ref: ref, lambda ref: ref.allocated_bytes_view),
    "a column": (Vec, [(1, 2)] * 4, lambda ref: ref, lambda ref: ref.column("x")),
    "an array inside": (Node, {"id": 1}, lambda ref: ref.grid, lambda part: part.view),
    "a field": (
        Node,
        {"id": 1},
        lambda ref: ref.field_ref(Node.id),
        lambda part: part.allocated_bytes_view,
    ),
}
"""A type, the contents, what is borrowed of the reference, and how a view of that is taken."""


@by_kind
@pytest.mark.parametrize("name", BORROWED)
def test_a_block_is_taken_away_while_a_borrowed_reference_lends_a_view(
    kind: HeapKind, open_heap: OpenHeap, name: str
) -> None:
    need_threads()
    number_kind, contents, borrow, view = BORROWED[name]
    heap = open_heap()
    moments = 0
    for moment in moments_of(kind):
        owner = allocate(heap, number_kind, contents)
        part = borrow(wrap(heap, number_kind, contents, owner.address))
        thief = Thief(heap, owner)

        def look(moment: int = moment, thief: Thief = thief, part: Any = part) -> bytes:
            view_taken = call_profiled(moment, thief, partial(view, part))
            return view_taken.tobytes()  # type: ignore[no-any-return]

        judge(f"view of {name}, call {moment}", thief, look)
        struck = thief.struck
        thief.end()
        if not struck:
            break
        moments += 1
    assert moments > 4
    assert heap.total_allocated_byte_size == 0


@by_kind
@pytest.mark.needs("numpy")
def test_a_numpy_array_is_as_long_as_a_block_that_is_resized_meanwhile(
    kind: HeapKind, open_heap: OpenHeap
) -> None:
    need_threads()
    import numpy

    heap = open_heap()
    moments = 0
    for moment in moments_of(kind):
        ref = allocate(heap, int32, [1, 2, 3, 4])
        thief = Thief(heap, ref, resizes=True)
        array = None
        with suppress(BufferInUseError):
            array = call_profiled(moment, thief, partial(numpy.asarray, ref))
        assert array is None or array.nbytes == len(bytes(ref))
        struck = thief.struck
        del array
        thief.end()
        if not struck:
            break
        moments += 1
    assert moments > 4


@by_kind
def test_structures_are_read_while_their_array_is_resized(
    kind: HeapKind, open_heap: OpenHeap
) -> None:
    need_threads()
    heap = open_heap()
    lengths = set()
    for moment in moments_of(kind):
        ref = allocate(heap, Vec, [(1, 2)] * 4)
        thief = Thief(heap, ref, resizes=True)
        values = call_profiled(moment, thief, ref.tolist)
        assert set(values) == {(1, 2)}
        lengths.add(len(values))
        struck = thief.struck
        thief.end()
        if not struck:
            break
    assert lengths == {1, 4}
