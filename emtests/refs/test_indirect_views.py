"""Views on a memory that Python cannot point into, on one that it can: both must agree."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from typing import Any

import pytest

import emheap
from emheap import NotSupportedError, int16, int32, uint32
from emheap.memories.heap_view import lend_indirectly
from emtests.refs.steps import record_steps


def make() -> tuple[Any, Any]:
    """An indirect view of four numbers, and memoryview's own."""
    memory = emheap.wrap_buffer(bytearray(1 << 10)).memory
    memory.write_bytes(64, struct.pack("<4i", 1, -2, 3, 4))
    real: Any = memory.lend(int32, 64, 4).view
    return lend_indirectly(memory, int32, 64, 4).view, real


def test_casts_as_memoryview_does() -> None:
    view, real = make()
    for format_ in ("B", "b", "@B"):
        assert view.cast(format_).tolist() == real.cast(format_).tolist()
    assert view.cast("B").cast("h").tolist() == real.cast("B").cast("h").tolist()
    assert view[1:3].cast("B").tolist() == real[1:3].cast("B").tolist()
    for which in (view, real):
        with pytest.raises(TypeError, match="cannot cast between two non-byte formats"):
            which.cast("h")
        with pytest.raises(TypeError, match="contiguous"):
            which[::2].cast("B")
        with pytest.raises(TypeError, match="multiple of"):
            which.cast("B")[:3].cast("h")
        with pytest.raises(ValueError, match="format"):
            which.cast("x")
    with pytest.raises(TypeError, match="cannot cast a view whose elements are not contig"):
        view[::2].cast("B")
    words = "^cast takes one of the formats (. )+., not 'x'$"
    with pytest.raises(ValueError, match=words) as caught:
        view.cast("x")
    for format_ in str(caught.value).partition("formats ")[2].removesuffix(", not 'x'").split():
        assert view.cast("B").cast(format_).format == format_


def test_tells_what_memoryview_tells() -> None:
    view, real = make()
    told = (
        *("format", "itemsize", "nbytes", "ndim", "shape", "strides", "suboffsets", "readonly"),
        *("contiguous", "c_contiguous", "f_contiguous"),
    )
    for part in (slice(None), slice(None, None, 2), slice(1, 2, 2), slice(3, 3)):
        for one, other in ((view[part], real[part]), (view.cast("B")[part], real.cast("B")[part])):
            assert [getattr(one, name) for name in told] == [getattr(other, name) for name in told]
            assert (one.tobytes(), one.tolist()) == (other.tobytes(), other.tolist())
            for separator in ((), (":",), (":", 3)):
                assert one.hex(*separator) == other.hex(*separator)


def test_read_only_and_equal() -> None:
    view, real = make()
    locked = view.toreadonly()
    for which in (locked, real.toreadonly()):
        for part in (which, which[1:], which[::2], which.cast("B"), which.toreadonly()):
            with pytest.raises(TypeError, match="cannot modify read-only memory"):
                part[0] = 5
        with pytest.raises(TypeError, match="read-only"):
            which[:2] = real[:2]
    assert view == locked
    assert view == real
    assert view != [1, -2, 3, 4]
    assert view[:2] != view[1:3]
    view[:2] = real[2:]
    assert real.tolist() == locked.tolist() == [3, 4, 3, 4]
    view[3] = 5
    assert view[1:].toreadonly().tolist() == [4, 3, 5]


def test_numbers_are_compared_and_not_their_bytes() -> None:
    view, _ = make()
    short, unsigned = array("h", [1, -2, 3, 4]), array("I", view.tobytes())
    memory = emheap.wrap_buffer(bytearray(1 << 10)).memory
    memory.write_bytes(64, short.tobytes() + unsigned.tobytes())
    for same in (memoryview(short), lend_indirectly(memory, int16, 64, 4).view):
        assert view == same
    for other in (memoryview(unsigned), lend_indirectly(memory, uint32, 72, 4).view):
        assert view.tobytes() == other.tobytes()
        assert view != other


def test_an_index_outside_of_the_view() -> None:
    view, _ = make()
    for part, index, elements in ((view, 4, "4 elements"), (view[2:3], -2, "1 element")):
        words = f"^index {index} is outside the {elements} of the view$"
        with pytest.raises(IndexError, match=words):
            part[index]
        with pytest.raises(IndexError, match=words):
            part[index] = 5
    assert view.tolist() == [1, -2, 3, 4]


def test_a_released_view_equals_itself_only() -> None:
    for view, other in zip(make(), make(), strict=True):
        same = view[:]
        released = [view, other, memoryview(b"")]
        assert view == other
        for each in released:
            each.release()
        for one in (view, other):
            assert [one == each for each in released] == [one is each for each in released]
        assert [same == each for each in released] == [each == same for each in released]
        assert same != released[0]
        with pytest.raises(ValueError, match="operation forbidden on released"):
            view[0]


USES: dict[str, Callable[[Any], Any]] = {
    "an element": lambda view: view[0],
    "a slice": lambda view: view[1:],
    "storing an element": lambda view: view.__setitem__(0, 5),
    "storing a slice": lambda view: view.__setitem__(slice(2), array("i", [5, 6])),
    "storing an empty slice": lambda view: view.__setitem__(slice(0), array("i")),
    "storing into a read-only one": lambda view: view.toreadonly().__setitem__(0, 5),
    "its length": len,
    "an iteration": list,
    "a search": lambda view: 3 in view,
    "tolist": lambda view: view.tolist(),
    "tobytes": lambda view: view.tobytes(),
    "bytes": bytes,
    "hex": lambda view: view.hex(),
    "cast": lambda view: view.cast("B"),
    "toreadonly": lambda view: view.toreadonly(),
    "with": lambda view: view.__enter__(),
    "nbytes": lambda view: view.nbytes,
    "shape": lambda view: view.shape,
}
"""What reaches elements, or another view on them."""


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_a_released_view_reaches_nothing_and_its_slices_everything(
    use: Callable[[Any], Any],
) -> None:
    for which in (0, 1):
        view = make()[which]
        rest = view[1:]
        view.release()
        view.release()
        with pytest.raises(ValueError, match="operation forbidden on released"):
            use(view)
        assert rest.tolist() == [-2, 3, 4]
        rest[0] = 7
        assert rest[0] == 7


def test_an_iteration_ends_with_its_view() -> None:
    for view in make():
        started = iter(view)
        assert next(started) == 1
        view.release()
        with pytest.raises(ValueError, match="operation forbidden on released"):
            next(started)


def test_all_elements_move_in_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = emheap.wrap_buffer(bytearray(1 << 10)).memory
    view: Any = lend_indirectly(memory, int32, 64, 4).view
    steps = record_steps(memory, monkeypatch)
    monkeypatch.setattr(memory, "cached_reader", None)  # one by one would be by these
    monkeypatch.setattr(memory, "cached_writer", None)
    view[:] = array("i", [1, 2, 3, 4])
    assert view.tolist() == [1, 2, 3, 4]
    view[1:3] = view[2:]
    assert view.tolist() == [1, 3, 4, 4]
    assert steps == [
        ("write", 64, 16),
        ("read", 64, 16),
        ("read", 72, 8),
        ("write", 68, 8),
        ("read", 64, 16),
    ]


def test_no_array_shares_the_bytes() -> None:
    view, _ = make()
    words = (
        r"^no numpy array can share the bytes of the buffer: make a copy with numpy\.array\("
        r"view\.tolist\(\), view\.format\) and store it with view\[:\] = copy$"
    )
    with pytest.raises(NotSupportedError, match=words):
        view.__array__()
