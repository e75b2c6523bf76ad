"""Long use: memory stays where it is, and nothing of Python's is left behind either."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import emheap
from emheap import (
    HeapManager,
    clamped_uint8,
    float32,
    float64,
    hexdump,
    int8,
    int32,
    pointer53,
    pointer64,
    uint8,
    uint16,
    uint128,
    utf8,
    utf16,
)
from emheap._util.platform import HAS_GIL
from emheap.allocators.debug import find_debug_allocator
from emtests.blocks.long import LONG, report
from emtests.conftest import OpenHeap, skip_for_gap
from emtests.heaps import RUNNING, HeapKind

OPERATIONS = 20_000_000 if LONG else 400_000
CHECKS = 20
STATUS = Path("/proc/self/statm")


def resident_pages() -> int:
    """The pages of memory that this process has."""
    if not STATUS.exists():
        skip_for_gap("this system", "it has no /proc that tells how much memory is resident")
    return int(STATUS.read_text(encoding="ascii").split()[1])


def use(heap: HeapManager, operations: int) -> None:
    """Use a heap in about every way; most of it is what programs do most."""
    done = 0
    while done < operations:
        for number in range(200):
            ref = heap.alloc_int32(number)
            address = ref.address
            heap.write_int32(address, heap.read_int32(address) + 1)
            if ref.value != number + 1:
                raise AssertionError(f"{ref.value} is not {number + 1}")
            ref.free()
        done += 200 * 5
        done += use_rarely(heap, done)


def use_rarely(heap: HeapManager, seed: int) -> int:
    """The rest; gives how many operations that were."""
    size = seed % 5000
    with heap.alloc_array(uint8, size) as array, heap.alloc(utf8, "some text") as text:
        array[:5] = array[:5]
        text.value = text.value[::-1]
        view = array.view
        part = view[1:]
        del view, part
        array.resize(size // 2)
    with heap.arena() as scratch:
        for number in range(20):
            scratch.alloc_int64(number)
            scratch.alloc_array(float64, number)
    heap.adopt(int32, heap.alloc_array(int32, [1, 2]).detach(), 2).free()
    borrowed = heap.alloc(uint16, 5)
    wrapped = heap.wrap(uint16, borrowed.address)
    with contextlib.suppress(emheap.NotAllocatedError):
        wrapped.free()
    borrowed.free()
    return 60


def test_memory_stays_where_it_is() -> None:
    heap = emheap.open()
    resident_pages()
    use(heap, OPERATIONS // 5)
    seen = []
    for _ in range(CHECKS):
        use(heap, OPERATIONS // CHECKS)
        seen.append(resident_pages())
    report(f"{OPERATIONS:,} operations: {min(seen)} to {max(seen)} pages resident")
    assert max(seen) <= 1.02 * min(seen), seen
    assert heap.total_allocated_byte_size == 0


# Nothing of Python's


def catch(error: type[Exception], action: Callable[[], Any]) -> None:
    with contextlib.suppress(error):
        action()


def in_arena(heap: HeapManager, action: Callable[[Any], Any]) -> None:
    with heap.arena() as scratch:
        action(scratch)


def on_array(heap: HeapManager, action: Callable[[Any], Any]) -> None:
    with heap.alloc_array(int32, [1, 2, 3, 4]) as array:
        action(array)


def on_text(heap: HeapManager, action: Callable[[Any], Any]) -> None:
    with heap.alloc(utf8, "text") as text:
        action(text)


def on_number(heap: HeapManager, action: Callable[[Any], Any]) -> None:
    with heap.alloc(int32, 5) as number:
        action(number)


def free_while_in_use(heap: HeapManager) -> None:
    array = heap.alloc_array(uint8, 8)
    part = array.view[1:]
    catch(emheap.BufferInUseError, array.free)
    part.release()
    array.free()


def use_late(heap: HeapManager) -> None:
    ref = heap.alloc(int32, 5)
    ref.free()
    catch(emheap.UseAfterFreeError, lambda: ref.value)
    catch(emheap.DoubleFreeError, ref.free)


def free_pointed(heap: HeapManager) -> None:
    pointed = heap.alloc(int8, 1)
    heap.alloc_array(pointer64, [pointed.address, 0]).free(free_elements=True)


def free_by_address(heap: HeapManager) -> None:
    ref = heap.alloc(int32, 5)
    heap.free(ref.address)


def alloc_and_free_all(heap: HeapManager) -> None:
    refs = [heap.alloc(int32, 5), heap.alloc_int32(6)]
    heap.free_all()
    assert all(ref.is_freed for ref in refs)


def fill_and_find(heap: HeapManager, ref: Any) -> None:
    heap.fill(ref, 1)
    assert heap.find(ref, 1) == ref.address


def copy_and_compare(heap: HeapManager, ref: Any) -> None:
    heap.copy_to(heap, ref, ref)
    assert heap.compare(heap, ref, ref) == 0


def edit(array: Any) -> None:
    with array.edit() as buffer:
        buffer[0] = 9


def resize(array: Any) -> None:
    array.resize(100)
    array.resize(1)


def leak_and_tell(heap: HeapManager) -> None:
    ref = heap.alloc(int32, 5)
    catch(emheap.LeakError, heap.check_leaks)
    ref.free()


def inside_no_leaks(heap: HeapManager) -> None:
    with heap.no_leaks():
        heap.alloc(int32).free()


def difference(heap: HeapManager) -> None:
    before = heap.snapshot()
    with heap.alloc(int32):
        before.diff(heap.snapshot())


def fail_at_the_end(heap: HeapManager) -> None:
    scratch = heap.arena()
    block = scratch.alloc_array(uint8, 3)
    part = block.view[1:]
    catch(emheap.BufferInUseError, lambda: scratch.__exit__(None, None, None))
    part.release()
    block.free()


def keep_one(scratch: Any) -> None:
    scratch.keep(scratch.alloc(int32, 5)).free()


def alloc_wrong_kind(heap: Any) -> None:
    heap.alloc(int32, "5")


Operation = Callable[[HeapManager], Any]
OPERATION_KINDS: dict[str, Operation] = {
    "alloc int32": lambda heap: heap.alloc(int32).free(),
    "alloc int32 with a value": lambda heap: heap.alloc(int32, 5).free(),
    "alloc float64": lambda heap: heap.alloc(float64, 0.5).free(),
    "alloc clamped": lambda heap: heap.alloc(clamped_uint8, 300).free(),
    "alloc pointer53": lambda heap: heap.alloc(pointer53, 1 << 52).free(),
    "alloc uint128": lambda heap: heap.alloc(uint128, 1 << 100).free(),
    "alloc aligned": lambda heap: heap.alloc(int32, align=64).free(),
    "flat alloc": lambda heap: heap.alloc_int32(5).free(),
    "flat alloc float32": lambda heap: heap.alloc_float32(0.5).free(),
    "flat alloc array": lambda heap: heap.alloc_uint16_array([1, 2]).free(),
    "flat alloc text": lambda heap: heap.alloc_null_terminated_utf16_string("text").free(),
    "alloc array of zeros": lambda heap: heap.alloc_array(int32, 10).free(),
    "alloc array of values": lambda heap: heap.alloc_array(float32, [0.5, 1.5]).free(),
    "alloc array of bytes": lambda heap: heap.alloc_array(uint8, b"bytes").free(),
    "alloc empty array": lambda heap: heap.alloc_array(uint8, 0).free(),
    "alloc large array": lambda heap: heap.alloc_array(uint8, 5000).free(),
    "alloc text": lambda heap: heap.alloc(utf8, "text").free(),
    "alloc room": lambda heap: heap.alloc(utf16, 30).free(),
    "alloc, free by address": free_by_address,
    "alloc too large a value": lambda heap: catch(OverflowError, lambda: heap.alloc(int8, 300)),
    "alloc a wrong kind": lambda heap: catch(TypeError, lambda: alloc_wrong_kind(heap)),
    "alloc too much": lambda heap: catch(OverflowError, lambda: heap.alloc_array(int32, 1 << 80)),
    "free the unknown": lambda heap: catch(emheap.NotAllocatedError, lambda: heap.free(12345)),
    "free null": lambda heap: catch(emheap.NullPointerError, lambda: heap.free(0)),
    "free_all": alloc_and_free_all,
    "read and write": lambda heap: on_number(
        heap, lambda ref: heap.write_int32(ref.address, heap.read_int32(ref.address))
    ),
    "read null": lambda heap: catch(emheap.NullPointerError, lambda: heap.read_int32(0)),
    "generic read": lambda heap: on_number(heap, lambda ref: heap.read(int32, ref.address)),
    "generic write": lambda heap: on_number(heap, lambda ref: heap.write(int32, ref.address, 1)),
    "value": lambda heap: on_number(heap, lambda ref: setattr(ref, "value", ref.value + 1)),
    "bad value": lambda heap: on_number(
        heap, lambda ref: catch(OverflowError, lambda: ref.write(1 << 40))
    ),
    "wrap": lambda heap: on_number(heap, lambda ref: heap.wrap(int32, ref.address).value),
    "wrap array": lambda heap: on_array(
        heap, lambda ref: heap.wrap_array(int32, ref.address, 4)[1]
    ),
    "wrap text": lambda heap: on_text(heap, lambda ref: heap.wrap(utf8, ref.address).value),
    "raw view": lambda heap: on_array(heap, lambda ref: heap.view(int32, ref.address, 4)[1]),
    "element": lambda heap: on_array(heap, lambda ref: ref.write_at(1, ref[-1])),
    "slices": lambda heap: on_array(heap, lambda ref: ref.__setitem__(slice(0, 2), ref[2:])),
    "iteration": lambda heap: on_array(heap, list),
    "comparison": lambda heap: on_array(heap, lambda ref: ref == [1, 2, 3, 4]),
    "bytes": lambda heap: on_array(heap, bytes),
    "bad index": lambda heap: on_array(heap, lambda ref: catch(IndexError, lambda: ref[9])),
    "array view": lambda heap: on_array(heap, lambda ref: ref.view[1:][0]),
    "bytes view": lambda heap: on_array(heap, lambda ref: ref.allocated_bytes_view[0]),
    "edit": lambda heap: on_array(heap, edit),
    "clear": lambda heap: on_array(heap, lambda ref: ref.clear()),
    "resize": lambda heap: on_array(heap, resize),
    "resize text": lambda heap: on_text(heap, lambda ref: ref.resize(50)),
    "text": lambda heap: on_text(heap, lambda ref: ref.write(ref.read()[::-1])),
    "text too long": lambda heap: on_text(
        heap, lambda ref: catch(emheap.CapacityError, lambda: ref.write("longer"))
    ),
    "text views": lambda heap: on_text(heap, lambda ref: ref.encoded_bytes_view[0]),
    "raw text": lambda heap: on_text(
        heap, lambda ref: heap.write(utf8, ref.address, heap.read(utf8, ref.address), 4)
    ),
    "fill, find": lambda heap: on_array(heap, lambda ref: fill_and_find(heap, ref)),
    "copy, compare": lambda heap: on_array(heap, lambda ref: copy_and_compare(heap, ref)),
    "free while in use": free_while_in_use,
    "use after free": use_late,
    "free what is pointed to": free_pointed,
    "detach and adopt": lambda heap: heap.adopt(
        int32, heap.alloc_array(int32, [1, 2]).detach(), 2
    ).free(),
    "arena": lambda heap: in_arena(heap, lambda scratch: scratch.alloc(int32, 5)),
    "flat names of an arena": lambda heap: in_arena(heap, lambda scratch: scratch.alloc_int64()),
    "arena in an arena": lambda heap: in_arena(heap, lambda scratch: scratch.arena().alloc(int32)),
    "out of an arena": lambda heap: in_arena(heap, keep_one),
    "an arena in use": fail_at_the_end,
    "live": lambda heap: on_number(heap, lambda ref: heap.live()),
    "statistics": lambda heap: on_number(heap, lambda ref: heap.statistics()),
    "snapshots": difference,
    "leaks": leak_and_tell,
    "no leaks": inside_no_leaks,
    "all references": lambda heap: on_number(heap, lambda ref: heap.allocated_heap_refs),
    "map": lambda heap: on_number(heap, lambda ref: str(heap.map())),
    "hexdump": lambda heap: on_array(heap, hexdump),
    "notebook": lambda heap: on_array(heap, lambda ref: (ref._repr_html_(), heap._repr_html_())),
    "repr": lambda heap: on_array(heap, lambda ref: (repr(ref), repr(heap))),
}
REPEATED = 40
KINDS = [
    kind
    for kind in RUNNING
    if kind.name in ("own", "debug", "bytearray-freelist", "wasm-memory", "debug-wasm")
]


def growth(heap: HeapManager, operation: Operation) -> int:
    """How many objects more there are after an operation was repeated."""
    before = objects_around(heap)
    for _ in range(REPEATED):
        operation(heap)
    return objects_around(heap) - before


def objects_around(heap: HeapManager) -> int:
    """How many objects there are, without those that wait for their end."""
    heap._table.freed.clear()  # they are bounded, but not full yet
    heap._table.detached.clear()
    heap._table.views.file()  # notes of up to 256 views that are gone wait for it
    gc.collect()
    if not HAS_GIL:
        gc.collect()  # it frees what the first one unlinked: no other thread may be reading it
    return sys.getallocatedblocks()


def test_there_are_sixty_kinds_of_operation() -> None:
    assert len(OPERATION_KINDS) >= 60


@pytest.fixture
def quick_collector() -> Iterator[None]:
    """What is there before the test is none of its business: the collector passes it over."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("quick_collector")
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_operation_leaves_an_object_behind(kind: HeapKind, open_heap: OpenHeap) -> None:
    heap = open_heap()
    guard = find_debug_allocator(heap.allocator)
    if guard is not None:
        guard._room = 0  # or what is in quarantine would count
    for name, operation in OPERATION_KINDS.items():
        operation(heap)  # what is made once and kept
        # Caches fill up once; what an operation leaves behind is there each time.
        found = [growth(heap, operation)]
        while min(found) >= REPEATED // 2 and len(found) < 4:
            found.append(growth(heap, operation))
        assert min(found) < REPEATED // 2, f"{name} leaves {found} objects behind"
    assert heap.total_allocated_byte_size == 0
