"""A child that is forked while other threads use a heap can use it, too."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest

from emheap import uint8
from emheap._util.platform import HAS_GIL
from emtests.conftest import OpenHeap, skip_for_gap
from emtests.heaps import RUNNING, HeapKind
from emtests.threads import need_threads, often_switched
from emtests.unmeasured import unmeasured

KINDS = [kind for kind in RUNNING if kind.name in ("own", "debug", "bytearray-freelist")]
CHILDREN = 20
SECONDS = 20


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_lock_is_taken_in_a_forked_child(kind: HeapKind, open_heap: OpenHeap) -> None:
    need_threads()
    if not HAS_GIL:
        reason = "a child may find any dict of Python's locked that a thread changed at the fork"
        skip_for_gap("a free-threaded Python", reason)
    heap = open_heap()
    done = threading.Event()

    def use() -> None:
        while not done.is_set():
            with heap.alloc_array(uint8, 2000) as array, heap.alloc_array(uint8, 20) as small:
                view = heap.view(uint8, array.address, 10)
                small.free()
                view.release()

    threads = [threading.Thread(target=use) for _ in range(3)]
    with often_switched():
        for thread in threads:
            thread.start()
        try:
            codes = [_fork_and_use(heap) for _ in range(CHILDREN)]
        finally:
            done.set()
            for thread in threads:
                thread.join()
    assert codes == [0] * CHILDREN
    heap.free_all()


def _use_and_exit(heap: Any) -> None:
    code = 1
    try:
        array = heap.alloc_array(uint8, 3000)
        heap.view(uint8, array.address, 10).release()
        array.free()
        code = 0
    finally:
        os._exit(code)


def _fork_and_use(heap: Any) -> int | None:
    """What a child that uses the heap ends with; None if it hangs."""
    with unmeasured():
        child = os.fork()
        if not child:
            _use_and_exit(heap)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return None
