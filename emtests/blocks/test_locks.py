"""An interrupt leaves no lock taken, whatever the interpreter makes of a ``with`` statement."""

from __future__ import annotations

import _thread
import ast
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from operator import methodcaller
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import emheap
from emheap import PageAllocator, uint8
from emheap._util.locks import Lock
from emtests.heaps import IN_PYODIDE
from emtests.threads import need_threads, run_in_threads
from emtests.unmeasured import unmeasured

ROOT = Path(emheap.__file__).parent
LOOPS = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp)
"""A generator expression is a function of its own."""


class Interrupt(Exception):  # noqa: N818
    """What the signal handler raises here."""


def raise_interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupt


@pytest.fixture
def _interrupts() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, raise_interrupt)
    with unmeasured():
        yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("kind", [emheap.CountingAllocator, emheap.QuotaAllocator])
def test_no_lock_is_taken_while_a_programs_allocator_is_asked(kind: Any) -> None:
    """It may have a lock of its own, and wait for a thread that waits for ours."""
    need_threads()

    class Waiting(emheap.FreeListAllocator):
        def allocate(self, size: int) -> int:
            others_use_a_heap()
            return super().allocate(size)

        def free(self, address: int) -> None:
            others_use_a_heap()
            super().free(address)

    def others_use_a_heap() -> None:
        thread = threading.Thread(target=use_heap, daemon=True)
        thread.start()
        thread.join(60)
        ended.append(not thread.is_alive())

    def use_heap() -> None:
        emheap.wrap_buffer(bytearray(4096)).alloc_array(uint8, 2000).free()

    ended: list[bool] = []
    more = (1 << 20,) if kind is emheap.QuotaAllocator else ()
    allocator = kind(Waiting(16, 4096), *more)
    allocator.free(allocator.allocate(100))
    allocator.free_sized(allocator.allocate(100), 100)
    assert ended == [True] * 4


def take_and_interrupt(lock: Any) -> partial[Any]:
    """A function that takes a lock, with a signal come before it returns: it is made of C functions
    only, among which the interpreter does not look for signals."""
    take = map(methodcaller("acquire"), [lock])
    interrupt = map(_thread.interrupt_main, [signal.SIGINT])
    return partial(next, zip(take, interrupt, strict=True))


def is_taken(lock: Any) -> bool:
    if IN_PYODIDE:  # where locks do not know who has them
        return "unlocked" not in repr(lock)
    return bool(lock._is_owned())


@pytest.mark.usefixtures("_interrupts")
def test_an_interrupt_right_after_a_lock_is_taken_releases_it() -> None:
    # A class that type checkers do not see: to them RLock is final.
    cls: Any = type("Interrupted", (Lock,), {"__slots__": ()})
    lock = cls()
    taking = take_and_interrupt(lock)
    if sys.version_info >= (3, 14):
        cls._taken = property(taking)
    else:
        cls.__enter__ = staticmethod(taking)
    with pytest.raises(Interrupt), lock:
        len("a call, after which the interpreter looks at the latest")
    assert not is_taken(lock)


def test_a_lock_is_taken_and_taken_again_by_its_thread() -> None:
    lock = Lock()
    with lock as entered, lock:
        assert entered is True
        assert is_taken(lock)
    assert not is_taken(lock)


def locked_bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.With):
            names = [ast.unparse(item.context_expr) for item in node.items]
            if any(name.endswith("lock") for name in names):
                yield node.body


def test_no_loop_stands_in_the_block_of_a_lock() -> None:
    """On CPython 3.13 the jump back of a loop whose condition comes last, and of a comprehension
    with an ``if``, belongs to no block: an exception there would leave the lock taken."""
    seen, loops = 0, []
    for path in sorted(ROOT.rglob("*.py")):
        for body in locked_bodies(ast.parse(path.read_text(encoding="utf-8"))):
            seen += 1
            for statement in body:
                loops += [
                    f"{path.relative_to(ROOT)}:{node.lineno}"
                    for node in ast.walk(statement)
                    if isinstance(node, LOOPS)
                ]
    assert not loops, f"put these into functions of their own: {', '.join(loops)}"
    assert seen > 20


@pytest.mark.usefixtures("_interrupts")
def test_an_interrupt_in_a_loop_beneath_the_block_releases_the_lock() -> None:
    lock = Lock()

    def loop() -> list[Any]:
        interrupts: Iterator[Any] = map(_thread.interrupt_main, [signal.SIGINT])
        return [each for each in interrupts if each is not None]

    with pytest.raises(Interrupt), lock:
        loop()
    assert not is_taken(lock)


def test_threads_that_free_blocks_of_each_others_heaps_do_not_wait_for_each_other() -> None:
    """As a finalizer does that runs within an allocator, here in the function that adds pages."""
    need_threads()
    both_within = threading.Barrier(2)
    others: dict[str, Any] = {}

    def open_heap(name: str) -> Any:
        size = 0

        def grow(pages: int) -> int:
            nonlocal size
            if name in others:
                with suppress(threading.BrokenBarrierError):  # a thread came alone, as it should
                    both_within.wait(0.2)
                others.pop(name).free()
            before, size = size, size + pages
            return before

        return emheap.wrap_buffer(bytearray(1 << 20), allocator=PageAllocator(grow))

    first, second = open_heap("first"), open_heap("second")
    others |= {"second": first.alloc_array(uint8, 300), "first": second.alloc_array(uint8, 300)}

    def allocate(heap: Any) -> None:
        heap.alloc_array(uint8, 200_000).free()  # so large that it takes more pages

    run_in_threads([partial(allocate, first), partial(allocate, second)])
    assert others == {}
    assert [heap._table.block_count for heap in (first, second)] == [0, 0]
