"""Elements for builds of CPython without the interpreter's lock: closed for all threads at once."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

from emheap import int32, uint8
from emheap._util import locks
from emheap.blocks.ended_views import _release_among_threads
from emheap.memories.buffer import BufferMemory
from emheap.memories.elements import ExclusiveElements, Gate
from emheap.refs.cells import ExclusiveCells
from emtests.threads import need_threads

RELEASED = "operation forbidden on released elements"


@pytest.fixture
def memory() -> BufferMemory:
    return BufferMemory(bytearray(64))


@pytest.fixture
def elements(memory: BufferMemory) -> ExclusiveElements:
    return ExclusiveElements(memory, int32, 8, 4)


def test_they_read_and_store_as_others_do(
    memory: BufferMemory, elements: ExclusiveElements
) -> None:
    elements[1] = 5
    elements[-1] = 7
    elements[2:3] = memoryview(b"\6\0\0\0").cast("i")
    numbers: Any = elements
    assert (len(elements), list(numbers), elements[1:3].tolist()) == (4, [0, 5, 6, 7], [5, 6])
    assert memory.read_bytes(8, 16) == bytes([0, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0])
    with pytest.raises(IndexError):
        elements[4]


@pytest.mark.parametrize(
    "use",
    [
        lambda elements: elements[0],
        lambda elements: elements[1:],
        lambda elements: elements.__setitem__(0, 1),
        lambda elements: elements.__setitem__(slice(0, 1), memoryview(b"abcd").cast("i")),
        len,
        lambda elements: elements.pin(),
    ],
)
def test_what_was_released_is_reached_by_no_use(
    memory: BufferMemory, elements: ExclusiveElements, use: Callable[[Any], Any]
) -> None:
    elements.release()
    elements.release()  # does nothing
    with pytest.raises(ValueError, match=RELEASED):
        use(elements)
    assert memory.read_bytes(8, 16) == bytes(16)
    elements.reopen(16)
    use(elements)


def test_what_is_pinned_is_not_released(elements: ExclusiveElements) -> None:
    pinned = elements.pin()
    with pytest.raises(BufferError, match="in use"):
        elements.release()
    assert elements[0] == 0
    pinned.release()
    elements.release()
    with pytest.raises(ValueError, match=RELEASED):
        elements.pin()


def test_a_pin_that_an_interrupt_dropped_is_over(elements: ExclusiveElements) -> None:
    elements.pin()  # has no name
    elements.release()


def test_a_release_waits_for_an_access_that_is_under_way() -> None:
    need_threads()
    gate, entered, leave = Gate(), threading.Event(), threading.Event()
    elements = ExclusiveElements(BufferMemory(bytearray(16)), uint8, 8, 4, gate)
    found = []

    def read(address: int) -> int:
        entered.set()
        leave.wait(20)
        found.append(gate.is_closed)
        return address

    elements._read = read
    thread = threading.Thread(target=elements.__getitem__, args=(1,))
    thread.start()
    entered.wait(20)
    with pytest.raises(BufferError, match="in use"):
        gate.close()
    leave.set()
    thread.join()
    gate.close()
    assert found == [False]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long what runs has slept, each time."""
    slept: list[float] = []
    monkeypatch.setattr(locks, "sleep", slept.append)
    return slept


def test_a_release_waits_for_other_threads(elements: ExclusiveElements, waits: list[float]) -> None:
    need_threads()
    pins: list[Any] = []
    thread = threading.Thread(target=lambda: pins.append(elements.pin()))
    thread.start()
    thread.join()
    with pytest.raises(BufferError, match="in use"):
        elements.release()
    assert len(waits) == 50


def test_a_release_does_not_wait_for_its_own_thread(
    elements: ExclusiveElements, waits: list[float]
) -> None:
    def read(address: int) -> int:
        with pytest.raises(BufferError, match="in use"):
            elements.release()
        return address

    elements._read = read
    assert elements[1] == 12
    pinned = elements.pin()
    with pytest.raises(BufferError, match="in use"):
        elements.release()
    assert waits == []
    pinned.release()
    elements.release()


def test_a_value_that_releases_the_elements_is_not_stored(
    memory: BufferMemory, elements: ExclusiveElements
) -> None:
    class Releasing:
        def __index__(self) -> int:
            elements.release()
            return 1

    for use in (elements.__getitem__, lambda index: elements.__setitem__(0, index)):
        with pytest.raises(ValueError, match=RELEASED):
            use(Releasing())
        elements.reopen(16)
    assert memory.read_bytes(8, 16) == bytes(16)


def test_cells_are_released_in_all_formats_or_in_none(memory: BufferMemory) -> None:
    cells: Any = ExclusiveCells(memory, 8, 16)
    numbers, pinned = cells.i, cells.pin()
    with pytest.raises(BufferError, match="in use"):
        cells.release()
    numbers[0] = 3
    cells.write(4, b"\4\0\0\0")
    assert (numbers[0], cells.q[0], cells.read(2, 6), len(cells)) == (
        3,
        3 + (4 << 32),
        b"\0\0\4\0\0\0",
        16,
    )
    pinned.release()
    cells.release()
    uses: list[Callable[[], Any]] = [
        lambda: numbers[0],
        lambda: cells.h[0],
        lambda: cells.read(0, 4),
        lambda: cells.write(0, b"abcd"),
        lambda: len(cells),
        cells.pin,
    ]
    for use in uses:
        with pytest.raises(ValueError, match=RELEASED):
            use()
    cells.reopen(16)
    assert numbers[0] == 3


def test_a_view_is_released_among_threads() -> None:
    owner = bytearray(4)
    view = memoryview(owner)
    part = view[1:]
    _release_among_threads(view)
    with pytest.raises(ValueError, match="released"):
        view[0]
    part[0] = 1  # slices are counted by what they are made of
    with pytest.raises(BufferError):
        owner.clear()
    part.release()
    owner.clear()
    _release_among_threads(view)  # was released before


def test_a_view_that_something_is_made_of_is_not_released() -> None:
    owner = bytearray(4)
    view = memoryview(owner)
    kept = pickle.PickleBuffer(view)
    with pytest.raises(BufferError):
        _release_among_threads(view)
    kept.release()
    assert view[0] == 0
    view.release()
    owner.clear()
