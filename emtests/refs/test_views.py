"""Views share the bytes, and while something uses them their block cannot be freed."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from pickle import PickleBuffer
from typing import Any

import pytest

import emheap
from emheap import (
    Arena,
    HeapManager,
    clamped_uint8,
    float64,
    int16,
    int32,
    pointer53,
    uint8,
    uint128,
    utf16,
)
from emheap._util.platform import HAS_GIL
from emheap.blocks.views import MOST_LATEST
from emtests.conftest import OpenHeap
from emtests.types.values import SCALARS, packed

PYTHON_HAS_BUFFER_METHODS = sys.version_info >= (3, 12)


def check_pinned(heap: HeapManager, ref: Any, words: str = "") -> None:
    """Nothing frees the block: not its reference, nor its address, nor all at once."""
    size = heap.total_allocated_byte_size
    content = bytes(ref)
    for free in (ref.free, lambda: heap.free(ref), lambda: heap.free(ref.address), heap.free_all):
        with pytest.raises(emheap.BufferInUseError, match=rf"is not freed: still in use: {words}"):
            free()
        assert ref.is_not_freed
        assert heap.total_allocated_byte_size == size
        assert bytes(ref) == content


def test_views_that_are_gone_are_forgotten(heap: HeapManager) -> None:
    """Whatever they were asked for: what a heap remembers of them does not grow."""
    with heap.alloc_array(int32, 4) as numbers, heap.alloc(utf16, "text") as text:
        asks: tuple[Callable[[], Any], ...] = (
            lambda: numbers.view,
            lambda: numbers.allocated_bytes_view,
            lambda: text.encoded_elements_view,
        )
        for ask in asks:
            for _ in range(3 * MOST_LATEST):
                ask()
            assert len(heap._table.views.latest) <= MOST_LATEST


# What a view shows


def test_a_view_shares_the_bytes_in_both_directions(heap: HeapManager) -> None:
    for scalar in SCALARS:
        with heap.alloc_array(scalar, [1, 2, 3]) as ref:
            with ref.view as view:
                assert view.tolist() == [1, 2, 3]
                view[1] = 7
                assert ref[1] == 7
                ref[2] = 9
                assert view[2] == 9
            with heap.view(scalar, ref.address, 2) as view:
                assert view.tolist() == [1, 7]
                view[0] = 5
                assert ref[0] == 5
            with ref.allocated_bytes_view as view:
                assert bytes(view) == b"".join(packed(scalar, value) for value in (5, 7, 9))
                view[0:1] = b"\0"
            assert bytes(ref)[0] == 0


@pytest.mark.needs("zero copy")
def test_a_view_is_a_writable_memoryview_of_the_elements(heap: HeapManager) -> None:
    for scalar in SCALARS:
        with heap.alloc_array(scalar, 6) as ref:
            for view in (ref.view, heap.view(scalar, ref.address, 6)):
                assert isinstance(view, memoryview)
                assert (view.format, view.itemsize) == (scalar.format, scalar.size)
                assert (view.shape, view.readonly, view.contiguous) == ((6,), False, True)
                view.release()
            raw = ref.allocated_bytes_view
            assert (raw.format, raw.nbytes, raw.readonly) == ("B", 6 * scalar.size, False)
            raw.release()


@pytest.mark.needs("zero copy")
def test_numbers_and_strings_have_views_of_their_bytes(heap: HeapManager) -> None:
    with heap.alloc(int32, -2) as number:
        assert number.allocated_bytes_view.cast("i")[0] == -2
        number.allocated_bytes_view.cast("i")[0] = 77
        assert number.value == 77
    with heap.alloc(utf16, "abc") as text:
        assert text.allocated_bytes_view.nbytes == 8
        text.encoded_elements_view[1] = ord("X")
        assert text.value == "aXc"


def test_wide_integers_are_viewed_as_bytes(heap: HeapManager) -> None:
    with heap.alloc_array(uint128, [1, 2**127]) as ref:
        for view in (ref.view, heap.view(uint128, ref.address, 2)):
            assert bytes(view) == (1).to_bytes(16, "little") + (2**127).to_bytes(16, "little")
            view.release()


def test_a_view_holds_what_is_stored_and_converts_nothing(heap: HeapManager) -> None:
    with heap.alloc_array(clamped_uint8, [1]) as ref, ref.view as view:
        for value in (256, -1, 2.5):
            wild: Any = value
            with pytest.raises(
                (ValueError, TypeError, OverflowError), match=r"invalid|does not fit|takes an int"
            ):
                view[0] = wild
        assert ref[0] == 1
    with heap.alloc_array(pointer53, [1]) as ref, ref.view as view:
        view[0] = 2**60
        assert view[0] == 2**60
        with pytest.raises(emheap.ValueOutOfRangeError):
            _ = ref[0]


def test_what_a_view_was_made_of_ends_with_the_block_or_pins_it() -> None:
    heap = emheap.open()
    ref = heap.alloc_array(int32, [1, 2, 3])
    exporter: Any = ref.view.obj
    assert memoryview(exporter).nbytes == 12
    if HAS_GIL:
        ref.free()
        with pytest.raises(ValueError, match="released"):
            memoryview(exporter)
    else:  # it is an array of ctypes', which cannot end before it is dropped
        with pytest.raises(emheap.BufferInUseError):
            ref.free()
        del exporter
        ref.free()


def test_views_of_nothing(heap: HeapManager) -> None:
    with heap.alloc_array(int32, 4) as ref:
        for address in (ref.address, ref.address + 4, ref.address + 16):
            view = heap.view(int32, address, 0)
            assert (len(view), view.tolist(), bytes(view)) == (0, [], b"")


# What pins a block


PINS: dict[str, Callable[[Any], Any]] = {
    "slice": lambda view: view[1:3],
    "empty slice": lambda view: view[2:2],
    "step": lambda view: view[::2],
    "cast": lambda view: view.cast("B"),
    "read-only": lambda view: view.toreadonly(),
    "memoryview": memoryview,
    "slice of a slice": lambda view: view[1:][1:],
    "ctypes array": lambda view: (ctypes.c_char * view.nbytes).from_buffer(view),
}


@pytest.mark.needs("zero copy")
@pytest.mark.parametrize("name", PINS)
def test_whatever_is_made_of_a_view_pins_the_block(heap: HeapManager, name: str) -> None:
    ref = heap.alloc_array(int32, [1, 2, 3, 4])
    ways: tuple[Callable[[], Any], ...] = (
        lambda: ref.view,
        lambda: heap.view(int32, ref.address, 4),
        lambda: heap.view_int32_array(ref.address, 4),
        lambda: heap.view(int32, ref.address + 4, 3),
        lambda: heap.wrap_array(int32, ref.address, 4).view,
        lambda: heap.wrap(int32, ref.address + 8).allocated_bytes_view.cast("i"),
    )
    for get_view in ways:
        view = get_view()
        pin = PINS[name](view)
        check_pinned(heap, ref)
        del view
        check_pinned(heap, ref)
        del pin
    ref.free()
    assert ref.is_freed


@pytest.mark.needs("zero copy")
def test_a_refused_free_names_what_is_in_use_and_the_cure(heap: HeapManager) -> None:
    ref = heap.alloc_array(int32, 4)
    piece = ref.view[1:]
    with pytest.raises(emheap.BufferInUseError) as caught:
        ref.free()
    message = str(caught.value)
    assert message.startswith(f"the int32 array of 16 bytes at 0x{ref.address:x}, allocated at ")
    assert "still in use: a slice or cast of a view" in message
    assert "; release or delete every slice" in message
    assert isinstance(caught.value, BufferError)
    assert list(piece) == [0, 0, 0]
    piece[0] = 5
    assert ref[1] == 5
    del piece
    ref.free()


@pytest.mark.needs("zero copy")
def test_a_view_that_something_uses_is_not_released(heap: HeapManager) -> None:
    ref = heap.alloc_array(uint8, b"abcd")
    view = ref.view
    user = PickleBuffer(view)  # it holds a buffer of the view itself, not of what is behind it
    check_pinned(heap, ref, "view;")
    assert bytes(user.raw()) == bytes(view) == b"abcd"
    user.release()
    ref.free()
    with pytest.raises(ValueError, match="released"):
        bytes(view)


def test_handed_out_views_are_released_when_their_block_is_freed(heap: HeapManager) -> None:
    for free in (
        lambda ref: ref.free(),
        heap.free,
        lambda ref: heap.free(ref.address),
        lambda ref: heap.free_all(),
    ):
        ref = heap.alloc_array(int32, [1, 2, 3])
        views = [
            ref.view,
            ref.view,
            ref.allocated_bytes_view,
            heap.view(int32, ref.address, 3),
            heap.view(int32, ref.address + 4, 1),
            heap.wrap_array(int32, ref.address, 2).view,
        ]
        free(ref)
        for view in views:
            with pytest.raises(ValueError, match=r"released|freed"):
                _ = view[0]


MAKERS: dict[str, Callable[[Any], Any]] = {
    "number": lambda heap: heap.alloc(int32, 5),
    "flat number": lambda heap: heap.alloc_uint8(5),
    "wide number": lambda heap: heap.alloc(uint128, 5),
    "text": lambda heap: heap.alloc(utf16, "abc"),
    "structure": lambda heap: heap.alloc(Track),
    "structures": lambda heap: heap.alloc_array(Track, 2),
    "aligned": lambda heap: heap.alloc(int32, 5, align=64),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=list(MAKERS))
def test_the_bytes_of_every_kind_of_block_end_with_it_or_pin_it(
    heap: HeapManager, make: Callable[[Any], Any]
) -> None:
    for free in (
        lambda ref: ref.free(),
        heap.free,
        lambda ref: heap.free(ref.address),
        lambda ref: heap.free_all(),
    ):
        for get_view in (
            lambda ref: ref.allocated_bytes_view,
            lambda ref: heap.view(uint8, ref.address, 1),
        ):
            ref = make(heap)
            contents = bytes(ref)
            part = get_view(ref)[:1]
            with pytest.raises(emheap.BufferInUseError):
                free(ref)
            assert ref.is_not_freed
            assert bytes(ref) == contents
            del part
            view = get_view(ref)
            free(ref)
            assert ref.is_freed
            with pytest.raises(ValueError, match=r"released|freed"):
                _ = view[0]


class Track(emheap.Struct):
    points: emheap.Array[int32] = emheap.array(3)


def test_a_view_that_was_released_is_no_source(heap: HeapManager, scratch: Arena) -> None:
    """A ValueError comes of any use, and no HeapError: a view does not know its block."""
    source = heap.alloc_array(int32, [7, 7, 7])
    view = source.view
    source.free()
    heap_at_large: Any = heap
    target = scratch.alloc_array(int32, [1, 2, 3])
    track = scratch.alloc(Track, points=[1, 2, 3])
    number = scratch.alloc(int32, 1)
    in_other = target.view
    scratch.alloc_array(int32, [9, 9, 9])  # in the bytes of the freed one, say

    def assign_points() -> None:
        track.points = view

    uses: list[Callable[[], Any]] = [
        lambda: view[0],
        lambda: list(view),
        lambda: target.__setitem__(slice(None), view),
        lambda: target.__setitem__(slice(None, None, -1), view),
        lambda: in_other.__setitem__(slice(None), view),
        assign_points,
        lambda: track.points.__setitem__(slice(None), view),
        lambda: heap.alloc_array(int32, view),
        lambda: heap.alloc_array(float64, view),
        lambda: heap_at_large.alloc_int32_array(view),
        lambda: heap.alloc(Track, points=view),
        lambda: heap.write_many(int32, [number.address] * 3, view),
        lambda: heap.write_many(int32, view, [5, 5, 5]),
        lambda: heap.read_many(int32, view),
    ]
    if isinstance(view, memoryview):
        uses += [lambda: heap.find(target, view), lambda: emheap.wrap_buffer(view)]
    for use in uses:
        with pytest.raises(ValueError, match="released") as caught:
            pytest.fail(f"gave {use()!r}")
        assert not isinstance(caught.value, emheap.HeapError)
    assert (target[:], track.points[:], number.value) == ([1, 2, 3], [1, 2, 3], 1)


def test_a_view_beside_a_block_does_not_pin_it(heap: HeapManager) -> None:
    room = heap.alloc_array(uint8, 64, align=16)
    other = heap.alloc_array(uint8, 64, align=16)
    piece = other.view[:]
    room.free()
    assert room.is_freed
    assert len(piece) == 64
    del piece
    other.free()


@pytest.mark.needs("zero copy", "raw addresses")
def test_a_view_over_two_blocks_pins_both(open_heap: OpenHeap) -> None:
    heap = open_heap()
    blocks = sorted((heap.alloc_array(uint8, 4096) for _ in range(8)), key=lambda ref: ref.address)
    first, last = blocks[0], blocks[-1]
    over_all = heap.view(uint8, first.address, last.address + 1 - first.address)
    piece = over_all[:]
    for ref in blocks:
        with pytest.raises(emheap.BufferInUseError, match="still in use"):
            ref.free()
    del piece
    for ref in blocks:
        ref.free()


@pytest.mark.needs("zero copy")
def test_many_views_come_and_go(heap: HeapManager) -> None:
    ref = heap.alloc_array(int32, 100)
    kept = [ref.view[number:] for number in range(50)]
    check_pinned(heap, ref)
    while kept:
        kept.pop()
    gc.collect()
    for _ in range(100):
        ref.view[0] += 1
    assert ref[0] == 100
    ref.free()


@pytest.mark.needs("zero copy")
def test_all_views_of_many_blocks_end_with_them(heap: HeapManager) -> None:
    views = []
    for _ in range(2):
        refs = [heap.alloc_array(int32, [number]) for number in range(1200)]
        views = [ref.view for ref in refs for _ in range(2)]
        assert [view[0] for view in views[::2]] == list(range(1200))
        for ref in refs:
            ref.free()
    many = heap.alloc_array(int32, 4)
    views += [many.view for _ in range(100)]
    views[-1].release()
    many.free()
    for view in views:
        with pytest.raises(ValueError, match="released"):
            view.tolist()


@pytest.mark.needs("zero copy")
def test_a_view_lives_on_when_a_reference_to_it_ends(heap: HeapManager) -> None:
    ref = heap.alloc_array(int16, [1, 2, 3])
    address = ref.address
    view = heap.wrap_array(int16, address, 3).view  # the wrapping reference is gone at once
    assert view.tolist() == [1, 2, 3]
    piece = view[1:]
    check_pinned(heap, ref)
    view.release()
    check_pinned(heap, ref)
    piece.release()
    ref.free()


def packed_ints(*values: int) -> bytes:
    return b"".join(packed(int32, value) for value in values)


@pytest.mark.needs("zero copy")
def test_an_array_is_a_buffer_where_python_allows_it(heap: HeapManager) -> None:
    ref: Any = heap.alloc_array(int32, [1, 2, 3])
    if not PYTHON_HAS_BUFFER_METHODS:
        with pytest.raises(TypeError, match="a bytes-like object is required"):
            memoryview(ref)
        assert bytearray(ref) == b"\1\2\3"
        assert bytes(ref) == packed_ints(1, 2, 3)
        ref.free()
        return
    assert bytearray(ref) == bytes(ref) == packed_ints(1, 2, 3)
    view = memoryview(ref)
    assert (view.format, view.tolist(), view.readonly) == ("i", [1, 2, 3], False)
    view[0] = 9
    assert ref[0] == 9
    check_pinned(heap, ref)
    view.release()
    ref.free()
    with pytest.raises(emheap.UseAfterFreeError, match="use after free"):
        memoryview(ref)
