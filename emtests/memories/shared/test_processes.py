"""Two processes exchange data, both ways, in a block of multiprocessing.shared_memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing.shared_memory import SharedMemory

import pytest

import emheap
from emheap import clamped_uint8, float64, int32, int64, uint8, utf8, utf16
from emheap.memories.buffer import BufferMemory
from emtests.conftest import skip_for_gap
from emtests.memories.shared.layout import (
    ADDITIONS,
    CHILD,
    COUNTED,
    EXCHANGED,
    HALF,
    NUMBERS,
    PARENT,
    SIZE,
    STRINGS,
    TAKEN,
    add_ones,
    count_up,
    exchange,
    opened,
)
from emtests.memories.shared.other_process import NUMBERS_AFTER
from emtests.processes import CHECKOUT, SECONDS


@pytest.fixture
def block() -> Iterator[SharedMemory]:
    try:
        emheap.wrap_buffer(bytearray(64)).read_int32_atomic(16)
    except emheap.NotSupportedError as error:
        skip_for_gap("processes that take turns by an atomic number", str(error))
    block = SharedMemory(create=True, size=SIZE)
    yield block
    block.close()
    block.unlink()


def start_other(block: SharedMemory) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "emtests.memories.shared.other_process", block.name],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def lives(process: subprocess.Popen[str]) -> Callable[[], bool]:
    return lambda: process.poll() is None


def test_two_processes_in_one_block(block: SharedMemory) -> None:
    with start_other(block) as other, opened(block, 16384, HALF, lives(other)) as side:
        heap = side.heap
        numbers = heap.alloc_array(float64, [0.5] * 1000)
        side.leave(PARENT, numbers.address)
        heap.write(utf8, STRINGS, "what was left hére")
        side.set_turn(1)
        side.await_turn(2)
        # What the other process stored is there, through every way to look at it.
        assert numbers[0] == numbers.view[0] == heap.read_float64(numbers.address) == -1.0
        reply = heap.wrap(utf16, side.find(CHILD))
        assert reply.address >= HALF
        assert reply.value == "read what was left hére, adding up to 500.0"
        assert heap.read(int64, NUMBERS_AFTER) == -(2**40)
        assert heap.read(clamped_uint8, NUMBERS_AFTER + 8) == 255
        assert numbers.view[1:].tolist() == [0.5] * 999
        # Two hundred turns, each a store that the other process waits for.
        side.set_turn(3)
        count_up(side, 4, 204)
        add_ones(side)
        taken = exchange(side, 0)
        output, _ = other.communicate(timeout=SECONDS)
        assert (other.returncode, output) == (0, "")
        assert heap.read(int32, NUMBERS) == 200
        # Both added as fast as they could, and nothing was lost.
        assert heap.read(int32, COUNTED) == 2 * ADDITIONS
        assert heap.read(float64, COUNTED + 8) == ADDITIONS
        # Each number that one of them stored was taken by one of them, but for the last.
        taken += heap.read(int64, TAKEN) + heap.read(int64, EXCHANGED)
        assert taken == sum(range(2 * ADDITIONS))
        numbers.free()
        del reply  # it borrows bytes of the block, which cannot be closed meanwhile


def test_a_heap_lets_go_of_its_block(block: SharedMemory) -> None:
    heap = emheap.wrap_buffer(block.buf)
    ref = heap.alloc_array(uint8, [1, 2, 3])
    heap.write_int32(500, 7)
    assert heap.read_int32(500) == 7
    view, wrapped = ref.view, heap.wrap(int32, 500)
    memory = heap.memory
    assert isinstance(memory, BufferMemory)
    memory.release()
    for use in (lambda: heap.read_int32(500), lambda: heap.write_int32(500, 1)):
        with pytest.raises(ValueError, match="released"):
            use()
    with pytest.raises(BufferError, match="exported pointers exist"):
        block.close()
    view.release()
    ref.free()
    del wrapped
    block.close()
