"""The report of debug heaps at exit, asked for while the tests still run."""

from __future__ import annotations

import gc
import warnings
from weakref import WeakSet

import pytest

import emheap
from emheap import int32, uint8
from emheap.diagnosis import debug_heap
from emheap.diagnosis.debug_heap import report


@pytest.fixture(autouse=True)
def _these_heaps_only(monkeypatch: pytest.MonkeyPatch) -> None:
    # Those of other tests may be there still, damaged on purpose.
    monkeypatch.setattr("emheap.diagnosis.debug_heap._watched", WeakSet())
    monkeypatch.setattr("emheap.diagnosis.debug_heap._holding_blocks", {})


def test_what_is_live_and_what_is_damaged_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    heap = emheap.wrap_buffer(bytearray(1 << 12), debug=True)
    block = heap.alloc_array(uint8, 10)
    heap.memory.write_bytes(block.address + 10, b"!")
    report()
    errors = capsys.readouterr().err
    assert "emheap at exit: the buffer: 1 block of 10 bytes is live; free it:" in errors
    assert "emheap at exit: the buffer: the block of 10 bytes at " in errors
    assert "was overrun: byte 0 after its end was written" in errors
    heap.memory.write_bytes(block.address + 10, heap.memory.read_bytes(block.address + 11, 1))
    block.free()
    report()
    assert capsys.readouterr().err == ""


def test_a_heap_that_nothing_refers_to_is_told_of_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        emheap.wrap_buffer(bytearray(1 << 12), debug=True).alloc(int32, 5)
    gc.collect()
    report()
    errors = capsys.readouterr().err
    assert "emheap at exit: the buffer: 1 block of 4 bytes is live; free it:" in errors
    assert "test_exit_report.py" in errors


def test_a_heap_without_live_blocks_may_go() -> None:
    heap = emheap.wrap_buffer(bytearray(1 << 12), debug=True)
    first, second = heap.alloc(int32), heap.alloc_array(uint8, 10)
    first.free()
    assert debug_heap._holding_blocks
    second.free()
    assert not debug_heap._holding_blocks


def test_a_heap_that_cannot_be_read_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    heap = emheap.wrap_buffer(bytearray(1 << 12), debug=True)
    heap.alloc(int32, 5).free()
    heap.memory.release()
    report()
    output = capsys.readouterr().err
    assert "could not be looked at: UseAfterFreeError: the buffer was released at " in output


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    heap = emheap.wrap_buffer(bytearray(1 << 12), debug=True)
    block = heap.alloc(int32, 5)
    monkeypatch.setattr("sys.stderr", None)
    report()
    block.free()
