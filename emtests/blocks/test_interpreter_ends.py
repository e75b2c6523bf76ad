"""The end of a process, and of a thread: forks, and finalizers when all goes down."""

from __future__ import annotations

import os
from typing import Any

import pytest

from emheap import HeapManager, int32, utf8
from emtests.blocks.consistency import check_consistent
from emtests.conftest import OpenHeap, skip_for_gap
from emtests.heaps import IN_PYODIDE, RUNNING, HeapKind
from emtests.processes import run_program

# wasmtime and memory that processes share have their own rules about forks.
FORKING = [kind for kind in RUNNING if kind.name in ("own", "debug", "bytearray-freelist", "mmap")]


def use_in_child(heap: HeapManager, number: Any, name: Any) -> None:
    assert (number.value, name.value) == (5, "name")
    number.value = 6
    own = heap.alloc(int32, 7)
    assert own.address not in (number.address, name.address)
    number.free()
    own.free()
    check_consistent(heap)
    assert name.is_freed


@pytest.mark.parametrize("kind", FORKING, ids=str)
def test_a_child_has_the_blocks_for_itself(kind: HeapKind, open_heap: OpenHeap) -> None:
    need_processes()
    if not hasattr(os, "fork"):
        skip_for_gap("this system", "it has no fork")
    heap = open_heap()
    number, name = heap.alloc(int32, 5), heap.alloc(utf8, "name")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            use_in_child(heap, number, name)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    if kind.name != "mmap":  # an anonymous map is one memory for both processes
        assert (number.value, name.value) == (5, "name")
    number.free()
    name.free()


def need_processes() -> None:
    if IN_PYODIDE:
        skip_for_gap("Pyodide", "it starts no processes")


SHUTDOWN = """
import os, threading
import emheap
from emheap import int32, utf8
os.dup2(1, 2)  # at the very end Python prints to this, whatever sys.stderr was set to

class AtTheEnd:
    def __init__(self, heap, ref):
        self.heap, self.ref, self.view = heap, ref, ref.view
        self.cycle = self
    def __del__(self):
        # Whatever is left of the interpreter by now, this is right use.
        assert self.ref[0] == 5
        del self.view
        self.ref.free()

collected = emheap.open(enable_garbage_collection=True)
plain = emheap.open()
kept = [collected.alloc(int32, 1), collected.alloc_array(int32, 3), plain.alloc(utf8, "text")]
views = [ref.allocated_bytes_view for ref in kept]
at_the_end = AtTheEnd(plain, plain.alloc_array(int32, [5]))
buffer_heap = emheap.wrap_buffer(bytearray(1000))
in_buffer = buffer_heap.alloc(int32, 5)
borrowed = buffer_heap.wrap(int32, in_buffer.address)
arena = plain.arena()
in_arena = arena.alloc(int32, 3)

def use(heap):
    while True:
        ref = heap.alloc(int32, 5)
        heap.alloc_array(int32, [1, 2]).free()
        ref.free()

for heap in (collected, plain):
    threading.Thread(target=use, args=(heap,), daemon=True).start()
for _ in range(1000):
    plain.alloc(int32, 5).free()
print("done", flush=True)
"""


@pytest.mark.once
@pytest.mark.parametrize("debug", ["0", "1"])
def test_the_interpreter_ends_in_peace(monkeypatch: pytest.MonkeyPatch, debug: str) -> None:
    need_processes()
    monkeypatch.setenv("EMHEAP_DEBUG", debug)
    monkeypatch.setenv("PYTHONWARNINGS", "ignore::ResourceWarning")
    for _ in range(3):
        output = run_program(SHUTDOWN)
        assert output.startswith("done\n")
        report = output.removeprefix("done\n")
        assert "Traceback" not in report
        assert "Exception ignored" not in report
        assert ("emheap at exit" in report) == (debug == "1")


@pytest.mark.once
def test_dropped_blocks_are_told_at_shutdown_too(monkeypatch: pytest.MonkeyPatch) -> None:
    need_processes()
    monkeypatch.setenv("PYTHONWARNINGS", "always::ResourceWarning")
    output = run_program(
        """
        import os, emheap
        os.dup2(1, 2)
        class Holder:
            pass
        holder = Holder()
        holder.ref = emheap.open().alloc(emheap.int32, 5)
        holder.itself = holder
        """
    )
    # Where the module `warnings` is gone already, Python says nothing; else it tells the place.
    assert "Traceback" not in output
    assert not output or "was dropped and not freed; it was allocated at <string>:7" in output


@pytest.mark.once
def test_finalizers_say_nothing_when_the_names_of_modules_are_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need_processes()
    monkeypatch.setenv("PYTHONWARNINGS", "always::ResourceWarning")
    output = run_program(
        """
        import codecs, os, sys, emheap
        os.dup2(1, 2)
        heap = emheap.open()
        ref = heap.alloc(emheap.int32, 5)
        array = heap.alloc_array(emheap.int32, 5)
        collected = emheap.open(enable_garbage_collection=True)
        other = collected.alloc_array(emheap.int32, 5)
        view = other.view
        arena = heap.arena()
        inner = arena.alloc(emheap.int32)
        class Point(emheap.Struct):
            x: emheap.int32
        point = heap.alloc(Point)
        # Modules that somebody has still lose their names, those imported last first.
        modules = list(sys.modules.values())
        codecs.register(lambda name, modules=modules: None)
        """
    )
    assert output == ""


def test_two_interpreter_ends_are_reported_once() -> None:
    need_processes()
    output = run_program(
        """
        import os, emheap
        os.dup2(1, 2)
        heap = emheap.open(debug=True)
        ref = heap.alloc(emheap.int32, 5)
        if hasattr(os, "fork"):
            child = os.fork()
            if child == 0:
                os._exit(0)          # as multiprocessing does: the parent tells of what it has
            os.waitpid(child, 0)
        """
    )
    assert output.count("emheap at exit: ") == 1
