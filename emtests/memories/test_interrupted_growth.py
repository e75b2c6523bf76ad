"""An interrupt while a memory's growth is taken over leaves none of it, or all of it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import emheap
from emheap import HeapManager, int32, utf8
from emtests.conftest import skip_for_gap
from emtests.webassembly.guests import GUESTS, MISSING, open_guest

LIBRARY = str(Path(emheap.__file__).parent)
Hook = Callable[[Any], None]


@contextmanager
def interrupting(hook: Hook, moment: int, struck: list[int]) -> Iterator[None]:
    """Raise KeyboardInterrupt at the library's event of this number: a line, or a call's end; and
    put the number into a list then."""
    left = moment

    def watch(frame: Any, event: str, argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename.startswith(LIBRARY):
            left -= 1
            if left == 0:
                struck.append(moment)
                raise KeyboardInterrupt
        return watch

    before = sys.gettrace() if hook is sys.settrace else sys.getprofile()
    hook(watch)
    try:
        yield
    finally:
        hook(before)


class Buffers:
    """A buffer that a longer one replaces, which the old one tells by being released."""

    def __init__(self) -> None:
        self.latest = memoryview(bytearray(4096))

    def grow(self) -> int:
        size = len(self.latest)
        longer = memoryview(bytearray(size + 4096))
        longer[:size] = self.latest
        self.latest.release()
        self.latest = longer
        return size


def open_growing(name: str) -> tuple[HeapManager, Callable[[], int]]:
    """A heap, and what makes it grow; that gives the size of before."""
    if name == "buffers":
        buffers = Buffers()
        blocks = emheap.FreeListAllocator(16, 2048)
        made = emheap.create_wasm_heap_manager(lambda: buffers.latest, blocks.allocate, blocks.free)
        return made, buffers.grow
    if MISSING[name]:
        skip_for_gap(name, MISSING[name])
    guest = open_guest(name)
    return guest.heap, lambda: int(guest.call("grow", 1)) * 65536


@pytest.fixture(autouse=True)
def _no_finalizers_of_others() -> Iterator[None]:
    # An interrupt in one of them would go nowhere.
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("hook", [sys.settrace, sys.setprofile], ids=["lines", "calls"])
@pytest.mark.parametrize("name", [*GUESTS, "buffers"])
def test_the_next_access_finds_all_of_the_memory(name: str, hook: Hook) -> None:
    heap, grow = open_growing(name)
    numbers = heap.alloc_array(int32, [1, 2, 3])
    interrupts = 0
    for moment in count(1):
        address = grow() + 64
        struck: list[int] = []
        try:
            with interrupting(hook, moment, struck):
                heap.write_int32(address, -1)
                heap.read(utf8, address)
                numbers[0] = 1
        except KeyboardInterrupt:
            interrupts += 1
        except UnicodeDecodeError:  # the text that was not interrupted
            if not struck:
                break
            # `struct` has asked a class of ours for its buffer, and lost the exception.
        heap.write_int32(address, moment)
        assert heap.read_int32(address) == moment
        assert heap.memory.size > address
        heap.write(utf8, address, "text")
        assert heap.read(utf8, address) == "text"
        assert numbers[:] == [1, 2, 3] == heap.wrap_array(int32, numbers.address, 3)[:]
        assert numbers[1] == numbers.view[1] == 2
    assert interrupts > 20
    numbers.free()
