"""A debug heap whose blocks a finalizer frees in the middle of a call, as a collection may."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

import emheap
from emheap import uint8
from emheap.diagnosis import debug_heap

BLOCKS = 12
WITHIN = debug_heap.__file__


class Subject:
    """Blocks in the order of their addresses; of some, the finalizer has the references."""

    def __init__(self) -> None:
        self.heap = emheap.open(debug=True)
        refs = [self.heap.alloc_array(uint8, [number] * 8) for number in range(BLOCKS)]
        refs.sort(key=lambda ref: ref.address)
        self.last = refs.pop()
        self.middle = refs.pop(BLOCKS // 2)
        self.first = refs.pop(0)
        self.dropped = refs
        self.new: Any = None

    def finalize(self) -> None:
        while self.dropped:
            self.dropped.pop().free()


def read(subject: Subject) -> None:
    for ref in (subject.first, subject.middle, subject.last):
        assert subject.heap.read(uint8, ref.address + 3) == ref[3]


def free(subject: Subject) -> None:
    subject.middle.free()


def allocate(subject: Subject) -> None:
    subject.new = subject.heap.alloc_array(uint8, 8)


def at_each_call(
    operation: Callable[[Subject], None],
) -> Iterator[Subject]:
    """Have blocks freed at the first call within the debug heap, at the second one, and so on."""
    moment = 0
    while True:
        subject, left = Subject(), moment

        def meddle(frame: FrameType, event: str, _: Any, subject: Subject = subject) -> None:
            nonlocal left
            if frame.f_code.co_filename == WITHIN:
                if not left:
                    sys.setprofile(None)
                    subject.finalize()
                left -= 1

        before = sys.getprofile()
        sys.setprofile(meddle)
        try:
            operation(subject)
        finally:
            sys.setprofile(before)
        if left >= 0:  # it was over before this moment came
            subject.heap.close()
            return
        yield subject
        moment += 1


@pytest.mark.parametrize("operation", [read, free, allocate])
def test_a_finalizer_that_frees_other_blocks_is_in_the_way_of_no_call(
    operation: Callable[[Subject], None],
) -> None:
    moments = 0
    for subject in at_each_call(operation):
        moments += 1
        table: Any = subject.heap._table
        assert table._starts == sorted(block[1] for block in table)
        subject.heap.close()
    assert moments > 10
